"""Findings of tumours: from OMOP's concept, which names finding and result in one, to the code and the value of a profile.

The concepts are those of ../data/oncology and of OHDSI's oncology conventions; the codes are those of mCODE STU4's value sets.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from oncoweave.fhir.coding import LOINC, SNOMED, Coding

_LOW = Coding(SNOMED, "1155708003", "Low histologic grade (qualifier value)")
_INTERMEDIATE = Coding(SNOMED, "1286893008", "Intermediate histologic grade (qualifier value)")
_HIGH = Coding(SNOMED, "1155707008", "High histologic grade (qualifier value)")
GRADES: Mapping[int, Coding] = MappingProxyType(
    {
        1634371: _LOW,
        1634752: _INTERMEDIATE,
        1633749: _HIGH,
        1635792: _HIGH,
        1634085: _LOW,
        1635587: _HIGH,
        36769498: _LOW,
        36769950: _INTERMEDIATE,
        36770080: _HIGH,
    }
)
"""Grades 1 to 4, low, high, and FNCLCC's 1 to 3, in mCODE's three. Well, moderately, poorly and un-differentiated tumours are of low,
intermediate, high and high grade (US National Cancer Institute, Tumor Grade fact sheet); the concept's own code stands beside."""

_POSITIVE = Coding(SNOMED, "10828004", "Positive (qualifier value)")
_NEGATIVE = Coding(SNOMED, "260385009", "Negative (qualifier value)")
_OESTROGEN = Coding(LOINC, "16112-5", "Estrogen receptor [Interpretation] in Tissue")
_PROGESTERONE = Coding(LOINC, "16113-3", "Progesterone receptor [Interpretation] in Tissue")
_HER2 = Coding(LOINC, "48676-1", "HER2 [Interpretation] in Tissue")
RECEPTORS: Mapping[int, tuple[Coding, Coding]] = MappingProxyType(
    {
        4167696: (_OESTROGEN, _POSITIVE),
        4261933: (_OESTROGEN, _NEGATIVE),
        4219694: (_PROGESTERONE, _POSITIVE),
        4261934: (_PROGESTERONE, _NEGATIVE),
        44790895: (_HER2, _POSITIVE),
        44790896: (_HER2, _NEGATIVE),
    }
)
"""The findings of receptors: the test and its result."""

ECOG, KARNOFSKY = (
    Coding(LOINC, "89247-1", "ECOG Performance Status score"),
    Coding(LOINC, "89243-0", "Karnofsky Performance Status score"),
)
SCORES: Mapping[int, Coding] = MappingProxyType(
    {36305384: ECOG, 36303287: KARNOFSKY, 4169154: KARNOFSKY, 42538353: KARNOFSKY}
)
"""Concepts of a score that the value tells."""
GRADES_OF_ECOG: Mapping[int, int] = MappingProxyType(
    {4175026: 0, 4173614: 1, 4172043: 2, 4174241: 3, 4174251: 4, 4173456: 5}
)
"""Findings that name the score."""

_WORSE = Coding(SNOMED, "271299001", "Patient's condition worsened (finding)")
_STABLE = Coding(SNOMED, "359746009", "Patient's condition stable (finding)")
COURSES: Mapping[int, Coding] = MappingProxyType(
    {
        32946: Coding(SNOMED, "550991000124107", "Malignant neoplasm in full remission (disorder)"),
        32947: Coding(SNOMED, "551001000124108", "Malignant neoplasm in partial remission (disorder)"),
        32948: _STABLE,
        32949: _WORSE,
    }
)
"""How a disease went on, by the concept of its episode."""

SIDES: Mapping[int, Coding] = MappingProxyType(
    {
        36770232: Coding(SNOMED, "7771000", "Left (qualifier value)"),
        36770058: Coding(SNOMED, "24028007", "Right (qualifier value)"),
        36769853: Coding(SNOMED, "399488007", "Midline (qualifier value)"),
        36770109: Coding(SNOMED, "51440002", "Right and left (qualifier value)"),
    }
)
"""The side of a tumour, which OMOP has as a modifier of the condition."""

TUMOUR_SIZES = frozenset({3046581, 36768664, 4139794})
"""Concepts of the largest dimension of a tumour."""

SPECIMENS: Mapping[str, Coding] = MappingProxyType(
    {
        code: Coding("http://terminology.hl7.org/CodeSystem/v2-0487", letters, name)
        for code, letters, name in (
            ("119376003", "TISS", "Tissue"),
            ("119297000", "BLD", "Whole blood"),
            ("122552005", "BLDA", "Blood arterial"),
            ("122555007", "BLDV", "Blood venous"),
            ("119359002", "MAR", "Marrow"),
            ("122575003", "UR", "Urine"),
            ("119342007", "SAL", "Saliva"),
            ("119334006", "SPT", "Sputum"),
            ("258450006", "CSF", "Cerebral spinal fluid"),
            ("258435002", "TUMOR", "Tumor"),
        )
    }
)
"""HL7's kinds of specimens in mCODE's value set, by SNOMED CT's code."""

INTENTS: Mapping[int, Coding] = MappingProxyType(
    {
        4162591: Coding(SNOMED, "373808002", "Curative - procedure intent"),
        4179711: Coding(SNOMED, "363676003", "Palliative - procedure intent"),
    }
)
"""The intent of a treatment."""
