"""Compiles the common subset of FHIRPath to plain functions, twenty times as fast as the evaluator and with its answers.

In the subset are members, choices (`value`) and `ofType`, `where`, `exists`, `empty`, `not`, `count`, `first`, `last`, `[0]`,
`iif`, `extension`, `startsWith`, `=`, `!=`, `and`, `or`, `&`, getResourceKey, getReferenceKey, `$this`, %constants and literals. What is not is
left to the evaluator, path by path. The types of elements are known from the path alone, so that elements are the plain values
of the JSON.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cache
from typing import Any

from oncoweave.engine.fhir import path_steps as steps
from oncoweave.engine.fhir.model import MODEL, RESOURCES
from oncoweave.engine.fhir.path_steps import Follow, Step, Truth
from oncoweave.engine.fhir.paths import Tree, is_of_type, literal_of, reference_key, resource_key, tree_of

VALUE = "a value of FHIRPath itself"
VARIES = "a type that depends on the resource"
NOTHING = "nothing at all"
_UNTYPED = frozenset({VALUE, VARIES, NOTHING})
_PASSED_OVER = frozenset({"resource", "outcome", "length"})
"""Members whose elements say themselves of what type they are, and one that the evaluator gives another meaning."""
_LITERALS = frozenset({"StringLiteral", "NumberLiteral", "BooleanLiteral"})

_OPERATIONS = frozenset(
    {"IndexerExpression", "EqualityExpression", "AndExpression", "OrExpression", "AdditiveExpression"}
)


class _NotInSubset(Exception):
    pass


@dataclass(frozen=True)
class Start:
    """From where a path is followed: the place of the element in the model, and the type of the resource that it is part of.

    `is_whole` says that it is the resource itself.
    """

    path: str
    resource: str
    is_whole: bool = False


@dataclass(frozen=True)
class Compiled:
    """A path as a function, and of what type its elements are; `unchecked` may fail in any way, and finds what has only extensions."""

    follow: Follow
    unchecked: Follow
    type: str

    @property
    def is_typed(self) -> bool:
        """Whether paths that start at its elements can be compiled."""
        return self.type not in _UNTYPED


@cache
def compiled(path: str, start: Start) -> Compiled | None:
    """The path as a function of the element from which it starts; None when it is not in the subset.

    Raises PathError when it is no FHIRPath; the function raises it when the path cannot be followed.
    """
    tree = tree_of(path)
    try:
        found = _part(tree, start)
    except _NotInSubset:
        return None
    return Compiled(steps.checked(found.follow, path), found.follow, found.type)


@dataclass(frozen=True)
class _Found:
    """A part of a path: what it starts from (None: from the element), plain members that lead on, the steps from there, and
    the type of what it finds.

    `truth` is set where that is true, false or nothing. `members` are the last steps that are plain members, `choice` the
    names and types of the last one where it has several, before which stood `unchosen`; of contained resources there is none. `constant` is the value of a literal.
    `is_plain` says that the elements are resources that the evaluator does not know as elements.
    """

    type: str
    source: Follow | None = None
    lead: tuple[str, ...] = ()
    steps: tuple[Step, ...] = ()
    truth: Truth | None = None
    members: tuple[str, ...] = ()
    choice: tuple[tuple[str, str], ...] = ()
    unchosen: _Found | None = None
    constant: Any = None
    is_plain: bool = False

    @property
    def follow(self) -> Follow:
        return steps.following(self.source or (steps.led(self.lead) if self.lead else None), self.steps)

    @property
    def is_start(self) -> bool:
        return self.source is None and not self.lead and not self.steps

    def then(self, step: Step, kind: str) -> _Found:
        return _Found(kind, self.source, self.lead, (*self.steps, step))

    def narrowed(self, step: Step) -> _Found:
        """Some of the same elements."""
        return _Found(self.type, self.source, self.lead, (*self.steps, step), is_plain=self.is_plain)


def _true(truth: Truth) -> _Found:
    return _Found(VALUE, steps.told(truth), truth=truth)


def _value(follow: Follow) -> _Found:
    return _Found(VALUE, follow)


def _part(tree: Tree, start: Start) -> _Found:
    """A part of a path that is followed from `start`."""
    children = tree.get("children") or []
    match tree["type"]:
        case "TermExpression" | "ParenthesizedTerm" if len(children) == 1:
            return _part(children[0], start)
        case "LiteralTerm" if children:
            return _literal(children[0])
        case "ExternalConstantTerm":
            return _constant(children[0]["children"][0]["text"], start)
        case "InvocationTerm":
            return _invoked(_Found(start.path, is_plain=start.is_whole), children[0], start)
        case "InvocationExpression" if len(children) == 2:
            return _invoked(_part(children[0], start), children[1], start)
    if len(children) != 2 or tree["type"] not in _OPERATIONS:
        raise _NotInSubset
    sign = tree["terminalNodeText"][0]
    return _joined(sign, *(_part(child, start) for child in children))


def _joined(sign: str, left: _Found, right: _Found) -> _Found:
    match sign:
        case "[":
            return _at(left, right.constant)
        case "=" | "!=":
            return _equal(left, right, same=sign == "=")
        case "and":
            return _true(steps.both(_exactly(left), _exactly(right)))
        case "or":
            return _true(steps.either(_exactly(left), _exactly(right)))
        case "&":
            return _value(steps.concatenated(left.follow, right.follow))
    raise _NotInSubset


def _literal(tree: Tree) -> _Found:
    if tree["type"] == "NullLiteral":
        return _Found(NOTHING, lambda *_: [])
    if tree["type"] not in _LITERALS:
        raise _NotInSubset
    value = literal_of(tree)
    return replace(_value(lambda *_: [value]), constant=value)


def _constant(name: str, start: Start) -> _Found:
    name = name.strip("`")
    if name in ("context", "ucum"):
        raise _NotInSubset
    follow = steps.variable(name)
    return _Found(start.resource, follow, is_plain=True) if name == "resource" else _value(follow)


def _invoked(before: _Found, tree: Tree, start: Start) -> _Found:
    match tree["type"]:
        case "MemberInvocation":
            return _member(before, tree["children"][0]["text"].strip("`"), start)
        case "ThisInvocation" if before.is_start:
            return before
        case "FunctionInvocation":
            name, *arguments = tree["children"][0]["children"]
            given = (arguments[0].get("children") or []) if arguments else []
            return _called(before, name["text"].strip("`"), given, start)
    raise _NotInSubset


def _member(before: _Found, key: str, start: Start) -> _Found:
    if before.is_start and start.is_whole and key == start.path:
        return _Found(before.type, steps=(lambda found, variables: found,))
    if before.type in _UNTYPED or not key[:1].islower() or key in _PASSED_OVER:
        raise _NotInSubset
    if key == "contained":
        return replace(before.then(steps.members((key,)), VARIES), unchosen=before)
    path = f"{before.type}.{key}"
    path = MODEL["pathsDefinedElsewhere"].get(path, path)
    types = MODEL["choiceTypePaths"].get(path)
    if types:
        fields = tuple((key + kind, MODEL["path2Type"].get(path + kind, path + kind)) for kind in types)
        names = [name for name, _ in fields]
        found = before.then(steps.choice(names, frozenset(names)), VARIES)
        return replace(found, choice=fields, unchosen=before)
    kind = "Extension" if key == "extension" else path
    kind = MODEL["path2Type"].get(kind, kind)
    if before.source is None and not before.steps:
        return _Found(kind, lead=(*before.lead, key))
    keys = (*before.members, key)
    so_far = before.steps[:-1] if before.members else before.steps
    return _Found(kind, before.source, before.lead, (*so_far, steps.members(keys)), members=keys)


def _called(before: _Found, name: str, given: list[Tree], start: Start) -> _Found:
    match name, len(given):
        case "where", 1:
            return before.narrowed(steps.kept(_criterion(before, given[0], start)))
        case "first", 0:
            return before.narrowed(lambda found, variables: found[:1])
        case "last", 0:
            return before.narrowed(lambda found, variables: found[-1:])
        case "ofType", 1:
            return _of_type(before, given[0])
        case "extension", 1 if before.type != VALUE:
            return before.then(steps.extension(_text(_part(given[0], start))), "Extension")
        case "iif", 2 | 3 if before.is_start:
            return _chosen([_part(one, start) for one in given])
    return _told(before, name, given, start)


def _told(before: _Found, name: str, given: list[Tree], start: Start) -> _Found:
    """What a function tells of elements that is no element itself."""
    match name, len(given):
        case "exists", 0 | 1:
            criteria = [steps.kept(_criterion(before, one, start)) for one in given]
            return _true(steps.some(replace(before, steps=(*before.steps, *criteria)).follow))
        case "empty", 0:
            return _true(steps.none(before.follow))
        case "not", 0:
            return _true(steps.negated(before.follow))
        case "startsWith", 1:
            return _true(steps.starts_with(before.follow, _text(_part(given[0], start))))
        case "count", 0:
            return before.then(lambda found, variables: [len(found)], VALUE)
        case "getResourceKey", 0:
            return before.then(lambda found, variables: resource_key(found), VALUE)
        case "getReferenceKey", 0 | 1:
            kind = given[0]["text"].replace("`", "").split(".")[-1] if given else None
            return before.then(lambda found, variables: reference_key(found, kind), VALUE)
    raise _NotInSubset


def _criterion(before: _Found, tree: Tree, start: Start) -> Truth:
    """A criterion on each of the elements found before."""
    if before.type in _UNTYPED:
        raise _NotInSubset
    inner = start if before.is_start else Start(before.type, start.resource, before.is_plain)
    found = _part(tree, inner)
    return found.truth or steps.criterion(found.follow)


def _of_type(before: _Found, specifier: Tree) -> _Found:
    if before.unchosen is not None and not before.choice:
        kind = specifier["text"].removeprefix("FHIR.")
        if kind not in RESOURCES:
            raise _NotInSubset
        return before.then(steps.resources(kind), kind)
    if before.unchosen is not None:
        wanted = {name: kind for name, kind in before.choice if is_of_type(kind, specifier)}
        step = steps.choice([name for name, _ in before.choice], frozenset(wanted))
        kinds = set(wanted.values())
        return before.unchosen.then(step, kinds.pop() if len(kinds) == 1 else VARIES)
    if before.type in _UNTYPED or before.is_plain:
        raise _NotInSubset
    is_right = is_of_type(before.type, specifier)
    return before.narrowed(lambda found, variables: found if is_right else [])


def _at(before: _Found, place: Any) -> _Found:
    if type(place) is not int or place < 0:
        raise _NotInSubset
    return before.narrowed(lambda found, variables: found[place : place + 1])


def _equal(left: _Found, right: _Found, *, same: bool) -> _Found:
    if {left.type, right.type} & {VARIES, "Quantity"}:
        raise _NotInSubset
    if left.source is None and len(left.lead) == 1 and not left.steps and right.constant is not None:
        return _true(steps.member_equals(left.lead[0], right.constant, same=same))
    return _true(steps.equal(left.follow, right.follow, same=same))


def _exactly(found: _Found) -> Truth:
    return found.truth or steps.exactly(found.follow)


def _chosen(parts: list[_Found]) -> _Found:
    condition, *branches = parts
    kinds = {branch.type for branch in branches} - {NOTHING} or {NOTHING}
    nothing: Follow = lambda *_: []  # noqa: E731 - a branch like the others
    then, otherwise = ([branch.follow for branch in branches] + [nothing])[:2]
    return _Found(kinds.pop() if len(kinds) == 1 else VARIES, steps.chosen(condition.follow, then, otherwise))


def _text(found: _Found) -> str:
    if not isinstance(found.constant, str):
        raise _NotInSubset
    return found.constant
