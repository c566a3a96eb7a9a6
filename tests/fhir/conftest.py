"""What several tests of FHIR ask for: the cases of HL7's FHIR to OMOP guide, mapped."""

from __future__ import annotations

import pytest

from tests.fhir import guide_vocabulary
from tests.fhir.guide_cases import Guided, mapped


@pytest.fixture(scope="session")
def guided(tmp_path_factory: pytest.TempPathFactory) -> Guided:
    """All cases in one delivery, mapped."""
    download = guide_vocabulary.write(tmp_path_factory.mktemp("athena") / "download")
    return mapped(tmp_path_factory.mktemp("guide"), download, {})
