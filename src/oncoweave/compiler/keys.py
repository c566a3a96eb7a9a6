"""Keys of source rows and persons: the keyed hashes that every id of a release derives from.

A person's id is HMAC(person | domain | key). A *unit* is what a rule makes one fact of: a row, or a group of rows; its key
is SHA-256(secret | key text), where the secret is an HMAC(unit | domain | source | table), or, where the unit's fields are the
person's, the person's id XOR a compile-time salt. Event ids are a unit's key XOR the salt of rule and column (docs/decisions).
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

from sqlglot import exp

from oncoweave.compiler.sql import (
    Node,
    any_of,
    call,
    case,
    coalesce,
    col,
    is_not_null,
    null,
    number,
    parameter,
    text,
)  # fmt: skip
from oncoweave.spec.source import Source, Table

UNITS_OF = "unit_"
"""What the name of the parameter begins with that holds the secret of a table's units; the table's name follows."""

_DIGITS, _MISSING = 6, 1023
"""How many lengths one number of 63 bits holds, and the digit of a missing text."""


def salt(*words: str) -> int:
    """The compile-time salt of some words: the first 63 bits of their SHA-256."""
    digest = hashlib.sha256("\x1f".join(words).encode()).digest()
    return int.from_bytes(digest[:8], "big") >> 1


def event_salt(rule: str, column: str | None) -> int:
    """What the event ids of a rule's column are XORed with."""
    return salt("event", rule, column or "")


def person_fields(table: Table) -> tuple[str, ...] | None:
    """The fields that identify the person in a table; None when the row's content does, () when it tells of nobody."""
    return row_fields(table) if table.person is None else table.person


def is_one_a_person(unit: tuple[str, ...] | None, table: Table) -> bool:
    """Whether a unit of these fields (None: the row's content) is a person; their order does not matter."""
    person = person_fields(table)
    return unit == person if unit is None or person is None else set(unit) == set(person)


def row_fields(table: Table) -> tuple[str, ...] | None:
    """The fields that identify a row; None when its content does."""
    return table.row.fields or None


def domain(source: Source) -> str:
    """The pseudonymisation domain of a source."""
    return source.domain or source.source


def key_text(nodes: Sequence[Node]) -> Node:
    """One text for the parts of a key: several have their length before them; NULL when a part is missing."""
    if len(nodes) == 1:
        return nodes[0]
    parts: list[Node] = []
    for node in nodes:
        parts += [call("to_text", call("length", node.copy())), text(":"), node.copy()]
    return call("concat", *parts)


def partial_text(nodes: Sequence[Node]) -> Node:
    """One text for the parts of a key of which some may be missing; NULL only when all are."""
    return case([(any_of([is_not_null(node.copy()) for node in nodes]), content_text(nodes))], null("VARCHAR"))


def content_text(nodes: Sequence[Node]) -> Node:
    """One text for the whole content of a row; a missing field differs from an empty one."""
    parts: list[Node] = []
    for node in nodes:
        size = coalesce(call("to_text", call("length", node.copy())), text("-"))
        parts += [size, text(":"), coalesce(node.copy(), text(""))]
    return call("concat_ws", text(""), *parts)  # `||` would copy the growing text at each of its parts


def row_text(nodes: Sequence[Node]) -> Node:
    """What `content_text` tells, at half the cost: the lengths of six fields at a time as the digits of one number, then the texts.

    A digit of 1,024 holds the bytes of a text, or that it is missing; a row with a longer text is told apart as before.
    """
    lengths: list[Node] = [call("strlen", node.copy()) for node in nodes]
    numbers: list[Node] = []
    for start in range(0, len(nodes), _DIGITS):
        digits = [coalesce(length.copy(), number(_MISSING)) for length in lengths[start : start + _DIGITS]]
        packed = digits[0]
        for digit in digits[1:]:
            packed = exp.Add(
                this=exp.Mul(this=exp.Paren(this=packed), expression=number(_MISSING + 1)), expression=digit
            )
        numbers += [packed, text(":")]
    short = exp.LT(this=call("greatest", *lengths), expression=number(_MISSING))
    packed_text = call("concat_ws", text(""), *numbers, *(node.copy() for node in nodes))
    return case([(short, packed_text)], call("concat_ws", text(""), text("-"), content_text(nodes)))


def person_hash(source: Source, key: Node) -> Node:
    """The person's id from the text of the person's key."""
    return _keyed(text("\x1f".join(["person", domain(source), ""])), key)


def unit_hash(source: Source, table: str, key: Node) -> Node:
    """A unit's key from the text of its fields."""
    return call("keyed63", key, parameter(UNITS_OF + table))


def unit_secret_words(source: Source, table: str) -> tuple[str, ...]:
    """What the secret before the key texts of a table's units is made of, beside the site's key."""
    return ("unit", domain(source), source.source, table)


def unit_of_person(source: Source, table: str, person: Node) -> Node:
    """A unit's key where the unit is the person: the person's id XOR a salt."""
    return xor(person, salt("unit", source.source, table))


def place_hash(source: Source, content: Node) -> Node:
    """A location's id, from the text of all that a release tells of it: the same place has it in every table."""
    return _keyed(text("\x1f".join(["place", domain(source), ""])), content)


@dataclass(frozen=True, order=True)
class UnitKey:
    """The key of the units of a table by some of its fields, computed from the fields `by` of the table that holds it.

    `partial` allows that some of them are missing, but not all.
    """

    table: str
    fields: tuple[str, ...]
    by: tuple[str, ...]
    partial: bool = False

    @property
    def column(self) -> str:
        """The staged column that holds it."""
        own = "" if self.by == self.fields else f"={','.join(self.by)}"
        return f"_unit{'?' if self.partial else ''}:{self.table}:{','.join(self.fields)}{own}"


def xor(node: Node, value: int) -> Node:
    """The key of a child: XOR with a compile-time salt."""
    return call("xor", node, number(value))


def trimmed(field: str, alias: str | None = None) -> Node:
    """The text of a key field: without surrounding blanks, otherwise to the letter (007 is not 7)."""
    return call("trimmed", col(field, alias))


def _keyed(prefix: Node, key: Node) -> Node:
    return call("hmac63", call("concat", prefix, key), parameter("inner"), parameter("outer"))
