"""Writes Markdown in which every text is shown to the letter, whatever it holds."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Sequence

LONGEST = 300
"""Characters of a text that are shown."""
_SIGNS = re.compile(r"([!-/:-@\[-`{-~])")
"""The ASCII signs; a backslash before any of them makes it mean nothing."""


def plain(text: object, longest: int = LONGEST) -> str:
    """The text as Markdown shows it to the letter, on one line: no markup, no HTML, no link made of an address."""
    seen = "".join(c for c in str(text) if c.isspace() or unicodedata.category(c)[0] != "C")
    line = " ".join(seen.split())
    return _SIGNS.sub(r"\\\1", line if len(line) <= longest else line[:longest] + "…")


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table of cells that are Markdown already; the first column to the left, the others to the right; empty without rows."""
    body = [f"| {' | '.join(row)} |" for row in rows]
    rule = " | ".join(["---", *["--:"] * (len(head) - 1)])
    return "\n".join([f"| {' | '.join(head)} |", f"| {rule} |", *body]) if body else ""
