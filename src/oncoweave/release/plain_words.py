"""Takes the words of people (comments, names, roles) for what they are: text, without signs that hide or move other text."""

from __future__ import annotations

import re
import unicodedata

from oncoweave.errors import UsageError

_LINES = re.compile("\r\n|[\r\n\v\f\x1c-\x1e\x85\u2028\u2029]")
_HIDDEN = {"Cc", "Cf", "Cs", "Co", "Cn"}
_JOINERS = "\u200c\u200d"
"""Needed to write some languages, and emoji."""


def words(text: str, longest: int, what: str) -> str:
    """The text without control and direction signs, its lines ending in `\\n`, without blanks around.

    Raises UsageError, naming it as `what`, when it is longer than `longest` characters.
    """
    if len(text) > longest * 2:
        raise too_long(what, longest)
    lines = (_seen(line).rstrip() for line in _LINES.split(text))
    plain = unicodedata.normalize("NFC", "\n".join(lines)).strip()
    if len(plain) > longest:
        raise too_long(what, longest)
    return plain


def one_line(text: str, longest: int, what: str) -> str:
    """The text as `words` has it, in one line."""
    return " ".join(words(text, longest, what).split())


def too_long(what: str, longest: int) -> UsageError:
    """The error that a text has more than `longest` characters."""
    return UsageError(f"{what} is longer than {longest:,} characters", mend="say it in fewer words")


def _seen(line: str) -> str:
    tabless = line.replace("\t", " ")
    return "".join(c for c in tabless if c in _JOINERS or unicodedata.category(c) not in _HIDDEN)
