"""Deltas: a delivery that holds what is new, changed or removed gives the tables that everything together gives."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from oncoweave.errors import DataError, EnvironmentFault, OncoweaveError, UsageError
from oncoweave.records import TableChange
from oncoweave.stages.extract import extract
from oncoweave.stages.map import map as map_stage
from tests.extract.deliveries import BASE, HEADERS, KEYS, Rows, Site, made, written
from tests.map.workshop import SOURCE, Mapped


def test_new_changed_and_removed_rows_are_counted_and_mapped(site: Site) -> None:
    site.deliver(BASE)
    site.deliver(
        {
            "patients": [("2", "1961"), ("4", "1953")],
            "gone_patients": [("3",), ("9",)],
            "contents": [("4", "01.01.2016", "z")],
            "gone_contents": [("1", "01.01.2015", "x")],
        }
    )
    assert site.change("patients") == TableChange(base=3, added=2, replaced=1, removed=1, unmatched=1, total=3)
    assert site.change("tumours") == TableChange(base=3, added=0, replaced=0, removed=0, unmatched=0, total=3)
    assert site.change("contents") == TableChange(base=3, added=1, replaced=0, removed=1, unmatched=0, total=3)
    made = site.mapped()
    assert sorted(made.rows("person", "year_of_birth")) == [1950, 1953, 1961]
    assert made.reasons("tumours") == {"quarantined: person not mapped": 1}
    assert sorted(made.rows("observation", "value_as_string")) == ["x", "y", "z"]


def test_rows_point_at_the_delivery_that_they_came_from(site: Site) -> None:
    site.deliver({**BASE, "tumours": [*BASE["tumours"], ("1", "b", "never")]})
    site.deliver({"tumours": [("2", "b", "some day")]})
    assert site.mapped().held("tumours") == [
        ("2024-02-02/tumours.csv", 2, "seen: not a date"),
        ("tumours.csv", 5, "seen: not a date"),
    ]


def test_the_same_delta_again_is_the_same_run(site: Site) -> None:
    site.deliver(BASE)
    delta: dict[str, Rows] = {"contents": [("1", "01.01.2016", "z")]}
    first = site.deliver(delta)
    again = site.deliver(delta, day=2)
    assert again.run_id == first.run_id
    assert site.change("contents") == TableChange(base=3, added=1, replaced=0, removed=0, unmatched=0, total=4)


def test_an_empty_delta_changes_no_table(site: Site) -> None:
    site.deliver(BASE)
    before = site.mapped().table_bytes()
    site.deliver({})
    after = site.mapped().table_bytes()
    assert {name for name in after if after[name] != before[name]} <= {"cdm_source.parquet", "metadata.parquet"}


def test_a_mark_in_the_row_takes_it_out(site: Site) -> None:
    site.day = 1
    site.declare("delta", 1)
    path = site.workshop.folder / "source.yaml"
    text = path.read_text(encoding="utf-8").replace(
        "removed: {files: gone_tumours.csv}", "removed: {field: op, codes: [D]}"
    )
    text = text.replace("      tumour: {type: identifier}", "      tumour: {type: identifier}\n      op: {type: code}")
    path.write_text(text, encoding="utf-8")
    delivery = site.workshop.project.root / "delivery"
    for name in ("patients", "contents"):
        (delivery / f"{name}.csv").write_text(written([HEADERS[name], *BASE[name]]), encoding="utf-8")
    (delivery / "tumours.csv").write_text("id,tumour,seen,op\n1,a,01.01.2015,I\n2,a,01.01.2015,D\n3,a,01.03.2015,\n")
    first = extract(site.workshop.project, SOURCE, base="none")
    (delivery / "patients.csv").unlink()
    (delivery / "contents.csv").unlink()
    (delivery / "tumours.csv").write_text("id,tumour,seen,op\n1,a,,D\n3,a,01.04.2015,U\n")
    run = extract(site.workshop.project, SOURCE, base=first.run_id)
    made = Mapped(run, map_stage(run, site.workshop.project), site.workshop.project)
    assert [str(day) for day in made.rows("condition_occurrence", "condition_start_date")] == ["2015-04-01"]


def refused(site: Site, error: type[OncoweaveError], told: str, **given: object) -> None:
    before = sorted(p.name for p in (site.workshop.project.runs / SOURCE).iterdir() if (p / "extract.json").is_file())
    with pytest.raises(error, match=told):
        site.deliver({"patients": [("5", "1950")]}, **given)  # type: ignore[arg-type]
    after = sorted(p.name for p in (site.workshop.project.runs / SOURCE).iterdir() if (p / "extract.json").is_file())
    assert after == before


def test_a_delta_older_than_its_base_is_refused(site: Site) -> None:
    site.deliver(BASE, day=9)
    refused(site, DataError, "is older than that of 2024-02-09", day=8)


def test_a_run_that_is_not_there_cannot_be_built_on(site: Site) -> None:
    site.deliver(BASE)
    site.last = "0123456789"
    refused(site, UsageError, "no run begins with `0123456789`")


def test_a_base_without_its_snapshot_cannot_be_built_on(site: Site) -> None:
    run = site.deliver(BASE)
    (run.snapshot / "tumours.parquet").unlink()
    refused(site, EnvironmentFault, "the snapshot of run")


def test_another_key_than_the_bases_asks_for_a_full_delivery(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    site.deliver(BASE)
    monkeypatch.setitem(HEADERS, "patients", ("born", "id"))
    monkeypatch.setattr("tests.map.workshop.KEYS", {
        "patients": "row: {fields: [born]}\nperson: [id]", "tumours": "row: {fields: [id, tumour]}\nperson: [id]",
    })  # fmt: skip
    refused(site, UsageError, "table `patients` had another key")


def test_a_full_delivery_builds_on_nothing(site: Site) -> None:
    site.deliver(BASE)
    site.declare("full", 2)
    with pytest.raises(UsageError, match="a full delivery builds on no run"):
        extract(site.workshop.project, SOURCE, base=site.last)


def test_a_broken_delta_leaves_the_base_as_it_was(site: Site) -> None:
    run = site.deliver(BASE)
    whole = {path.name: path.read_bytes() for path in run.snapshot.iterdir()}
    site.declare("delta", 2)
    (site.workshop.project.root / "delivery" / "patients.csv").write_text("id\n1\n", encoding="utf-8")
    with pytest.raises(OncoweaveError, match="born"):
        extract(site.workshop.project, SOURCE, base=site.last)
    assert {path.name: path.read_bytes() for path in run.snapshot.iterdir()} == whole


IDS, CODES = st.sampled_from(["1", "2", " 2", "3", ""]), st.sampled_from("xy")
DAYS = st.sampled_from(["01.01.2015", "02.01.2015", "03.2015", ""])
TUMOUR = st.sampled_from(["a", "b", "b "])
PATIENTS = st.lists(st.tuples(IDS, st.sampled_from(["1950", "1951"])), max_size=3)
TUMOURS = st.lists(st.tuples(IDS, TUMOUR, DAYS), max_size=4)
CONTENTS = st.lists(st.tuples(IDS, DAYS, CODES), max_size=4)
ROWS = {"patients": PATIENTS, "tumours": TUMOURS, "contents": CONTENTS}
GONE = {
    "gone_patients": st.lists(st.tuples(IDS), max_size=2),
    "gone_tumours": st.lists(st.tuples(IDS, TUMOUR), max_size=2),
    "gone_contents": CONTENTS,
}
DELTAS = st.tuples(st.fixed_dictionaries({}, optional={**ROWS, **GONE}), st.integers(0, 1))
"""The files of a delta, and how many days after the one before it comes."""
Delivery = dict[str, list[tuple[str, ...]]]


def key_of(row: tuple[str, ...], size: int) -> tuple[str, ...] | None:
    """The key of a row, as people read it: without blanks around; None where a part is missing."""
    key = tuple(part.strip() for part in row[:size])
    return key if all(key) else None


def union(deliveries: Sequence[Delivery]) -> Delivery:
    """All deliveries together, worked out row by row."""
    found: Delivery = {name: [] for name in HEADERS}
    for delivery in deliveries:
        for table, size in KEYS.items():
            rows, gone = delivery.get(table, []), delivery.get(f"gone_{table}", [])
            if table == "contents":
                for row in gone:
                    if row in found[table]:
                        found[table].remove(row)
            else:
                keys = {key_of(row, size) for row in (*rows, *gone)} - {None}
                found[table] = [row for row in found[table] if key_of(row, size) not in keys]
            found[table] += rows
    return found


@pytest.mark.slow
@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(base=st.fixed_dictionaries(ROWS), deltas=st.lists(DELTAS, min_size=1, max_size=4))
def test_deltas_give_the_tables_of_their_union(key: str, base: Delivery, deltas: list[tuple[Delivery, int]]) -> None:
    with TemporaryDirectory() as folder:
        site = Site(made(Path(folder)))
        base = {**base, "patients": [("0", "1950"), *base["patients"]]}
        site.deliver(base)
        held = [(base, 1)]
        for delta, later in deltas:
            site.deliver(delta, day=site.day + later)
            if (delta, site.day) not in held[1:]:  # else it is held already, and is what it was
                held.append((delta, site.day))
            else:
                held = held[: held.index((delta, site.day), 1) + 1]
        step_by_step = site.mapped()
        site.deliver(union([delivery for delivery, _ in held]), mode="full", day=site.day)
        at_once = site.mapped()
        assert step_by_step.table_bytes().keys() == at_once.table_bytes().keys()
        differing = [n for n, b in at_once.table_bytes().items() if step_by_step.table_bytes()[n] != b]
        assert [n for n in differing if n != "metadata.parquet"] == []
        assert step_by_step.record.ledger == at_once.record.ledger
