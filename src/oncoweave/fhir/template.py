"""What templates of resources are made of: a tree as FHIR's JSON has it, whose leaves are SQL over one event.

A tree is a dict (an object: member → tree), a list (an array), a str, an int or a bool (a constant) or a `Leaf`. What is not there
for an event is left away, with everything around it that then holds constants only: `{"reference": Leaf}` of an event without one,
or `{"system": "http://…", "code": Leaf}` of one without a code, is no member at all. `Required` says what stands there instead.

The SQL of a leaf gives JSON text, or NULL for nothing. It may name:
- a column of the events (`events.COLUMNS`),
- `<lookup>@<concept column>`: what a lookup of the concepts (`concepts.LOOKUPS`) says of that column's concept: `coding@concept_id`,
- `<fact>#<column>`: what another event tells (`joined.JOINED`): `death#date`,
- `source_name`: the name of the source; `has_consents`: whether any of its events are consents.

Everything else in lower case is taken as it stands; functions of SQL whose name is also that of a column are written in upper case.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TypeAlias


@dataclass(frozen=True)
class Leaf:
    """SQL of a JSON text; `always` where it is never NULL, which saves asking. With `quoted`, of what stands between the quotes."""

    sql: str
    always: bool = False
    quoted: bool = False


@dataclass(frozen=True)
class Required:
    """A tree, or where an event has nothing for it, another, which has no leaf."""

    tree: Tree
    otherwise: Tree


@dataclass(frozen=True)
class When:
    """A tree that is there only for the events that meet a condition (SQL as of a leaf)."""

    sql: str
    tree: Tree


@dataclass(frozen=True)
class Instead:
    """In what is laid over a tree: a tree that takes the place of the whole one."""

    tree: Tree


Tree: TypeAlias = "Mapping[str, Tree] | Sequence[Tree] | str | int | bool | Leaf | Required | When | Instead"
"""A part of a resource."""
Elements: TypeAlias = Mapping[str, Tree]
"""The members of an object, such as a whole resource."""

ABSENT: Elements = {
    "extension": [
        {"url": "http://hl7.org/fhir/StructureDefinition/data-absent-reason", "valueCode": "unknown"},
    ]
}
"""What stands in an element that FHIR requires and the source does not know."""


def text(sql: str) -> Leaf:
    """A JSON string of an SQL text; one of nothing but blanks is none. FHIR knows no control characters but tabs and line ends."""
    clean = f"nullif(trim(regexp_replace({sql}, '[\\x00-\\x08\\x0B\\x0C\\x0E-\\x1F\\x7F]+', ' ', 'g')), '')"
    return Leaf(f"CAST(to_json({clean}) AS VARCHAR)")


def token(sql: str, *, always: bool = False) -> Leaf:
    """A JSON string of an SQL text in which nothing has to be escaped: an id, a date, a code of ours."""
    return Leaf(sql, always, quoted=True)


def number(sql: str) -> Leaf:
    """A JSON number of an SQL number: 15 digits, which is what a double holds, so that 0.1 is 0.1."""
    return Leaf(f"CASE WHEN isfinite({sql}) THEN printf('%.15g', CAST({sql} AS DOUBLE)) END")


def whole_number(sql: str) -> Leaf:
    """A JSON number of an SQL integer."""
    return Leaf(f"CAST({sql} AS VARCHAR)")


def lookup(what: str, column: str) -> Leaf:
    """What a lookup says of the concept in a column."""
    return Leaf(f"{what}@{column}")


def reference(type_: str, column: str, *, always: bool = False) -> Elements:
    """A relative reference to the resource of that type whose id is in a column."""
    return {"reference": token(f"'{type_}/' || {column}", always=always)}


def moment(which: str) -> Leaf:
    """The `start` or the `end` of an event, as exactly as it is known: a year, a month, a day, or a time in UTC."""
    day, time = f"CAST({which}_date AS VARCHAR)", f"CAST({which}_time AS VARCHAR)"
    exact = f"{day} || coalesce('T' || {time} || 'Z', '')"
    return token(
        f"CASE {which}_precision WHEN 'year' THEN left({day}, 4) WHEN 'month' THEN left({day}, 7) ELSE {exact} END"
    )


def codeable(concept: str, *own: Tree, text_: Leaf | None = None) -> Elements:
    """A CodeableConcept of the concept in a column: its coding, the source's `own`, and its text."""
    return {"coding": [lookup("coding", concept), *own], **({"text": text_} if text_ else {})}


def moments(of: str, *, end: str = "end_date IS NOT NULL") -> Elements:
    """The elements `<of>DateTime`, or where the event has an end, `<of>Period`."""
    return {
        f"{of}DateTime": When(f"NOT ({end})", moment("start")),
        f"{of}Period": When(end, {"start": moment("start"), "end": moment("end")}),
    }


def quantity(sql: str, **more: Tree) -> When:
    """A Quantity of an SQL number in the event's unit: its UCUM code where it has one, else what the source calls it."""
    return When(
        f"isfinite({sql})",
        {
            "value": Leaf(f"printf('%.15g', CAST({sql} AS DOUBLE))", always=True),
            **more,
            "unit": Leaf(f"coalesce(unit_name@unit_concept_id, {text('unit_source_value').sql})"),
            "system": lookup("unit_system", "unit_concept_id"),
            "code": lookup("unit", "unit_concept_id"),
        },
    )


def merged(one: Tree, other: Tree) -> Tree:
    """A tree with another laid over it: objects are merged member by member, lists joined, everything else is replaced."""
    if isinstance(one, Mapping) and isinstance(other, Mapping):
        return {**one, **{name: merged(one[name], tree) if name in one else laid(tree) for name, tree in other.items()}}
    if isinstance(one, Required) and isinstance(other, Mapping):
        return Required(merged(one.tree, other), one.otherwise)
    if isinstance(one, When) and isinstance(other, Mapping):
        return When(one.sql, merged(one.tree, other))
    if isinstance(one, list) and isinstance(other, list):
        return [*one, *other]
    return laid(other)


def laid(tree: Tree) -> Tree:
    """A tree that nothing lies below: what takes the place of another stands for itself."""
    if isinstance(tree, Instead):
        return tree.tree
    return {name: laid(inner) for name, inner in tree.items()} if isinstance(tree, Mapping) else tree
