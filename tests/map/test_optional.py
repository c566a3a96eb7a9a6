"""What a delivery may lack: optional fields read as empty, optional tables as tables without rows, and both are told."""

from __future__ import annotations

import re
from pathlib import Path

import duckdb
import pytest

from oncoweave.errors import DataError
from oncoweave.files import read_record
from oncoweave.records import ExtractRecord
from oncoweave.run import summary
from oncoweave.stages.check import check
from oncoweave.stages.extract import extract
from tests.map.workshop import SOURCE, Mapped, Workshop

PATIENTS = "id,born,sex\n1,12.03.1951,f\n2,1960,f"
RULES = """
- {fact: condition, name: cancer, from: tumours, concept: breast_cancer, start: seen, end: left}
- {fact: measurement, name: sizes, from: tumours, modifies: cancer, date: seen,
   columns: {size: {concept: size, unit: millimeter}}}
- {fact: condition, name: stayed, from: stays, concept: lung_cancer, start: seen}
"""
FIELDS = {
    "left": '{type: date, formats: ["%d.%m.%Y"], optional: true}',
    "size": "{type: number, optional: true}",
}


def _optional(workshop: Workshop, table: str) -> None:
    path = workshop.folder / "source.yaml"
    path.write_text(path.read_text().replace(f"    files: {table}.csv", f"    files: {table}.csv\n    optional: true"))


def _written(workshop: Workshop) -> Path:
    """A project whose table `stays` is optional; the folder of its delivery."""
    workshop.write(
        RULES, fields=FIELDS, patients=PATIENTS, stays="stay,id,seen\ns,1,01.01.2020",
        tumours="id,tumour,seen,left,size\n1,1,01.02.2015,01.03.2015,12\n2,1,01.02.2016,,",
    )  # fmt: skip
    _optional(workshop, "stays")
    return workshop.project.root / "delivery"


def _run(workshop: Workshop) -> tuple[Mapped, ExtractRecord]:
    made = workshop.run()
    return made, read_record(made.run.path / "extract.json", ExtractRecord)


def test_what_is_there_is_read_as_ever(workshop: Workshop) -> None:
    _written(workshop)
    made, record = _run(workshop)
    assert made.counts("sizes", "size") == (2, 1, 0, 1) and made.counts("stayed") == (1, 1, 0, 0)
    assert [table.absent for table in record.tables] == [(), (), ()]


def test_a_column_that_is_absent_reads_as_empty_and_an_absent_table_as_one_without_rows(workshop: Workshop) -> None:
    delivery = _written(workshop)
    (delivery / "tumours.csv").write_text("tumour,extra,id,seen\n1,x,1,01.02.2015\n1,y,2,01.02.2016\n")
    (delivery / "stays.csv").unlink()
    made, record = _run(workshop)
    assert made.counts("cancer") == (2, 2, 0, 0)
    assert made.counts("sizes", "size") == (2, 0, 0, 2) and made.reasons("sizes", "size") == {"excluded: empty": 2}
    assert made.counts("stayed") == (0, 0, 0, 0)
    tables = {table.table: table for table in record.tables}
    assert tables["tumours"].absent == ("left", "size") and tables["tumours"].undeclared == ("extra",)
    assert tables["stays"].files == () and tables["stays"].rows == 0
    check(made.run, made.project)
    notes = summary(made.run, None).warnings
    assert "optional tables that the delivery lacks: `stays`" in notes
    assert "optional fields that the delivery lacks: `tumours.left`, `tumours.size`" in notes


def test_an_optional_table_may_come_with_its_header_alone(workshop: Workshop) -> None:
    delivery = _written(workshop)
    (delivery / "stays.csv").write_text("stay,id,seen\n")
    made, record = _run(workshop)
    assert made.counts("stayed") == (0, 0, 0, 0)
    assert [len(table.files) for table in record.tables if table.table == "stays"] == [1]


def test_an_absent_column_and_an_empty_one_give_a_row_the_same_key(workshop: Workshop) -> None:
    rule = "- {fact: condition, name: cancer, from: contents, concept: breast_cancer, start: seen}\n"
    keys = {"contents": "row: {content: true}\nperson: [id]"}
    ids = []
    for contents in ("id,seen,size\n1,01.02.2015,\n", "id,seen\n1,01.02.2015\n"):
        workshop.write(rule, fields=FIELDS, keys=keys, patients=PATIENTS, contents="id,seen,size\n1,01.02.2015,")
        (workshop.project.root / "delivery" / "contents.csv").write_text(contents)
        ids.append(workshop.run().rows("condition_occurrence", "condition_occurrence_id"))
    assert ids[0] == ids[1] and len(ids[0]) == 1


def test_one_of_several_files_may_lack_an_optional_column(workshop: Workshop) -> None:
    delivery = _written(workshop)
    path = workshop.folder / "source.yaml"
    path.write_text(path.read_text().replace("files: tumours.csv", "files: tumours*.csv"))
    (delivery / "tumours2.csv").write_text("id,tumour,seen,left\n2,2,01.02.2017,\n")
    made, record = _run(workshop)
    assert made.counts("sizes", "size") == (3, 1, 0, 2)
    assert [table.absent for table in record.tables if table.table == "tumours"] == [("size",)]


def test_what_is_not_optional_stops_the_run_as_ever(workshop: Workshop) -> None:
    delivery = _written(workshop)
    (delivery / "tumours.csv").write_text("id,tumour\n1,1\n")
    with pytest.raises(DataError, match=re.escape("no column `seen`")) as caught:
        extract(workshop.project, SOURCE)
    assert "`left`" not in caught.value.message
    (delivery / "tumours.csv").unlink()
    with pytest.raises(DataError, match="no file of the delivery matches"):
        extract(workshop.project, SOURCE)


def test_a_column_that_differs_in_case_is_not_taken_for_an_absent_field(workshop: Workshop) -> None:
    delivery = _written(workshop)
    (delivery / "tumours.csv").write_text("id,tumour,seen,SIZE\n1,1,01.02.2015,3\n")
    with pytest.raises(DataError, match="optional field `size`"):
        extract(workshop.project, SOURCE)


def test_a_wrong_delimiter_is_not_taken_for_absent_columns(workshop: Workshop) -> None:
    delivery = _written(workshop)
    (delivery / "stays.csv").write_text("stay;id;seen\ns;1;01.01.2020\n")
    with pytest.raises(DataError, match="one column alone"):
        extract(workshop.project, SOURCE)


def test_a_key_cannot_be_optional_nor_can_the_persons(workshop: Workshop) -> None:
    fields = {"tumour": "{type: identifier, optional: true}"}
    place, message, _ = workshop.problem(
        "- {fact: condition, name: c, from: tumours, concept: breast_cancer, start: seen}",
        fields=fields, patients=PATIENTS.replace(",sex", "").replace(",f", ""), tumours="id,tumour,seen",
    )  # fmt: skip
    assert place.startswith("tumour") and message == "`tumour` is part of a key and cannot be optional"
    workshop.write("", patients="id,born")
    _optional(workshop, "patients")
    with pytest.raises(Exception) as caught:  # noqa: PT011
        workshop.run()
    assert "the persons come from `patients`, which is optional" in str(caught.value.__notes__)


def test_parquet_without_an_optional_column(workshop: Workshop) -> None:
    delivery = _written(workshop)
    path = workshop.folder / "source.yaml"
    path.write_text(
        path.read_text().replace("format: csv\n    files: tumours.csv", "format: parquet\n    files: t.parquet")
    )
    with duckdb.connect() as connection:
        sql = "COPY (SELECT '1' AS id, '1' AS tumour, '01.02.2015' AS seen) TO '{}' (FORMAT parquet)"
        connection.execute(sql.format(delivery / "t.parquet"))
    made, _ = _run(workshop)
    assert made.counts("cancer") == (1, 1, 0, 0) and made.counts("sizes", "size") == (1, 0, 0, 1)
