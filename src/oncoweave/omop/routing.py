"""Domain routing: the standard concept's domain decides the table of an event.

Source: OMOP CDM conventions. A domain without a table of its own goes to OBSERVATION; an unmapped code goes
by its source concept's domain, and when that is unknown too, by what the rule says the fact is.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

TABLE_OF_DOMAIN: Mapping[str, str] = MappingProxyType(
    {
        "Condition": "condition_occurrence",
        "Drug": "drug_exposure",
        "Procedure": "procedure_occurrence",
        "Measurement": "measurement",
        "Device": "device_exposure",
        "Specimen": "specimen",
    }
)
OTHERWISE = "observation"

WITHHELD = "[withheld: the text of this note stays at the site]"
"""What stands in place of a note's text that may not leave; the CDM requires some text."""

TABLE_OF_FACT: Mapping[str, str] = MappingProxyType(
    {
        "person": "person",
        "condition": "condition_occurrence",
        "measurement": "measurement",
        "observation": "observation",
        "procedure": "procedure_occurrence",
        "drug": "drug_exposure",
        "device": "device_exposure",
        "visit": "visit_occurrence",
        "visit_detail": "visit_detail",
        "death": "death",
        "episode": "episode",
        "observation_period": "observation_period",
        "note": "note",
        "specimen": "specimen",
        "location": "location",
        "care_site": "care_site",
        "provider": "provider",
        "relationship": "fact_relationship",
    }
)

ROUTED_FACTS = frozenset({"condition", "measurement", "observation", "procedure", "drug", "device", "specimen"})
"""The facts whose table the concept's domain decides; the others have a table of their own."""

HEALTH_SYSTEM_FACTS = frozenset({"location", "care_site", "provider"})
"""The facts that are of no person: places, sites and staff of the health system."""

UNSEEN_FACTS = frozenset({"person", "observation_period", "relationship"}) | HEALTH_SYSTEM_FACTS
"""The facts whose days, if any, tell of no contact with a person: a birth, a span, a tie, what is of nobody."""

FIELD_CONCEPT: Mapping[str, int] = MappingProxyType(
    {
        "condition_occurrence": 1147127,
        "procedure_occurrence": 1147082,
        "drug_exposure": 1147094,
        "device_exposure": 1147115,
        "visit_occurrence": 1147070,
        "visit_detail": 1147624,
        "measurement": 1147138,
        "observation": 1147165,
        "episode": 756290,
    }
)
"""The CDM field concept of each table's primary key, by which one event refers to another."""

DOMAIN_CONCEPT: Mapping[str, int] = MappingProxyType(
    {
        "condition_occurrence": 19,
        "drug_exposure": 13,
        "procedure_occurrence": 10,
        "device_exposure": 17,
        "measurement": 21,
        "observation": 27,
        "specimen": 36,
        "visit_occurrence": 8,
        "note": 5085,
        "episode": 32527,
    }
)
"""The domain concept of each table's rows, by which FACT_RELATIONSHIP says where a fact is (source: DOMAIN of Athena).
A visit's detail has none: the domain Visit is that of visits."""

RELATED_FACTS = ROUTED_FACTS | {"visit", "note", "episode"}
"""The facts that a relationship may be between."""


def table_of(domain: str) -> str:
    """The table that an event with a standard concept of this domain goes to."""
    return TABLE_OF_DOMAIN.get(domain, OTHERWISE)
