"""Makes the rows of a view of one resource (SQL on FHIR v2): exact, one resource at a time."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping
from typing import Any

from oncoweave.engine.fhir.paths import Node, PathError, compiled, value_of
from oncoweave.spec.view import View, ViewColumn, ViewSelect

Row = dict[str, Any]
_NOTHING = object()
"""Stands where forEachOrNull found no element."""


def path_faults(view: View) -> Iterator[str]:
    """What is wrong with the paths of a view, before anything is read."""
    for path in dict.fromkeys(view.paths()):
        try:
            compiled(path)
        except PathError as error:
            yield str(error)


def rows_of(view: View, resource: Mapping[str, Any]) -> list[Row]:
    """The rows that `view` makes of a resource: none when it is of another type, or when a condition is not true.

    Raises PathError for a condition that is not true or false, and for a column whose path finds several values without
    being a collection.
    """
    if resource.get("resourceType") != view.resource:
        return []
    variables = {**view.constants, "resource": resource, "rowIndex": 0}
    if not all(_holds(where.path, resource, variables) for where in view.where):
        return []
    parts = [_rows(part, resource, variables) for part in view.select]
    return [_merged(combined) for combined in itertools.product(*parts)]


def _holds(path: str, resource: Mapping[str, Any], variables: Mapping[str, Any]) -> bool:
    found = [value_of(node) for node in compiled(path)(resource, variables)]
    if len(found) > 1 or not all(isinstance(one, bool) for one in found):
        raise PathError(f"`{path}` is a condition and gives something other than true or false")
    return bool(found and found[0])


def _rows(part: ViewSelect, node: Node, variables: Mapping[str, Any]) -> list[Row]:
    made: list[Row] = []
    for index, element in _elements(part, node, variables):
        inner = variables if index is None else {**variables, "rowIndex": index}
        beside = [[{column.name: _value(column, element, inner) for column in part.column}]]
        beside += [_rows(one, element, inner) for one in part.select]
        if part.union_all:
            beside.append([row for one in part.union_all for row in _rows(one, element, inner)])
        made += [_merged(combined) for combined in itertools.product(*beside)]
    return made


def _elements(part: ViewSelect, node: Node, variables: Mapping[str, Any]) -> list[tuple[int | None, Node]]:
    """The elements that make a row each, with their place among each other; the element itself where nothing is iterated."""
    if part.for_each is None and part.for_each_or_null is None and not part.repeat:
        return [(None, node)]
    if node is _NOTHING:
        return [(0, _NOTHING)] if part.for_each_or_null is not None else []
    if part.repeat:
        return list(enumerate(_repeated(part.repeat, node, variables)))
    found = compiled(part.for_each or part.for_each_or_null or "")(node, variables)
    if not found and part.for_each_or_null is not None:
        return [(0, _NOTHING)]
    return list(enumerate(found))


def _repeated(paths: tuple[str, ...], node: Node, variables: Mapping[str, Any]) -> Iterator[Node]:
    for path in paths:
        for found in compiled(path)(node, variables):
            yield found
            yield from _repeated(paths, found, variables)


def _value(column: ViewColumn, node: Node, variables: Mapping[str, Any]) -> Any:
    # In nothing, a path that starts at the element finds nothing; one that names a variable, as %rowIndex, still does.
    start = {} if node is _NOTHING else node
    values = [value_of(one) for one in compiled(column.path)(start, variables)]
    if column.collection:
        return values
    if len(values) > 1:
        raise PathError(f"the column `{column.name}` finds several values, and is not `collection: true`")
    return values[0] if values else None


def _merged(rows: tuple[Row, ...]) -> Row:
    return {name: value for row in rows for name, value in row.items()}
