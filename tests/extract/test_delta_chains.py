"""Delta after delta: which run each builds on, what is refused, and that no delivery is lost or applied twice."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest

from oncoweave import run as stages
from oncoweave.errors import DataError, EnvironmentFault, OncoweaveError, Problem, UsageError
from oncoweave.files import read_record
from oncoweave.lint import lint
from oncoweave.records import ExtractRecord, TableChange
from oncoweave.stages.extract import extract
from oncoweave.stages.map import map as map_stage
from tests.extract.deliveries import BASE, Rows, Site
from tests.map.workshop import SOURCE, Mapped

MORE: dict[str, Rows] = {"contents": [("1", "01.01.2016", "z")]}


def record(site: Site) -> ExtractRecord:
    return read_record(site.runs[-1].path / "extract.json", ExtractRecord)


def extracted(site: Site) -> list[str]:
    return sorted(path.parent.name for path in (site.workshop.project.runs / SOURCE).glob("*/extract.json"))


def refused(site: Site, error: type[OncoweaveError], told: str, files: Mapping[str, Rows] = MORE) -> None:
    before = extracted(site)
    with pytest.raises(error, match=told):
        site.deliver(files)
    assert extracted(site) == before


def edit(site: Site, before: str, after: str) -> None:
    """Change source.yaml as `deliver` wrote it, and keep `deliver` from writing it anew but for the day."""
    path = site.workshop.folder / "source.yaml"
    text = path.read_text(encoding="utf-8")
    assert before in text
    path.write_text(text.replace(before, after), encoding="utf-8")


def delivery_of(site: Site, **files: str) -> Path:
    """A folder with these files in it, and nothing else; `__` in a name stands for the dot."""
    folder = site.workshop.project.root / f"by-hand-{len(list(site.workshop.project.root.iterdir()))}"
    folder.mkdir()
    for name, text in files.items():
        (folder / name.replace("__", ".")).write_text(text, encoding="utf-8")
    return folder


def test_two_deltas_of_one_day_have_files_of_different_names(site: Site) -> None:
    site.deliver(BASE)
    site.deliver({"tumours": [("1", "b", "01.01.2016"), ("1", "b", "02.01.2016")]}, day=2)
    site.deliver({"tumours": [("2", "b", "01.01.2016"), ("3", "b", "01.01.2016")]}, day=2)
    made = site.mapped()
    assert made.held("tumours") == [("2024-02-02/tumours.csv", 3, "duplicate key")]
    assert made.counts("tumours") == (7, 6, 1, 0)
    assert {file.name for file in record(site).tables[1].files} == {
        "tumours.csv", "2024-02-02/tumours.csv", "2024-02-02-2/tumours.csv",
    }  # fmt: skip


def test_a_folder_of_the_first_delivery_may_be_named_after_a_day(site: Site) -> None:
    site.deliver(BASE)
    (site.workshop.project.root / "delivery").rename(site.workshop.project.root / "2024-02-02")
    (site.workshop.project.root / "delivery").mkdir()
    (site.workshop.project.root / "2024-02-02").rename(site.workshop.project.root / "delivery" / "2024-02-02")
    site.declare("delta", 1)
    for name in ("patients", "tumours", "contents"):
        edit(site, f"files: {name}.csv", f"files: 2024-02-02/{name}.csv")
        (site.workshop.project.root / "delivery" / f"{name}.csv").unlink(missing_ok=True)
    first = extract(site.workshop.project, SOURCE, base="none")
    edit(site, "2024-02-01", "2024-02-02")
    edit(site, "files: 2024-02-02/tumours.csv", "files: tumours.csv")
    later = extract(
        site.workshop.project, SOURCE, delivery_of(site, tumours__csv="id,tumour,seen\n1,b,\n"), first.run_id
    )
    names = {
        file.name for table in read_record(later.path / "extract.json", ExtractRecord).tables for file in table.files
    }
    assert "2024-02-02-2/tumours.csv" in names


def test_what_was_undone_can_be_delivered_again(site: Site) -> None:
    site.deliver(BASE)
    there: dict[str, Rows] = {"patients": [("1", "1941")]}
    site.deliver(there)
    site.deliver({"patients": [("1", "1940")], **MORE})
    site.deliver(there)
    made = site.mapped()
    assert sorted(made.rows("person", "year_of_birth")) == [1941, 1951, 1952]
    assert len(record(site).chain) == 4 and len(made.rows("observation")) == 4


def test_files_without_rows_every_day_change_nothing(site: Site) -> None:
    site.deliver(BASE)
    nothing: dict[str, Rows] = {"patients": [], "tumours": [], "contents": []}
    site.deliver(nothing)
    site.deliver(MORE)
    before = site.mapped().table_bytes()
    site.deliver(nothing)
    after = site.mapped().table_bytes()
    assert {name for name in after if after[name] != before[name]} <= {"cdm_source.parquet", "metadata.parquet"}
    assert list(stages.changes(record(site))) == ["a delta, delivery 4 of this source: nothing new"]


def test_a_delta_in_the_middle_of_the_chain_has_the_base_that_it_had(site: Site) -> None:
    site.deliver(BASE)
    second = site.deliver(MORE)
    site.deliver({"patients": [("4", "1953")]})
    assert site.deliver(MORE, day=2) == second


def test_the_same_rows_on_another_base_are_another_run(site: Site) -> None:
    first = site.deliver(BASE)
    site.deliver({"patients": [("1", "1950")]})
    over = site.deliver(MORE, day=3)
    site.last = first.run_id
    assert site.deliver(MORE, day=3) != over


def test_a_base_whose_snapshot_was_damaged_is_refused(site: Site) -> None:
    run = site.deliver(BASE)
    path = run.snapshot / "tumours.parquet"
    path.write_bytes(path.read_bytes()[:-9] + b"x" + path.read_bytes()[-8:])
    refused(site, EnvironmentFault, "is not what extract wrote")


def test_a_base_whose_run_is_gone_is_refused(site: Site) -> None:
    first = site.deliver(BASE)
    site.deliver(MORE)
    (first.path / "extract.json").unlink()
    with pytest.raises(EnvironmentFault, match="is gone"):
        site.deliver(MORE, day=2)


def test_another_header_asks_for_a_full_delivery(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    site.deliver(BASE)
    monkeypatch.setattr("tests.map.workshop.FIELDS", {"id": "{type: identifier}", "tumour": "{type: identifier}",
        "born": '{type: date, formats: ["%Y"]}', "seen": '{type: date, formats: ["%Y"], header: left}'})  # fmt: skip
    refused(site, UsageError, "`tumours` is read in another way", {"patients": [("5", "1950")]})


def test_other_types_and_formats_do_not_ask_for_one(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    site.deliver(BASE)
    monkeypatch.setattr("tests.map.workshop.FIELDS", {"id": "{type: identifier}", "tumour": "{type: code}",
        "born": "{type: integer}", "seen": '{type: date, formats: ["%d.%m.%Y"], label: day}'})  # fmt: skip
    site.deliver(MORE)
    assert site.change("contents") == TableChange(base=3, added=1, replaced=0, removed=0, unmatched=0, total=4)


@pytest.mark.parametrize("name", ["patients", "gone_patients"])
def test_a_delta_with_a_record_that_cannot_be_read_changes_nothing(name: str, site: Site) -> None:
    site.deliver(BASE)
    rows: dict[str, Rows] = {name: [("1", "1949")[: 1 if name != "patients" else 2], ("1", "2", "3")]}
    refused(site, DataError, rf"2024-02-02/{name}\.csv, line 3: row too long.* nothing was changed", rows)


def test_what_the_first_delivery_could_not_read_stays_in_quarantine(site: Site) -> None:
    site.deliver({**BASE, "tumours": [*BASE["tumours"], ("short",)]})
    site.deliver(MORE)
    tumours = record(site).tables[1]
    assert (tumours.records, tumours.rows, tumours.quarantined) == (4, 3, 1)


def test_a_delta_of_files_that_no_table_knows_is_refused(site: Site) -> None:
    site.deliver(BASE)
    site.declare("delta", 2)
    with pytest.raises(DataError, match=r"no file of the delivery belongs to a table; there is `Patients\.csv`"):
        extract(site.workshop.project, SOURCE, delivery_of(site, Patients__csv="id,born\n1,1950\n"), site.last)


def test_a_file_that_no_table_knows_is_told(site: Site) -> None:
    site.deliver(BASE)
    site.declare("delta", 2)
    folder = delivery_of(site, patients__csv="id,born\n1,1949\n", tumors__csv="id,tumour,seen\n", _store="")
    run = extract(site.workshop.project, SOURCE, folder, site.last)
    told = list(stages.changes(read_record(run.path / "extract.json", ExtractRecord)))
    assert any(
        "2 files of the delivery belong to no table and were not read: `_store`, `tumors.csv`" in line for line in told
    )


def test_a_delta_that_was_passed_over_is_told(site: Site) -> None:
    first = site.deliver(BASE)
    lost = site.deliver({"patients": [("4", "1953")]})
    site.last = first.run_id
    site.deliver(MORE)
    told = list(stages.changes(record(site)))
    assert any(f"2024-02-02 (run {lost.run_id})" in line and f"--base {lost.run_id}" in line for line in told)
    site.last = lost.run_id
    site.deliver(MORE, day=3)
    assert record(site).left_out == ()


def test_a_file_of_removed_rows_is_none_of_the_table(site: Site) -> None:
    site.deliver(BASE)
    site.declare("delta", 2)
    edit(site, "files: tumours.csv", "files: '*tumours.csv'")
    folder = delivery_of(site, gone_tumours__csv="id,tumour,seen\n1,a,01.01.2015\n")
    run = extract(site.workshop.project, SOURCE, folder, site.last)
    (change,) = [t.change for t in read_record(run.path / "extract.json", ExtractRecord).tables if t.table == "tumours"]
    assert change == TableChange(base=3, added=0, replaced=0, removed=1, unmatched=0, total=2)


def problems(site: Site, before: str, after: str) -> list[Problem]:
    site.declare("delta", 1)
    edit(site, before, after)
    return [problem for problem in lint(site.workshop.project, SOURCE) if problem.severity == "error"]


@pytest.mark.parametrize(
    ("before", "after", "told"),
    [
        ("{files: gone_tumours.csv}", "{field: op, codes: [D]}", "`op` is not a declared field of `tumours`"),
        ("{files: gone_contents.csv}", "{field: code, codes: [D]}", "a table without a key cannot mark"),
        ("{files: gone_tumours.csv}", '{files: "*.csv"}', "the table's own files have such names too"),
        ("{files: gone_tumours.csv}", "{files: ../gone.csv}", "leads out of the delivery"),
        ("{files: gone_tumours.csv}", "{field: tumour}", "`field` and `codes` go together"),
        ("{files: gone_tumours.csv}", "{}", "give `files`, or `field` with `codes`"),
    ],
)
def test_a_wrong_removal_is_told_with_its_place(before: str, after: str, told: str, site: Site) -> None:
    (problem,) = problems(site, before, after)
    text = (site.workshop.folder / "source.yaml").read_text(encoding="utf-8").splitlines()
    assert told in problem.message and "removed" in text[problem.line - 1]


MARKED = {
    "patients.csv": "id,born\n1,1950\n2,1951\n3,1952\n",
    "tumours.csv": "id,tumour,seen,op\n1,a,01.01.2015,I\n2,a,01.01.2015,D\n3,a,01.03.2015,\n",
    "contents.csv": "id,seen,code\n1,01.01.2015,x\n",
}


@pytest.mark.parametrize("mode", ["full", "delta"])
def test_a_marked_row_of_the_first_delivery_is_left_out(mode: str, site: Site) -> None:
    site.declare(mode, 1)
    edit(site, "removed: {files: gone_tumours.csv}", "removed: {field: op, codes: [' D']}")
    edit(site, "      tumour: {type: identifier}", "      tumour: {type: identifier}\n      op: {type: code}")
    folder = delivery_of(site, **{name.replace(".", "__"): text for name, text in MARKED.items()})
    run = extract(site.workshop.project, SOURCE, folder)
    made = Mapped(run, map_stage(run, site.workshop.project), site.workshop.project)
    assert made.counts("tumours") == (2, 2, 0, 0)
    assert not any("neither mapped nor ignored" in warning for warning in made.record.warnings)
    told = list(stages.changes(read_record(run.path / "extract.json", ExtractRecord)))
    assert told[-1] == "rows marked as removed, left out: `tumours` 1" and len(told) == (2 if mode == "delta" else 1)
