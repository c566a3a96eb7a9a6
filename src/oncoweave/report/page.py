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

TEMPLATES = Path(__file__).parent / "templates"
LONGEST, LONGEST_WORDS = 400, 4_000
"""A longer text is cut, and what is left out is counted; the words of somebody who signs may be longer."""

_UNSEEN = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069\ufeff\ufff9-\uffff]")
"""What hides, moves or ends text: control characters, and signs that override the direction of what follows."""
_RIGHT_TO_LEFT = {"R", "AL", "AN"}


def render(template: str, **values: object) -> str:
    """The page that a template makes of the values; the same values give the same bytes."""
    return _environment().get_template(template).render(style=Markup(_style()), policy=policy(), **values)  # noqa: S704


def policy() -> str:
    """The content security policy of every page: its own style sheet, known by its hash, and nothing else."""
    digest = base64.b64encode(hashlib.sha256(_style().encode()).digest()).decode()
    return f"default-src 'none'; style-src 'sha256-{digest}'; base-uri 'none'; form-action 'none'"


def visible(text: str, longest: int = LONGEST) -> str:
    """The text with its unseen characters named, cut after `longest` characters."""
    head = _UNSEEN.sub(lambda sign: f"[U+{ord(sign[0]):04X}]", text[:longest])
    return head if len(text) <= longest else f"{head}… ({len(text) - longest:,} more characters)"


@cache
def _environment() -> Environment:
    environment = Environment(
        loader=FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        finalize=_shown,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {"number": _number, "percent": _percent, "size": _size, "plural": _plural, "whole": _whole}
    return environment


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


def _set_apart(text: str) -> Markup:
    backwards = any(unicodedata.bidirectional(sign) in _RIGHT_TO_LEFT for sign in text)
    return Markup("<bdi>{}</bdi>").format(text) if backwards else escape(text)


def _number(value: int | None) -> str:
    return "–" if value is None else f"{value:,}"


def _percent(share: float) -> str:
    """A share (0–1) in percent; what is little is not rounded to nothing, nor nearly all to all."""
    if share in (0, 1):
        return f"{share * 100:.0f} %"
    return f"{min(max(share * 100, 0.1), 99.9):.1f} %" if 0 < share < 1 else f"{share * 100:.1f} %"


def _size(count: int) -> str:
    """A file's size."""
    size = float(count)
    for unit in ("bytes", "kB", "MB", "GB"):
        if size < 1000 or unit == "GB":
            break
        size /= 1000
    return f"{count:,} bytes" if unit == "bytes" else f"{size:.1f} {unit}"


def _plural(count: int, one: str, many: str = "") -> str:
    """`3 rows`, `1 row`."""
    return f"{count:,} {one if count == 1 else many or one + 's'}"
