"""The closed list of checks that trends.yaml may name: what each counts, and over what.

Every check counts what it judges and what of it is wrong, so that its share can be compared with a threshold again
without the data. A difference between two deliveries is counted as so many rows that have no counterpart.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from oncoweave.records import Category, Context, Origin

Of = Literal["source", "source table", "source field", "rule", "concept map", "join", "kind of fact", "field", "table", "suite", "concept", "resource type"]  # fmt: skip


@dataclass(frozen=True)
class RunCheck:
    """One check of the list: what it asks, of what, and what its `counts` are: that which is judged, and what of it is wrong.

    `of_share` says that its share means nothing where little is counted, so that `fewest` holds.
    """

    name: str
    origin: Origin
    of: Of
    category: Category
    context: Context
    doc: str
    counts: tuple[str, ...]
    of_share: bool = True


def _source(
    name: str, of: Of, category: Category, *told: str, context: Context = "validation", of_share: bool = True
) -> RunCheck:
    """`told` are what the check asks, what `evaluated` counts, and what `unexpected` counts."""
    return RunCheck(name, "source", of, category, context, told[0], told[1:], of_share)


def _mapping(name: str, of: Of, category: Category, *told: str, of_share: bool = True) -> RunCheck:
    return RunCheck(name, "mapping", of, category, "verification", told[0], told[1:], of_share)


def _trend(name: str, of: Of, category: Category, *told: str, of_share: bool = True) -> RunCheck:
    return RunCheck(name, "trend", of, category, "validation", told[0], told[1:], of_share)


_SCHEMA = (
    _source("columns_undeclared", "source table", "conformance", "Columns of the files that source.yaml does not declare: they are mapped by nothing.",
            "columns", "columns that are not declared", context="verification", of_share=False),
    _source("columns_gone", "source table", "conformance", "Columns that the last delivery had and this one lacks.",
            "columns of the last delivery", "those that are gone", of_share=False),
    _source("columns_new", "source table", "conformance", "Columns that the last delivery did not have.",
            "columns", "those that are new", of_share=False),
    _source("columns_moved", "source table", "conformance", "Columns that stand in another order than in the last delivery.",
            "columns that both have", "those of another place among them", of_share=False),
    _source("reading_changed", "source table", "conformance", "source.yaml has the files read in another way (format, encoding, headers) than those of the last delivery.",
            "1", "1 where it has", of_share=False),
)  # fmt: skip

_VOLUMES = (
    _source("records_dropped", "source table", "completeness", "Fewer records than by the last delivery; after a delta, in all that was delivered so far.",
            "records of the last delivery", "by how many there are fewer now"),
    _source("records_jumped", "source table", "plausibility", "Many more records than by the last delivery, as when a file was sent twice.",
            "records", "by how many there are more than before"),
    _source("records_unreadable", "source table", "conformance", "Records that cannot be read, and are in quarantine/extract.parquet.",
            "records", "those that cannot be read", context="verification"),
    _source("keys_repeated", "source table", "conformance", "Rows whose key another row has too; of them the mapping takes one.",
            "rows with a key", "rows beyond the first of a key", context="verification"),
    _source("rows_repeated", "source table", "plausibility", "Rows of a table without a key that repeat another one, field by field.",
            "rows", "rows beyond the first of the same content", context="verification"),
    _source("delivery_repeated", "source", "plausibility", "A delivery of a later day with nothing new in it: every file is one of the last delivery, or the delta changes no row.",
            "1", "1 where it is so", of_share=False),
    _source("delivery_late", "source", "completeness", "The last delivery is longer ago than `expect_every` of source.yaml says.",
            "days since the last delivery", "days beyond those expected", of_share=False),
)  # fmt: skip

_VALUES = (
    _source("cells_emptied", "source field", "completeness", "More empty cells than the share of the last delivery lets expect.",
            "rows", "empty cells beyond that share"),
    _source("codes_new", "source field", "plausibility", "Codes that the last delivery did not have, by the rows that have them.",
            "rows with a code", "rows with a code that is new"),
    _source("codes_gone", "source field", "plausibility", "Codes of the last delivery that this one does not have, by the rows that had them.",
            "rows with a code by the last delivery", "rows with a code that is gone"),
    _source("codes_shifted", "source field", "plausibility", "The codes are spread otherwise than by the last delivery: the total variation distance of the shares, less what chance alone makes it.",
            "rows with a code", "rows that would have to have another code"),
    _source("numbers_shifted", "source field", "plausibility", "The numbers lie otherwise among the tenths of the last delivery (the median is the fifth): as `codes_shifted`.",
            "rows with a number", "rows that would have to lie in another tenth"),
)  # fmt: skip

_ROWS = (
    _mapping("ledger_unbalanced", "rule", "conformance", "Rows read are not those mapped, quarantined and excluded.",
             "rows read", "rows unaccounted for", of_share=False),
    _mapping("persons_unreconciled", "source", "conformance", "PERSON has not as many rows as the rule of the persons made.",
             "persons that the rule made", "by how many PERSON differs", of_share=False),
    _mapping("persons_lost", "source", "completeness", "Persons of the source's table of persons that are not in PERSON.",
             "persons of the source", "those who are not in PERSON"),
    _mapping("rule_made_nothing", "rule", "completeness", "A rule held back every row that it did not exclude: it made no fact.",
             "rows not excluded", "the same where no fact was made", of_share=False),
    _mapping("rule_excluded_all", "rule", "completeness", "A rule excluded every filled row, as by a condition that no row meets.",
             "rows that are not empty", "the same where all are excluded"),
    _mapping("rule_read_nothing", "rule", "completeness", "A rule read no row, though its table is not optional.",
             "1", "1 where it read none", of_share=False),
    _mapping("rows_held_back", "rule", "conformance", "Rows that a rule quarantined; quarantine/map.parquet names line and reason.",
             "rows not excluded", "rows quarantined"),
    _mapping("rows_excluded", "rule", "completeness", "Rows that a rule excluded, each with the reason that the mapping gives.",
             "rows read", "rows excluded"),
)  # fmt: skip

_COVERAGE = (
    _mapping("events_unmapped", "rule", "completeness", "Facts whose code has no approved target: they carry concept 0.",
             "facts", "facts with concept 0"),
    _mapping("facts_unmapped", "kind of fact", "completeness", "The same by kind of fact, and for all (`all`).",
             "facts", "facts with concept 0"),
    _mapping("codes_unmapped", "concept map", "completeness", "Codes that occur and have no approved target.",
             "codes that occur", "codes without a target", of_share=False),
    _mapping("codes_waiting", "concept map", "completeness", "Codes that occur and whose row in the concept map waits for somebody's approval.",
             "codes that occur", "codes that wait", of_share=False),
    _mapping("codes_unlisted", "concept map", "completeness", "Codes that occur and that the concept map does not have.",
             "codes that occur", "codes that it lacks", of_share=False),
)  # fmt: skip

_FACTS = (
    _mapping("dates_imputed", "field", "plausibility", "Dates of which the source knows the month or the year only, for which a day stands.",
             "rows of the table", "rows with such a date"),
    _mapping("texts_truncated", "field", "conformance", "Texts that were cut to the length that the CDM allows.",
             "rows of the table", "rows with a text that was cut"),
    _mapping("values_unconverted", "rule", "conformance", "Values whose unit `convert:` does not name, so that they keep it.",
             "facts", "values that keep their unit"),
    _mapping("rows_without_partner", "join", "conformance", "Rows that look for a row of another table and find none.",
             "rows with something to look it up by", "rows that find none"),
    _mapping("values_implausible", "concept", "plausibility", "Values outside what is possible for the measurement in its unit.",
             "values in a unit that is known for it", "values outside the range"),
    _mapping("units_unexpected", "concept", "conformance", "Values whose unit is none in which the measurement is given, or that have none.",
             "values", "values in another unit, or without one"),
    _mapping("nodes_inconsistent", "source", "plausibility", "More positive lymph nodes than were examined, of one diagnosis.",
             "diagnoses with both counts", "those with more positive than examined"),
)  # fmt: skip

_FHIR = (
    _mapping("fhir_lines_broken", "resource type", "conformance", "Lines of the FHIR files that are no resource: other JSON, nothing, or a last line that may be cut off.",
             "lines", "lines that are no JSON object", of_share=False),
    _mapping("fhir_invalid", "resource type", "conformance", "Resources that a strict validator of R4 refuses: elements, types, cardinality, dates, forms of JSON. In an ordinary run it looks at 200 of each type and profile, with `check --fhir` at all.",
             "resources that the validator looked at", "those that it refuses", of_share=False),
    _mapping("fhir_types_foreign", "resource type", "conformance", "Resources of another type than the file that they stand in.",
             "resources", "those of another type", of_share=False),
    _mapping("fhir_ids_malformed", "resource type", "conformance", "Resources whose id is missing, or is not of the form that R4 asks for.",
             "resources", "those without such an id", of_share=False),
    _mapping("fhir_ids_repeated", "resource type", "conformance", "Resources whose id another one of the type has too.",
             "resources", "those beyond the first of an id", of_share=False),
    _mapping("fhir_empty_elements", "resource type", "conformance", "Resources in which null, an empty text, list or object stands.",
             "resources", "those with such an element", of_share=False),
    _mapping("fhir_codes_foreign", "resource type", "conformance", "Resources whose status (of a Patient: gender) is none of the codes that R4 requires.",
             "resources", "those with another code", of_share=False),
    _mapping("fhir_profiles_foreign", "resource type", "conformance", "Profiles that a resource says it is of, and that are none of the set that the mapping names (`fhir:`).",
             "profiles named", "those that are not of the set", of_share=False),
    _mapping("fhir_references_open", "resource type", "conformance", "References that lead to no resource of the run.",
             "references", "those that lead nowhere", of_share=False),
)  # fmt: skip

_RECONCILED = (
    _mapping("fhir_resources_unreconciled", "resource type", "conformance", "The FHIR files have not as many resources as the map stage wrote.",
             "resources written", "by how many those that are there differ", of_share=False),
    _mapping("fhir_resources_orphaned", "resource type", "conformance", "Resources that tell of a row that the OMOP tables do not have.",
             "resources", "those without their row", of_share=False),
    _mapping("fhir_persons_unreconciled", "source", "conformance", "PERSON and the Patients are not the same persons.",
             "persons of both", "those that only one side has", of_share=False),
    _mapping("fhir_rows_unreconciled", "table", "conformance", "Rows of a table that have no resource, and are not counted as left out for a reason.",
             "rows", "by how many rows and resources differ", of_share=False),
    _mapping("fhir_facts_unreconciled", "kind of fact", "conformance", "The same by kind of fact.",
             "rows", "by how many rows and resources differ", of_share=False),
    _mapping("fhir_codes_lost", "table", "conformance", "Rows with a concept whose resource has text and no code. Those with concept 0 have text alone.",
             "rows with a concept and a resource", "those whose resource has no code", of_share=False),
    _mapping("fhir_subjects_foreign", "table", "conformance", "Resources that are about another person than their row.",
             "rows with a resource", "those of another person", of_share=False),
)  # fmt: skip

_TRENDS = (
    _trend("rows_dropped", "table", "completeness", "Fewer rows of a table than in the release before.",
           "rows before", "by how many there are fewer now"),
    _trend("unmapped_jumped", "kind of fact", "completeness", "More facts with concept 0 than the share before lets expect; of all rules that both have.",
           "facts", "facts with concept 0 beyond that share"),
    _trend("rule_unmapped_jumped", "rule", "completeness", "The same for one rule and column.",
           "facts", "facts with concept 0 beyond that share"),
    _trend("checks_failing_anew", "suite", "plausibility", "Checks of a suite that passed before and fail now.",
           "checks that passed before", "those that fail now", of_share=False),
    _trend("check_worsened", "suite", "plausibility", "Failing rows of a suite's checks beyond the share that failed before.",
           "rows judged by the suite's checks that both have", "failing rows beyond the share before"),
)  # fmt: skip

RUN_CHECKS: Mapping[str, RunCheck] = {
    c.name: c for c in (*_SCHEMA, *_VOLUMES, *_VALUES, *_ROWS, *_COVERAGE, *_FACTS, *_FHIR, *_RECONCILED, *_TRENDS)
}
OF_A_RUN = frozenset(check.origin for check in RUN_CHECKS.values())
"""The origins of these checks. Their ids begin with it; after the name they go on with the place, which only the run knows."""
