"""dqd.json: the results of the DQD checks in the format of OHDSI's Data Quality Dashboard, for its viewer.

The shape is that of DQD's R package: a frame is a list of maps without what is missing, a single value a list of one. It
holds counts, no value and no query. Nothing in it comes from a clock: the results are those of a delivery, and its day is
the time that the viewer shows.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from datetime import date
from importlib.metadata import version
from pathlib import Path
from typing import Any

import duckdb

from oncoweave.quality.dqd.catalogue import catalogue
from oncoweave.quality.dqd.check import DqdCheck
from oncoweave.records import ExpectationResult

FILE = "dqd.json"
AFTER = "DataQualityDashboard 2.8.4"
"""The version whose checks, rules and format these are."""
CATEGORIES = ("Plausibility", "Conformance", "Completeness")

_NO_QUERY = "Counted by Oncoweave, many checks in one pass over the table; no query is kept."
_NO_TIME = "not measured for each check"
_METADATA = {
    "cdmSourceName": "cdm_source_name",
    "cdmSourceAbbreviation": "cdm_source_abbreviation",
    "cdmHolder": "cdm_holder",
    "sourceDescription": "source_description",
    "sourceDocumentationReference": "source_documentation_reference",
    "cdmEtlReference": "cdm_etl_reference",
    "sourceReleaseDate": "source_release_date",
    "cdmReleaseDate": "cdm_release_date",
    "cdmVersion": "cdm_version",
    "cdmVersionConceptId": "cdm_version_concept_id",
    "vocabularyVersion": "vocabulary_version",
}


def viewer_json(results: Iterable[ExpectationResult], metadata: Mapping[str, Any], delivery: date) -> bytes:
    """The file. Of `results` those of DQD count; `metadata` is the row of CDM_SOURCE (`source_metadata`)."""
    checks = {check.id: check for check in catalogue()}
    found = [_check_result(result, checks[result.check]) for result in results if result.origin == "dqd"]
    whole = {
        "startTimestamp": [f"{delivery} 00:00:00"],
        "endTimestamp": [f"{delivery} 00:00:00"],
        "executionTime": ["not measured; this is the day of the delivery"],
        "executionTimeSeconds": [0],
        "CheckResults": found,
        "Metadata": [{**metadata, "dqdVersion": f"Oncoweave {version('oncoweave')}, after {AFTER}"}],
        "Overview": {name: [value] for name, value in overview(found).items()},
    }
    return (json.dumps(whole, ensure_ascii=False, separators=(",", ":")) + "\n").encode()


def source_metadata(connection: duckdb.DuckDBPyConnection) -> dict[str, Any]:
    """The row of CDM_SOURCE, by the names of the viewer and without what is missing; empty when there is none."""
    fields = ", ".join(_METADATA.values())
    row = connection.execute(f"SELECT {fields} FROM cdm_source ORDER BY cdm_source_name LIMIT 1").fetchone()
    values = dict(zip(_METADATA, row or (), strict=False))
    return {name: _plain(value) for name, value in values.items() if value is not None}


def read_metadata(path: Path) -> dict[str, Any]:
    """The row of CDM_SOURCE as an earlier dqd.json has it, for a file that is judged again."""
    (row,) = json.loads(path.read_text(encoding="utf-8"))["Metadata"]
    return {name: value for name, value in row.items() if name in _METADATA}


def overview(check_results: Sequence[Mapping[str, Any]]) -> dict[str, int | float]:
    """The counts of the overview, by the formula of DQD: what is not applicable counts as passed in the total."""
    failed = [one for one in check_results if one["failed"] == 1]
    passed = len(check_results) - len(failed)
    counts: dict[str, int | float] = {
        "countTotal": len(check_results),
        "countPassed": passed,
        "countErrorFailed": sum(1 for one in check_results if "error" in one),
        "countThresholdFailed": sum(1 for one in failed if "error" not in one),
        "countOverallFailed": len(failed),
        "percentPassed": _percent(passed, len(check_results)),
        "percentFailed": _percent(len(failed), len(check_results)),
    }
    for count, holds in (("Total", None), ("Failed", "failed"), ("Passed", "passed")):
        for category in CATEGORIES:
            of_category = [one for one in check_results if one["category"] == category]
            counts[f"count{count}{category}"] = sum(1 for one in of_category if holds is None or one[holds] == 1)
    return counts


def _check_result(result: ExpectationResult, check: DqdCheck) -> dict[str, Any]:
    judged = not result.not_applicable and result.error is None
    counted = result.unexpected is not None and result.evaluated is not None
    fields = {
        "numViolatedRows": result.unexpected,
        "pctViolatedRows": _share(result.unexpected or 0, result.evaluated or 0) if counted else None,
        "numDenominatorRows": result.evaluated,
        "executionTime": _NO_TIME,
        "queryText": _NO_QUERY,
        "checkName": check.name,
        "checkLevel": check.level,
        "checkDescription": result.why.removesuffix("."),
        "cdmTableName": check.table.upper(),
        "cdmFieldName": check.field.upper() or None,
        "conceptId": ",".join(map(str, check.concepts)) or None,
        "unitConceptId": None if check.unit_concept_id is None else str(check.unit_concept_id),
        "category": check.category,
        "subcategory": check.subcategory or None,
        "context": check.context,
        "error": result.error if not result.not_applicable else None,
        "checkId": check.id,
        "failed": int(judged and not result.success),
        "passed": int(judged and result.success),
        "isError": int(result.error is not None and not result.not_applicable),
        "notApplicable": int(bool(result.not_applicable)),
        "notApplicableReason": result.not_applicable or None,
        "thresholdValue": _threshold(result, check),
        "notesValue": check.notes or None,
    }
    return {name: value for name, value in fields.items() if value is not None}


def _threshold(result: ExpectationResult, check: DqdCheck) -> float | None:
    """In percent; the site's own where one counts."""
    if result.override is None or result.override.expired or result.mostly is None:
        return None if check.threshold is None else _whole(check.threshold)
    return _whole(round((1 - result.mostly) * 100, 6))


def _share(violated: int, denominator: int) -> float:
    return _whole(round(violated / denominator, 6)) if denominator else 0


def _percent(part: int, whole: int) -> float:
    return _whole(round(100 * part / whole, 2)) if whole else 0


def _whole(number: float) -> float:
    return int(number) if number == int(number) else number


def _plain(value: object) -> object:
    return value.isoformat() if isinstance(value, date) else value
