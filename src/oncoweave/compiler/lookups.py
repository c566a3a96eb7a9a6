"""Lookups: small tables from a source code to its targets, made of a concept map or of a vocabulary's codes.

Columns: code, ordinal (0, 1 … for several targets of a code), ignored, concept_id (0 = unmapped), any_concept_id
(for fields that take one concept), source_concept_id, target (CDM table; NULL where the rule decides),
value_concept_id, unit_concept_id, operator_concept_id, told and vocabulary (of codings: the code that was chosen, and its
vocabulary), salt (XORed into the event id of further targets).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from itertools import groupby

from sqlglot import exp

from oncoweave.compiler.keys import salt
from oncoweave.omop.routing import table_of
from oncoweave.spec.concept_map import ConceptMap, MapRow

COLUMNS = (
    ("code", "VARCHAR"), ("ordinal", "INTEGER"), ("ignored", "BOOLEAN"), ("concept_id", "INTEGER"),
    ("any_concept_id", "INTEGER"), ("source_concept_id", "INTEGER"), ("target", "VARCHAR"),
    ("value_concept_id", "INTEGER"), ("unit_concept_id", "INTEGER"), ("operator_concept_id", "INTEGER"),
    ("told", "VARCHAR"), ("vocabulary", "VARCHAR"), ("salt", "BIGINT"),
)  # fmt: skip


@dataclass(frozen=True)
class LookupRow:
    """One target of one code; see the module for the fields."""

    code: str
    ordinal: int = 0
    ignored: bool = False
    concept_id: int = 0
    any_concept_id: int = 0
    source_concept_id: int = 0
    target: str | None = None
    value_concept_id: int | None = None
    unit_concept_id: int | None = None
    operator_concept_id: int | None = None
    told: str | None = None
    vocabulary: str | None = None

    def values(self) -> tuple[object, ...]:
        """The row in the order of COLUMNS."""
        fields = [getattr(self, name) for name, _ in COLUMNS[:-1]]
        return (*fields, ordinal_salt(self.ordinal))


@dataclass(frozen=True)
class MapLookup:
    """A concept map as a lookup."""

    name: str
    concept_map: str
    rows: tuple[LookupRow, ...]


@dataclass(frozen=True)
class CodeLookup:
    """The codes of a vocabulary that occur in the data, resolved at run time.

    `codes` selects the codes as often as they occur (one column, `code`, never NULL); a target of another domain than the field's `role` takes
    is none (a unit is a unit).
    """

    name: str
    vocabulary: str
    codes: exp.Select
    role: str = "concept"


@dataclass(frozen=True)
class CodingLookup:
    """The lists of codings that occur in the data, resolved at run time: see `coding_lookups`.

    `codes` selects them as often as they occur (one column, `code`, a JSON list of FHIR's Coding, never NULL).
    """

    name: str
    vocabularies: tuple[str, ...]
    concept_map: str | None
    codes: exp.Select
    role: str = "concept"

    @property
    def vocabulary(self) -> str:
        """The vocabularies in words, for messages."""
        return ", ".join(self.vocabularies)


Lookup = MapLookup | CodeLookup | CodingLookup


def ordinal_salt(ordinal: int) -> int:
    """What is XORed into the event id of the n-th target of a code; 0 for the first."""
    return salt("ordinal", str(ordinal)) if ordinal else 0


def map_lookup_name(concept_map: str) -> str:
    """The temporary table of a concept map."""
    return f"lookup_{concept_map}"


def map_lookup(concept_map: ConceptMap, domains: Mapping[int, str]) -> MapLookup:
    """The lookup of a concept map; `domains` gives the domain of every concept that it names."""
    by_code = groupby(sorted(concept_map.rows, key=lambda r: r.source_code), key=lambda r: r.source_code)
    rows = [row for code, found in by_code for row in _targets(code, list(found), domains)]
    return MapLookup(map_lookup_name(concept_map.name), concept_map.name, tuple(rows))


def _targets(code: str, rows: list[MapRow], domains: Mapping[int, str]) -> Iterable[LookupRow]:
    """The targets of one code: approved MAPS_TO rows, each with the value, unit and operator rows that follow it.

    Those that stand before the first MAPS_TO row belong to it.
    """
    if any(r.status == "IGNORED" for r in rows):
        return [LookupRow(code, ignored=True)]
    approved = sorted((r for r in rows if r.status == "APPROVED" and r.concept_id), key=lambda r: r.line)
    first = next((r for r in approved if r.mapping_type == "MAPS_TO"), None)
    approved.sort(key=lambda r: r is not first)
    found: list[LookupRow] = []
    for row in approved:
        if row.mapping_type == "MAPS_TO" or not found:
            found.append(_target(code, len(found), row, domains))
        if row.mapping_type != "MAPS_TO":
            found[-1] = _with_companion(found[-1], row)
    return found or [LookupRow(code)]


def _target(code: str, ordinal: int, row: MapRow, domains: Mapping[int, str]) -> LookupRow:
    if row.mapping_type != "MAPS_TO":
        return LookupRow(code, ordinal, any_concept_id=row.concept_id)
    target = table_of(domains.get(row.concept_id, ""))
    return LookupRow(code, ordinal, concept_id=row.concept_id, any_concept_id=row.concept_id, target=target)


def _with_companion(target: LookupRow, row: MapRow) -> LookupRow:
    if row.mapping_type == "MAPS_TO_VALUE":
        return replace(target, value_concept_id=row.concept_id)
    if row.mapping_type == "MAPS_TO_UNIT":
        return replace(target, unit_concept_id=row.concept_id)
    return replace(target, operator_concept_id=row.concept_id)
