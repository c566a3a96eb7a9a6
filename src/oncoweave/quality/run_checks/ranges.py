"""What a measurement can be in a unit: a small table of ours for oncology, wide enough that only errors lie outside.

A value outside means a wrong unit, a code for "not known" that was read as a number, or a slip of the pen; it says nothing of
health. OHDSI's Data Quality Dashboard asks per concept which units are usual (plausibleUnitConceptIds), and has no limits
since 2.0. The concepts were looked up in the OHDSI vocabularies; a measurement without a concept is known by its clinical
role or by its unit.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import duckdb

from oncoweave.engine.connection import fetch_rows
from oncoweave.engine.parquet import literal
from oncoweave.events import TYPES, remaining_event_files, union_of
from oncoweave.project import RunFolder
from oncoweave.quality.run_checks.finding import Finding
from oncoweave.records import EventFile


@dataclass(frozen=True)
class Range:
    """Lowest and highest value in any of these units (UCUM concepts), which are named as `unit`."""

    units: tuple[int, ...]
    unit: str
    low: float
    high: float


@dataclass(frozen=True)
class Measure:
    """A measurement: the concepts that it has, and the clinical role or unit by which it is known otherwise; its ranges and their source.

    With `any_unit` the first range holds whatever the unit.
    """

    name: str
    concepts: tuple[int, ...]
    ranges: tuple[Range, ...]
    source: str
    role: str = ""
    by_unit: bool = False
    any_unit: bool = False


_OURS = "limits of ours, beyond what has been reported of the living"
MEASURES = (
    Measure("tumour_size", (3046581, 36768664, 4139794), (Range((8588,), "mm", 0, 989), Range((8582,), "cm", 0, 98.9)),
            "NAACCR item 756, tumor size summary: 989 stands for 989 mm or more, 990 to 999 are codes", role="tumour_size"),
    Measure("lymph_nodes", (), (Range((), "", 0, 90),), "NAACCR items 820 and 830, nodes positive and examined: 90 stands for 90 "
            "or more, 95 to 99 are codes", role="node_count", any_unit=True),
    Measure("receptor_content", (), (Range((9500,), "fmol/mg", 0, 5000),), "twice the highest progesterone receptor content of the "
            "686 women of Schumacher et al., J Clin Oncol 1994;12:2086", by_unit=True),
    Measure("haemoglobin", (3000963,), (Range((8713,), "g/dL", 1, 26), Range((8636,), "g/L", 10, 260)), _OURS),
    Measure("leukocytes", (3000905,), (Range((8848, 8961, 9444), "10*3/uL", 0, 1500),), f"{_OURS}; leukaemia included"),
    Measure("platelets", (3024929,), (Range((8848, 8961, 9444), "10*3/uL", 0, 6000),), f"{_OURS}; thrombocythaemia included"),
    Measure("psa", (3013603,), (Range((8842, 8748), "ng/mL", 0, 50000),), f"{_OURS}; metastatic disease included"),
    Measure("creatinine", (3016723,), (Range((8840,), "mg/dL", 0.05, 50), Range((8749,), "umol/L", 4, 4500)), _OURS),
    Measure("albumin", (3024561,), (Range((8713,), "g/dL", 0.3, 9), Range((8636,), "g/L", 3, 90)), _OURS),
    Measure("body_height", (3036277,), (Range((8582,), "cm", 25, 275), Range((9546,), "m", 0.25, 2.75), Range((9327, 9330), "[in_i]", 10, 108)), _OURS),
    Measure("body_weight", (3025315,), (Range((9529,), "kg", 0.2, 650), Range((8739,), "[lb_av]", 0.4, 1430)), _OURS),
    Measure("body_mass_index", (3038553,), (Range((9531,), "kg/m2", 4, 260),), _OURS),
    Measure("karnofsky", (4169154, 36303287), (Range((), "", 0, 100),), "the scale itself, 0 to 100", any_unit=True),
)  # fmt: skip

POSITIVE, EXAMINED = "nodes positive", "nodes examined"
_NODES = (
    ("LOINC", "21893-3", POSITIVE), ("NAACCR", "820", POSITIVE), ("LOINC", "21894-1", EXAMINED), ("NAACCR", "830", EXAMINED),
)  # fmt: skip
_COLUMNS = ("concept_id", "kind", "unit_concept_id", "value_number", "modifies")


def findings(connection: duckdb.DuckDBPyConnection, run: RunFolder, concepts: Path) -> Iterator[Finding]:
    """What the values of the events of `run` are against the table; `concepts` is CONCEPT of the vocabulary release."""
    files = [file for file in remaining_event_files(run) if _has_numbers(file)]
    values = f"SELECT * FROM ({union_of(run.events, files, _COLUMNS)}) WHERE value_number IS NOT NULL"
    assert set(_COLUMNS) <= set(TYPES)
    yield from _of_measures(connection, values)
    yield _nodes(connection, values, concepts)


def _has_numbers(file: EventFile) -> bool:
    numbers = {*file.columns, *file.derived}
    return bool(file.rows) and ("value_number" in numbers or file.constants.get("value_number") is not None)


def _of_measures(connection: duckdb.DuckDBPyConnection, values: str) -> Iterator[Finding]:
    by_concept = [(f"concept_id IN ({_listed(m.concepts)})", m) for m in MEASURES if m.concepts]
    ways = [*by_concept, *((way, m) for m in MEASURES for way in _otherwise(m))]
    measure = "CASE " + " ".join(f"WHEN {way} THEN {literal(m.name)}" for way, m in ways) + " END"
    ranges = [(m, r) for m in MEASURES for r in m.ranges]
    known = " OR ".join(f"(m = {literal(m.name)}{_in_unit(m, r)})" for m, r in ranges)
    outside = " OR ".join(
        f"(m = {literal(m.name)}{_in_unit(m, r)} AND value_number NOT BETWEEN {r.low!r} AND {r.high!r})"
        for m, r in ranges
    )
    sql = f"""SELECT m, count(*), count(*) FILTER (WHERE {known}), count(*) FILTER (WHERE {outside})
        FROM (SELECT {measure} AS m, * FROM ({values})) WHERE m IS NOT NULL GROUP BY 1 ORDER BY 1"""
    by_name = {measure.name: measure for measure in MEASURES}
    for name, given, in_unit, beyond in fetch_rows(connection, sql, "comparing values with what is possible"):
        measure_, units = by_name[name], ", ".join(r.unit for r in by_name[name].ranges if r.unit)
        concept = measure_.concepts[0] if len(measure_.concepts) == 1 else None
        place = ((name,), "measurement")
        yield Finding("values_implausible", *place, in_unit, beyond, "value_as_number", concept=concept, unit=units)
        if not measure_.any_unit:
            yield Finding(
                "units_unexpected", *place, given, given - in_unit, "unit_concept_id", concept=concept, unit=units
            )


def _otherwise(measure: Measure) -> Iterator[str]:
    """The conditions by which an event is of a measure though its concept is none that the table knows."""
    if measure.role:
        yield f"kind = {literal(measure.role)}"
    if measure.by_unit:
        yield f"unit_concept_id IN ({_listed(measure.ranges[0].units)})"


def _in_unit(measure: Measure, range_: Range) -> str:
    return "" if measure.any_unit else f" AND unit_concept_id IN ({_listed(range_.units)})"


def _listed(ids: Sequence[int]) -> str:
    return ", ".join(map(str, ids))


def _nodes(connection: duckdb.DuckDBPyConnection, values: str, concepts: Path) -> Finding:
    """Of each diagnosis the highest count of positive nodes against that of examined ones."""
    codes = ", ".join(f"({literal(v)}, {literal(c)}, {literal(of)})" for v, c, of in _NODES)
    known = f"""SELECT k.concept_id, n.of FROM read_parquet({literal(concepts)}) AS k
        JOIN (VALUES {codes}) AS n(vocabulary, code, of) ON k.vocabulary_id = n.vocabulary AND k.concept_code = n.code"""
    sql = f"""SELECT count(*), count(*) FILTER (WHERE positive > examined) FROM (
            SELECT max(value_number) FILTER (WHERE of = {literal(POSITIVE)}) AS positive,
                max(value_number) FILTER (WHERE of = {literal(EXAMINED)} AND value_number <= 90) AS examined
            FROM ({values}) AS e JOIN ({known}) AS c ON c.concept_id = e.concept_id
            WHERE modifies IS NOT NULL AND value_number <= 90 GROUP BY modifies
        ) WHERE positive IS NOT NULL AND examined IS NOT NULL"""
    ((both, wrong),) = fetch_rows(connection, sql, "comparing counts of lymph nodes")
    why_not = "" if both else "no diagnosis has both counts as LOINC 21893-3 and 21894-1, or NAACCR 820 and 830"
    return Finding("nodes_inconsistent", (), "measurement", both, wrong, "value_as_number", why_not)
