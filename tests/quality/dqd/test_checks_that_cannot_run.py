"""A check that cannot run is an error of that check, without a value; every other check counts as ever."""

from __future__ import annotations

import duckdb

from oncoweave.quality.dqd.catalogue import catalogue
from oncoweave.quality.dqd.run import run_dqd

ROWS = """
INSERT INTO person (person_id, year_of_birth, gender_concept_id) VALUES (1, 1950, 8532);
INSERT INTO death (person_id, death_date) VALUES (1, '2002-01-01');
INSERT INTO visit_occurrence (visit_occurrence_id, person_id) VALUES (81, 1);
INSERT INTO measurement (measurement_id, person_id, measurement_date, unit_concept_id, visit_occurrence_id)
VALUES (51, 1, '2000-01-01', 8588, 81), (52, NULL, NULL, NULL, NULL)
"""


def test_a_text_that_is_no_date_stops_the_checks_of_that_date_only(empty_cdm: duckdb.DuckDBPyConnection) -> None:
    empty_cdm.execute(ROWS)
    before = run_dqd(empty_cdm, catalogue())
    empty_cdm.execute("ALTER TABLE measurement ALTER measurement_date TYPE VARCHAR")
    empty_cdm.execute("UPDATE measurement SET measurement_date = 'JOHN-DOE-1' WHERE measurement_id = 51")
    after = run_dqd(empty_cdm, catalogue())
    stopped = {id_ for id_, counts in after.items() if counts.error}
    assert stopped == {
        f"field_{name}_measurement_measurement_date"
        for name in (
            "plausiblevaluelow", "plausiblevaluehigh", "plausibletemporalafter", "plausibleafterbirth",
            "plausiblebeforedeath", "withinvisitdates",
        )
    }  # fmt: skip
    assert {after[id_].error for id_ in stopped} == {"ConversionException"}
    assert "JOHN" not in repr(after)
    assert {id_: c for id_, c in after.items() if id_ not in stopped} == {
        id_: c for id_, c in before.items() if id_ not in stopped
    }


def test_a_vocabulary_of_another_form_stops_only_what_asks_it(empty_cdm: duckdb.DuckDBPyConnection) -> None:
    empty_cdm.execute(ROWS)
    empty_cdm.execute("ALTER TABLE concept ALTER concept_id TYPE STRUCT(id INTEGER) USING NULL")
    empty_cdm.execute("INSERT INTO concept (domain_id) VALUES ('Unit')")
    found = run_dqd(empty_cdm, catalogue())
    stopped = {id_ for id_, counts in found.items() if counts.error}
    assert "field_fkdomain_measurement_unit_concept_id" in stopped
    assert "field_isforeignkey_measurement_person_id" not in stopped
    assert all("concept" in id_ for id_ in stopped)


def test_a_table_that_cannot_be_read_stops_its_checks_only(empty_cdm: duckdb.DuckDBPyConnection) -> None:
    empty_cdm.execute(ROWS)
    empty_cdm.execute(
        "DROP TABLE note; CREATE VIEW note AS SELECT CAST('JANE-DOE' AS INTEGER) + x AS note_id FROM range(3) t(x)"
    )
    found = run_dqd(empty_cdm, catalogue())
    assert found["field_isprimarykey_note_note_id"].error == "ConversionException"
    assert {id_ for id_, counts in found.items() if counts.error} <= {c.id for c in catalogue() if c.table == "note"}
    assert found["field_isrequired_measurement_person_id"].violated == 1
