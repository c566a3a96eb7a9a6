"""What the engine sees of every resource of a run: its id, its type, whom it is about, what it refers to; as relations.

`fhir_resources` has a row for each line. `row` is the id of the row of OMOP that it tells of (its id up to the first hyphen),
`person` the person that it is about, `coded` whether its code is one of a vocabulary, and not text alone.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import duckdb

from oncoweave.engine.connection import without_values
from oncoweave.engine.fhir.lines import lines_select
from oncoweave.engine.parquet import literal
from oncoweave.fhir.named_sets import profile_set
from oncoweave.quality.fhir.codes import CODES
from oncoweave.records import FhirRecord

OF_THE_RUN = ("CodeSystem", "ConceptMap", "Library", "NamingSystem", "Organization", "Provenance", "ValueSet")
"""Types that tell of the run as a whole, and of no row."""
_TEXT = r'"(?:[^"\\]|\\.)+"'
_SUSPECT = r'null|""|\[\s*\]|\{\s*\}'
_EMPTY = r'(?:^|[:,\[])\s*(?:null|""|\[\s*\]|\{\s*\})'
"""Null or nothing where a value stands; texts with something in them are taken out before."""
_CODE = ("$.code", "$.medicationCodeableConcept", "$.vaccineCode", "$.type")
_SUBJECT = ("$.subject.reference", "$.patient.reference")
RESOURCES = """
CREATE TABLE fhir_resources (type VARCHAR, id VARCHAR, is_object BOOLEAN, is_of_type BOOLEAN, has_nothing BOOLEAN,
    profiles INTEGER, strange_profiles INTEGER, code_is_listed BOOLEAN, "row" BIGINT, person BIGINT, coded BOOLEAN, dead BOOLEAN)
"""
REFERENCES = "CREATE TABLE fhir_references (type VARCHAR, reference VARCHAR, times BIGINT)"


def files_by_type(folder: Path, record: FhirRecord) -> Mapping[str, list[Path]]:
    """The files of a run that are there, by the type that they are of."""
    found: dict[str, list[Path]] = {}
    for file in record.files:
        found.setdefault(file.type, [])
        if (path := folder / file.file.name).is_file():
            found[file.type].append(path)
    return found


def load(connection: duckdb.DuckDBPyConnection, files: Mapping[str, Sequence[Path]], profiles: str) -> list[str]:
    """Make `fhir_resources` and `fhir_references` of these files by type; the types whose files cannot be read as lines."""
    connection.execute(RESOURCES)
    connection.execute(REFERENCES)
    unread = []
    for type_, paths in sorted(files.items()):
        try:
            if paths:
                connection.execute(f"INSERT INTO fhir_resources {_resources(type_, paths, profiles)}")
                connection.execute(f"INSERT INTO fhir_references {_references(type_, paths)}")
        except (duckdb.InvalidInputException, duckdb.ConversionException):
            connection.execute("DELETE FROM fhir_resources WHERE type = ?", [type_])
            unread.append(type_)
    with without_values("reading the FHIR resources"):
        connection.execute("""CREATE TABLE fhir_rows AS SELECT "row", count(*) AS resources, min(person) AS person,
            max(person) AS other_person, bool_or(coded) AS coded FROM fhir_resources WHERE "row" IS NOT NULL
            AND type <> 'Patient' GROUP BY "row" """)
    return unread


def sample_select(paths: Iterable[Path], number: int) -> str:
    """SQL of a SELECT of `lines`: of each profile so many resources, the same ones of the same files."""
    profile = "CASE WHEN json_valid(line) THEN json_extract_string(line, '$.meta.profile[*]') END"
    return f"""SELECT unnest(min_by(line, md5_number_lower(line), {number})) AS line FROM ({lines_select(list(paths))})
        GROUP BY {profile} ORDER BY 1"""


def _resources(type_: str, paths: Sequence[Path], profiles: str) -> str:
    code, allowed = CODES.get(type_, ("$.status", None))
    texts = ["$.id", "$.resourceType", code, *_SUBJECT]
    known = profile_set(profiles).profiles
    strange = f"p NOT IN ({', '.join(map(literal, known))})" if known else "true"
    listed = f"coalesce(texts[3] IN ({', '.join(map(literal, allowed))}), true)" if allowed else "true"
    dead = (
        "coalesce(json_extract_string(j, '$.deceasedBoolean') = 'true', false) OR json_exists(j, '$.deceasedDateTime')"
    )
    return f"""SELECT {literal(type_)}, texts[1], is_object, coalesce(texts[2] = {literal(type_)}, false), {_nothing("line")},
        len(profiles), len(list_filter(profiles, lambda p: {strange})), {listed}, {_number("texts[1]")},
        {_number("texts[1]") if type_ == "Patient" else _person()}, {_coded()},
        {dead if type_ == "Patient" else "false"}
        FROM (SELECT *, json_extract_string(j, {list(texts)}) AS texts,
            coalesce(json_extract_string(j, '$.meta.profile[*]'), []) AS profiles
        FROM (SELECT line, CASE WHEN is_object THEN line END AS j, is_object
        FROM (SELECT line, json_valid(line) AND left(ltrim(line), 1) = '{{' AS is_object FROM ({lines_select(paths)}))))"""


def _references(type_: str, paths: Sequence[Path]) -> str:
    """Each reference with how often it is there; those to what the resource itself contains are left out."""
    return f"""SELECT {literal(type_)}, reference, count(*) FROM (
        SELECT unnest(list_filter(json_extract_string(line, '$..reference'),
            lambda r: NOT list_contains(coalesce(json_extract_string(line, '$.contained[*].id'), []), r[2:]) OR r[1] <> '#'))
            AS reference FROM ({lines_select(paths)}) WHERE json_valid(line)) GROUP BY reference"""


def _nothing(line: str) -> str:
    """Whether null or nothing stands somewhere in a line; most lines are let go by the first, quick look."""
    without = f"regexp_replace({line}, {literal(_TEXT)}, 't', 'g')"
    return (
        f"CASE WHEN regexp_matches({line}, {literal(_SUSPECT)}) "
        f"THEN regexp_matches({without}, {literal(_EMPTY)}) ELSE false END"
    )


def _number(text: str) -> str:
    """The id of a row of OMOP that the id of a resource begins with."""
    return f"try_cast(regexp_extract({text}, '^(-?[0-9]+)(-.*)?$', 1) AS BIGINT)"


def _person() -> str:
    return "try_cast(regexp_extract(coalesce(texts[4], texts[5]), '^Patient/(-?[0-9]+)$', 1) AS BIGINT)"


def _coded() -> str:
    return " OR ".join(f"coalesce(json_exists(j, '{path}.coding[0]'), false)" for path in _CODE)
