"""The closed list of expectations that a suite may name, with nothing imported.

Two kinds: Great Expectations' own (`sql` is None), and ours, each one SQL condition over a table's rows. What
would put a patient's value into a result (minimum, maximum, most common, distinct values) is refused.
"""

from __future__ import annotations

from collections.abc import Mapping

from oncoweave.quality.chronology import CHRONOLOGY
from oncoweave.quality.concepts import CONCEPTS
from oncoweave.quality.expectation import Definition
from oncoweave.quality.gx_catalogue import GREAT_EXPECTATIONS
from oncoweave.quality.links import REFERENCES, RELATIONSHIPS
from oncoweave.quality.tumours import TUMOURS

MODEL = Definition(
    "expect_columns_of_the_model",
    "The table has exactly the columns of the CDM, in its order and of its types.",
    mostly=False,
    where=False,
)
"""The one expectation of ours that judges the catalogue's columns and not the table's rows."""

CATALOGUE: Mapping[str, Definition] = {
    d.name: d for d in (*GREAT_EXPECTATIONS, MODEL, *REFERENCES, *RELATIONSHIPS, *CONCEPTS, *CHRONOLOGY, *TUMOURS)
}
