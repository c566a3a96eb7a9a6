"""Renders the pages: one template engine that escapes everything, one style sheet, and a policy that lets nothing be loaded.

A page is one file without a script and without a request. Text from a source or a specification is shown as text:
escaped, set apart where it runs from right to left, its control characters named, and cut where it would fill the page.
"""

from __future__ import annotations

import base64
import hashlib
import re
import unicodedata
from functools import cache
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup, escape

from oncoweave.report import language
from oncoweave.report.language import day, month, ngettext, number, percent, spoken

TEMPLATES = Path(__file__).parent / "templates"
LONGEST, LONGEST_WORDS = 400, 4_000
"""A longer text is cut, and what is left out is counted; the words of somebody who signs may be longer."""

_UNSEEN = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069\ufeff\ufff9-\uffff]")
"""What hides, moves or ends text: control characters, and signs that override the direction of what follows."""
_RIGHT_TO_LEFT = {"R", "AL", "AN"}


def render(template: str, **values: object) -> str:
    """The page that a template makes of the values, in the language that is spoken; the same values give the same bytes."""
    page = _environment().get_template(template)
    return page.render(style=Markup(_style()), policy=policy(), language=spoken().code, **values)  # noqa: S704


def policy() -> str:
    """The content security policy of every page: its own style sheet, known by its hash, and nothing else."""
    digest = base64.b64encode(hashlib.sha256(_style().encode()).digest()).decode()
    return f"default-src 'none'; style-src 'sha256-{digest}'; base-uri 'none'; form-action 'none'"


def visible(text: str, longest: int = LONGEST) -> str:
    """The text with its unseen characters named, cut after `longest` characters."""
    head = _UNSEEN.sub(lambda sign: f"[U+{ord(sign[0]):04X}]", text[:longest])
    if len(text) <= longest:
        return head
    more = ngettext("{count} more character", "{count} more characters", len(text) - longest)
    return f"{head}… ({more})"


@cache
def _environment() -> Environment:
    environment = Environment(
        loader=FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        finalize=_shown,
        trim_blocks=True,
        lstrip_blocks=True,
        extensions=["jinja2.ext.i18n"],
    )
    environment.policies["ext.i18n.trimmed"] = True
    environment.newstyle_gettext = True  # type: ignore[attr-defined]  # set by the extension; values come to the functions
    environment.globals |= {"gettext": _message, "_": _message, "ngettext": _messages}
    environment.filters |= {
        "number": number, "percent": percent, "size": _size, "day": day, "month": month, "whole": _whole, "word": language._, "uncut": _uncut,
    }  # fmt: skip
    return environment


def _message(text: str, /, **values: object) -> Markup:
    """The message with its values, which are shown as any other text is."""
    return Markup(language._(text)) % {name: _value(value) for name, value in values.items()}  # noqa: S704  ours


def _messages(one: str, many: str, count: int, /, **values: object) -> Markup:
    """The message for so many."""
    text = spoken().many(one, many, count)
    return Markup(text) % {name: _value(value) for name, value in {"count": count, **values}.items()}  # noqa: S704  ours


def _value(value: object) -> object:
    return number(value) if isinstance(value, int) else _shown(value)


@cache
def _style() -> str:
    """The style sheet, as it stands between the tags of a page."""
    return (TEMPLATES / "style.css").read_text(encoding="utf-8")


def _shown(value: object) -> object:
    """What an expression of a template puts on the page."""
    if isinstance(value, Markup) or not isinstance(value, str):
        return value
    return _set_apart(visible(value))


def _whole(text: str) -> Markup:
    """A text of somebody's that is not cut where others are."""
    return _set_apart(visible(text, LONGEST_WORDS))


def _uncut(text: str) -> Markup:
    """A list of names of ours, which is as long as it is."""
    return _set_apart(visible(text, len(text)))


def _set_apart(text: str) -> Markup:
    backwards = any(unicodedata.bidirectional(sign) in _RIGHT_TO_LEFT for sign in text)
    return Markup("<bdi>{}</bdi>").format(text) if backwards else escape(text)


def _size(count: int) -> str:
    """A file's size."""
    size = float(count)
    for unit in ("bytes", "kB", "MB", "GB"):
        if size < 1000 or unit == "GB":
            break
        size /= 1000
    if unit == "bytes":
        return ngettext("{count} byte", "{count} bytes", count)
    return f"{number(round(size, 1))} {unit}"
