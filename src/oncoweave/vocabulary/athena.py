"""The tables of an Athena download: their columns, what makes a row unique, and how a bundle sorts them.

Source: the vocabulary tables of OMOP CDM v5.4 (and v5.3, whose are the same).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType


@dataclass(frozen=True)
class AthenaTable:
    """One table: `columns` with their types, `key` that no two rows share (none: rows may repeat), `order` of a bundle.

    `required` says whether a download must have it; a folder of Parquet may do with the `core`.
    """

    name: str
    columns: Mapping[str, str]
    key: tuple[str, ...]
    order: tuple[str, ...]
    required: bool = True
    core: bool = True

    @property
    def sorted_by_key(self) -> bool:
        """Whether rows with the same key stand side by side in a bundle."""
        return self.order[: len(self.key)] == self.key


_ID, _TEXT, _NUMBER, _DATE = "INTEGER", "VARCHAR", "DOUBLE", "DATE"
_VALIDITY = {"valid_start_date": _DATE, "valid_end_date": _DATE, "invalid_reason": _TEXT}
_CONCEPT = {
    "concept_id": _ID, "concept_name": _TEXT, "domain_id": _TEXT, "vocabulary_id": _TEXT, "concept_class_id": _TEXT,
    "standard_concept": _TEXT, "concept_code": _TEXT, **_VALIDITY,
}  # fmt: skip
_STRENGTH = {
    "drug_concept_id": _ID, "ingredient_concept_id": _ID, "amount_value": _NUMBER, "amount_unit_concept_id": _ID,
    "numerator_value": _NUMBER, "numerator_unit_concept_id": _ID, "denominator_value": _NUMBER,
    "denominator_unit_concept_id": _ID, "box_size": _ID, **_VALIDITY,
}  # fmt: skip


def _table(
    name: str,
    columns: Mapping[str, str],
    key: tuple[str, ...],
    order: tuple[str, ...] | None = None,
    *,
    required: bool = True,
    core: bool = True,
) -> AthenaTable:
    return AthenaTable(name, MappingProxyType(dict(columns)), key, order or key, required, core)


def _named(name: str) -> AthenaTable:
    """A small table of names: `<name>_id`, `<name>_name`, `<name>_concept_id`."""
    low = name.lower()
    return _table(name, {f"{low}_id": _TEXT, f"{low}_name": _TEXT, f"{low}_concept_id": _ID}, (f"{low}_id",))


_BY_CODE = ("vocabulary_id", "concept_code", "concept_id")

TABLES = (
    _table(
        "VOCABULARY",
        {"vocabulary_id": _TEXT, "vocabulary_name": _TEXT, "vocabulary_reference": _TEXT, "vocabulary_version": _TEXT,
         "vocabulary_concept_id": _ID},
        ("vocabulary_id",),
    ),
    _named("DOMAIN"),
    _named("CONCEPT_CLASS"),
    _table(
        "RELATIONSHIP",
        {"relationship_id": _TEXT, "relationship_name": _TEXT, "is_hierarchical": _TEXT, "defines_ancestry": _TEXT,
         "reverse_relationship_id": _TEXT, "relationship_concept_id": _ID},
        ("relationship_id",),
    ),
    _table("CONCEPT", _CONCEPT, ("concept_id",), _BY_CODE),
    _table("CONCEPT_CPT4", _CONCEPT, ("concept_id",), _BY_CODE, required=False, core=False),
    _table(
        "CONCEPT_RELATIONSHIP",
        {"concept_id_1": _ID, "concept_id_2": _ID, "relationship_id": _TEXT, **_VALIDITY},
        ("relationship_id", "concept_id_1", "concept_id_2"),
    ),
    _table(
        "CONCEPT_ANCESTOR",
        {"ancestor_concept_id": _ID, "descendant_concept_id": _ID, "min_levels_of_separation": _ID,
         "max_levels_of_separation": _ID},
        ("ancestor_concept_id", "descendant_concept_id"),
    ),
    _table(
        "CONCEPT_SYNONYM",
        {"concept_id": _ID, "concept_synonym_name": _TEXT, "language_concept_id": _ID},
        (),
        ("concept_id", "concept_synonym_name", "language_concept_id"),
        core=False,
    ),
    _table("DRUG_STRENGTH", _STRENGTH, (), tuple(_STRENGTH), core=False),
    _table(
        "SOURCE_TO_CONCEPT_MAP",
        {"source_code": _TEXT, "source_concept_id": _ID, "source_vocabulary_id": _TEXT, "source_code_description": _TEXT,
         "target_concept_id": _ID, "target_vocabulary_id": _TEXT, **_VALIDITY},
        ("source_vocabulary_id", "source_code", "target_concept_id", "valid_end_date"),
        required=False, core=False,
    ),
)  # fmt: skip
"""In the order in which they are loaded: what names the release first, the large ones last."""
