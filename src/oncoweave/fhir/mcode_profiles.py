"""What the profiles of mCODE have in common: their names, and what an event must have to claim them."""

from __future__ import annotations

from oncoweave.engine.parquet import literal
from oncoweave.fhir.coding import Coding
from oncoweave.fhir.profile_sets import Requirement
from oncoweave.fhir.template import Elements, Instead, Leaf, Tree, lookup

MCODE = "http://hl7.org/fhir/us/mcode/StructureDefinition/mcode-"
TERMINOLOGY = "http://terminology.hl7.org/CodeSystem"
NONE = Instead(Leaf("NULL"))
"""What takes away an element that every set has."""

PATIENT = Requirement("patient#told IS NOT NULL", "the patient has no cancer condition that mCODE knows")
CODED = Requirement("concept_id <> 0", "no standard concept")
TO_THE_DAY = Requirement(
    "start_precision = 'day'", "the date is not known to the day, which US Core asks for (us-core-1)"
)
OF_A_CANCER = Requirement("tumour#role IS NOT NULL", "it modifies no primary cancer condition")

VALUES = ("Quantity", "CodeableConcept", "String", "Integer", "Boolean", "Range", "Ratio", "DateTime")
NO_VALUE: Elements = {f"value{kind}": NONE for kind in VALUES}
"""An Observation without the value that every set gives it: here the code of OMOP is the value."""

RELATED: Elements = {
    "url": f"{MCODE}related-condition",
    "valueReference": {
        "reference": Leaf("""CASE WHEN tumour#role IS NOT NULL THEN '"Condition/' || modifies || '"' END""")
    },
}
"""The extension that ties a finding to the cancer that it modifies."""


def exactly(coding: Coding) -> Elements:
    """A CodeableConcept of the one code that a profile fixes, to the letter: its name is the text, since the profile has none."""
    return {"coding": [{"system": coding.system, "code": coding.code}], "text": coding.display}


def category(code: str) -> Tree:
    """Observation.category, of HL7's own codes and nothing else."""
    return Instead([{"coding": [{"system": f"{TERMINOLOGY}/observation-category", "code": code}]}])


def by_concept(codings: dict[int, Coding], column: str = "concept_id") -> Leaf:
    """The coding that belongs to a concept."""
    whens = " ".join(f"WHEN {number} THEN {literal(coding.json)}" for number, coding in sorted(codings.items()))
    return Leaf(f"CASE {column} {whens} END")


def listed(concepts: object) -> str:
    """SQL of a condition that the event's concept is one of these."""
    numbers = ", ".join(str(n) for n in sorted(concepts))  # type: ignore[call-overload]
    return f"concept_id IN ({numbers})"


CONCEPT = lookup("coding", "concept_id")
"""The coding of the event's concept."""
