"""Every row that a rule reads is mapped, quarantined or excluded, with the reason, and nothing is lost."""

from __future__ import annotations

import stat

import duckdb
import pytest

from tests.map.workshop import Workshop

PATIENTS = """
    id,born
    1,12.03.1951
    2,1948
"""
CANCER = "- {fact: condition, name: cancer, from: tumours, concept: breast_cancer, start: seen}"
SIZES = """
- {fact: measurement, name: sizes, from: tumours, date: seen, columns: {size: {concept: size, between: [0, 300]}}}
"""
GRADES = """
- {fact: measurement, name: grades, from: tumours, date: seen, columns: {grade: {concept: {map: grade}}}}
"""

OUTCOMES = [
    ("a date that does not parse", CANCER, "1,1,31.02.2015", "quarantined: seen: not a date"),
    ("a date that is missing", CANCER, "1,1,", "quarantined: start: missing"),
    ("a key that is missing", CANCER, "1,,01.01.2015", "quarantined: key missing"),
    ("a key of blanks", CANCER, "1,  ,01.01.2015", "quarantined: key missing"),
    ("a person's key that is missing", CANCER, ",1,01.01.2015", "quarantined: key missing"),
    ("a person who is not there", CANCER, "9,1,01.01.2015", "quarantined: person not mapped"),
]


@pytest.mark.parametrize(("rules", "row", "reason"), [o[1:] for o in OUTCOMES], ids=[o[0] for o in OUTCOMES])
def test_a_row_that_is_no_fact_is_held_with_its_reason(workshop: Workshop, rules: str, row: str, reason: str) -> None:
    tumours = f"id,tumour,seen\n2,1,01.01.2015\n{row}"
    made = workshop.map(rules, patients=PATIENTS, tumours=tumours)
    assert made.counts("cancer") == (2, 1, 1, 0)
    assert made.reasons("cancer") == {reason: 1}
    assert made.quarantine("cancer") == [(3, None, reason.removeprefix("quarantined: "))]


COLUMN_OUTCOMES = [
    ("a number that does not parse", SIZES, "size", "4x", "quarantined: size: not a number"),
    ("an empty cell", SIZES, "size", "", "excluded: empty"),
    ("a cell of blanks", SIZES, "size", "  ", "excluded: empty"),
    ("a number out of range", SIZES, "size", "301", "quarantined: size: out of range"),
    ("an empty code", GRADES, "grade", "", "excluded: empty"),
    ("an ignored code", GRADES, "grade", "X", "excluded: ignored code"),
]


@pytest.mark.parametrize(
    ("rules", "column", "cell", "reason"), [o[1:] for o in COLUMN_OUTCOMES], ids=[o[0] for o in COLUMN_OUTCOMES]
)
def test_a_cell_that_is_no_fact_is_counted_by_column(
    workshop: Workshop, rules: str, column: str, cell: str, reason: str
) -> None:
    workshop.concept_map("grade", ("1", 203), ("X", 0, "IGNORED"))
    tumours = f"id,tumour,seen,{column}\n1,1,01.01.2015,1\n1,2,01.01.2015,{cell}"
    made = workshop.map(rules, patients=PATIENTS, tumours=tumours)
    name = rules.split("name: ")[1].split(",", maxsplit=1)[0]
    assert made.reasons(name, column) == {reason: 1}
    assert sum(made.counts(name, column)[1:]) == made.counts(name, column)[0] == 2
    assert len(made.rows("measurement")) == 1
    held = [(3, column, reason.removeprefix("quarantined: "))]
    assert made.quarantine(name) == (held if reason.startswith("quarantined") else [])


def test_missing_codes_are_empty_cells(workshop: Workshop) -> None:
    made = workshop.map(
        "- {fact: measurement, name: counts, from: tumours, date: seen, columns: {nodes: {concept: nodes}}}",
        patients=PATIENTS,
        tumours="id,tumour,seen,nodes\n1,1,01.01.2015,99\n1,2,01.01.2015, 99 \n1,3,01.01.2015,9",
    )
    assert made.reasons("counts", "nodes") == {"excluded: empty": 2}
    assert made.rows("measurement", "value_as_number") == [9.0]


def test_a_row_that_fails_the_condition_is_excluded_with_the_written_reason_and_unknown_apart(
    workshop: Workshop,
) -> None:
    made = workshop.map(
        """
        - {fact: condition, name: cancer, from: tumours, where: site = 'C50', because: not the breast,
           concept: breast_cancer, start: seen}
        """,
        patients=PATIENTS,
        tumours="id,tumour,seen,site\n1,1,01.01.2015,C50\n1,2,01.01.2015,C34\n1,3,01.01.2015,",
    )
    assert made.counts("cancer") == (3, 1, 0, 2)
    assert made.reasons("cancer") == {"excluded: not the breast": 1, "excluded: not the breast (unknown)": 1}


def test_a_condition_over_text_that_does_not_parse_quarantines_the_row(workshop: Workshop) -> None:
    made = workshop.map(
        "- {fact: condition, name: cancer, from: tumours, where: size > 5, because: small, concept: breast_cancer, start: seen}",
        patients=PATIENTS,
        tumours="id,tumour,seen,size\n1,1,01.01.2015,x\n1,2,01.01.2015,6",
    )
    assert made.reasons("cancer") == {"quarantined: size: not a number": 1}


def test_a_row_that_fails_the_condition_is_excluded_before_its_other_fields_are_judged(workshop: Workshop) -> None:
    made = workshop.map(
        "- {fact: condition, name: cancer, from: tumours, where: site = 'C50', because: other, concept: breast_cancer, start: seen}",
        patients=PATIENTS,
        tumours="id,tumour,seen,site\n1,1,rubbish,C34",
    )
    assert made.reasons("cancer") == {"excluded: other": 1}


def test_an_end_before_the_start_is_quarantined(workshop: Workshop) -> None:
    made = workshop.map(
        "- {fact: condition, name: cancer, from: tumours, concept: breast_cancer, start: seen, end: left}",
        patients=PATIENTS,
        tumours="id,tumour,seen,left\n1,1,02.01.2015,01.01.2015\n1,2,02.01.2015,02.01.2015\n1,3,02.01.2015,",
    )
    assert made.counts("cancer") == (3, 2, 1, 0)
    assert made.reasons("cancer") == {"quarantined: end: before the start": 1}


@pytest.mark.parametrize("order", [(0, 1, 2), (2, 1, 0), (1, 2, 0)])
def test_of_rows_with_one_key_the_content_decides_which_is_mapped(workshop: Workshop, order: tuple[int, ...]) -> None:
    rows = ["1,1,01.01.2015,20", "1,1,01.01.2015,10", " 1 ,1,01.01.2015,30"]
    made = workshop.map(SIZES, patients=PATIENTS, tumours="\n".join(["id,tumour,seen,size", *(rows[i] for i in order)]))
    assert made.reasons("sizes", "size") == {"quarantined: duplicate key": 2}
    assert made.rows("measurement", "value_as_number") == [30.0]  # ' 1 ' sorts before '1'


def test_a_duplicate_of_a_person_is_held_and_the_facts_stay(workshop: Workshop) -> None:
    made = workshop.map(CANCER, patients="id,born\n1,1950\n1,1951", tumours="id,tumour,seen\n1,1,01.01.2015")
    assert made.reasons("persons") == {"quarantined: duplicate key": 1}
    assert made.rows("person", "year_of_birth") == [1950]
    assert made.counts("cancer") == (1, 1, 0, 0)


def test_facts_of_a_person_who_was_not_mapped_are_held_everywhere(workshop: Workshop) -> None:
    made = workshop.map(
        CANCER + "\n- {fact: observation, name: history, from: patients, concept: family_history, date: seen}",
        patients="id,born,seen\n1,,01.01.2015\n2,1950,01.01.2015",
        tumours="id,tumour,seen\n1,1,01.01.2015\n2,1,01.01.2015",
    )
    assert made.reasons("persons") == {"quarantined: birth_date: missing": 1}
    assert made.reasons("cancer") == {"quarantined: person not mapped": 1}
    assert made.reasons("history") == {"quarantined: person not mapped": 1}


def test_persons_whom_the_condition_leaves_out_are_excluded_and_their_facts_held(workshop: Workshop) -> None:
    made = workshop.map(
        CANCER,
        persons="- {fact: person, name: persons, from: patients, where: consent = 'y', because: no consent, birth: {date: born}}\n",
        patients="id,born,consent\n1,1950,n\n2,1950,y",
        tumours="id,tumour,seen\n1,1,01.01.2015\n2,1,01.01.2015",
    )
    assert made.reasons("persons") == {"excluded: no consent": 1}
    assert made.reasons("cancer") == {"quarantined: person not mapped": 1}


MODIFIED = """
- {fact: condition, name: cancer, from: tumours, concept: breast_cancer, start: seen}
- {fact: measurement, name: sizes, from: tumours, modifies: cancer, date: left, columns: {size: {concept: size}}}
"""


def test_a_modifier_whose_parent_was_not_mapped_is_quarantined(workshop: Workshop) -> None:
    made = workshop.map(
        MODIFIED,
        patients=PATIENTS,
        tumours="id,tumour,seen,left,size\n1,1,x,01.01.2015,4\n1,2,01.01.2015,01.01.2015,5",
    )
    assert made.reasons("sizes", "size") == {"quarantined: cancer not mapped": 1}
    assert made.rows("measurement", "value_as_number") == [5.0]


def test_a_code_with_a_missing_part_is_quarantined_and_without_any_part_excluded(workshop: Workshop) -> None:
    made = workshop.map(
        """
        - {fact: condition, name: cancer, from: tumours, start: seen, concept: {vocabulary: ICD10, code: "{three}.{fourth}"}}
        """,
        patients=PATIENTS,
        tumours="id,tumour,seen,three,fourth\n1,1,01.01.2015,C50,9\n1,2,01.01.2015,C50,\n1,3,01.01.2015,,",
    )
    assert made.reasons("cancer") == {"quarantined: code: a part is missing": 1, "excluded: empty": 1}


def test_read_is_mapped_quarantined_and_excluded_for_every_rule_and_column(workshop: Workshop) -> None:
    workshop.concept_map("grade", ("1", 203), ("X", 0, "IGNORED"))
    made = workshop.map(
        """
        - {fact: condition, name: cancer, from: tumours, where: site = 'C50', because: other, concept: breast_cancer, start: seen}
        - fact: measurement
          name: findings
          from: tumours
          modifies: cancer
          date: seen
          columns: {size: {concept: size, between: [0, 300]}, grade: {concept: {map: grade}}}
        """,
        patients=PATIENTS,
        tumours="""
            id,tumour,seen,site,size,grade
            1,1,01.01.2015,C50,5,1
            1,2,x,C50,5,1
            1,3,01.01.2015,C34,5,1
            1,4,01.01.2015,C50,,X
            1,4,01.01.2015,C50,400,X
            ,5,01.01.2015,C50,1,1
            3,1,01.01.2015,,1,2
        """,
    )
    for entry in made.record.ledger:
        assert entry.read == entry.mapped + entry.quarantined + entry.excluded
        assert sum(rows for _, _, rows in entry.reasons) == entry.quarantined + entry.excluded
        held = [q for q in made.quarantine(entry.rule) if q[1] == entry.column]
        assert len(held) == entry.quarantined
    assert made.entry("cancer").read == made.entry("findings", "grade").read == 7


def test_a_code_that_says_nothing_is_excluded_whatever_else_is_wrong(workshop: Workshop) -> None:
    workshop.concept_map("grade", ("1", 203), ("X", 0, "IGNORED"))
    made = workshop.map(GRADES, patients=PATIENTS, tumours="id,tumour,seen,grade\n1,1,,X\n1,2,,1\n1,3,rubbish,")
    assert made.reasons("grades", "grade") == {
        "excluded: empty": 1,
        "excluded: ignored code": 1,
        "quarantined: date: missing": 1,
    }


TOO_LARGE = [
    ("- {fact: procedure, name: facts, from: tumours, concept: excision, date: seen, quantity: %s}", "size", "1e12"),
    ("- {fact: procedure, name: facts, from: tumours, concept: excision, date: seen, quantity: %s}", "nodes", "-1"),
    ("- {fact: drug, name: facts, from: tumours, concept: tamoxifen, start: seen, days_supply: %s}", "nodes", "-3"),
    ("- {fact: drug, name: facts, from: tumours, concept: tamoxifen, start: seen, days_supply: %s}", "nodes", "9999999999"),
    ("- {fact: episode, name: facts, from: tumours, concept: treatment_regimen, object: tamoxifen, start: seen, number: %s}",
     "nodes", "9999999999"),
]  # fmt: skip


@pytest.mark.parametrize(("rule", "column", "cell"), TOO_LARGE)
def test_a_count_that_the_model_cannot_hold_is_quarantined(
    workshop: Workshop, rule: str, column: str, cell: str
) -> None:
    made = workshop.map(
        rule % column, patients=PATIENTS, tumours=f"id,tumour,seen,{column}\n1,1,2015,{cell}\n1,2,2015,3\n1,3,2015,"
    )
    assert made.counts("facts") == (3, 2, 1, 0)
    ((kind, reason, rows),) = made.entry("facts").reasons
    assert (kind, reason.split(": ")[1], rows) == ("quarantined", "out of range", 1)


@pytest.mark.parametrize("start", ["add_months(seen, nodes)", "add_days(seen, nodes)", "add_years(seen, nodes)"])
def test_a_day_beyond_the_calendar_is_quarantined(workshop: Workshop, start: str) -> None:
    made = workshop.map(
        f"- {{fact: condition, name: cancer, from: tumours, concept: breast_cancer, start: '{start}'}}",
        patients=PATIENTS,
        tumours="id,tumour,seen,nodes\n1,1,01.01.2015,1999999999\n1,2,01.01.2015,3000000\n1,3,01.01.2015,1",
    )
    assert made.counts("cancer") == (3, 1, 2, 0)


def test_a_date_column_can_be_an_observation(workshop: Workshop) -> None:
    made = workshop.map(
        "- {fact: observation, name: dates, from: tumours, date: seen, columns: {left: {concept: family_history}}}",
        patients=PATIENTS,
        tumours="id,tumour,seen,left\n1,1,2015,31.01.2015\n1,2,2015,x\n1,3,2015,",
    )
    assert made.counts("dates", "left") == (3, 1, 1, 1)
    assert made.rows("observation", "value_as_string", "value_source_value") == [("2015-01-31", "31.01.2015")]


@pytest.mark.parametrize("name", ["concepts", "events", "quarantine", "stage_tumours", "lookup_codes", "select", "d"])
def test_a_rule_may_have_any_name(workshop: Workshop, name: str) -> None:
    workshop.concept_map("codes", ("a", 101))
    made = workshop.map(
        f"""
        - {{fact: condition, name: {name}, from: tumours, concept: {{map: codes, value: code}}, start: seen}}
        - {{fact: measurement, name: sizes, from: tumours, modifies: {name}, date: seen, columns: {{size: {{concept: size}}}}}}
        """,
        patients=PATIENTS,
        tumours="id,tumour,seen,code,size\n1,1,2015,a,5\n1,2,2015,,6",
    )
    assert made.counts(name) == (2, 1, 0, 1)
    assert made.counts("sizes", "size") == (2, 1, 1, 0)


def test_the_quarantine_holds_places_and_reasons_and_is_private(workshop: Workshop) -> None:
    made = workshop.map(CANCER, patients=PATIENTS, tumours="id,tumour,seen\n1,1,SECRET")
    path = made.run.quarantine / "map.parquet"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert b"SECRET" not in path.read_bytes()
    with duckdb.connect() as connection:
        found = connection.execute("SELECT * FROM read_parquet(?)", [str(path)])
        assert [d[0] for d in found.description or ()] == ["file", "line", "rule", "column", "reason"]
        assert found.fetchall() == [("tumours.csv", 2, "cancer", None, "seen: not a date")]


def test_without_any_person_all_tables_are_there_and_empty(workshop: Workshop) -> None:
    made = workshop.map(CANCER, patients="id,born\n1,x", tumours="id,tumour,seen\n1,1,01.01.2015")
    assert made.counts("cancer") == (1, 0, 1, 0)
    assert {name: len(made.rows(name)) for name in made.record.events} == dict.fromkeys(made.record.events, 0)
    assert len(made.rows("cdm_source")) == 1
