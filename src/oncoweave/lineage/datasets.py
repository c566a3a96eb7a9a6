"""What a stage reads and writes, as datasets of lineage: names, fields, counts and hashes out of the run's records."""

from __future__ import annotations

from dataclasses import dataclass

from oncoweave.files import read_record
from oncoweave.lineage.columns import LineageRecord, Origin, TableLineage
from oncoweave.omop.model import tables
from oncoweave.project import RunFolder
from oncoweave.records import CheckRecord, ExpectationResult, ExtractRecord, MapRecord

LINEAGE = "lineage.json"
"""The run's file that holds the column lineage."""


@dataclass(frozen=True)
class Dataset:
    """A table or a release. `version` is a hash of its content, or the run that a release is of.

    `fields` are its fields with their types; `lineage` says what they are made of, and `prefix` stands before the names of
    those tables; `checked` are the results of its checks.
    """

    name: str
    version: str = ""
    rows: int | None = None
    bytes: int | None = None
    fields: tuple[tuple[str, str], ...] = ()
    lineage: TableLineage | None = None
    prefix: str = ""
    checked: tuple[ExpectationResult, ...] = ()

    def origin(self, of: Origin) -> str:
        """The name of the dataset that an origin of a field lies in."""
        return f"{self.prefix}{of.table}"


def of_stage(source: str, stage: str, run: RunFolder | None) -> tuple[list[Dataset], list[Dataset]]:
    """What a stage that is done read, and what it wrote."""
    if run is None:
        return [], []
    made = {"extract": _extracted, "map": _mapped, "check": _checked, "publish": _published}
    return made[stage](source, run) if stage in made else ([], [])


def _extracted(source: str, run: RunFolder) -> tuple[list[Dataset], list[Dataset]]:
    extracted = read_record(run.path / "extract.json", ExtractRecord)
    delivered = [
        Dataset(f"{source}.delivery.{t.table}", rows=t.records, bytes=sum(file.bytes for file in t.files))
        for t in extracted.tables
        if t.files
    ]
    return delivered, _snapshots(source, extracted)


def _snapshots(source: str, extracted: ExtractRecord) -> list[Dataset]:
    """The source tables; a column that source.yaml does not declare is left out, for its header may be a value."""
    return [
        Dataset(
            f"{source}.{t.table}",
            version=t.snapshot.sha256,
            rows=t.rows,
            bytes=t.snapshot.bytes,
            fields=tuple((c, "text") for c in t.columns if c not in t.undeclared),
        )
        for t in extracted.tables
    ]


def _mapped(source: str, run: RunFolder) -> tuple[list[Dataset], list[Dataset]]:
    lineage = read_record(run.path / LINEAGE, LineageRecord)
    found = {table.table: table for table in lineage.tables}
    extracted = read_record(run.path / "extract.json", ExtractRecord)
    return _snapshots(source, extracted), _omop(source, run, found)


def _omop(source: str, run: RunFolder, lineage: dict[str, TableLineage]) -> list[Dataset]:
    mapped = read_record(run.path / "map.json", MapRecord)
    made = []
    for file in mapped.tables:
        name = file.name.removesuffix(".parquet")
        of = lineage.get(name)
        made.append(
            Dataset(
                f"{source}.omop.{name}",
                version=file.sha256,
                rows=file.rows,
                bytes=file.bytes,
                fields=tuple((f.name, f.type) for f in tables()[name].fields),
                lineage=of,
                prefix=f"{source}.omop." if of is not None and of.of else f"{source}.",
            )
        )
    return made


def _checked(source: str, run: RunFolder) -> tuple[list[Dataset], list[Dataset]]:
    results = read_record(run.path / "check.json", CheckRecord).results
    found = []
    for table in _omop(source, run, {}):
        name = table.name.rpartition(".")[2]
        of_table = tuple(result for result in results if result.table == name)
        found.append(Dataset(table.name, version=table.version, rows=table.rows, checked=of_table))
    return found, []


def _published(source: str, run: RunFolder) -> tuple[list[Dataset], list[Dataset]]:
    mapped = _omop(source, run, {})
    read = [Dataset(t.name, version=t.version, rows=t.rows) for t in mapped]
    rows, size = sum(t.rows or 0 for t in mapped), sum(t.bytes or 0 for t in mapped)
    return read, [Dataset(f"{source}.release", version=run.run_id, rows=rows, bytes=size)]
