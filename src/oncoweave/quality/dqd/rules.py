"""Which checks DQD has of a table and its fields, and what they compare with: rules by name and type, and fields.yaml.

Every rule is a function from a table to the checks' parts; `catalogue` puts them together. What is odd in OHDSI's
tables is kept, with a word on it, since sites compare their results with other sites'.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from functools import cache
from types import MappingProxyType

from oncoweave.omop.model import CdmField, CdmTable
from oncoweave.quality.dqd.check import NOTHING_TO_COMPARE, Bound, Parameters
from oncoweave.spec.yaml_tree import Value, mapping, read_package_file

DATES = ("DATE", "TIMESTAMP")
INTEGERS = ("BIGINT", "INTEGER")
VOCABULARY_DATES = ("valid_start_date", "valid_end_date")
TOMORROW = Bound("DATEADD(dd,1,GETDATE())", days_after=1)
NEXT_YEAR = Bound("YEAR(GETDATE())+1", years_after=1)

_KEYED = (
    "person", "provider", "care_site", "location", "visit_occurrence", "visit_detail", "episode",
    "concept_class", "concept", "vocabulary", "domain", "relationship",
)  # fmt: skip
_FOREIGN_KEY = re.compile(rf"(?:.+_)?({'|'.join(_KEYED)})_id(?:_[12])?")
_DURING_LIFE = (
    "condition_occurrence", "drug_exposure", "device_exposure", "procedure_occurrence", "visit_occurrence",
    "visit_detail", "episode", "observation_period",
)  # fmt: skip
_ERAS = ("condition_era", "drug_era", "dose_era")


@dataclass(frozen=True)
class Part:
    """One check of a field ("" for the table): its threshold where it is not that of its kind, and what it compares with."""

    name: str
    field: str = ""
    threshold: float | None = None
    parameters: Parameters = NOTHING_TO_COMPARE


def parts_of(table: CdmTable) -> Iterator[Part]:
    """Every check of the table and of its fields, in no order that matters."""
    yield from _of_the_table(table.name)
    for field in table.fields:
        for rule in _FIELD_RULES:
            yield from rule(table, field)
    yield from _listed(table.name)


def read_yaml(name: str) -> dict[str, Value]:
    """A file of this package; scalars are texts."""
    return read_package_file("oncoweave.quality.dqd", name)


def _of_the_table(table: str) -> Iterator[Part]:
    yield Part("cdmTable")
    for threshold, names in mapping(_facts()["measurePersonCompleteness"]).items():
        if table in str(names).split():
            yield Part("measurePersonCompleteness", threshold=float(threshold))
    if table == "condition_era":
        yield Part("measureConditionEraCompleteness")
    if table == "observation_period":
        yield Part("measureObservationPeriodOverlap")


def _presence(table: CdmTable, field: CdmField) -> Iterator[Part]:
    yield Part("cdmField", field.name)
    yield Part("measureValueCompleteness", field.name, 0 if field.required else None)
    if field.required:
        yield Part("isRequired", field.name)
    if field.type in INTEGERS and not _named("not_integers", table, field):
        yield Part("cdmDatatype", field.name)


def _keys(table: CdmTable, field: CdmField) -> Iterator[Part]:
    if _is_key(table, field):
        yield Part("isPrimaryKey", field.name)
    target = _foreign_key(table, field)
    if target:
        yield Part("isForeignKey", field.name, parameters=target)


def _foreign_key(table: CdmTable, field: CdmField) -> Parameters | None:
    """The table and field that the field points at by its name, with the domain and class of a concept."""
    if (table.name, field.name) == ("cohort_definition", "cohort_definition_id"):
        return Parameters(fk_table="cohort", fk_field="cohort_definition_id")  # this way round in OHDSI's table
    found = _FOREIGN_KEY.fullmatch(field.name)
    if not found or _is_key(table, field) or _named("not_foreign_keys", table, field):
        return None
    return Parameters(
        fk_table=found[1],
        fk_field=f"{found[1]}_id",
        fk_domain=_group("domains", table, field),
        fk_class=_group("classes", table, field),
    )


def _concepts(table: CdmTable, field: CdmField) -> Iterator[Part]:
    target = _foreign_key(table, field)
    if target and target.fk_domain:
        yield Part("fkDomain", field.name, parameters=target)
    if target and target.fk_class:
        yield Part("fkClass", field.name, parameters=target)


def _bounds(table: CdmTable, field: CdmField) -> Iterator[Part]:
    low, high = _number("low", table, field), _number("high", table, field)
    if field.type in DATES and not _is_unbounded(table, field):
        low, high = _first_day(table, field), TOMORROW
    if field.name == "year_of_birth" and low:
        high = NEXT_YEAR
    if low:
        yield Part("plausibleValueLow", field.name, parameters=Parameters(low=low))
    if high:
        yield Part("plausibleValueHigh", field.name, parameters=Parameters(high=high))


def _is_unbounded(table: CdmTable, field: CdmField) -> bool:
    if table.name in ("metadata", "cohort_definition"):
        return True
    return field.name in (*VOCABULARY_DATES, "nlp_date")


def _first_day(table: CdmTable, field: CdmField) -> Bound:
    year = 1850 if field.name == "birth_datetime" else 2000 if table.name == "cdm_source" else 1950
    return Bound(f"'{year}0101'", day=date(year, 1, 1))


def _lifetime(table: CdmTable, field: CdmField) -> Iterator[Part]:
    if field.type not in DATES or not _is_of_a_person(table):
        return
    yield Part("plausibleAfterBirth", field.name)
    if table.name != "death":
        yield Part("plausibleBeforeDeath", field.name)
    starts_era = table.name in _ERAS and field.name.endswith("start_date")
    if table.name in _DURING_LIFE or starts_era:
        yield Part("plausibleDuringLife", field.name)


def _order(table: CdmTable, field: CdmField) -> Iterator[Part]:
    """Start and end of one row; the deprecated check has dates that are after birth, too."""
    end = _end_of(table, field)
    exact = 0 if field.name in VOCABULARY_DATES or table.name == "cdm_source" else None
    if end:
        threshold = 0 if table.name == "observation_period" else exact
        yield Part("plausibleStartBeforeEnd", field.name, threshold, Parameters(end_field=end))
    after = _after(table, field)
    if after:
        yield Part("plausibleTemporalAfter", field.name, exact, after)


def _end_of(table: CdmTable, field: CdmField) -> str:
    """The field that ends what the field starts."""
    if table.name == "cdm_source" and field.name == "source_release_date":
        return field.name  # OHDSI's table compares the field with itself, so that the check cannot fail
    if table.name == "cohort" or field.type not in DATES:
        return ""
    end = (
        field.name.replace("_start_", "_end_") if "_start_" in field.name else field.name.replace("_date", "_end_date")
    )
    return end if end != field.name and any(f.name == end for f in table.fields) else ""


def _after(table: CdmTable, field: CdmField) -> Parameters | None:
    """What plausibleTemporalAfter has come first: the start of the row, else the person's birth."""
    if field.name == "cdm_release_date":
        return Parameters(after_table="cdm_source", after_field="source_release_date")
    if field.name == "verbatim_end_date":
        return Parameters(after_table="drug_exposure", after_field="drug_exposure_start_date")
    start = next((f.name for f in table.fields if _end_of(table, f) == field.name != f.name), "")
    if start and table.name != "dose_era":
        return Parameters(after_table=table.name, after_field=start)
    if field.type in DATES and _is_of_a_person(table) and field.name != "measurement_datetime":
        return Parameters(after_table="person", after_field="birth_datetime")
    return None


def _listed(table: str) -> Iterator[Part]:
    """The checks whose fields are listed."""
    for name in (
        "isStandardValidConcept", "standardConceptRecordCompleteness", "sourceConceptRecordCompleteness",
        "sourceValueCompleteness", "withinVisitDates",
    ):  # fmt: skip
        for threshold, by_table in mapping(_facts()[name]).items():
            for field in str(mapping(by_table).get(table, "")).split():
                standard = _standard_concept(table, field) if name == "sourceValueCompleteness" else ""
                yield Part(name, field, float(threshold), Parameters(standard_concept_field=standard))


def _standard_concept(table: str, field: str) -> str:
    if table == "death":
        return "cause_source_concept_id"  # OHDSI's table names the concept of the code here
    return field.replace("_source_value", "_concept_id")


def _is_key(table: CdmTable, field: CdmField) -> bool:
    return field.name == f"{table.name}_id" and table.name != "cohort_definition"


def _is_of_a_person(table: CdmTable) -> bool:
    return table.name != "person" and any(f.name == "person_id" for f in table.fields)


def _number(which: str, table: CdmTable, field: CdmField) -> Bound | None:
    text = mapping(mapping(_facts()[which]).get(table.name, {})).get(field.name)
    return Bound(str(text), number=float(str(text))) if text else None


def _named(which: str, table: CdmTable, field: CdmField) -> bool:
    return field.name in str(mapping(_facts()[which]).get(table.name, "")).split()


def _group(which: str, table: CdmTable, field: CdmField) -> str:
    groups = mapping(_facts()[which]).items()
    return next((name for name, fields in groups if field.name in str(mapping(fields).get(table.name, "")).split()), "")


@cache
def _facts() -> Mapping[str, Value]:
    return MappingProxyType(read_yaml("fields.yaml"))


_FIELD_RULES: tuple[Callable[[CdmTable, CdmField], Iterator[Part]], ...] = (
    _presence, _keys, _concepts, _bounds, _lifetime, _order,
)  # fmt: skip
