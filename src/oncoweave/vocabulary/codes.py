"""Brings a source's code into the form in which the vocabulary spells it, before it is looked up.

Only the form changes (dots, slashes, case, blanks around it); nothing is added that the source does not say,
so C50 stays C50. The code as the source wrote it goes to *_source_value.
"""

from __future__ import annotations

import re

_AFTER_THREE = frozenset({"ICD10", "ICD10CM", "ICD10GM", "CIM10", "ICD10CN", "KCD7"})
_TOPOGRAPHY = re.compile(r"(C\d\d)\.?(\d)")
_MORPHOLOGY = re.compile(r"(\d{4})/?(\d)")
_ICD10 = re.compile(r"([A-Z]\d\w)\.?(\w+)")


def normalise_code(vocabulary: str, code: str) -> str:
    """The code as the vocabulary writes it: `c509` of ICD10 is C50.9, `85003-C509` of ICDO3 is 8500/3-C50.9.

    Codes of other vocabularies lose the blanks around them only: UCUM tells `Mm` from `mm`.
    """
    text = code.strip()
    if vocabulary in _AFTER_THREE:
        return _whole(_ICD10, r"\1.\2", text.upper())
    if vocabulary == "ICDO3":
        return "-".join(_axis(part) for part in text.split("-", 1))
    return text


def _axis(part: str) -> str:
    """One axis of an ICD-O-3 code: morphology with behaviour, topography, or the word NULL."""
    text = part.strip().upper()
    return _whole(_MORPHOLOGY, r"\1/\2", _whole(_TOPOGRAPHY, r"\1.\2", text))


def _whole(pattern: re.Pattern[str], form: str, text: str) -> str:
    """The text in the form given if all of it matches, else unchanged."""
    match = pattern.fullmatch(text)
    return match.expand(form) if match else text
