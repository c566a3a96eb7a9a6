"""TNM categories and stage groups: from the concept and the source's text to the codes that mCODE's profiles allow.

OMOP spells them as a grammar (`c-8th_AJCC/UICC-T1a`). mCODE's maximum value sets hold SNOMED CT's categories of the AJCC
(which tell clinical from pathological) and the AJCC's own. What is said of edition and prefix by the concept or by the
source's text is taken, and nothing else: no edition is guessed from a year.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from types import MappingProxyType

from oncoweave.fhir.coding import NCIT, SNOMED, Coding

AJCC = "http://cancerstaging.org"
"""The AJCC's own categories, by the letters it gives them; for those that SNOMED CT has no code of."""

_CATEGORIES = """
cTX 1222604002  cT0 1228882005  cTa 1228883000  cTis 1228884006  cT1 1228889001  cT1mi 1228891009  cT1a 1228892002
cT1a1 1228893007  cT1a2 1228894001  cT1b 1228895000  cT1b1 1228896004  cT1b2 1228898003  cT1c 1228899006
cT1c1 1228900001  cT1c2 1228901002  cT1c3 1228902009  cT1d 1228928007  cT2 1228929004  cT2a 1228931008
cT2a1 1228932001  cT2a2 1228933006  cT2b 1228934000  cT2c 1228936003  cT2d 1228937007  cT3 1228938002  cT3a 1228939005
cT3b 1228940007  cT3c 1228941006  cT3d 1228942004  cT3e 1228943009  cT4 1228944003  cT4a 1228945002  cT4b 1228946001
cT4c 1228947005  cT4d 1228948000  cT4e 1228949008
pTX 1228950008  pT0 1228951007  pTa 1228952000  pTis 1228953005  pT1 1228957006  pT1mi 1228958001  pT1a 1228959009
pT1a1 1228960004  pT1a2 1228961000  pT1b 1228962007  pT1b1 1229844006  pT1b2 1229845007  pT1b3 1285095005
pT1c 1229846008  pT1c1 1229848009  pT1c2 1229849001  pT1c3 1229850001  pT1d 1229851002  pT2 1229852009  pT2a 1229853004
pT2a1 1229854005  pT2a2 1229855006  pT2b 1229856007  pT2c 1229857003  pT2d 1229858008  pT3 1229859000  pT3a 1229860005
pT3b 1229861009  pT3c 1229862002  pT3d 1229863007  pT4 1229864001  pT4a 1229865000  pT4b 1229866004  pT4c 1229867008
pT4d 1229868003  pT4e 1229869006
cNX 1229966003  cN0 1229967007  cN0a 1229968002  cN0b 1229969005  cN0(i+) 1229971005  cN1 1229973008  cN1mi 1229974002
cN1a 1229975001  cN1b 1229976000  cN1c 1229977009  cN2 1229978004  cN2mi 1229980005  cN2a 1229981009  cN2b 1229982002
cN2c 1229983007  cN3 1229984001  cN3a 1229985000  cN3b 1229986004  cN3c 1229987008
pNX 1229945006  pN0 1229947003  pN0a 1229948008  pN0(i+) 1229949000  pN0(mol+) 1229950000  pN1 1229951001
pN1mi 1229952008  pN1a(sn) 1229953003  pN1a 1229954009  pN1b 1229955005  pN1c 1229956006  pN2 1229957002
pN2mi 1229958007  pN2a 1229959004  pN2b 1229960009  pN2c 1229961008  pN3 1229962001  pN3a 1229963006  pN3b 1229964000
pN3c 1229965004
cM0 1229901006  cM0(i+) 1229902004  cM1 1229903009  cM1a 1229904003  cM1a(0) 1229905002  cM1a(1) 1229906001
cM1b 1229907005  cM1b(0) 1229908000  cM1b(1) 1229909008  cM1c 1229910003  cM1c(0) 1229911004  cM1c(1) 1229912006
cM1d 1229913001  cM1d(0) 1229914007  cM1d(1) 1229915008
pM1 1229916009  pM1a 1229917000  pM1a(0) 1229918005  pM1a(1) 1229919002  pM1b 1229920008  pM1b(0) 1229921007
pM1b(1) 1229922000  pM1c 1229923005  pM1c(0) 1229924004  pM1c(1) 1229925003  pM1d 1229926002  pM1d(0) 1229927006
pM1d(1) 1229928001
"""
_GROUPS = """
0 1222605001  0a 1222721004  0is 1222722006  I 1222723001  IA 1222724007  IA1 1222725008  IA2 1222726009  IA3 1222727000
IB 1222728005  IB1 1222729002  IB2 1222730007  IC 1222731006  IE 1222732004  IS 1222733009  II 1222765007  IIA 1222766008
IIA1 1222767004  IIA2 1222768009  IIB 1222769001  IIC 1222770000  IIE 1222771001  III 1222801008  IIIA 1222802001
IIIA1 1222803006  IIIA2 1222804000  IIIB 1222805004  IIIC 1222806003  IIIC1 1222807007  IIIC2 1222809005  IIID 1222811001
IV 1222837003  IVA 1222838008  IVB 1222841004  IVC 1222842006
"""


def _pairs(text: str) -> Mapping[str, str]:
    words = text.split()
    return MappingProxyType(dict(zip(words[::2], words[1::2], strict=True)))


CATEGORIES, GROUPS = _pairs(_CATEGORIES), _pairs(_GROUPS)
"""SNOMED CT's code of each category and stage group of the AJCC."""

_TYPES: Mapping[tuple[str, str], Coding] = MappingProxyType(
    {
        ("T", ""): Coding(SNOMED, "78873005", "T category"),
        ("T", "c"): Coding(SNOMED, "399504009", "cT category"),
        ("T", "p"): Coding(SNOMED, "384625004", "pT category"),
        ("N", ""): Coding(SNOMED, "277206009", "N category"),
        ("N", "c"): Coding(SNOMED, "399534004", "cN category"),
        ("N", "p"): Coding(SNOMED, "371494008", "pN category"),
        ("M", ""): Coding(SNOMED, "277208005", "M category"),
        ("M", "c"): Coding(SNOMED, "399387003", "cM category"),
        ("M", "p"): Coding(SNOMED, "371497001", "pM category"),
        ("S", ""): Coding(SNOMED, "399390009", "TNM stage grouping"),
        ("S", "c"): Coding(SNOMED, "399537006", "Clinical TNM stage grouping"),
        ("S", "p"): Coding(SNOMED, "399588009", "Pathologic TNM stage grouping"),
    }
)
_EDITION = (
    "American Joint Commission on Cancer, Cancer Staging Manual, {}th edition neoplasm staging system (tumor staging)"
)
METHODS: Mapping[str, Coding] = MappingProxyType(
    {
        "6": Coding(SNOMED, "444256004", _EDITION.format(6)),
        "7": Coding(SNOMED, "443830009", _EDITION.format(7)),
        "8": Coding(SNOMED, "897275008", _EDITION.format(8)),
        "UICC": Coding(NCIT, "C188404", "Union for International Cancer Control Stage"),
    }
)
"""How a stage was found, by the edition of the AJCC's manual; without an edition the UICC's system."""

_CONCEPT = re.compile(r"(?:([a-z]{1,3})-)?(?:(\d)th_)?AJCC/UICC-(?:(T|N|M)|Stage-)(.+)")
_NAMED_EDITION = re.compile(r"\bAJCC(?:/UICC)?[\s_-]*(\d)(?:th)?\b", re.IGNORECASE)
_NAMED_UICC = re.compile(r"\bUICC\b", re.IGNORECASE)
_NAMED_PREFIX = re.compile(r"(?:^|[^A-Za-z])([yr]?[cp])(?:[TNM][0-4Xxia]|\s*[Ss]tage\b)")
_LETTERS = re.compile(r"T(X|is|a|[0-4]([a-e][1-3]?|mi)?)|N(X|[0-3]([a-c]|mi)?)|M(X|[01][a-e]?)")
_ROMAN = {"0": "0", "1": "I", "2": "II", "3": "III", "4": "IV"}


@dataclass(frozen=True)
class Stage:
    """A T, N or M category or a stage group (`axis` S): what it is, its codes, and how it was found, where that is known."""

    axis: str
    prefix: str
    category: str
    edition: str

    @property
    def code(self) -> Coding:
        """What was staged: clinical, pathological, or not told which."""
        return _TYPES[self.axis, self.prefix if self.prefix in ("c", "p") else ""]

    @property
    def value(self) -> Coding | None:
        """The category as the maximum value sets of mCODE have it; None where neither SNOMED CT nor the AJCC has it."""
        if self.axis == "S":
            code, name = GROUPS.get(self.category), f"stage {self.category}"
            return _ajcc(code, name) if code else None
        name = self.prefix + self.category
        if code := CATEGORIES.get(name):
            return _ajcc(code, name)
        known = _LETTERS.fullmatch(self.category) and name not in _NOT_OF_THE_AJCC
        return Coding(AJCC, name, "") if known else None

    @property
    def method(self) -> Coding | None:
        """The staging system; None where neither the concept nor the source's text names it."""
        return METHODS.get(self.edition)


_NOT_OF_THE_AJCC = frozenset({"pM0", "pMX"})
"""Categories that the AJCC does not have: without metastasis in the tissue, the clinical category stands."""


def _ajcc(code: str, name: str) -> Coding:
    return Coding(SNOMED, code, f"American Joint Committee on Cancer {name} (qualifier value)")


@cache
def stage_of(concept_code: str, source_value: str) -> Stage | None:
    """What a concept of OMOP's Cancer Modifier says of a stage, with the prefix and the edition that the source's text adds.

    >>> stage_of("c-8th_AJCC/UICC-T1a", "").value.display
    'American Joint Committee on Cancer cT1a (qualifier value)'
    >>> stage_of("AJCC/UICC-Stage-3A", "AJCC 6th IIIA").category
    'IIIA'
    >>> stage_of("AJCC/UICC-T2", "AJCC 6th T2").method.code
    '444256004'
    """
    found = _CONCEPT.fullmatch(concept_code)
    if not found:
        return None
    prefix, edition, axis, category = found.groups()
    if axis is None and category[0] in _ROMAN:
        category = _ROMAN[category[0]] + category[1:]
    said = _NAMED_PREFIX.search(source_value)
    return Stage(
        axis or "S",
        prefix or (said[1] if said else ""),
        (axis or "") + category,
        edition or _named_edition(source_value),
    )


def _named_edition(source_value: str) -> str:
    if found := _NAMED_EDITION.search(source_value):
        return found[1] if found[1] in METHODS else ""
    return "UICC" if _NAMED_UICC.search(source_value) else ""
