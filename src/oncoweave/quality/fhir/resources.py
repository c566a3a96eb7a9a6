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
_SUSPECT = ("null", '""', "[]", "{}", "[ ", "{ ", "[\t", "{\t", "[\r", "{\r")
_EMPTY = r'(?:^|[:,\[])\s*(?:null|""|\[\s*\]|\{\s*\})'
"""Null or nothing where a value stands; texts with something in them are taken out before."""
_CODE = tuple(f"$.{name}.coding[0]" for name in ("code", "medicationCodeableConcept", "vaccineCode", "type", "type[0]"))
_CONSENTED = ("$.category[0].coding[0]",)
_DEAD = ("$.deceasedBoolean", "$.deceasedDateTime")
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
    """SQL of the rows of `fhir_resources` of a type; each line is parsed twice: is it JSON, and what stands in these places."""
    known = profile_set(profiles).profiles
    strange = f"p NOT IN ({', '.join(map(literal, known))})" if known else "true"
    code, allowed = CODES.get(type_, ("$.status", ()))
    codes = _CONSENTED if type_ == "Consent" else _CODE
    places = ["$.id", "$.resourceType", code, "$.meta.profile", *_SUBJECT, *codes, *_DEAD]
    at = {place: f"texts[{number}]" for number, place in enumerate(places, 1)}
    listed = f"coalesce({at[code]} IN ({', '.join(map(literal, allowed))}), true)" if allowed else "true"
    is_patient = type_ == "Patient"
    dead = f"coalesce({at[_DEAD[0]]} = 'true', false) OR {at[_DEAD[1]]} IS NOT NULL" if is_patient else "false"
    coded = " OR ".join(f"{at[place]} IS NOT NULL" for place in codes)
    about = f"coalesce({', '.join(at[place] for place in _SUBJECT)})"
    person = (
        _number(at["$.id"]) if is_patient else f"try_cast(regexp_extract({about}, '^Patient/(-?[0-9]+)$', 1) AS BIGINT)"
    )
    return f"""SELECT {literal(type_)}, {at["$.id"]}, is_object, coalesce({at["$.resourceType"]} = {literal(type_)}, false), {_nothing("line")},
        len(profiles), len(list_filter(profiles, lambda p: {strange})), {listed}, {_number(at["$.id"])}, {person}, {coded}, {dead}
        FROM (SELECT *, CASE WHEN {at["$.meta.profile"]} IS NULL THEN [] ELSE coalesce(json_extract_string(j, '$.meta.profile[*]'), []) END
            AS profiles
        FROM (SELECT *, json_extract_string(j, {places}) AS texts
        FROM (SELECT line, CASE WHEN is_object THEN line END AS j, is_object
        FROM (SELECT line, json_valid(line) AND left(ltrim(line), 1) = '{{' AS is_object FROM ({lines_select(paths)})))))"""


def _references(type_: str, paths: Sequence[Path]) -> str:
    """Each reference with how often it is there; those to what the resource itself contains are left out."""
    contained = "coalesce(json_extract_string(line, '$.contained[*].id'), [])"
    return f"""SELECT {literal(type_)}, reference, count(*) FROM (
        SELECT unnest(CASE WHEN contains(line, '"contained"')
            THEN list_filter(json_extract_string(line, '$..reference'), lambda r: r[1] <> '#' OR NOT list_contains({contained}, r[2:]))
            ELSE json_extract_string(line, '$..reference') END) AS reference
        FROM ({lines_select(paths)}) WHERE json_valid(line)) GROUP BY reference"""


def _nothing(line: str) -> str:
    """Whether null or nothing stands somewhere in a line; most lines are let go by the first, quick look."""
    without = f"regexp_replace({line}, {literal(_TEXT)}, 't', 'g')"
    quick = " OR ".join(f"contains({line}, {literal(sign)})" for sign in _SUSPECT)
    return f"CASE WHEN {quick} THEN regexp_matches({without}, {literal(_EMPTY)}) ELSE false END"


def _number(text: str) -> str:
    """The id of a row of OMOP that the id of a resource begins with."""
    return f"try_cast(regexp_extract({text}, '^(-?[0-9]+)(-.*)?$', 1) AS BIGINT)"
