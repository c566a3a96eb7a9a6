"""What a concept of a condition says of a cancer: primary or secondary, where, and of which morphology.

OMOP's concepts of ICD-O-3 hold morphology, behaviour and topography in one code (`8500/3-C50.9`), which FHIR has in three places.
Other concepts are told by their ancestors, where the vocabulary has them, else by their name.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Literal

from oncoweave.fhir.coding import ICDO3, SNOMED, Coding

MALIGNANT, SECONDARY = 443392, 432851
"""The concepts of SNOMED CT above all malignancies, and above the secondary ones: mCODE's value sets are what is below them."""

Role = Literal["primary", "secondary"]

SECONDARY_CANCER = Coding(SNOMED, "128462008", "Secondary malignant neoplastic disease")
_BEHAVIOUR_CODES: Mapping[str, Coding] = MappingProxyType(
    {
        "3": Coding(SNOMED, "363346000", "Malignant neoplastic disease"),
        "6": SECONDARY_CANCER,
    }
)
"""The code in mCODE's value sets beside the exact one of OMOP, by ICD-O-3's behaviour: site and morphology stand apart then."""
_CARCINOMA_IN_SITU = Coding(SNOMED, "109355002", "Carcinoma in situ")
_MELANOMA_IN_SITU = Coding(SNOMED, "189758001", "Melanoma in situ of skin")

_SITES = """
C50.9 76752008  Breast,_NOS        4162253 137809 4112853
C18.9 71854001  Colon,_NOS         197500 4180790
C20.9 34402009  Rectum,_NOS        74582 443390
C34.9 39607008  Lung,_NOS          258369 443388
C61.9 41216001  Prostate_gland     200962 4163261
C16.9 69695003  Stomach,_NOS       196044 443387
C25.9 15776009  Pancreas,_NOS      199754 4180793
C22.0 10200004  Liver              201519
C64.9 64033007  Kidney,_NOS        198985 196653
C67.9 89837001  Bladder,_NOS       196360 197508
C53.9 71252005  Cervix_uteri       196359 198984
C56.9 15497006  Ovary              200051 4181351
C73.9 69748006  Thyroid_gland      133424 4178976
"""
_ICDO3 = re.compile(r"(?:(\d{4})/(\d)|NULL)-(?:(C\d{2}(?:\.\d)?)|NULL)")
_PRIMARY_NAME = re.compile(
    r"malignan\w*(?: \w+)* (?:neoplas|tumou?r)|carcinoma|sarcoma\b|leuka?emia|lymphoma\b|myeloma|melanoma|mesothelioma|seminoma|glioma"
    r"|(?:neuro|retino|nephro|hepato|medullo|glio)blastoma",
    re.IGNORECASE,
)
_SECONDARY_NAME = re.compile(r"\bsecondary\b|metasta", re.IGNORECASE)
_NO_CANCER_NAME = re.compile(
    r"\b(history|suspected|suspicion|screening|risk|benign|no evidence|absence|fear)\b", re.IGNORECASE
)


@dataclass(frozen=True)
class ConceptOf:
    """A concept of a condition, with the concepts above it, if the vocabulary has them."""

    id: int
    name: str
    vocabulary: str
    code: str
    ancestors: frozenset[int] = frozenset()
    sites: tuple[Coding, ...] = ()


@dataclass(frozen=True)
class Cancer:
    """What a concept says of a cancer; `code` is the one in mCODE's value sets where the concept's own is not."""

    role: Role | None
    code: Coding | None = None
    sites: tuple[Coding, ...] = ()
    morphology: Coding | None = None


@dataclass(frozen=True)
class Site:
    """A site of the body as ICD-O-3 and SNOMED CT have it; the name is ICD-O-3's."""

    topography: str
    structure: str
    name: str

    @property
    def codings(self) -> tuple[Coding, ...]:
        """ICD-O-3's code first, which HL7 Europe recommends."""
        return Coding(ICDO3, self.topography, self.name), Coding(SNOMED, self.structure)


_METASTASES = """
C41.9 272673000 Bone,_NOS          36769301
C71.9 12738006  Brain,_NOS         36768862
C22.0 10200004  Liver              36770544
C34.9 39607008  Lung,_NOS          36770283
C44.9 39937001  Skin,_NOS          35225673
C42.1 14016003  Bone_marrow        35226074
C38.4 3120008   Pleura,_NOS        35226258
C48.2 15425007  Peritoneum,_NOS    35226253
C74.9 23451007  Adrenal_gland,_NOS 35225568
"""


def _sites(text: str) -> Mapping[int, Site]:
    rows = (line.split() for line in text.strip().splitlines())
    return MappingProxyType(
        {int(c): Site(topo, sct, name.replace("_", " ")) for topo, sct, name, *ids in rows for c in ids}
    )


SITES = _sites(_SITES)
"""The site of conditions that name one and no morphology."""
METASTASES = _sites(_METASTASES)
"""The site of metastases that OMOP's Cancer Modifier has a concept of."""


def cancer_of(concept: ConceptOf) -> Cancer:
    """What the concept says.

    >>> cancer_of(ConceptOf(44498348, "Infiltrating duct carcinoma, NOS, of breast, NOS", "ICDO3", "8500/3-C50.9")).sites[0].code
    'C50.9'
    >>> cancer_of(ConceptOf(4162253, "Primary malignant neoplasm of breast", "SNOMED", "372137005")).role
    'primary'
    """
    found = _ICDO3.fullmatch(concept.code) if concept.vocabulary == "ICDO3" else None
    if found:
        return _of_icdo3(found[1], found[2], found[3], concept.name)
    site = SITES.get(concept.id)
    return Cancer(_role(concept), sites=site.codings if site else concept.sites)


def _of_icdo3(histology: str | None, behaviour: str | None, topography: str | None, name: str) -> Cancer:
    role: Role | None = "primary" if behaviour in ("2", "3") else "secondary" if behaviour == "6" else None
    code = (
        _in_situ(int(histology or 0), topography or "") if behaviour == "2" else _BEHAVIOUR_CODES.get(behaviour or "")
    )
    histology_name, of, topography_name = name.partition(", of ")
    sites = (Coding(ICDO3, topography, topography_name[:1].upper() + topography_name[1:]),) if topography else ()
    text = histology_name if of else ""
    return Cancer(role, code, sites, Coding(ICDO3, f"{histology}/{behaviour}", text) if histology else None)


def _in_situ(histology: int, topography: str) -> Coding | None:
    if 8010 <= histology < 8590:
        return _CARCINOMA_IN_SITU
    return _MELANOMA_IN_SITU if 8720 <= histology < 8800 and topography.startswith("C44") else None


def _role(concept: ConceptOf) -> Role | None:
    if concept.ancestors:
        ancestors = concept.ancestors | {concept.id}
        return "secondary" if SECONDARY in ancestors else "primary" if MALIGNANT in ancestors else None
    if _NO_CANCER_NAME.search(concept.name):
        return None
    if _SECONDARY_NAME.search(concept.name) and _PRIMARY_NAME.search(concept.name):
        return "secondary"
    return "primary" if _PRIMARY_NAME.search(concept.name) else None


def known_sites() -> Iterable[Site]:
    """Every site that a concept is known to name."""
    return sorted({*SITES.values(), *METASTASES.values()}, key=lambda site: site.topography)
