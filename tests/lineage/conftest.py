"""The workshop of the map tests, for tests of lineage."""

from __future__ import annotations

from tests.map.conftest import vocabulary, workshop

__all__ = ["vocabulary", "workshop"]
