"""What one check of OHDSI's Data Quality Dashboard (DQD) is: where it looks, what it asks, and what it tolerates.

Names of tables and fields are in lower case, as in `omop.model`; where DQD writes them in capitals (descriptions,
dqd.json) they are made so there.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import Literal

from oncoweave.records import Severity

Level = Literal["TABLE", "FIELD", "CONCEPT"]
Context = Literal["Verification", "Validation"]
KahnCategory = Literal["Conformance", "Completeness", "Plausibility"]

NO_UNIT = -1
"""In `Parameters.units`: a measurement without a unit is plausible."""


@dataclass(frozen=True)
class Bound:
    """The lowest or highest plausible value: exactly one of number, day, and distance from today is set.

    Today is the day of the delivery, since a result must not depend on the clock. `days_after` is for a date,
    `years_after` for a year. `text` is the bound as DQD writes it.
    """

    text: str
    number: float | None = None
    day: date | None = None
    days_after: int | None = None
    years_after: int | None = None

    def __str__(self) -> str:
        """The bound in words, for people."""
        if self.days_after is not None:
            return (
                "the day after the delivery" if self.days_after == 1 else f"{self.days_after} days after the delivery"
            )
        if self.years_after is not None:
            return f"the year of the delivery + {self.years_after}"
        return self.text if self.day is None else self.day.isoformat()


@dataclass(frozen=True)
class Parameters:
    """What a check compares with; each check name uses the few that it needs, the others keep their default.

    isForeignKey, fkDomain, fkClass: `fk_table`, `fk_field`, `fk_domain`, `fk_class`. sourceValueCompleteness:
    `standard_concept_field`. plausibleValueLow and -High: `low`, `high`. plausibleTemporalAfter: `after_table`,
    `after_field`. plausibleStartBeforeEnd: `end_field`. plausibleGender and -UseDescendants: `gender`.
    plausibleUnitConceptIds: `units`, with NO_UNIT among them where no unit is plausible.
    """

    fk_table: str = ""
    fk_field: str = ""
    fk_domain: str = ""
    fk_class: str = ""
    standard_concept_field: str = ""
    low: Bound | None = None
    high: Bound | None = None
    after_table: str = ""
    after_field: str = ""
    end_field: str = ""
    gender: Literal["", "Male", "Female"] = ""
    units: tuple[int, ...] = ()


NOTHING_TO_COMPARE = Parameters()


@dataclass(frozen=True)
class DqdCheck:
    """One check. `threshold` is the percentage of failing rows that is tolerated, None where DQD has none (read as 0).

    `concepts` are the concepts that the check looks at (several only for plausibleGenderUseDescendants), in DQD's order.
    `deprecated` says that DQD has replaced the check but still has it in its tables.
    """

    level: Level
    name: str
    table: str
    field: str = ""
    concepts: tuple[int, ...] = ()
    concept_name: str = ""
    unit_concept_id: int | None = None
    parameters: Parameters = NOTHING_TO_COMPARE
    threshold: float | None = None
    notes: str = ""
    severity: Severity = "characterization"
    category: KahnCategory = "Plausibility"
    subcategory: str = ""
    context: Context = "Verification"
    description: str = ""
    deprecated: bool = False

    @property
    def id(self) -> str:
        """DQD's checkId: level, name, table, field, concepts and unit, joined by underscores, in lower case."""
        concepts = ",".join(map(str, self.concepts))
        unit = "" if self.unit_concept_id is None else str(self.unit_concept_id)
        return "_".join(filter(None, (self.level, self.name, self.table, self.field, concepts, unit))).lower()

    @property
    def mostly(self) -> float:
        """The share of rows that must not fail, as the suites write it."""
        return 1 - (self.threshold or 0) / 100
