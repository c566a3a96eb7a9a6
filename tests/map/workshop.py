"""A workshop for tests of the map stage: writes a tiny real project, extracts and maps it, and shows what came out.

A test gives the rows of its source tables as CSV and the rules as YAML; the fields' types follow from their names.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from textwrap import dedent, indent
from typing import Any

import duckdb

from oncoweave.compiler import compile_draft, read_inputs
from oncoweave.errors import Problem, SpecError
from oncoweave.events import select_events
from oncoweave.project import Project, RunFolder
from oncoweave.records import EventIndex, LedgerEntry, MapRecord
from oncoweave.stages.extract import extract
from oncoweave.stages.map import map as map_stage
from oncoweave.vocabulary.starter import build

SOURCE = "clinic"
RELEASE = "workshop-1"
Row = dict[str, Any]
Targets = Sequence[tuple[Any, ...]]

FIELDS = {
    "id": "{type: identifier}",
    "tumour": "{type: identifier}",
    "treatment": "{type: identifier}",
    "stay": "{type: identifier}",
    "born": '{type: date, formats: ["%d.%m.%Y", "%m.%Y", "%Y"]}',
    "seen": '{type: date, formats: ["%d.%m.%Y", "%m.%Y", "%Y"]}',
    "left": '{type: date, formats: ["%d.%m.%Y", "%m.%Y", "%Y"]}',
    "died": '{type: date, formats: ["%d.%m.%Y", "%m.%Y", "%Y"]}',
    "size": "{type: number, decimal: ','}",
    "age": "{type: integer}",
    "months": "{type: integer}",
    "nodes": '{type: integer, missing: ["99"]}',
    "line_no": "{type: integer}",
    "note": "{type: text}",
}
"""The type of a field by its name; every other field is a code."""

KEYS = {
    "patients": "row: {fields: [id]}",
    "tumours": "row: {fields: [id, tumour]}\nperson: [id]",
    "treatments": "row: {fields: [treatment]}\nperson: [id]",
    "stays": "row: {fields: [stay]}\nperson: [id]",
    "contents": "row: {content: true}",
}

PERSONS = """
- {fact: person, name: persons, from: patients, birth: {date: born}}
"""

CONCEPTS = """
0,No matching concept,Metadata,None,
32879,Registry,Type Concept,Type Concept,S
32817,EHR,Type Concept,Type Concept,S
756265,OMOP CDM Version 5.4.0,Metadata,CDM,S
8507,MALE,Gender,Gender,S
8532,FEMALE,Gender,Gender,S
8551,UNKNOWN,Gender,Gender,,U
8527,White,Race,Race,S,5
8515,Asian,Race,Race,S,2
8522,Other Race,Race,Race,,9
38003563,Hispanic or Latino,Ethnicity,Ethnicity,S
38003564,Not Hispanic or Latino,Ethnicity,Ethnicity,S
8588,millimeter,Unit,UCUM,S
8582,centimeter,Unit,UCUM,S
8576,milligram,Unit,UCUM,S,mg
8587,milliliter,Unit,UCUM,S,mL
8505,hour,Unit,UCUM,S,h
4171756,<,Meas Value Operator,SNOMED,S
4172703,=,Meas Value Operator,SNOMED,S
101,Breast cancer,Condition,SNOMED,S
102,Lung cancer,Condition,SNOMED,S
103,Old name of breast cancer,Condition,SNOMED,
104,Neoplastic disease,Condition,SNOMED,C
201,Size,Measurement,LOINC,S
202,Nodes,Measurement,LOINC,S
203,Grade 1,Measurement,Cancer Modifier,S
204,Grade 2,Measurement,Cancer Modifier,S
205,Receptor,Measurement,LOINC,S
301,Excision,Procedure,SNOMED,S
302,Biopsy,Procedure,SNOMED,S
401,Tamoxifen,Drug,RxNorm,S
402,Epirubicin,Drug,RxNorm,S
403,Trofosfamide,Drug,RxNorm Extension,S
411,Tamoxifen tablet,Drug,RxNorm,S
412,Tamoxifen and epirubicin,Drug,RxNorm,S
413,Trofosfamide tablet,Drug,RxNorm Extension,S
414,Bandage,Drug,RxNorm,S
415,Epirubicin solution,Drug,RxNorm,S
416,Tamoxifen patch,Drug,RxNorm,S
417,Tamoxifen half tablet,Drug,RxNorm,S
501,After menopause,Observation,SNOMED,S
502,Family history,Observation,SNOMED,S
503,Left breast,Spec Anatomic Site,SNOMED,S
511,Tissue,Specimen,SNOMED,S
601,Treatment Regimen,Episode,Episode,S
602,Disease Episode,Episode,Episode,S
701,Positive,Meas Value,SNOMED,S
702,Negative,Meas Value,SNOMED,S
4188539,Yes,Meas Value,SNOMED,S
4188540,No,Meas Value,SNOMED,S
801,Oral,Route,SNOMED,S
802,Inpatient Visit,Visit,Visit,S
803,Outpatient Visit,Visit,Visit,S
262,Emergency Room and Inpatient Visit,Visit,Visit,S
9201,Inpatient stay,Visit,Visit,S
9202,Outpatient contact,Visit,Visit,S
9203,Emergency Room Visit,Visit,Visit,S
581476,Home Visit,Visit,Visit,S
804,Port catheter,Device,SNOMED,S
805,Oncology,Provider,Medicare Specialty,S
806,United Kingdom,Geography,OSM,S
901,Histology proven,Condition Status,SNOMED,S
9001,C50 Malignant neoplasm of breast,Condition,ICD10,,C50
9002,C50.9 in both,Condition,ICD10,,C50.9
9003,Z85 no standard,Observation,ICD10,,Z85
9004,C34 Malignant neoplasm of lung,Condition,ICD10,,C34
"""
"""concept_id, name, domain, vocabulary, standard, and a code where it is not the id."""

RELATIONS = ((9001, 101), (9002, 101), (9002, 502), (9004, 102), (8527, 8527), (8515, 8515), (8532, 8532))
"""'Maps to' of the ICD10 codes: C50 has one target, C50.9 two of different domains, Z85 none; races and sexes map to themselves."""


INGREDIENTS = {401: (411, 412, 416, 417), 402: (412, 415), 403: (413,), 414: ()}
"""The drugs of each ingredient; 414 is of another class, and no ingredient."""

STRENGTHS = (
    (411, 401, 20, 8576, None, None, None, None),
    (417, 401, 10, 8576, None, None, None, None),
    (412, 401, 20, 8576, None, None, None, None),
    (412, 402, 5, 8576, None, None, None, None),
    (415, 402, None, None, 2, 8576, None, 8587),
    (416, 401, None, None, 0.5, 8576, None, 8505),
)
"""drug, ingredient, amount and its unit, numerator and its unit, denominator and its unit."""

RELATIONSHIPS = (
    ("Has specimen", "Has specimen (SNOMED)", "Specimen of", 44818756),
    ("Specimen of", "Specimen of (SNOMED)", "Has specimen", 44818854),
    ("Has due to", "Has due to (SNOMED)", "Due to of", 44818780),
    ("Due to of", "Due to of (SNOMED)", "Has due to", 44818878),
    ("Lost", "Without a reverse", "Nowhere", 44818999),
    ("Without concept", "Without concept", "Without concept", 0),
)
"""relationship_id, name, reverse, concept; the last two are not fit for use."""


def concept_name(concept_id: int) -> str:
    """The name of a concept of the workshop's vocabulary; a made-up one where it has none."""
    return _names().get(concept_id, "Unmapped")


def _names() -> dict[int, str]:
    return {int(row[0]): row[1] for row in _vocabulary_rows()}


def _vocabulary_rows() -> list[list[str]]:
    """concept_id, name, domain, vocabulary, standard, code."""
    return [[*row, row[0]][:6] for row in csv.reader(io.StringIO(CONCEPTS.strip()))]


def build_vocabulary(folder: Path) -> Path:
    """The workshop's vocabulary as a bundle, made in `folder`."""
    written = folder / "written"
    written.mkdir()
    rows = _vocabulary_rows()
    header = "concept_id,concept_name,domain_id,vocabulary_id,concept_class_id,standard_concept,concept_code"
    concepts = [
        f"{i},{name},{domain},{vocabulary},{_class(int(i))},{s},{code},"
        for i, name, domain, vocabulary, s, code in rows
    ]
    _write(written / "CONCEPT.csv", f"{header},invalid_reason,evidence", [f"{c},confirmed" for c in concepts])
    relations = [f"{a},{b},Maps to," for a, b in RELATIONS]
    _write(written / "CONCEPT_RELATIONSHIP.csv", "concept_id_1,concept_id_2,relationship_id,invalid_reason", relations)
    vocabularies = sorted({row[3] for row in rows} - {"None"})
    names = [f"None,Workshop,{RELEASE},0", *(f"{v},{v},,0" for v in vocabularies)]
    _write(written / "VOCABULARY.csv", "vocabulary_id,vocabulary_name,vocabulary_version,vocabulary_concept_id", names)
    bundle = build(written, folder / "bundle")
    _add_drugs(bundle)
    _add_relationships(bundle)
    return bundle


def _class(concept_id: int) -> str:
    return "Ingredient" if concept_id in INGREDIENTS and concept_id != 414 else "Any"


def _add_drugs(bundle: Path) -> None:
    """CONCEPT_ANCESTOR and DRUG_STRENGTH, which a starter vocabulary does not have."""
    ancestors = [(ingredient, drug) for ingredient, drugs in INGREDIENTS.items() for drug in (ingredient, *drugs)]
    with duckdb.connect() as connection:
        connection.execute("CREATE TABLE a (ancestor_concept_id INTEGER, descendant_concept_id INTEGER)")
        connection.executemany("INSERT INTO a VALUES (?, ?)", ancestors)
        columns = "amount_value {0}, amount_unit_concept_id {1}, numerator_value {0}, numerator_unit_concept_id {1}, denominator_value {0}, denominator_unit_concept_id {1}"
        columns = columns.format("DOUBLE", "INTEGER")
        connection.execute(
            f"CREATE TABLE s (drug_concept_id INTEGER, ingredient_concept_id INTEGER, {columns}, invalid_reason VARCHAR)"
        )
        connection.executemany("INSERT INTO s VALUES (?, ?, ?, ?, ?, ?, ?, ?, NULL)", STRENGTHS)
        for table, name in (("a", "CONCEPT_ANCESTOR"), ("s", "DRUG_STRENGTH")):
            connection.execute(f"COPY {table} TO '{bundle / name}.parquet' (FORMAT parquet)")


def _add_relationships(bundle: Path) -> None:
    """RELATIONSHIP, which a starter vocabulary does not have."""
    columns = "relationship_id VARCHAR, relationship_name VARCHAR, reverse_relationship_id VARCHAR, relationship_concept_id BIGINT"
    with duckdb.connect() as connection:
        connection.execute(f"CREATE TABLE r ({columns})")
        connection.executemany("INSERT INTO r VALUES (?, ?, ?, ?)", RELATIONSHIPS)
        connection.execute(f"COPY r TO '{bundle / 'RELATIONSHIP.parquet'}' (FORMAT parquet)")


def _write(path: Path, header: str, lines: Sequence[str]) -> None:
    path.write_text("\n".join([header, *lines, ""]), encoding="utf-8")


def usagi(targets: Targets) -> str:
    """A concept map as Usagi writes it: (code, concept id[, status[, mapping type]]) each."""
    lines = ["sourceCode,sourceName,mappingStatus,conceptId,conceptName,domainId,mappingType"]
    for code, concept_id, *rest in targets:
        status, kind = (rest[0] if rest else "APPROVED"), (rest[1] if len(rest) > 1 else "MAPS_TO")
        lines.append(f"{code},{code},{status},{concept_id},{concept_name(concept_id)},,{kind}")
    return "\n".join([*lines, ""])


@dataclass(frozen=True)
class Mapped:
    """What a run of map made."""

    run: RunFolder
    record: MapRecord
    project: Project

    def rows(self, table: str, *columns: str) -> list[Any]:
        """The rows of a CDM table in the file's order: as dicts, or as tuples of some columns, or values of one."""
        found = _read(self.run.tables / f"{table}.parquet")
        if not columns:
            return found
        return [row[columns[0]] if len(columns) == 1 else tuple(row[c] for c in columns) for row in found]

    def row(self, table: str) -> Row:
        """The one row of a CDM table."""
        (row,) = self.rows(table)
        return dict(row)

    def entry(self, rule: str, column: str | None = None) -> LedgerEntry:
        """The ledger's line of a rule, or of one of its columns."""
        (found,) = [e for e in self.record.ledger if (e.rule, e.column) == (rule, column)]
        return found

    def counts(self, rule: str, column: str | None = None) -> tuple[int, int, int, int]:
        """read, mapped, quarantined, excluded."""
        entry = self.entry(rule, column)
        return entry.read, entry.mapped, entry.quarantined, entry.excluded

    def reasons(self, rule: str, column: str | None = None) -> dict[str, int]:
        """Rows that are no fact by `kind: reason`."""
        return {f"{kind}: {reason}": rows for kind, reason, rows in self.entry(rule, column).reasons}

    def quarantine(self, rule: str | None = None) -> list[tuple[int, str | None, str]]:
        """line, column and reason of the rows held back."""
        found = _read(self.run.quarantine / "map.parquet")
        return [(r["line"], r["column"], r["reason"]) for r in found if rule in (None, r["rule"])]

    def held(self, rule: str) -> list[tuple[str, int, str]]:
        """file, line and reason of the rows of a rule that are held back."""
        found = _read(self.run.quarantine / "map.parquet")
        return sorted((r["file"], r["line"], r["reason"]) for r in found if r["rule"] == rule)

    def events(self, rule: str) -> list[Row]:
        """The events of a rule."""
        index = EventIndex.model_validate_json((self.run.events / "events.json").read_text())
        with duckdb.connect() as connection:
            found: list[Row] = []
            for file in index.files:
                if file.rule == rule:
                    result = connection.execute(select_events(self.run.events, file))
                    names = [d[0] for d in result.description or ()]
                    found += [dict(zip(names, row, strict=True)) for row in result.fetchall()]
        return found

    def table_bytes(self) -> dict[str, bytes]:
        """The bytes of every CDM table."""
        return {path.name: path.read_bytes() for path in sorted(self.run.tables.glob("*.parquet"))}

    def data_bytes(self) -> dict[str, bytes]:
        """The bytes of every CDM table but METADATA, which tells the hash of the specification."""
        return {name: content for name, content in self.table_bytes().items() if name != "metadata.parquet"}


def _read(path: Path) -> list[Row]:
    with duckdb.connect() as connection:
        result = connection.execute("SELECT * FROM read_parquet(?)", [str(path)])
        names = [d[0] for d in result.description or ()]
        return [dict(zip(names, row, strict=True)) for row in result.fetchall()]


@dataclass
class Workshop:
    """A project in a temporary folder that is written anew for each mapping."""

    project: Project

    @property
    def folder(self) -> Path:
        """The source's folder."""
        return self.project.root / "mappings" / "sources" / SOURCE

    def concept_map(self, name: str, *targets: tuple[Any, ...]) -> None:
        """Write a concept map: (code, concept id[, status[, mapping type]]) each."""
        (self.folder / "concepts").mkdir(parents=True, exist_ok=True)
        (self.folder / "concepts" / f"{name}.csv").write_text(usagi(targets), encoding="utf-8")

    def write(
        self,
        rules: str,
        *,
        persons: str = PERSONS,
        keys: Mapping[str, str] | None = None,
        fields: Mapping[str, str] | None = None,
        source: str = "",
        mapping: str = "",
        corrections: str = "",
        **tables: str,
    ) -> None:
        """Write the specification and the delivery.

        `keys` and `fields` add to KEYS and FIELDS, `source` and `mapping` are further keys of the two files.
        """
        self.folder.mkdir(parents=True, exist_ok=True)
        delivery = self.project.root / "delivery"
        delivery.mkdir(exist_ok=True)
        tables = {name: dedent(rows).strip("\n") + "\n" for name, rows in tables.items()}
        for name, rows in tables.items():
            (delivery / f"{name}.csv").write_text(rows, encoding="utf-8")
        declared = {
            n: _table_yaml(n, rows, KEYS | dict(keys or {}), FIELDS | dict(fields or {})) for n, rows in tables.items()
        }
        (self.folder / "source.yaml").write_text(_source_yaml(declared, source), encoding="utf-8")
        (self.folder / "mapping.yaml").write_text(_mapping_yaml(persons + dedent(rules), mapping), encoding="utf-8")
        path = self.folder / "corrections.yaml"
        path.unlink(missing_ok=True)
        if corrections:
            path.write_text("version: 1\ncorrections:\n" + indent(dedent(corrections).strip(), "  ") + "\n")

    def map(self, rules: str, **written: Any) -> Mapped:
        """Write, extract and map."""
        self.write(rules, **written)
        return self.run()

    def run(self) -> Mapped:
        """Extract and map what has been written."""
        try:
            run = extract(self.project, SOURCE)
            return Mapped(run, map_stage(run, self.project), self.project)
        except SpecError as error:
            error.add_note("\n".join(str(problem) for problem in error.problems))
            raise

    def problems(self, rules: str, **written: Any) -> list[Problem]:
        """Write and compile: the problems."""
        self.write(rules, **written)
        try:
            return sorted(compile_draft(read_inputs(self.project, SOURCE)).problems)
        except SpecError as error:
            return list(error.problems)

    def problem(self, rules: str, **written: Any) -> tuple[str, str, str]:
        """The one problem: the text from its place to the end of the line, the message and the mend."""
        found = [p for p in self.problems(rules, **written) if p.severity == "error"]
        assert len(found) == 1, found
        path = self.project.root / found[0].file
        line = path.read_text(encoding="utf-8").splitlines()[found[0].line - 1]
        return line[found[0].column - 1 :], found[0].message, found[0].help


def _table_yaml(name: str, rows: str, keys: Mapping[str, str], fields: Mapping[str, str]) -> str:
    header = rows.splitlines()[0].split(",")
    declared = "\n".join(f"  {f}: {fields.get(f, '{type: code}')}" for f in header)
    return f"format: csv\nfiles: {name}.csv\n{keys[name]}\nfields:\n{declared}"


def _source_yaml(tables: Mapping[str, str], more: str) -> str:
    body = "\n".join(f"  {name}:\n{indent(text, '    ')}" for name, text in tables.items())
    delivery = "delivery: {by: folder, date: 2024-01-31, path: ../../../delivery}"
    about = f"version: 1\nsource: {SOURCE}\ntitle: Workshop\nholder: Nobody\nkind: registry\n{delivery}"
    return f"{about}\n{dedent(more).strip()}\ntables:\n{body}\n"


def _mapping_yaml(rules: str, more: str) -> str:
    standard = {int(row[0]): row[1] for row in _vocabulary_rows() if row[4] == "S"}
    signs = {"<": "below", "=": "exactly"}
    named = {signs.get(n) or re.sub("[^a-z0-9]+", "_", n.lower()).strip("_"): (i, n) for i, n in standard.items()}
    concepts = "\n".join(f'  {name}: "OMOP:{i} |{label}|"' for name, (i, label) in named.items())
    head = f"version: 1\nsource: {SOURCE}\nvocabulary: {RELEASE}\nconcepts:\n{concepts}\n{dedent(more).strip()}"
    return f"{head}\nrules:\n{indent(rules.strip(), '  ')}\n"
