"""The profile sets by the name that a mapping gives them."""

from __future__ import annotations

from oncoweave.fhir.eu_cancer import EU_CANCER_SET
from oncoweave.fhir.mcode import MCODE_SET
from oncoweave.fhir.profile_sets import ProfileSet

_SETS = {"base": ProfileSet("base"), "mcode": MCODE_SET, "eu-cancer": EU_CANCER_SET}


def profile_set(name: str) -> ProfileSet:
    """The profile set that a mapping names."""
    return _SETS[name]
