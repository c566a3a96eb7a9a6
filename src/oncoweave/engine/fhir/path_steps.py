"""The steps that a compiled path consists of: plain functions on plain values, each with the answers of the evaluator.

A member `x` of FHIR's JSON may have a partner `_x` with its id and extensions; the evaluator finds both, one after the other.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from oncoweave.engine.fhir.paths import PathError

Variables = Mapping[str, Any]
Step = Callable[[list[Any], Variables], list[Any]]
"""From the elements found so far to those found next."""
Follow = Callable[[Any, Variables], list[Any]]
"""From an element to what a path finds."""
Truth = Callable[[Any, Variables], bool | None]
"""From an element to true, false or nothing."""


def following(source: Follow | None, steps: Sequence[Step]) -> Follow:
    """The steps one after the other, from what `source` finds or from the element itself."""
    if source is None and len(steps) == 1:
        (only,) = steps
        return lambda element, variables: only([element], variables)
    if source is not None and not steps:
        return source

    def follow(element: Any, variables: Variables) -> list[Any]:
        found = [element] if source is None else source(element, variables)
        for step in steps:
            found = step(found, variables)
        return found

    return follow


def without_extended(found: list[Any]) -> list[Any]:
    """What is found without the elements that have no value, only extensions."""
    for one in found:
        if type(one) is dict and len(one) == 1 and "extension" in one:
            return [one for one in found if not (type(one) is dict and list(one) == ["extension"])]
    return found


def checked(follow: Follow, path: str) -> Follow:
    """The path as a view asks for it: without elements that have only extensions, and failing as the evaluator does."""

    def asked(element: Any, variables: Variables) -> list[Any]:
        try:
            return without_extended(follow(element, variables))
        except Exception:
            raise PathError(f"`{path}` cannot be followed here") from None

    return asked


def led(keys: Sequence[str]) -> Follow:
    """`members` from one element; the list of the resource where it is one, so not to be changed."""
    key, partner, in_general = keys[0], f"_{keys[0]}", members(keys)
    further = members(keys[1:]) if len(keys) > 1 else None

    def follow(element: Any, variables: Variables) -> list[Any]:
        if type(element) is not dict:
            return []
        if partner in element:
            return in_general([element], variables)
        value = element.get(key)
        if value is None:
            return []
        found = value if type(value) is list else [value]
        return further(found, variables) if further else found

    return follow


def members(keys: Sequence[str]) -> Step:
    """The members of that name, of the members of that name …"""
    pairs = tuple((key, f"_{key}") for key in keys)

    def step(found: list[Any], variables: Variables) -> list[Any]:
        for key, partner in pairs:
            after: list[Any] = []
            for one in found:
                if type(one) is dict:
                    if (value := one.get(key)) is not None:
                        _add(after, value)
                    if (value := one.get(partner)) is not None:
                        _add(after, value)
            if not after:
                return after
            found = after
        return found

    return step


def _add(found: list[Any], value: Any) -> None:
    if type(value) is list:
        found += value
    else:
        found.append(value)


def choice(fields: Sequence[str], wanted: frozenset[str]) -> Step:
    """The one member that is there of several (valueQuantity, valueString …), in their order, if it is one of those wanted."""
    pairs = tuple((name, f"_{name}", name in wanted) for name in fields)
    chances = frozenset(name for one, partner, is_wanted in pairs if is_wanted for name in (one, partner))

    def step(found: list[Any], variables: Variables) -> list[Any]:
        after: list[Any] = []
        for one in found:
            if type(one) is not dict or chances.isdisjoint(one):
                continue
            for name, partner, is_wanted in pairs:
                value, beside = one.get(name), one.get(partner)
                if value is not None or beside is not None:
                    if is_wanted:
                        for given in (value, beside):
                            if given is not None:
                                _add(after, given)
                    break
        return after

    return step


def resources(kind: str) -> Step:
    """The contained resources of a type."""
    return lambda found, variables: [one for one in found if type(one) is dict and one.get("resourceType") == kind]


def kept(truth: Truth) -> Step:
    """The elements for which the criterion is true."""
    return lambda found, variables: [one for one in found if truth(one, variables)]


def criterion(follow: Follow) -> Truth:
    """What a path finds as a criterion: one element that is no truth counts as true; raises PathError for several."""

    def truth(element: Any, variables: Variables) -> bool:
        found = follow(element, variables)
        if len(found) > 1:
            raise PathError("a criterion that finds several elements")
        return bool(found) and found[0] is not False

    return truth


def exactly(follow: Follow) -> Truth:
    """What a path finds as an operand of `and` and `or`: raises PathError for what is not true, false or nothing."""

    def truth(element: Any, variables: Variables) -> bool | None:
        found = follow(element, variables)
        if not found:
            return None
        if len(found) > 1 or not isinstance(found[0], bool):
            raise PathError("an operand that is not true or false")
        return found[0]

    return truth


def told(truth: Truth) -> Follow:
    """A truth as what a path finds."""

    def follow(element: Any, variables: Variables) -> list[Any]:
        value = truth(element, variables)
        return [] if value is None else [value]

    return follow


def equal(left: Follow, right: Follow, *, same: bool) -> Truth:
    """Whether two paths find the same (or, with `same` false, not the same); nothing where one finds nothing."""

    def truth(element: Any, variables: Variables) -> bool | None:
        first, second = left(element, variables), right(element, variables)
        if not first or not second:
            return None
        return (len(first) == len(second) and bool(first[0] == second[0])) is same

    return truth


def member_equals(key: str, value: Any, *, same: bool) -> Truth:
    """`equal` of one member and one value, the most frequent criterion."""
    partner, find = f"_{key}", members((key,))
    in_general = equal(lambda element, variables: find([element], variables), lambda *_: [value], same=same)

    def truth(element: Any, variables: Variables) -> bool | None:
        if type(element) is not dict:
            return None
        there = element.get(key)
        if there is None or type(there) is list or partner in element:
            return in_general(element, variables)
        return bool(there == value) is same

    return truth


def some(follow: Follow) -> Truth:
    """`exists()`."""
    return lambda element, variables: bool(follow(element, variables))


def none(follow: Follow) -> Truth:
    """`empty()`."""
    return lambda element, variables: not follow(element, variables)


def both(first: Truth, second: Truth) -> Truth:
    """`and` of three values."""

    def truth(element: Any, variables: Variables) -> bool | None:
        left, right = first(element, variables), second(element, variables)
        if left is False or right is False:
            return False
        return None if left is None or right is None else True

    return truth


def either(first: Truth, second: Truth) -> Truth:
    """`or` of three values."""

    def truth(element: Any, variables: Variables) -> bool | None:
        left, right = first(element, variables), second(element, variables)
        if left or right:
            return True
        return None if left is None or right is None else False

    return truth


def negated(follow: Follow) -> Truth:
    """`not()`: nothing for nothing and for several, false for one element that is no truth."""

    def truth(element: Any, variables: Variables) -> bool | None:
        found = follow(element, variables)
        return None if len(found) != 1 else found[0] is False

    return truth


def starts_with(follow: Follow, prefix: str) -> Truth:
    """`startsWith()`; raises PathError for several and for what is no text."""

    def truth(element: Any, variables: Variables) -> bool | None:
        found = follow(element, variables)
        if not found:
            return None
        if len(found) > 1 or not isinstance(found[0], str):
            raise PathError("startsWith() of something that is no text")
        return bool(found[0]) and found[0].startswith(prefix)

    return truth


def concatenated(left: Follow, right: Follow) -> Follow:
    """`&`; raises PathError for several and for what is no text, and takes nothing as an empty text."""

    def text(found: list[Any]) -> str:
        if len(found) > 1 or not all(isinstance(one, str) for one in found):
            raise PathError("& with something that is no text")
        return found[0] if found else ""

    return lambda element, variables: [text(left(element, variables)) + text(right(element, variables))]


def chosen(condition: Follow, then: Follow, otherwise: Follow) -> Follow:
    """`iif()`."""

    def follow(element: Any, variables: Variables) -> list[Any]:
        found = condition(element, variables)
        is_true = len(found) == 1 and found[0] == True  # noqa: E712 - 1 counts as true for the evaluator
        return (then if is_true else otherwise)(element, variables)

    return follow


def extension(url: str) -> Step:
    """`extension()`: the first extension of that address; raises KeyError where one has no address."""

    def step(found: list[Any], variables: Variables) -> list[Any]:
        after = []
        for one in found:
            if type(one) is dict and "extension" in one:
                after += [given for given in one["extension"] if given["url"] == url][:1]
        return after

    return step


def variable(name: str) -> Follow:
    """%name; raises KeyError where there is none."""

    def follow(element: Any, variables: Variables) -> list[Any]:
        value = variables[name]
        return value if isinstance(value, list) else [value]

    return follow
