"""Every check of OHDSI's Data Quality Dashboard for CDM 5.4: from the CDM model, rules and facts of ours.

The files of OHDSI are not part of the product; a test compares the catalogue with them.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cache
from types import MappingProxyType
from typing import cast

from oncoweave.omop.model import CdmTable, other_tables, tables
from oncoweave.quality.dqd.check import NO_UNIT, Context, DqdCheck, KahnCategory, Level, Parameters
from oncoweave.quality.dqd.rules import Part, parts_of, read_yaml
from oncoweave.records import Severity
from oncoweave.spec.yaml_tree import Value, mapping

_GENDERS = {"gender": "plausibleGender", "gender_of_descendants": "plausibleGenderUseDescendants"}


_IN_GENERAL = (
    ("The table {table}", "The table"), ("The field {field}", "The field"), ("their {field}", "their key"),
    ("standard concept {field}", "standard concept"), ("source concept {field}", "source concept"),
    ("required field {field}", "required field"), ("whose {field}", "whose field"),
    ("{table}", "the table"), ("{field}", "the field"), ("{fk_table}", "the table that it points at"),
    ("{fk_domain}", "the field's"), ("{fk_class}", "the field's"), ("{low}", "the lowest plausible value"),
    ("{high}", "the highest plausible value"), ("{after_field}", "the date"), ("{after_table}", "another table"),
    ("{end_field}", "its end"), ("{gender}", "the plausible one"), ("{concept}", "a concept"),
    ("{units}", "those that are plausible"),
)  # fmt: skip


@dataclass(frozen=True)
class Kind:
    """What all checks of one name have in common; `description` has placeholders."""

    name: str
    level: Level
    severity: Severity
    category: KahnCategory
    subcategory: str
    context: Context
    threshold: float | None
    notes: str
    deprecated: bool
    description: str

    @property
    def in_general(self) -> str:
        """The description, with words for what differs from check to check."""
        text = self.description
        for written, said in _IN_GENERAL:
            text = text.replace(written, said)
        return text


@cache
def kinds() -> Mapping[str, Kind]:
    """Every kind of check by name, in DQD's order."""
    return MappingProxyType({name: _kind(name, _texts(entry)) for name, entry in read_yaml("kinds.yaml").items()})


@cache
def catalogue() -> tuple[DqdCheck, ...]:
    """Every check, by kind, then by table and field in the order of the CDM. Concepts have no name yet (`with_names`)."""
    found = [_check(table.name, part) for table in _all_tables() for part in parts_of(table)]
    order = {name: number for number, name in enumerate(kinds())}
    places = {table.name: number for number, table in enumerate(_all_tables())}
    fields = {(t.name, f.name): number for t in _all_tables() for number, f in enumerate(t.fields)}
    found += _concept_checks()
    return tuple(
        sorted(found, key=lambda c: (order[c.name], places[c.table], fields.get((c.table, c.field), -1), c.concepts))
    )


def with_names(check: DqdCheck, names: Mapping[int, str]) -> DqdCheck:
    """The check with its concepts named, where they have a name in the vocabulary release (a name by concept id)."""
    if not check.concepts:
        return check
    known = ", ".join(names[c] for c in check.concepts if c in names)
    return _described(replace(check, concept_name=known), kinds()[check.name])


def _all_tables() -> tuple[CdmTable, ...]:
    return (*tables().values(), *other_tables().values())


def _kind(name: str, entry: Mapping[str, str]) -> Kind:
    return Kind(
        name=name,
        level=cast("Level", entry["level"]),
        severity=cast("Severity", entry["severity"]),
        category=cast("KahnCategory", entry["category"]),
        subcategory=entry.get("subcategory", ""),
        context=cast("Context", entry["context"]),
        threshold=float(entry["threshold"]) if "threshold" in entry else None,
        notes=entry.get("notes", ""),
        deprecated=entry.get("deprecated") == "true",
        description=entry["description"],
    )


def _check(table: str, part: Part, concepts: tuple[int, ...] = ()) -> DqdCheck:
    kind = kinds()[part.name]
    check = DqdCheck(
        level=kind.level,
        name=part.name,
        table=table,
        field=part.field,
        concepts=concepts,
        parameters=part.parameters,
        threshold=kind.threshold if part.threshold is None else part.threshold,
        notes=kind.notes,
        severity=kind.severity,
        category=kind.category,
        subcategory=kind.subcategory,
        context=kind.context,
        deprecated=kind.deprecated,
    )
    return _described(check, kind)


def _described(check: DqdCheck, kind: Kind) -> DqdCheck:
    """The check with its description: names of tables and fields in capitals, as DQD has them."""
    compared = check.parameters
    ids = ", ".join(map(str, check.concepts))
    text = kind.description.format(
        table=check.table.upper(),
        field=check.field.upper(),
        fk_table=compared.fk_table.upper(),
        fk_domain=compared.fk_domain,
        fk_class=compared.fk_class,
        low=compared.low,
        high=compared.high,
        after_field=compared.after_field.upper(),
        after_table=compared.after_table.upper(),
        end_field=compared.end_field.upper(),
        gender=compared.gender,
        concept=f"{'concepts' if len(check.concepts) > 1 else 'concept'} {ids}"
        + (f" ({check.concept_name})" if check.concept_name else ""),
        units=units_told(compared.units),
    )
    return replace(check, description=text)


def _concept_checks() -> Iterator[DqdCheck]:
    facts = _concept_facts()
    for section, name in _GENDERS.items():
        for table, by_gender in mapping(facts[section]).items():
            for gender, ids in mapping(by_gender).items():
                part = Part(name, _concept_field(table), parameters=_of_gender(gender))
                groups = [_ids(ids)] if name == "plausibleGenderUseDescendants" else [(one,) for one in _ids(ids)]
                yield from (_check(table, part, group) for group in groups)
    codes = {code: number for number, code in unit_codes().items()}
    for units, ids in mapping(facts["plausible_units"]).items():
        known = tuple(sorted(codes[code] for code in units.split()))
        part = Part("plausibleUnitConceptIds", "measurement_concept_id", parameters=Parameters(units=known))
        yield from (_check("measurement", part, (one,)) for one in _ids(ids))


def _of_gender(gender: str) -> Parameters:
    return Parameters(gender="Male" if gender == "Male" else "Female")


def _concept_field(table: str) -> str:
    return f"{table.split('_', maxsplit=1)[0]}_concept_id"


@cache
def _concept_facts() -> Mapping[str, Value]:
    return MappingProxyType(read_yaml("concepts.yaml"))


@cache
def unit_codes() -> Mapping[int, str]:
    """UCUM code by unit concept."""
    return MappingProxyType({int(str(number)): code for code, number in mapping(_concept_facts()["units"]).items()})


def units_told(units: Iterable[int]) -> str:
    """Unit concepts by their codes in UCUM."""
    return ", ".join("no unit" if unit == NO_UNIT else unit_codes()[unit] for unit in units)


def _ids(value: Value) -> tuple[int, ...]:
    return tuple(map(int, str(value).split()))


def _texts(value: Value) -> Mapping[str, str]:
    return {key: str(one) for key, one in mapping(value).items()}
