"""What each kind of check counts, as SQL of one check alone: which rows it judges and which of them fail.

Source: OHDSI's DataQualityDashboard (inst/sql/sql_server); written anew from what its queries define. One thing differs:
DQD joins, and so counts a row twice of a person who is in PERSON or DEATH twice; here it is counted once, and fails if
any of the two makes it fail.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType

from oncoweave.engine.parquet import literal
from oncoweave.quality.dqd.check import Bound, DqdCheck

DAYS_AFTER_DEATH = 60
DAYS_AROUND_VISIT = 7
MALE, FEMALE = 8507, 8532
TODAY = "(SELECT delivery FROM check_delivery)"
"""DQD compares with the day on which it runs; a result of ours must not depend on it."""

BIRTH = (
    "coalesce(CAST(p.birth_datetime AS DATE), try_cast(p.year_of_birth || '-' || coalesce(p.month_of_birth, 1) "
    "|| '-' || coalesce(p.day_of_birth, 1) AS DATE))"
)
"""The first day on which the person `p` can have been born."""
MIDDLE_OF_BIRTH_YEAR = "coalesce(CAST(p.birth_datetime AS DATE), try_cast(p.year_of_birth || '-06-01' AS DATE))"
"""What plausibleTemporalAfter takes for the day of birth where it is not known."""
BIRTH_FIELDS = ("birth_datetime", "year_of_birth", "month_of_birth", "day_of_birth")

_CODED = (
    "unit", "admitted_from", "discharged_to", "condition_status", "route", "modifier", "qualifier", "cause",
    "anatomic_site", "disease_status", "country", "place_of_service", "specialty", "payer", "plan", "sponsor",
    "stop_reason",
)  # fmt: skip
"""Fields that may be empty, but not where their source value is filled."""


@dataclass(frozen=True)
class Form:
    """The rows `r` that are judged, and when one fails; NULL fails nothing.

    `rows` is a query, or "" for the rows of the table; `key_of` is the table whose key names a row. `needs` are the fields
    (as table, field) without which the check cannot run, beside its own.
    """

    failing: str
    judged: str = ""
    rows: str = ""
    key_of: str = ""
    needs: tuple[tuple[str, str], ...] = ()


def form(check: DqdCheck, today: str = TODAY) -> Form:
    """What the check counts; `today` is the SQL of the day that bounds are relative to.

    Not for cdmTable and cdmField, which judge no rows.
    """
    return _FORMS[check.name](check, today)


def named(name: str) -> str:
    """The name of a table or field of the CDM as SQL, quoted only where it must be, for people read these queries."""
    return f'"{name}"' if name in _RESERVED else name


_RESERVED = ("offset",)


def field(check: DqdCheck) -> str:
    """The field of the check in the row `r`."""
    return f"r.{named(check.field)}"


def day(sql: str) -> str:
    """A date or time as a day."""
    return f"CAST({sql} AS DATE)"


def coded_from(check: DqdCheck) -> str | None:
    """The field of the source value from which the concept of the check is made, where that makes it required."""
    stem = check.field.removesuffix("_concept_id").removesuffix("_source")
    known = stem in _CODED or (check.table, stem) == ("provider", "gender")
    return f"{stem}_source_value" if known and check.table != "dose_era" else None


def bound(limit: Bound, today: str) -> str:
    """The lowest or highest plausible value as SQL."""
    if limit.day is not None:
        return f"DATE '{limit.day.isoformat()}'"
    if limit.days_after is not None:
        return f"{today} + {limit.days_after}"
    if limit.years_after is not None:
        return f"year({today}) + {limit.years_after}"
    assert limit.number is not None, limit
    return str(int(limit.number)) if limit.number == int(limit.number) else repr(limit.number)


def plausible_gender(check: DqdCheck) -> int:
    """The concept of the gender that a person must have."""
    return MALE if check.parameters.gender == "Male" else FEMALE


def listed(numbers: tuple[int, ...]) -> str:
    """Concepts as an SQL list."""
    return f"({', '.join(map(str, numbers))})"


def _persons(check: DqdCheck, _today: str) -> Form:
    there = f"SELECT 1 FROM {named(check.table)} AS t WHERE t.person_id = r.person_id"
    needs = (("person", "person_id"), (check.table, "person_id"))
    return Form(f"NOT EXISTS ({there})", rows="SELECT * FROM person", key_of="person", needs=needs)


def _condition_eras(check: DqdCheck, _today: str) -> Form:
    rows = (
        "SELECT DISTINCT person_id FROM condition_occurrence WHERE condition_concept_id <> 0 AND person_id IS NOT NULL"
    )
    there = f"SELECT 1 FROM {named(check.table)} AS t WHERE t.person_id = r.person_id"
    needs = tuple(("condition_occurrence", name) for name in ("person_id", "condition_concept_id"))
    return Form(f"NOT EXISTS ({there})", rows=rows, key_of="person", needs=(*needs, (check.table, "person_id")))


def _periods(check: DqdCheck, _today: str) -> Form:
    """Pairs are sought among the persons who have several periods."""
    several = "SELECT person_id FROM observation_period GROUP BY person_id HAVING count(*) > 1"
    start, end = "observation_period_start_date", "observation_period_end_date"
    pairs = (
        "SELECT a.person_id FROM observation_period AS a JOIN observation_period AS b ON a.person_id = b.person_id "
        "AND a.observation_period_id <> b.observation_period_id "
        f"WHERE a.person_id IN ({several}) AND ((a.{start} <= b.{end} AND b.{start} <= a.{end}) "
        f"OR a.{end} + 1 = b.{start} OR b.{end} + 1 = a.{start})"
    )
    rows = "SELECT DISTINCT person_id FROM observation_period WHERE person_id IS NOT NULL"
    needs = tuple((check.table, name) for name in ("person_id", "observation_period_id", start, end))
    return Form(f"r.person_id IN ({pairs})", rows=rows, key_of="person", needs=needs)


def _empty(check: DqdCheck, _today: str) -> Form:
    return Form(f"{field(check)} IS NULL")


def _datatype(check: DqdCheck, _today: str) -> Form:
    """A filled value that is no whole number."""
    return Form(f"NOT regexp_full_match(CAST({field(check)} AS VARCHAR), '[+-]?[0-9]+([.]0*)?')")


def _key(check: DqdCheck, _today: str) -> Form:
    key, table = named(check.field), named(check.table)
    return Form(f"{field(check)} IN (SELECT {key} FROM {table} GROUP BY {key} HAVING count(*) > 1)")


def _foreign_key(check: DqdCheck, _today: str) -> Form:
    table, key = check.parameters.fk_table, check.parameters.fk_field
    keys = f"SELECT {named(key)} FROM {named(table)} WHERE {named(key)} IS NOT NULL"
    return Form(f"{field(check)} IS NOT NULL AND {field(check)} NOT IN ({keys})", needs=((table, key),))


def _concept(check: DqdCheck, wrong: str, judged: str = "", needs: tuple[str, ...] = ()) -> Form:
    """Concepts that are known, other than 0, and of which `wrong` holds."""
    found = f"SELECT concept_id FROM concept WHERE concept_id <> 0 AND {wrong}"
    return Form(f"{field(check)} IN ({found})", judged, needs=tuple(("concept", n) for n in ("concept_id", *needs)))


def _domain(check: DqdCheck, _today: str) -> Form:
    return _concept(check, f"domain_id <> {literal(check.parameters.fk_domain)}", needs=("domain_id",))


def _class(check: DqdCheck, _today: str) -> Form:
    return _concept(check, f"concept_class_id <> {literal(check.parameters.fk_class)}", needs=("concept_class_id",))


NOT_STANDARD = "(standard_concept IS DISTINCT FROM 'S' OR coalesce(CAST(invalid_reason AS VARCHAR), '') <> '')"
"""A concept that is not standard, or not valid."""


def _standard(check: DqdCheck, _today: str) -> Form:
    judged = f"{field(check)} IS NOT NULL"
    return _concept(check, NOT_STANDARD, judged, ("standard_concept", "invalid_reason"))


def _mapped(check: DqdCheck, _today: str) -> Form:
    concept, source = field(check), coded_from(check)
    if source is None:
        return Form(f"{concept} = 0", f"{concept} IS NOT NULL")
    filled = f"r.{named(source)} IS NOT NULL"
    return Form(
        f"{concept} = 0 OR ({concept} IS NULL AND {filled})",
        f"{concept} IS NOT NULL OR {filled}",
        needs=((check.table, source),),
    )


def _source_values(check: DqdCheck, _today: str) -> Form:
    """Different values are judged, not rows; being empty is one of them."""
    value, standard = named(check.field), named(check.parameters.standard_concept_field)
    rows = f"SELECT {value}, bool_or({standard} = 0) AS unmapped FROM {named(check.table)} GROUP BY {value}"
    return Form("r.unmapped", rows=rows, needs=((check.table, check.parameters.standard_concept_field),))


def _low(check: DqdCheck, today: str) -> Form:
    assert check.parameters.low is not None, check
    return _beyond(check, "<", check.parameters.low, today)


def _high(check: DqdCheck, today: str) -> Form:
    assert check.parameters.high is not None, check
    return _beyond(check, ">", check.parameters.high, today)


def _beyond(check: DqdCheck, sign: str, limit: Bound, today: str) -> Form:
    of_days = limit.day is not None or limit.days_after is not None
    value = day(field(check)) if of_days else field(check)
    return Form(f"{value} {sign} {bound(limit, today)}", f"{field(check)} IS NOT NULL")


def _temporal_after(check: DqdCheck, _today: str) -> Form:
    """Rows are judged whether the field is filled or not, as DQD does."""
    table, after = check.parameters.after_table, check.parameters.after_field
    if table != "person":
        return Form(f"{day(f'r.{named(after)}')} > {day(field(check))}", needs=((check.table, after),))
    later = (
        f"SELECT 1 FROM person AS p WHERE p.person_id = r.person_id AND {MIDDLE_OF_BIRTH_YEAR} > {day(field(check))}"
    )
    return Form(f"EXISTS ({later})", needs=_of_person(check, "birth_datetime", "year_of_birth"))


def _after_birth(check: DqdCheck, _today: str) -> Form:
    later = f"SELECT 1 FROM person AS p WHERE p.person_id = r.person_id AND {BIRTH} > {day(field(check))}"
    return Form(f"EXISTS ({later})", f"{field(check)} IS NOT NULL", needs=_of_person(check, *BIRTH_FIELDS))


def _of_person(check: DqdCheck, *fields: str) -> tuple[tuple[str, str], ...]:
    return ((check.table, "person_id"), *(("person", name) for name in ("person_id", *fields)))


_DEATH = "SELECT 1 FROM death AS d WHERE d.person_id = r.person_id"


def _during_life(check: DqdCheck, _today: str) -> Form:
    """Rows of persons who died are judged, whether the field is filled or not."""
    late = f"{_DEATH} AND {day(field(check))} > {day('d.death_date')} + {DAYS_AFTER_DEATH}"
    return Form(f"EXISTS ({late})", f"EXISTS ({_DEATH})", needs=_of_death(check))


def _before_death(check: DqdCheck, today: str) -> Form:
    during = _during_life(check, today)
    return Form(during.failing, f"{field(check)} IS NOT NULL AND {during.judged}", needs=during.needs)


def _of_death(check: DqdCheck) -> tuple[tuple[str, str], ...]:
    return ((check.table, "person_id"), ("death", "person_id"), ("death", "death_date"))


def _within_visit(check: DqdCheck, _today: str) -> Form:
    visit = "SELECT 1 FROM visit_occurrence AS v WHERE v.visit_occurrence_id = r.visit_occurrence_id"
    outside = (
        f"{visit} AND ({day(field(check))} < {day('v.visit_start_date')} - {DAYS_AROUND_VISIT} "
        f"OR {day(field(check))} > {day('v.visit_end_date')} + {DAYS_AROUND_VISIT})"
    )
    of_visit = ("visit_occurrence_id", "visit_start_date", "visit_end_date")
    needs = ((check.table, "visit_occurrence_id"), *(("visit_occurrence", name) for name in of_visit))
    return Form(f"EXISTS ({outside})", f"EXISTS ({visit})", needs=needs)


def _start_before_end(check: DqdCheck, _today: str) -> Form:
    end = f"r.{named(check.parameters.end_field)}"
    return Form(
        f"{day(field(check))} > {day(end)}",
        f"{field(check)} IS NOT NULL AND {end} IS NOT NULL",
        needs=((check.table, check.parameters.end_field),),
    )


def _gender(check: DqdCheck, _today: str) -> Form:
    """A person of unknown gender is one of another gender; a row without a person fails nothing."""
    another = f"p.gender_concept_id <> {plausible_gender(check)}"
    other = f"EXISTS (SELECT 1 FROM person AS p WHERE p.person_id = r.person_id AND {another})"
    return Form(other, f"{field(check)} IN {listed(check.concepts)}", needs=_of_person(check, "gender_concept_id"))


def _gender_of_descendants(check: DqdCheck, today: str) -> Form:
    """As in DQD, a row counts for each of the listed concepts that its concept is below."""
    rows = (
        f"SELECT t.* FROM {named(check.table)} AS t JOIN concept_ancestor AS a "
        f"ON a.descendant_concept_id = t.{named(check.field)} WHERE a.ancestor_concept_id IN {listed(check.concepts)}"
    )
    ancestry = tuple(("concept_ancestor", name) for name in ("ancestor_concept_id", "descendant_concept_id"))
    gender = _gender(check, today)
    return Form(gender.failing, rows=rows, needs=(*gender.needs, *ancestry))


def _units(check: DqdCheck, _today: str) -> Form:
    """Unit 0 is another check's; a measurement without a unit is judged and passes."""
    plausible = listed((*check.parameters.units, 0))
    return Form(
        f"r.unit_concept_id NOT IN {plausible}",
        f"{field(check)} IN {listed(check.concepts)} AND r.unit_concept_id IS DISTINCT FROM 0",
        needs=((check.table, "unit_concept_id"),),
    )


_FORMS: Mapping[str, Callable[[DqdCheck, str], Form]] = MappingProxyType(
    {
        "measurePersonCompleteness": _persons,
        "measureConditionEraCompleteness": _condition_eras,
        "measureObservationPeriodOverlap": _periods,
        "isRequired": _empty,
        "measureValueCompleteness": _empty,
        "cdmDatatype": _datatype,
        "isPrimaryKey": _key,
        "isForeignKey": _foreign_key,
        "fkDomain": _domain,
        "fkClass": _class,
        "isStandardValidConcept": _standard,
        "standardConceptRecordCompleteness": _mapped,
        "sourceConceptRecordCompleteness": _mapped,
        "sourceValueCompleteness": _source_values,
        "plausibleValueLow": _low,
        "plausibleValueHigh": _high,
        "plausibleTemporalAfter": _temporal_after,
        "plausibleDuringLife": _during_life,
        "plausibleAfterBirth": _after_birth,
        "plausibleBeforeDeath": _before_death,
        "plausibleStartBeforeEnd": _start_before_end,
        "withinVisitDates": _within_visit,
        "plausibleGender": _gender,
        "plausibleGenderUseDescendants": _gender_of_descendants,
        "plausibleUnitConceptIds": _units,
    }
)
