"""The tables of OMOP CDM 5.4, those that a mapping fills and the others: names, order, types and limits of their fields.

Source: OHDSI CommonDataModel, v5.4 field level specification. Ids are BIGINT, since they are 63-bit keyed
hashes (docs/decisions); `float` fields are DOUBLE; varchar(n) is a limit that the projection applies.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from types import MappingProxyType

CDM_VERSION = "5.4"
CDM_VERSION_CONCEPT = 756265  # OMOP CDM Version 5.4.0

_SQL_TYPES = {
    "id": "BIGINT",
    "concept": "INTEGER",
    "integer": "INTEGER",
    "number": "DOUBLE",
    "date": "DATE",
    "datetime": "TIMESTAMP",
    "text": "VARCHAR",
}


@dataclass(frozen=True)
class CdmField:
    """One field: its DuckDB type, whether it must be filled, and its length limit in characters."""

    name: str
    type: str
    required: bool
    limit: int | None = None


@dataclass(frozen=True)
class CdmTable:
    """One table, its fields in the order of the specification."""

    name: str
    fields: tuple[CdmField, ...]

    @property
    def key(self) -> tuple[str, ...]:
        """The fields that identify a row of a table that a mapping fills; its published file is sorted by them."""
        return _KEYS[self.name]

    def field(self, name: str) -> CdmField:
        """The field of that name."""
        return next(f for f in self.fields if f.name == name)


_KEYS: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "person": ("person_id",),
        "location": ("location_id",),
        "care_site": ("care_site_id",),
        "provider": ("provider_id",),
        "observation_period": ("person_id", "observation_period_id"),
        "condition_occurrence": ("person_id", "condition_occurrence_id"),
        "drug_exposure": ("person_id", "drug_exposure_id"),
        "visit_occurrence": ("person_id", "visit_occurrence_id"),
        "visit_detail": ("person_id", "visit_detail_id"),
        "procedure_occurrence": ("person_id", "procedure_occurrence_id"),
        "device_exposure": ("person_id", "device_exposure_id"),
        "measurement": ("person_id", "measurement_id"),
        "observation": ("person_id", "observation_id"),
        "note": ("person_id", "note_id"),
        "specimen": ("person_id", "specimen_id"),
        "fact_relationship": (
            "domain_concept_id_1",
            "fact_id_1",
            "domain_concept_id_2",
            "fact_id_2",
            "relationship_concept_id",
        ),
        "death": ("person_id",),
        "condition_era": ("person_id", "condition_era_id"),
        "drug_era": ("person_id", "drug_era_id"),
        "dose_era": ("person_id", "dose_era_id"),
        "episode": ("person_id", "episode_id"),
        "episode_event": ("episode_id", "event_id", "episode_event_field_concept_id"),
        "metadata": ("name", "metadata_id"),
        "cdm_source": ("cdm_source_name",),
    }
)


def _field(line: str) -> CdmField:
    name, _, rest = line.strip().partition(": ")
    kind, _, required = rest.partition(" ")
    if kind.startswith("varchar("):
        return CdmField(name, "VARCHAR", bool(required), int(kind[len("varchar(") : -1]))
    return CdmField(name, _SQL_TYPES[kind], bool(required))


@cache
def tables() -> Mapping[str, CdmTable]:
    """Every table that a mapping fills, by name."""
    return _read("cdm54.txt")


@cache
def other_tables() -> Mapping[str, CdmTable]:
    """The tables of the CDM that no mapping fills, by name: the vocabulary, costs and payers, NLP, cohorts."""
    return _read("other54.txt")


def _read(file: str) -> Mapping[str, CdmTable]:
    found: dict[str, list[CdmField]] = {}
    name = ""
    for line in files("oncoweave.omop").joinpath(file).read_text(encoding="utf-8").splitlines():
        if line.startswith("  "):
            found[name].append(_field(line))
        elif line:
            name = line.rstrip(":")
            found[name] = []
    return MappingProxyType({n: CdmTable(n, tuple(fields)) for n, fields in found.items()})
