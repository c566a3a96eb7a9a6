"""Column lineage says what the tables in fact depend on: a source field is changed, and what changes must name it."""

from __future__ import annotations

import csv
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import duckdb
import pytest

from oncoweave.compiler import compile_mapping
from oncoweave.lineage.columns import LineageRecord, Origin, column_lineage
from oncoweave.omop.model import tables
from oncoweave.project import Project, RunFolder
from oncoweave.run import extract, map  # noqa: A004  the stage's name
from tests.map.workshop import Workshop

CHANGED = [
    ("patients", field) for field in ("sex", "birth_date", "menopause", "registered", "last_contact", "vital")
] + [("tumours", field) for field in ("diagnosed", "t", "size_mm", "chemo_start")]  # fmt: skip
Table = dict[tuple[Any, ...], dict[str, Any]]


def _rows(run: RunFolder, name: str) -> Table:
    """The rows of a CDM table by their key."""
    with duckdb.connect() as connection:
        result = connection.execute("SELECT * FROM read_parquet(?)", [str(run.tables / f"{name}.parquet")])
        names = [column[0] for column in result.description or ()]
        found = [dict(zip(names, row, strict=True)) for row in result.fetchall()]
    return {tuple(row[k] for k in tables()[name].key): row for row in found}


def _mapped(project: Project, source: str) -> RunFolder:
    run = extract(project, source)
    map(run, project)
    return run


def _origins(record: LineageRecord) -> dict[tuple[str, str], set[tuple[str, str]]]:
    """(table, field) of CDM: the (table, field) of the source that it may depend on."""
    found: dict[tuple[str, str], set[tuple[str, str]]] = {}
    for table in record.tables:
        for made in table.fields:
            named = {(o.table, o.field) for o in made.origins}
            through = [found.get(o, set()) for o in named] if table.of else [named]
            chosen = {(o.table, o.field) for o in table.chosen_by}
            found[table.table, made.field] = set().union(*through) | chosen
    return found


def _changed_fields(before: Table, after: Table) -> Iterator[str]:
    """The fields that differ in a row that both have; `""` when one has a row that the other has not."""
    if set(before) != set(after):
        yield ""
    for key in set(before) & set(after):
        yield from (field for field, value in before[key].items() if after[key][field] != value)


def _rotate(path: Path, column: str, delimiter: str) -> None:
    """Give every row the next row's text in one column: what stands there stays valid."""
    with path.open(encoding="utf-8", newline="") as file:
        header, *rows = list(csv.reader(file, delimiter=delimiter))
    at = header.index(column)
    texts = [row[at] for row in rows]
    for row, text in zip(rows, [*texts[1:], texts[0]], strict=True):
        row[at] = text
    with path.open("w", encoding="utf-8", newline="") as file:
        csv.writer(file, delimiter=delimiter, lineterminator="\n").writerows([header, *rows])


@pytest.mark.slow
def test_whatever_a_field_changes_names_it(tiny_project: Project, tmp_path: Path) -> None:
    before = _mapped(tiny_project, "tiny")
    plan, _ = compile_mapping(tiny_project, "tiny")
    origins = _origins(column_lineage(plan))
    changes = 0
    for name, field in CHANGED:
        root = tmp_path / f"{name}.{field}"
        shutil.copytree(tiny_project.root / "mappings", root / "mappings")
        shutil.copytree(tiny_project.root / "deliveries", root / "deliveries")
        _rotate(root / "deliveries" / "2024-01-31" / f"{name}.csv", field, ";")
        after = _mapped(Project.at(root), "tiny")
        for cdm in (n for n in tables() if n not in ("metadata", "cdm_source")):
            for changed in set(_changed_fields(_rows(before, cdm), _rows(after, cdm))):
                named = [origins.get((cdm, changed), set())] if changed else _of_table(origins, cdm)
                assert (name, field) in set().union(*named), f"{cdm}.{changed} depends on {name}.{field}"
                changes += 1
    assert changes > 20


def _of_table(origins: dict[tuple[str, str], set[tuple[str, str]]], table: str) -> list[set[tuple[str, str]]]:
    return [of for (name, _), of in origins.items() if name == table]


def test_fields_through_joins_belong_to_the_table_they_stand_in(workshop: Workshop) -> None:
    workshop.write(
        "- {fact: measurement, name: sizes, from: treatments, concept: size, date: tumours.seen, value: tumours.size}\n",
        patients="id,born\np1,01.02.1950",
        tumours="id,tumour,seen,size\np1,t1,05.06.2001,12",
        treatments="treatment,of\na,t1",
        keys={"tumours": "row: {fields: [tumour]}\nperson: [id]", "treatments": "row: {fields: [treatment]}"},
        fields={"of": "{type: identifier}"},
        mapping="joins:\n- {from: treatments, to: tumours, by: {of: tumour}, person: true}",
    )
    plan, _ = compile_mapping(workshop.project, "clinic")
    found = {t.table: {f.field: set(f.origins) for f in t.fields} for t in column_lineage(plan).tables}
    sizes = found["measurement"]
    assert sizes["value_as_number"] == {Origin(table="tumours", field="size", how="transformation")}
    assert sizes["measurement_date"] == {Origin(table="tumours", field="seen", how="transformation")}
    assert sizes["measurement_id"] == {Origin(table="treatments", field="treatment", how="key")}
    assert sizes["person_id"] == {Origin(table="tumours", field="id", how="key")}
    assert "measurement_concept_id" not in sizes  # a constant of the mapping comes from no field


def test_related_facts_come_from_the_keys_of_both(workshop: Workshop) -> None:
    workshop.write(
        """
- {fact: procedure, name: biopsies, from: treatments, concept: biopsy, date: seen}
- {fact: specimen, name: samples, from: tumours, concept: tissue, date: seen}
- fact: relationship
  name: taken
  from: treatments
  first: biopsies
  second: {rule: samples, by: {id: id, of: tumour}}
  relationship: Has specimen
""",
        patients="id,born\np1,01.02.1950",
        tumours="id,tumour,seen\np1,t1,05.06.2001",
        treatments="id,treatment,seen,of\np1,a,05.06.2001,t1",
    )
    plan, _ = compile_mapping(workshop.project, "clinic")
    (related,) = [t for t in column_lineage(plan).tables if t.table == "fact_relationship"]
    origins = {f.field: [(o.field, o.how) for o in f.origins] for f in related.fields}
    assert origins["fact_id_1"] == origins["fact_id_2"] == [("id", "key"), ("of", "key"), ("treatment", "key")]
    assert "relationship_concept_id" not in origins


def test_the_text_of_an_expression_is_in_no_lineage(workshop: Workshop) -> None:
    """A constant of a `where` or a `concept` may be a value that only one patient has."""
    workshop.write(
        "- {fact: condition, name: some, from: patients, where: \"site = 'canary'\", because: other, concept: breast_cancer, start: seen}\n",
        patients="id,born,seen,site\np1,01.02.1950,01.02.2001,C50",
    )
    plan, _ = compile_mapping(workshop.project, "clinic")
    written = column_lineage(plan)
    assert "canary" not in written.model_dump_json()
    (conditions,) = [t for t in written.tables if t.table == "condition_occurrence"]
    assert conditions.chosen_by == (Origin(table="patients", field="site", how="transformation"),)
