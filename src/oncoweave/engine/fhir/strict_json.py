"""FHIR's JSON, which is stricter than Python's reader: no member twice, no null but beside a `_member`, nothing empty, no NaN.

What breaks a rule is told by a reason in words of ours, and never by its content.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from decimal import Decimal, InvalidOperation
from json.decoder import JSONDecodeError
from typing import Any, NoReturn

from oncoweave.engine.fhir.model import RESOURCES

DEEPEST = 100
"""How deep a resource may be nested; FHIR's own are below 30."""
MOST_DIGITS = 400
"""How many digits a number may have when it is written out."""
_HOLDERS = frozenset({"contained", "resource", "outcome"})
"""The members that hold a whole resource (Resource.contained, Bundle and Parameters)."""
_ESCAPED = re.compile(r"\\u(?:[dD][89a-fA-F]|00[01])")
_UNWRITABLE = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff]")
_LONG = "a number that is too long"


class NotFhir(ValueError):
    """What is wrong with a piece of JSON, in words of ours."""


def decoded(text: str) -> Any:
    """The one value that `text` is, without blanks around it; raises NotFhir."""
    try:
        value, end = _STRICT.raw_decode(text)
    except (ValueError, RecursionError, InvalidOperation) as error:
        raise _told(error) from None
    if end < len(text):
        raise NotFhir("not whole JSON")
    _refuse_unwritable(text, value)
    return value


def decoded_at(text: str, place: int) -> tuple[Any, int]:
    """The value that begins at `place`, and where it ends; where it breaks a rule, NotFhir stands for it.

    Raises NotFhir where it has no end.
    """
    try:
        value, end = _STRICT.raw_decode(text, place)
    except (JSONDecodeError, RecursionError) as error:
        raise _told(error) from None
    except (ValueError, InvalidOperation) as error:
        try:
            return _told(error), _LENIENT.raw_decode(text, place)[1]
        except (JSONDecodeError, RecursionError) as worse:
            raise _told(worse) from None
    try:
        _refuse_unwritable(text[place:end], value)
    except NotFhir as fault:
        return fault, end
    return value, end


def modifiers_of(resource: dict[str, Any]) -> list[str]:
    """The addresses of the modifier extensions anywhere in a resource, and of its implicit rules: what may turn its meaning.

    Raises NotFhir for what a resource of FHIR does not have: null, empty texts, lists and objects, or too many levels.
    """
    modifiers: list[str] = []
    _look_through(resource, 1, modifiers)
    rules = resource.get("implicitRules")
    return modifiers if rules is None else [*modifiers, str(rules)]


def _look_through(members: dict[str, Any], depth: int, modifiers: list[str]) -> None:
    if depth > DEEPEST:
        raise NotFhir("nested too deeply")
    if "modifierExtension" in members:
        modifiers += _addresses(members["modifierExtension"])
    for name, member in members.items():
        if not member and member is not False and member != 0:
            raise NotFhir("a member that is null or empty")
        kind = type(member)
        if kind is dict:
            if "resourceType" in member:
                _refuse_misplaced(member, name)
            _look_through(member, depth + 1, modifiers)
        elif kind is list:
            beside = f"_{name}" in members or (name[:1] == "_" and name[1:] in members)
            _look_through_list(member, depth + 1, name, beside, modifiers)
        elif kind is Decimal:
            _refuse_long(member)


def _look_through_list(values: list[Any], depth: int, name: str, beside: bool, modifiers: list[str]) -> None:
    """A list may hold null where its partner `_name` (or `name`) tells of the same place: `beside`."""
    if depth > DEEPEST:
        raise NotFhir("nested too deeply")
    for one in values:
        kind = type(one)
        if kind is dict:
            if not one:
                raise NotFhir("a list with something empty in it")
            if "resourceType" in one:
                _refuse_misplaced(one, name)
            _look_through(one, depth + 1, modifiers)
        elif kind is list:
            raise NotFhir("a list in a list")
        elif one is None and not beside:
            raise NotFhir("a list with a null in it")
        elif one == "":
            raise NotFhir("a list with something empty in it")
        elif kind is Decimal:
            _refuse_long(one)


def _refuse_misplaced(resource: dict[str, Any], name: str) -> None:
    """Raise NotFhir for a resource as the member `name` of another, where none can be, and for one of no type of FHIR."""
    if name not in _HOLDERS:
        raise NotFhir("a resource where none can be")
    kind = resource["resourceType"]
    if not isinstance(kind, str) or kind not in RESOURCES:
        raise NotFhir("a resource in it of no type of FHIR R4")


def _addresses(extensions: Any) -> list[str]:
    if not isinstance(extensions, list):
        raise NotFhir("a `modifierExtension` that is no list")
    return [str(one.get("url", "")) if isinstance(one, dict) else "" for one in extensions]


def _refuse_long(number: Decimal) -> None:
    if abs(number.adjusted()) > MOST_DIGITS or len(number.as_tuple().digits) > MOST_DIGITS:
        raise NotFhir(_LONG)


def _refuse_unwritable(text: str, value: Any) -> None:
    """Raise NotFhir for what a text of FHIR cannot hold: control characters, and half a character (a lone surrogate)."""
    if "\\u" in text and _ESCAPED.search(text) and any(_UNWRITABLE.search(one) for one in _texts(value)):
        raise NotFhir("a text with a control character or half a character")


def _texts(value: Any) -> Iterator[str]:
    """Every text in a value, the names of members too."""
    waiting = [value]
    while waiting:
        one = waiting.pop()
        if isinstance(one, str):
            yield one
        elif isinstance(one, dict):
            waiting += [*one, *one.values()]
        elif isinstance(one, list):
            waiting += one


def _told(error: Exception) -> NotFhir:
    match error:
        case NotFhir():
            return error
        case JSONDecodeError():
            return NotFhir("not whole JSON")
        case RecursionError():
            return NotFhir("nested too deeply")
    return NotFhir(_LONG)  # Python reads no integer of more than 4,300 digits, and no exponent of more than 18


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    if len(members) != len(pairs):
        raise NotFhir("a member that is there twice")
    return members


def _no_constant(name: str) -> NoReturn:
    raise NotFhir("a number that JSON does not have")


_STRICT = json.JSONDecoder(object_pairs_hook=_once, parse_float=Decimal, parse_constant=_no_constant)
_LENIENT = json.JSONDecoder(parse_float=str, parse_int=str, parse_constant=str)
"""Finds the end of a value that breaks a rule."""
