"""Makes the rows of a view of one resource (SQL on FHIR v2): each path compiled where it can be, and else evaluated."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from oncoweave.engine.fhir.compiled_paths import Start, compiled
from oncoweave.engine.fhir.model import RESOURCES
from oncoweave.engine.fhir.path_steps import Follow, Variables
from oncoweave.engine.fhir.paths import PathError, evaluated, node_at, tree_of, value_of
from oncoweave.spec.view import View, ViewColumn, ViewSelect

Row = tuple[Any, ...]
"""The values of a view's columns in their order."""
_Rows = Callable[[Any, Variables], list[Row]]
_Elements = Callable[[Any, Variables], Sequence[tuple[Variables, Any]]]
_NOTHING: dict[str, Any] = {}
"""Stands where forEachOrNull found no element: a path that starts there finds nothing, one that names a variable still does."""


def path_faults(view: View) -> Iterator[tuple[str, str]]:
    """What is wrong with a view before anything is read: each path that is none (or its resource), and why."""
    if view.resource not in RESOURCES:
        yield view.resource, f"`{view.resource}` is no resource of FHIR R4"
    elif view.resource == "Bundle":
        yield view.resource, "a Bundle is read as its entries, so a view reads those"
    for path in dict.fromkeys(view.paths()):
        try:
            tree_of(path)
        except PathError as error:
            yield path, str(error)


class ViewRows:
    """A view, ready to make rows; with `is_compiled` false every path is evaluated, which is slow."""

    def __init__(self, view: View, *, is_compiled: bool = True) -> None:
        self._view = view
        self._is_compiled = is_compiled
        start = Start(view.resource, view.resource, is_whole=True) if is_compiled else None
        self._conditions = [(where.path, self._follow(where.path, start)) for where in view.where]
        self._parts = [self._rows(part, start) for part in view.select]
        self._constants = {**view.constants, "rowIndex": 0}

    def of(self, resource: Mapping[str, Any]) -> list[Row] | None:
        """The rows of a resource; None when it is of another type, or when a condition is not true.

        Raises PathError for a condition that is not true or false, and for a column whose path finds several values without
        being a collection.
        """
        if resource.get("resourceType") != self._view.resource:
            return None
        variables = {**self._constants, "resource": resource}
        try:
            for path, follow in self._conditions:
                if not _holds(path, follow(resource, variables)):
                    return None
            return _beside([part(resource, variables) for part in self._parts])
        except RecursionError:
            raise PathError("the view goes too deep, as a `repeat` does that finds itself") from None

    def _rows(self, part: ViewSelect, start: Start | None) -> _Rows:
        elements, inner = self._elements(part, start)
        columns = [self._column(column, inner) for column in part.column]
        beside = [self._rows(one, inner) for one in part.select]
        below = [self._rows(one, inner) for one in part.union_all]

        def rows(element: Any, variables: Variables) -> list[Row]:
            made: list[Row] = []
            for known, one in elements(element, variables):
                own = [tuple([column(one, known) for column in columns])]
                if not beside and not below:
                    made += own
                    continue
                parts = [own, *(further(one, known) for further in beside)]
                if below:
                    parts.append([row for further in below for row in further(one, known)])
                made += _beside(parts)
            return made

        return rows

    def _elements(self, part: ViewSelect, start: Start | None) -> tuple[_Elements, Start | None]:
        """The elements that make a row each, with their place among each other, and from where paths are followed then."""
        if part.repeat:
            follows = [self._evaluated(path, start) for path in part.repeat]
            further = [self._evaluated(path, None) for path in part.repeat]
            return _numbered(lambda element, variables: list(_repeated(follows, further, element, variables))), None
        path = part.for_each or part.for_each_or_null
        if path is None:
            return (lambda element, variables: ((variables, element),)), start
        found = compiled(path, start) if start else None
        is_typed = found is not None and found.is_typed
        follow = found.follow if found is not None and is_typed else self._evaluated(path, start)
        inner = Start(found.type, self._view.resource) if found is not None and is_typed else None
        return _numbered(follow, or_nothing=part.for_each is None), inner

    def _column(self, column: ViewColumn, start: Start | None) -> Callable[[Any, Variables], Any]:
        found = compiled(column.path, start) if start else None
        several = f"the column `{column.name}` finds several values, and is not `collection: true`"
        in_general = _valued(self._follow(column.path, start), several, is_collection=column.collection)
        if found is None or column.collection:
            return in_general
        unchecked = found.unchecked

        def value(element: Any, variables: Variables) -> Any:
            """The same for what is found nearly always, none or one plain value."""
            try:
                values = unchecked(element, variables)
            except Exception:
                return in_general(element, variables)
            if not values:
                return None
            if len(values) > 1 or type(values[0]) is dict:
                return in_general(element, variables)
            return values[0]

        return value

    def _follow(self, path: str, start: Start | None) -> Follow:
        """The values that a path finds."""
        found = compiled(path, start) if start else None
        if found is not None:
            return found.follow
        follow = self._evaluated(path, start)
        return lambda element, variables: [value_of(one) for one in follow(element, variables)]

    def _evaluated(self, path: str, start: Start | None) -> Follow:
        """The elements that a path finds, as the evaluator sees them."""
        follow = evaluated(path)
        if start is None or start.is_whole:
            return follow
        place = start.path
        return lambda element, variables: follow(element if element is _NOTHING else node_at(element, place), variables)


def _valued(follow: Follow, several: str, *, is_collection: bool) -> Callable[[Any, Variables], Any]:
    def value(element: Any, variables: Variables) -> Any:
        found = follow(element, variables)
        if element is _NOTHING:
            found = [one for one in found if one is not _NOTHING]
        if is_collection:
            return found
        if len(found) > 1:
            raise PathError(several)
        return found[0] if found else None

    return value


def _numbered(follow: Follow, *, or_nothing: bool = False) -> _Elements:
    """What a path finds, each with its number as %rowIndex."""

    def elements(element: Any, variables: Variables) -> Sequence[tuple[Variables, Any]]:
        found = [] if element is _NOTHING else follow(element, variables)
        if not found and or_nothing:
            found = [_NOTHING]
        return [({**variables, "rowIndex": number}, one) for number, one in enumerate(found)]

    return elements


def _repeated(follows: Sequence[Follow], further: Sequence[Follow], node: Any, variables: Variables) -> Iterator[Any]:
    for follow in follows:
        for found in follow(node, variables):
            yield found
            yield from _repeated(further, further, found, variables)


def _holds(path: str, found: list[Any]) -> bool:
    if len(found) > 1 or not all(isinstance(one, bool) for one in found):
        raise PathError(f"`{path}` is a condition and gives something other than true or false")
    return bool(found and found[0])


def _beside(parts: Sequence[list[Row]]) -> list[Row]:
    """Every row of each part beside every one of the others."""
    if len(parts) == 1:
        return parts[0]
    return [tuple(itertools.chain.from_iterable(rows)) for rows in itertools.product(*parts)]
