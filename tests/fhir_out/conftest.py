"""The workshop of the map stage, for tests of the FHIR that it writes."""

from tests.map.conftest import vocabulary, workshop

__all__ = ["vocabulary", "workshop"]
