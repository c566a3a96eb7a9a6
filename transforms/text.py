"""Verbs for text: blanks, parts, padding."""

from __future__ import annotations

from oncoweave.engine import functions as f
from oncoweave.engine.expressions import Integer, Text


def squeeze(text: Text) -> Text:
    """The text without surrounding blanks, and with single blanks (not tabs, not hard spaces) inside.

    >>> evaluate(squeeze("  lobular \\t carcinoma "))
    'lobular carcinoma'
    """
    return f.trim(f.replace_pattern(text, "[\\s\u00a0]+", " "))


def before(text: Text, separator: str) -> Text:
    """What stands before the first separator; the whole text if there is none.

    >>> evaluate(before("3: lobular", ":"))
    '3'
    """
    return f.trim(f.split_part(text, separator, 1))


def after(text: Text, separator: str) -> Text:
    """What stands after the first separator; NULL if there is none.

    >>> evaluate(after("3: lobular: classic", ":"))
    'lobular: classic'
    """
    return f.null_if(f.trim(f.extract(text, f"(?s)^.*?{f.escape_pattern(separator)}(.*)$", 1)), "")


def code_part(text: Text) -> Text:
    """The code at the start of a coded answer such as "1 - male", "1: male", "C50.9 breast" or "1=male".

    >>> evaluate(code_part(" 1 - male"))
    '1'
    """
    return f.extract(text, "^\\s*([A-Za-z0-9][A-Za-z0-9./]*)", 1)


def zero_pad(text: Text, width: int) -> Text:
    """Filled up with zeros on the left to a width; never cut, and blank stays NULL.

    >>> evaluate(zero_pad("7", 3))
    '007'
    """
    return f.pad_left(f.null_if(f.trim(text), ""), width, "0")


def zero_pad_number(number: Integer, width: int) -> Text:
    """A whole number as text, filled up with zeros on the left to a width.

    >>> evaluate(zero_pad_number(7, 3))
    '007'
    """
    return f.pad_left(f.to_text(number), width, "0")


def digits(text: Text) -> Text:
    """The digits of a text and nothing else; NULL if it has none.

    >>> evaluate(digits("ID 12-34"))
    '1234'
    """
    return f.null_if(f.replace_pattern(text, "[^0-9]", ""), "")
