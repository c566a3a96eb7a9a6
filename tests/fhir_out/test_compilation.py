"""Trees of any shape, compiled to SQL, are what the rules of `template` say of every event, as plain Python works them out."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import duckdb
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from oncoweave.fhir.compilation import Bound, Part, compiled, part_of_leaf
from oncoweave.fhir.template import Elements, Instead, Leaf, Required, Tree, When, merged

COLUMNS = ("a", "b", "look@c", "look@d")
FIXED = {"told": '"told"', "nothing": None, "true": "true", "false": "false"}
"""What leaves without a column come to."""
ABSENT = object()

Row = Mapping[str, str | None]


@dataclass(frozen=True)
class Found:
    """A tree for one event, and whether it holds more than constants of the template."""

    value: Any
    told: bool


def leaves() -> st.SearchStrategy[Leaf]:
    return st.sampled_from([Leaf(name) for name in (*COLUMNS, "told", "nothing")] + [Leaf("sure", always=True)])


def trees() -> st.SearchStrategy[Any]:
    constant = st.sampled_from(["k", 7, True, "a'\"b"])
    conditions = st.sampled_from(["a IS NULL", "true", "false"])

    def larger(inner: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
        return st.one_of(
            st.dictionaries(st.sampled_from("xyzw"), inner, min_size=1, max_size=4),
            st.lists(inner, min_size=1, max_size=3),
            st.builds(Required, inner, constant),
            st.builds(When, conditions, inner),
        )

    return st.recursive(st.one_of(leaves(), constant), larger, max_leaves=12)


def expected(tree: Tree, row: Row) -> Found:
    """The tree for an event, by the rules."""
    if isinstance(tree, Leaf):
        text = {**FIXED, **row}[tree.sql]
        return Found(ABSENT, False) if text is None else Found(json.loads(text), True)
    if isinstance(tree, Required):
        found = expected(tree.tree, row)
        return Found(expected(tree.otherwise, row).value if found.value is ABSENT else found.value, True)
    if isinstance(tree, When):
        met = tree.sql == "true" or (tree.sql == "a IS NULL" and row["a"] is None)
        found = expected(tree.tree, row)
        return Found(found.value, True) if met and found.value is not ABSENT else Found(ABSENT, False)
    if isinstance(tree, dict | list):
        members = [(name, expected(inner, row)) for name, inner in _members(tree)]
        present = [(name, found) for name, found in members if found.value is not ABSENT]
        told = any(found.told for _, found in present)
        if not present or (not told and len(present) < len(members)):
            return Found(ABSENT, False)
        values = {name: found.value for name, found in present}
        return Found(values if isinstance(tree, dict) else list(values.values()), told)
    return Found(tree, False)


def _members(tree: Any) -> Iterator[tuple[Any, Any]]:
    return iter(tree.items()) if isinstance(tree, dict) else enumerate(tree)


def part_of(leaf: Leaf) -> Part:
    """What a leaf is for the events of the table."""
    if leaf.sql in FIXED:
        return part_of_leaf(leaf, Bound("", frozenset()), FIXED[leaf.sql])
    quoted = f'"{leaf.sql}"' if "IS NULL" not in leaf.sql else leaf.sql
    sql = f"CAST({quoted} AS VARCHAR)" if "@" in leaf.sql else quoted
    return part_of_leaf(leaf, Bound(sql, frozenset({leaf.sql})), None)


def cells() -> st.SearchStrategy[str | None]:
    return st.one_of(st.none(), st.sampled_from(['"v"', '"é\\n"', "0.1", '{"n":[1]}', '","']))


@settings(max_examples=150, deadline=None)
@given(trees(), st.lists(st.tuples(*[cells()] * len(COLUMNS)), min_size=1, max_size=6))
def test_a_compiled_tree_is_what_the_rules_say(tree: Any, cells_: list[tuple[str | None, ...]]) -> None:
    whole: Elements = {"id": Leaf("sure", always=True), "tree": tree}
    rows = [{**dict(zip(COLUMNS, cells, strict=True)), "sure": '"s"'} for cells in cells_]
    with duckdb.connect() as connection:
        names = ", ".join(f'"{name}" VARCHAR' for name in (*COLUMNS, "sure"))
        connection.execute(f"CREATE TABLE events (n INTEGER, {names})")
        connection.executemany(
            f"INSERT INTO events VALUES (?{', ?' * (len(COLUMNS) + 1)})",
            [[n, *row.values()] for n, row in enumerate(rows)],
        )
        found = connection.execute(f"SELECT {compiled(whole, part_of).sql} FROM events ORDER BY n").fetchall()
    assert [json.loads(line) for (line,) in found] == [expected(whole, row).value for row in rows]


@pytest.mark.parametrize(
    ("one", "other", "laid"),
    [
        ({"a": "1", "b": "2"}, {"b": "3", "c": "4"}, {"a": "1", "b": "3", "c": "4"}),
        ({"a": ["1"]}, {"a": ["2"]}, {"a": ["1", "2"]}),
        ({"a": ["1"]}, {"a": Instead(["2"])}, {"a": ["2"]}),
        ({"a": Required({"x": "1"}, "0")}, {"a": {"y": "2"}}, {"a": Required({"x": "1", "y": "2"}, "0")}),
        ({"a": When("true", {"x": "1"})}, {"a": {"y": "2"}}, {"a": When("true", {"x": "1", "y": "2"})}),
        ({}, {"a": Instead({"x": "1"})}, {"a": {"x": "1"}}),
    ],
)
def test_what_is_laid_over_a_tree(one: Elements, other: Elements, laid: Elements) -> None:
    assert merged(one, other) == laid
