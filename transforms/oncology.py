"""Verbs for the codes of oncology: ICD-O-3, TNM, stage, grade. They normalise spelling; concepts are looked up later."""

from __future__ import annotations

from oncoweave.engine import functions as f
from oncoweave.engine.expressions import Expression, Text

_PREFIX = "((?i)yc|yp|rc|rp|c|p|y|r|a)?"
_CATEGORY = "([TNMtnm])\\s?([0-4][A-Ea-e]?[0-9]?(?:(?i)mic|mi)?|(?i)is|(?i)a|[Xx])"
_NODES = "(?:\\s?\\((?:i[+-]|mol[+-]|sn|m|[0-9]+/[0-9]+)\\))*"


def icdo3_topography(text: Text) -> Text:
    """An ICD-O-3 site with its dot: C50.9; a site without subsite stays C50. Anything else is NULL.

    >>> evaluate(icdo3_topography("C509")), evaluate(icdo3_topography(" c50.9 ")), evaluate(icdo3_topography("C50"))
    ('C50.9', 'C50.9', 'C50')
    """
    pattern = "^\\s*[Cc]\\s?([0-9]{2})(?:\\.?([0-9]))?\\s*$"
    site = f.concat("C", f.extract(text, pattern, 1))
    return f.coalesce(f.concat(site, ".", f.extract(text, pattern, 2)), site)


def icdo3_histology(text: Text) -> Text:
    """The four digits of an ICD-O-3 morphology, with or without its behaviour.

    >>> evaluate(icdo3_histology("M-8500/3")), evaluate(icdo3_histology("85003")), evaluate(icdo3_histology("8500"))
    ('8500', '8500', '8500')
    """
    return f.extract(text, "^\\s*(?:[Mm]-?)?([89][0-9]{3})(?:/?[01236])?\\s*$", 1)


def icdo3_behaviour(text: Text) -> Text:
    """The behaviour of an ICD-O-3 morphology, or a behaviour by itself: 0, 1, 2, 3 or 6; 9 and anything else is NULL.

    >>> evaluate(icdo3_behaviour("8500/3")), evaluate(icdo3_behaviour("3")), evaluate(icdo3_behaviour("8500"))
    ('3', '3', None)
    """
    return f.extract(text, "^\\s*(?:(?:[Mm]-?)?[89][0-9]{3}/?|/)?([01236])\\s*$", 1)


def icdo3_morphology(text: Text) -> Text:
    """An ICD-O-3 morphology with its slash: 8500/3. Anything else, also one without behaviour, is NULL.

    >>> evaluate(icdo3_morphology("85003")), evaluate(icdo3_morphology("M8500/3")), evaluate(icdo3_morphology("8500"))
    ('8500/3', '8500/3', None)
    """
    return f.when(_is_whole(text), f.concat(icdo3_histology(text), "/", icdo3_behaviour(text)), None)


def icdo3_code(morphology: Text, behaviour: Text, topography: Text) -> Text:
    """The code of OMOP's ICDO3 vocabulary, from what is known (the order of the EHDEN UK Biobank mapping).

    8500/3-C50.9; 8500/3-NULL without a site; behaviour 1 where it is unknown; NULL-C50.9 without a morphology; NULL
    if neither is known. The behaviour may be part of the morphology; its own field wins.

    >>> evaluate(icdo3_code("8500", "3", "C509")), evaluate(icdo3_code("8500/3", "", "")), evaluate(icdo3_code("", "3", "C50.9"))
    ('8500/3-C50.9', '8500/3-NULL', 'NULL-C50.9')
    """
    histology, site = icdo3_histology(morphology), icdo3_topography(topography)
    own = f.when(_is_whole(morphology), icdo3_behaviour(morphology), None)
    full = f.concat(histology, "/", f.coalesce(icdo3_behaviour(behaviour), own, "1"))
    nothing = f.both(f.is_null(full), f.is_null(site))
    return f.when(nothing, None, f.concat(f.coalesce(full, "NULL"), "-", f.coalesce(site, "NULL")))


def tnm_prefix(text: Text) -> Text:
    """The prefix of a TNM category: c, p, y, yc, yp, r, rc, rp, a; NULL if there is none.

    >>> evaluate(tnm_prefix("ypT2")), evaluate(tnm_prefix("T2"))
    ('yp', None)
    """
    return f.lower(f.extract(text, _tnm(_PREFIX, _CATEGORY), 1))


def tnm_category(text: Text, axis: str = "") -> Text:
    """A TNM category without prefix, in AJCC's spelling: T1c, Tis, N0, MX. Node details in parentheses are left out.

    `axis` ('T', 'N' or 'M') stands before a bare value such as '1c'. Anything else is NULL.

    >>> evaluate(tnm_category("pT1C")), evaluate(tnm_category("N0 (i+)")), evaluate(tnm_category("1c", axis="T"))
    ('T1c', 'N0', 'T1c')
    """
    whole = f.when(f.matches(text, "\\s*(?i:[0-4x]|is|a).*"), f.concat(axis, f.trim(text)), text) if axis else text
    pattern = _tnm(_PREFIX, _CATEGORY)
    value = f.lower(f.extract(whole, pattern, 3))
    return f.concat(f.upper(f.extract(whole, pattern, 2)), f.when(f.equal(value, "x"), "X", value))


def tnm_code(edition: Text, prefix: Text, category: Text) -> Text:
    """The code of a TNM category in OMOP's Cancer Modifier vocabulary: p-7th_AJCC/UICC-T2.

    Without an edition p-AJCC/UICC-T2, without a prefix 7th_AJCC/UICC-T2. A prefix of the category counts where
    `prefix` is empty. An edition is never guessed.

    >>> evaluate(tnm_code("7", "p", "T2")), evaluate(tnm_code("", "", "cN1a")), evaluate(tnm_code("8th", "", "MX"))
    ('p-7th_AJCC/UICC-T2', 'c-AJCC/UICC-N1a', '8th_AJCC/UICC-MX')
    """
    return _ajcc(edition, f.coalesce(_clean_prefix(prefix), tnm_prefix(category)), tnm_category(category))


def stage_group(text: Text) -> Text:
    """A stage group in arabic figures: 3A for IIIA, 'Stage IIIa' and '3a'; 0 and X stay. Anything else is NULL.

    >>> evaluate(stage_group("IIIA")), evaluate(stage_group("stage 2b")), evaluate(stage_group("IV"))
    ('3A', '2B', '4')
    """
    pattern = "^\\s*(?i:stage\\s*)?((?i)iv|i{1,3}|[0-4]|x|occ)\\s?((?i)(?:[a-e][1-3]?)?)\\s*$"
    figure = _arabic(f.extract(text, pattern, 1))
    return f.concat(figure, f.coalesce(f.upper(f.extract(text, pattern, 2)), ""))


def stage_code(edition: Text, prefix: Text, stage: Text) -> Text:
    """The code of a stage group in OMOP's Cancer Modifier vocabulary: c-7th_AJCC/UICC-Stage-3A.

    >>> evaluate(stage_code("7", "c", "IIIA")), evaluate(stage_code("6th", "", "2B"))
    ('c-7th_AJCC/UICC-Stage-3A', '6th_AJCC/UICC-Stage-2B')
    """
    return _ajcc(edition, _clean_prefix(prefix), f.concat("Stage-", stage_group(stage)))


def grade(text: Text) -> Text:
    """A grade of differentiation as a figure: 2 for 2, G2, II and 'Grade 2'; 9, X and anything else is NULL.

    >>> evaluate(grade("G2")), evaluate(grade("III")), evaluate(grade("9"))
    ('2', '3', None)
    """
    return _arabic(f.extract(text, "^\\s*(?i:grade\\s*|g\\s?)?((?i)iv|i{1,3}|[1-4])\\s*$", 1))


def _arabic(figure: Expression) -> Expression:
    figure = f.upper(figure)
    for roman, arabic in (("IV", "4"), ("III", "3"), ("II", "2"), ("I", "1")):
        figure = f.replace(figure, roman, arabic)
    return figure


def _tnm(prefix: str, category: str) -> str:
    return f"^\\s*{prefix}\\s?{category}{_NODES}\\s*$"


def _clean_prefix(text: Text) -> Expression:
    return f.lower(f.extract(text, "^\\s*((?i)yc|yp|rc|rp|c|p|y|r|a)\\s*$", 1))


def _is_whole(text: Text) -> Expression:
    return f.matches(text, "\\s*(?:[Mm]-?)?[89][0-9]{3}/?[01236]\\s*")


def _ajcc(edition: Text, prefix: Expression, category: Expression) -> Expression:
    number = f.extract(edition, "^\\s*0?([1-9])(?:th)?\\s*$", 1)
    before = f.concat(f.coalesce(f.concat(prefix, "-"), ""), f.coalesce(f.concat(number, "th_"), ""))
    return f.concat(before, "AJCC/UICC-", category)
