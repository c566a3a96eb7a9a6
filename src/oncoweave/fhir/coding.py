"""Codings that profiles ask for: facts of their specifications, typed in."""

from __future__ import annotations

import json
from dataclasses import dataclass

SNOMED = "http://snomed.info/sct"
LOINC = "http://loinc.org"
NCIT = "http://ncicb.nci.nih.gov/xml/owl/EVS/Thesaurus.owl"
ICDO3 = "http://terminology.hl7.org/CodeSystem/icd-o-3"


@dataclass(frozen=True)
class Coding:
    """A code of a system; `display` is empty where the system has none that may be repeated."""

    system: str
    code: str
    display: str = ""

    @property
    def elements(self) -> dict[str, str]:
        """The members of the Coding in FHIR."""
        display = {"display": self.display} if self.display else {}
        return {"system": self.system, "code": self.code, **display}

    @property
    def json(self) -> str:
        """The Coding as FHIR's JSON."""
        return json.dumps(self.elements, ensure_ascii=False, separators=(",", ":"))
