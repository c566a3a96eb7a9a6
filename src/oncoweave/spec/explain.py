"""Tells what the models found wrong in the author's words: the key, its place, the nearest valid name.

`load` hands over pydantic's errors; nothing of pydantic's wording leaves this module.
"""

from __future__ import annotations

import datetime
import re
from collections import defaultdict
from collections.abc import Iterable, Sequence
from types import MappingProxyType
from typing import Any

from pydantic_core import ErrorDetails

from oncoweave.errors import Problem
from oncoweave.spec.arrival import MARKER
from oncoweave.spec.delivery import ADDRESS, QUERY_FILE, TABLE_NAME
from oncoweave.spec.document import Document, Loc, Value
from oncoweave.spec.language import AT_MOST, FILLED, LABEL, SCOPE, SPAN, Spec
from oncoweave.spec.models import Target, keys_of, literals_of, resolve, thing
from oncoweave.spec.notify import MAILBOX, VARIABLE
from oncoweave.spec.suite import CHECK_ID, PARAMETER, SINCE
from oncoweave.spec.thresholds import CHECKS, PERCENT

EXPECTED = {
    "string_type": "one text",
    "int_type": "a whole number",
    "int_parsing": "a whole number",
    "int_from_float": "a whole number",
    "float_type": "a number",
    "float_parsing": "a number",
    "finite_number": "a number",
    "bool_type": "true or false",
    "bool_parsing": "true or false",
    "date_type": "a date written YYYY-MM-DD",
    "date_parsing": "a date written YYYY-MM-DD",
    "date_from_datetime_parsing": "a date written YYYY-MM-DD",
    "date_from_datetime_inexact": "a date written YYYY-MM-DD",
    "dict_type": "a map of keys",
    "model_type": "a map of keys",
    "model_attributes_type": "a map of keys",
    "tuple_type": "a list",
}
NAME_PATTERN = r"^[a-z][a-z0-9_]*$"
LONGEST_QUOTE = 60
FORMS = MappingProxyType(
    {
        SPAN: "a span of time: a number and s, m, h or d, as 30s, 5m, 8h or 2d",
        MARKER: "the name of one file, without a folder and without the signs * ? [ ] %",
        FILLED: "said in words; it is blank",
        SCOPE: "a table or a field: person, or person.year_of_birth",
        AT_MOST: "a number of rows or a share of them, with its unit: 120 rows, or 2 %",
        LABEL: "one line of 1 to 100 characters",
        QUERY_FILE: "a file in the folder sql/ of the source, as sql/patients.sql",
        ADDRESS: "an address without user and password: s3://bucket/folder/, sftp://host/folder/, https://host/folder/",
        TABLE_NAME: "the name of a table, with its schema before a point: schema.name; a name with blanks or quotes goes into a query under sql/",
        CHECKS: "the id of a check, in which * stands for any signs, as field_fkdomain_measurement_*",
        PERCENT: "a percentage of rows from 0 to 100, as 5 or 0.5, without the sign %, or off",
        MAILBOX: "an e-mail address, as qa@registry.example",
        VARIABLE: "the name of an environment variable, as ONCOWEAVE_WEBHOOK; the address itself is a secret and stays there",
        CHECK_ID: "a name of small letters, digits and _, its parts with points between them: size.plausible",
        PARAMETER: "the name of a parameter: letters, digits and _, a small letter first",
        SINCE: "a date written YYYY-MM-DD, or a version as 0.2.0",
    }
)
"""What a pattern asks for, in words."""
MENDS = MappingProxyType(
    {
        "`where` and `because` go together": "`because` says why the other rows are left out: `because: no event recorded`",
        "`formats` is required": 'for example `formats: ["%d.%m.%Y", "%m.%Y", "%Y"]`',
        "`first_year` is required": "for example `first_year: 1920`: a year `68` is then 1968, and `19` is 2019",
        "give either `date` or `year`": "for example `birth: {year: year(diagnosed) - age}`",
        "give either `concept` or `columns`": "`columns` makes one fact of each filled column, `concept` one of the row",
        "give either `folder` or `files`": "folders named by their day: `folder: ../../../deliveries/%Y-%m-%d`; files in one folder: `files: ../../../inbox/*.csv`",
        "give `email`, `webhook` or both": "for example `email: [qa@registry.example]`",
        "give either `fields` or": "`content: true` is for a table without a key",
        "give either `query` or": "`query: sql/patients.sql` is a file with one SELECT, `table: schema.name` takes all columns",
        "give either `date` or `date_query`": "`date: 2026-05-01`, or `date_query: sql/date.sql` with a SELECT of the day",
        "give `threshold`, `severity` or both": "`threshold: 5` lets 5 percent of the rows fail",
        "give either `checksums` or": "`checksums: SHA256SUMS` is a file beside the data, `sha256` lists them here",
    }
)
"""How to mend keys that disagree, by the start of the message."""


def explain(errors: Sequence[ErrorDetails], model: type[Spec], document: Document) -> list[Problem]:
    """The problems that these errors of `model` are in the document; one for each thing to mend."""
    found = [(error, resolve(model, document.data, error["loc"])) for error in errors]
    placed = [(error, target) for error, target in found if target]
    misspelt = _misspelt_keys(placed)
    problems = (
        _problem(error, target, document)
        for error, target in placed
        if not (error["type"] == "missing" and target.loc in misspelt)
        and not _follows_from_items(error, target, document)
    )
    return list(dict.fromkeys(problems))


def wrong_type(document: Document, loc: Loc, expected: str, mend: str = "") -> Problem:
    """The problem that the value at `loc` is not what it must be; `mend` is the help where its form tells none."""
    value = document.get(loc)
    if value is None:
        return document.problem(
            "empty-value",
            f"{_label(loc)} is empty; it must be {expected}",
            loc,
            help="fill it in, or remove the key",
            at="key",
        )
    return document.problem(
        "wrong-type",
        f"{_label(loc)} must be {expected}, but here is {_what(value)}",
        loc,
        help=_retype(value, expected) or mend,
    )


def closest(name: str, valid: Iterable[str]) -> str | None:
    """The valid name that `name` was probably meant to be."""
    from rapidfuzz import fuzz, process  # here, for it is needed by faulty files alone

    found = process.extractOne(name, sorted(set(valid)), scorer=fuzz.ratio, processor=str.lower, score_cutoff=60)
    return str(found[0]) if found else None


def suggestion(name: str, valid: Sequence[str], noun: str = "valid") -> str:
    """A help text: the closest name, and all of them."""
    near = closest(name, valid)
    listed = f"{noun}: " + ", ".join(f"`{v}`" for v in valid)
    return f"did you mean `{near}`? {listed}" if near else listed


def _problem(error: ErrorDetails, target: Target, document: Document) -> Problem:
    kind = error["type"]
    context: dict[str, Any] = error.get("ctx", {})
    if kind == "missing":  # before the form: what is not there has none
        return _missing(target, document)
    if target.wrong_form:
        return _wrong_form(target, document)
    if kind == "extra_forbidden":
        return _unknown_key(target, document)
    if kind == "literal_error":
        return _unknown_value(target.loc, literals_of(target.annotation), document)
    if kind in ("union_tag_invalid", "union_tag_not_found"):
        return _wrong_tag(target, context["discriminator"].strip("'"), document)
    if kind == "string_pattern_mismatch":
        return _bad_pattern(target, context["pattern"], document)
    if kind == "value_error":
        return _broken_rule(str(context["error"]), target, document)
    if kind in EXPECTED:
        return wrong_type(document, target.loc, EXPECTED[kind], _form(target))
    return document.problem("wrong-value", f"{_label(target.loc)} {_limit(kind, context)}", target.loc)


def _unknown_key(target: Target, document: Document) -> Problem:
    name = str(target.loc[-1])
    message = f"`{name}` is not a key of {thing(target.owner)}"
    return document.problem(
        "unknown-key", message, target.loc, help=suggestion(name, list(keys_of(target.owner)), "keys"), at="key"
    )


def _missing(target: Target, document: Document) -> Problem:
    name = target.loc[-1]
    if isinstance(name, int):
        owner = target.loc[:-1]
        return document.problem("wrong-length", f"{_label(owner)} needs {name + 1} values at least", owner)
    keys = keys_of(target.owner)
    text = keys[name].description or ""
    listed = ", ".join(f"`{key}`" for key in keys)
    return document.problem(
        "missing-key", f"{thing(target.owner)} needs `{name}`", target.loc, help=f"`{name}`: {text} keys: {listed}"
    )


def _unknown_value(loc: Loc, valid: Sequence[str], document: Document) -> Problem:
    value = document.get(loc)
    if loc == ("version",) and isinstance(value, str):
        message = f"version `{value}` of this language is not known; this Oncoweave reads version 1"
        return document.problem("wrong-version", message, loc, help="write `version: 1`")
    if not isinstance(value, str):
        return wrong_type(document, loc, "one of " + ", ".join(f"`{v}`" for v in valid))
    return document.problem(
        "unknown-value",
        f"`{_cut(value)}` is not a value of {_label(loc)}",
        loc,
        help=suggestion(value, valid, "values"),
    )


def _wrong_tag(target: Target, key: str, document: Document) -> Problem:
    """The key that tells which form a map has (`fact`, `format`, `by`) is missing or unknown."""
    valid = [value for model in target.members for value in literals_of(keys_of(model)[key].annotation)]
    here = document.get(target.loc)
    if isinstance(here, dict) and key in here:
        return _unknown_value((*target.loc, key), valid, document)
    written = closest(key, here) if isinstance(here, dict) else None
    mend = f"did you mean it by `{written}`? " if written else ""
    return document.problem(
        "missing-key", f"{_label(target.loc)} needs `{key}`", (*target.loc, key),
        help=f"{mend}values of `{key}`: " + ", ".join(f"`{v}`" for v in valid),
    )  # fmt: skip


def _bad_pattern(target: Target, pattern: str, document: Document) -> Problem:
    text = str(target.loc[-1] if target.key else document.get(target.loc))
    at = "key" if target.key else "value"
    if pattern != NAME_PATTERN:
        hexadecimal = re.fullmatch(r"\^\[0-9a-f\]\{(\d+)\}\$", pattern)
        form = f"{hexadecimal[1]} digits 0-9 or a-f" if hexadecimal else FORMS.get(pattern, "written in another form")
        return document.problem("wrong-value", f"{_label(target.loc)} must be {form}", target.loc)
    message = f"`{_cut(text)}` is not a name: small letters a-z, digits and _, a letter first"
    slug = re.sub(r"[^a-z0-9]+", "_", text.lower()).strip("_")
    mend = f"for example `{slug}`" if re.match(r"[a-z]", slug) else ""
    if mend and target.loc[-2:-1] == ("fields",):
        mend += f', with `header: "{text}"`'
    return document.problem("bad-name", message, target.loc, help=mend, at=at)  # type: ignore[arg-type]


def _broken_rule(message: str, target: Target, document: Document) -> Problem:
    """A rule that spans several keys of one map; told at the first key it names that is there."""
    here = document.get(target.loc)
    named = [key for key in re.findall(r"`(\w+)", message) if isinstance(here, dict) and key in here]
    loc = (*target.loc, named[0]) if named else target.loc
    mend = next((text for start, text in MENDS.items() if message.startswith(start)), "")
    return document.problem("keys-disagree", f"{thing(target.model)}: {message}", loc, help=mend, at="key")


def _wrong_form(target: Target, document: Document) -> Problem:
    """None of the forms that a value may have fits."""
    forms = ["one text"] if target.takes_text else []
    forms += ["a list"] if target.takes_list else []
    forms += ["{" + ", ".join(f"{key}: …" for key in _required(model)) + "}" for model in target.members]
    return wrong_type(document, target.loc, " or ".join(forms))


def _misspelt_keys(placed: Sequence[tuple[ErrorDetails, Target]]) -> set[Loc]:
    """The keys that are missing only because they are misspelt: their unknown key is told, they are not."""
    unknown: dict[Loc, list[Target]] = defaultdict(list)
    for error, target in placed:
        if error["type"] == "extra_forbidden":
            unknown[target.loc[:-1]].append(target)
    meant = ((owner, closest(str(t.loc[-1]), keys_of(t.owner))) for owner, targets in unknown.items() for t in targets)
    return {(*owner, key) for owner, key in meant if key}


def _follows_from_items(error: ErrorDetails, target: Target, document: Document) -> bool:
    """True for "too few items" where there are items, which have problems of their own."""
    value = document.get(target.loc)
    return error["type"] == "too_short" and isinstance(value, list | dict) and len(value) >= error["ctx"]["min_length"]


def _limit(kind: str, context: dict[str, Any]) -> str:
    words = {
        "greater_than_equal": "must be {ge:g} or more",
        "less_than_equal": "must be {le:g} or less",
        "too_short": "needs an entry at least",
        "too_long": "takes {max_length} values at most",
        "string_too_long": 'has room for {max_length} character(s); a tab is written "\\t" in double quotes',
        "string_too_short": "must not be empty",
    }
    return words[kind].format(**context) if kind in words else "is not as it must be"


def _form(target: Target) -> str:
    """How a map of keys is written, for one who wrote something else."""
    if target.annotation is not target.model:
        return ""
    keys = _required(target.model) or list(keys_of(target.model))
    return "for example {" + ", ".join(f"{key}: …" for key in keys) + "}; keys: " + _listed(keys_of(target.model))


def _listed(names: Iterable[str]) -> str:
    return ", ".join(f"`{name}`" for name in names)


def _required(model: type[Spec]) -> list[str]:
    return [key for key, info in keys_of(model).items() if info.is_required()]


def _label(loc: Loc) -> str:
    """The value at `loc` in words: its key, or the item of a list."""
    if not loc:
        return "the file"
    name = loc[-1]
    if isinstance(name, str):
        return f"`{name}`"
    return f"entry {name + 1} of {_label(loc[:-1])}"


def _what(value: Value) -> str:
    if isinstance(value, dict):
        return "a map of keys"
    if isinstance(value, list):
        return "a list"
    return f"`{_cut(str(value))}`"


def _retype(value: Value, expected: str) -> str:
    if expected == "a list" and isinstance(value, str):
        item = value if re.fullmatch(r"\w+", value) else '"' + value.replace("\\", r"\\").replace('"', r"\"") + '"'
        return f"write it as a list: [{item}]"
    if expected.startswith("one text") and isinstance(value, list | dict):
        return "put a text with [ ], { } or a colon in quotes"
    return ""


def _cut(text: str) -> str:
    return text if len(text) <= LONGEST_QUOTE else text[:LONGEST_QUOTE] + "…"


def is_day(text: Value) -> bool:
    """True for a calendar day written YYYY-MM-DD."""
    if not isinstance(text, str) or not re.fullmatch(r"[0-9]{4}-[0-9]{2}-[0-9]{2}", text):
        return False
    try:
        datetime.date.fromisoformat(text)
    except ValueError:
        return False
    return True
