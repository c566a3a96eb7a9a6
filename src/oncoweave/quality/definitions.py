"""The closed list of expectations that a suite may name, with nothing imported.

Two kinds: Great Expectations' own (`sql` is None), and ours, each one SQL condition over a table's rows. What
would put a value of the data into a result (minimum, maximum, most common, distinct values) is not on the list.
"""

from __future__ import annotations

from collections.abc import Mapping

from oncoweave.omop.model import tables
from oncoweave.quality.expectation import (
    COLUMN,
    CONCEPT,
    CONCEPT_JOIN,
    DATE,
    DOMAINS,
    Definition,
    Parameter,
    RowSql,
    of_great_expectations,
    ours,
)
from oncoweave.quality.links import REFERENCES, RELATIONSHIPS

_GREAT_EXPECTATIONS = (
    of_great_expectations("expect_column_values_to_not_be_null", "The field is filled.", "$column IS NULL", column=COLUMN),
    of_great_expectations("expect_column_values_to_be_null", "The field is empty.", "$column IS NOT NULL", column=COLUMN),
    of_great_expectations(
        "expect_column_values_to_be_unique",
        "No value of the field occurs twice.",
        RowSql("r.check_times > 1", "$column IS NOT NULL", rows="SELECT *, count(*) OVER (PARTITION BY $column) AS "
               "check_times FROM batch AS r"),
        column=COLUMN,
    ),
    of_great_expectations(
        "expect_compound_columns_to_be_unique",
        "No combination of the fields occurs twice.",
        column_list=Parameter("columns", "The fields that together are unique."),
    ),
    of_great_expectations(
        "expect_column_values_to_be_between",
        "The value lies within bounds; an empty one is not judged.",
        column=COLUMN,
        min_value=Parameter("bound", "Lowest value.", required=False),
        max_value=Parameter("bound", "Highest value.", required=False),
        strict_min=Parameter("flag", "Whether the lowest value itself is outside.", required=False),
        strict_max=Parameter("flag", "Whether the highest value itself is outside.", required=False),
    ),
    of_great_expectations(
        "expect_column_values_to_be_in_set",
        "The value is one of a list.",
        column=COLUMN,
        value_set=Parameter("values", "The values."),
    ),
    of_great_expectations(
        "expect_column_values_to_not_be_in_set",
        "The value is none of a list.",
        column=COLUMN,
        value_set=Parameter("values", "The values."),
    ),
    of_great_expectations(
        "expect_column_values_to_match_regex",
        "The text contains a match of the regular expression.",
        column=COLUMN,
        regex=Parameter("text", "The regular expression (RE2)."),
    ),
    of_great_expectations(
        "expect_column_value_lengths_to_be_between",
        "The text's length lies within bounds.",
        column=COLUMN,
        min_value=Parameter("integer", "Fewest characters.", required=False),
        max_value=Parameter("integer", "Most characters.", required=False),
    ),
    of_great_expectations(
        "expect_table_row_count_to_equal",
        "The table has exactly so many rows.",
        mostly=False,
        value=Parameter("integer", "Number of rows."),
    ),
    of_great_expectations(
        "expect_table_row_count_to_be_between",
        "The table's number of rows lies within bounds.",
        mostly=False,
        min_value=Parameter("integer", "Fewest rows.", required=False),
        max_value=Parameter("integer", "Most rows.", required=False),
    ),
)  # fmt: skip

_KNOWN_CONCEPT = "$column <> 0 AND c.concept_id IS NOT NULL"

_CONCEPTS = (
    ours(
        "expect_concepts_to_exist",
        "The concept is in the vocabulary release of the run; 0 (no matching concept) always is.",
        RowSql("c.concept_id IS NULL", "$column <> 0", CONCEPT_JOIN),
        column=CONCEPT,
    ),
    ours(
        "expect_source_concepts_to_exist",
        "The source code's concept is in the vocabulary release; 0 and a site's own (from 2,000,000,000 on) pass.",
        RowSql("c.concept_id IS NULL", "$column <> 0 AND $column < 2000000000", CONCEPT_JOIN),
        column=CONCEPT,
    ),
    ours(
        "expect_concepts_to_be_standard",
        "The concept is standard and valid; 0 passes, and one that does not exist is left to that expectation.",
        RowSql(
            "coalesce(c.standard_concept, '') <> 'S' OR coalesce(c.invalid_reason, '') <> ''",
            _KNOWN_CONCEPT,
            CONCEPT_JOIN,
        ),
        column=CONCEPT,
    ),
    ours(
        "expect_concepts_to_be_in_domain",
        "The concept's domain belongs to the field; 0 passes.",
        RowSql("coalesce(c.domain_id, '') NOT IN $domains", _KNOWN_CONCEPT, CONCEPT_JOIN),
        column=CONCEPT,
        domains=DOMAINS,
    ),
    ours(
        "expect_concepts_to_be_in_class",
        "The concept is of a class that belongs to the field; 0 passes.",
        RowSql("coalesce(c.concept_class_id, '') NOT IN $classes", _KNOWN_CONCEPT, CONCEPT_JOIN),
        column=CONCEPT,
        classes=Parameter("texts", "concept_class_id as OMOP spells it, one or more."),
    ),
    ours(
        "expect_concepts_not_to_be_in_domain",
        "The concept's domain has a table of its own; 0 passes.",
        RowSql("coalesce(c.domain_id, '') IN $domains", _KNOWN_CONCEPT, CONCEPT_JOIN),
        column=CONCEPT,
        domains=DOMAINS,
    ),
    ours(
        "expect_concepts_to_be_mapped",
        "The concept is not 0: the code has a standard concept.",
        RowSql("$column = 0", "$column IS NOT NULL"),
        column=CONCEPT,
    ),
    ours(
        "expect_column_values_to_be_filled_with",
        "Where another field is filled this one is too: concept 0, not empty, for a source value without a concept.",
        RowSql("$column IS NULL", "$other IS NOT NULL"),
        column=COLUMN,
        other=Parameter("column", "The other field."),
    ),
)

_PLACE = ", ".join(f"r.{field.name}" for field in tables()["location"].fields[1:])

_DATES = (
    ours(
        "expect_columns_in_order",
        "One field is not after (or greater than) another; judged where both are filled.",
        RowSql("$first > $last", "$first IS NOT NULL AND $last IS NOT NULL"),
        first=Parameter("column", "The field that comes first: a start date."),
        last=Parameter("column", "The field that comes last: an end date."),
    ),
    ours(
        "expect_dates_not_before_birth",
        "The date is not before the first day on which the person can have been born.",
        RowSql(
            "$column < b.birth", "$column IS NOT NULL AND b.birth IS NOT NULL",
            "LEFT JOIN check_birth AS b ON b.person_id = r.person_id",
        ),
        column=DATE,
    ),
    ours(
        "expect_dates_not_long_after_death",
        "The date is at most so many days after the person's death.",
        RowSql(
            "$column > d.death + $days", "$column IS NOT NULL AND d.death IS NOT NULL",
            "LEFT JOIN check_death AS d ON d.person_id = r.person_id",
        ),
        column=DATE,
        days=Parameter("integer", "Days after death that are tolerated."),
    ),
    ours(
        "expect_dates_not_after_delivery",
        "The date is not after the day on which the source handed the data over.",
        RowSql("$column > (SELECT delivery FROM check_delivery)", "$column IS NOT NULL"),
        column=DATE,
    ),
    ours(
        "expect_dates_within_observation",
        "The date lies in one of the person's observation periods; the row is kept, the share reported.",
        RowSql(
            "NOT EXISTS (SELECT 1 FROM observation_period AS o WHERE o.person_id = r.person_id AND $column "
            "BETWEEN o.observation_period_start_date AND o.observation_period_end_date)",
            "$column IS NOT NULL",
        ),
        column=DATE,
    ),
    ours(
        "expect_locations_to_differ",
        "No two locations tell the same place, whatever their ids.",
        RowSql("r.check_same > 1", rows=f"SELECT *, count(*) OVER (PARTITION BY {_PLACE}) AS check_same FROM batch AS r"),
    ),
    ours(
        "expect_homes_to_be_regions",
        "Where persons live is told by a region: no street, no coordinates.",
        RowSql(
            "coalesce(r.address_1, r.address_2) IS NOT NULL OR coalesce(r.latitude, r.longitude) IS NOT NULL",
            "h.home IS NOT NULL",
            "LEFT JOIN (SELECT DISTINCT location_id AS home FROM person) AS h ON h.home = r.location_id",
        ),
    ),
    ours(
        "expect_periods_not_to_overlap",
        "No two periods of a person share a day.",
        RowSql(
            "coalesce($start <= r.check_last_end, false)",
            rows="SELECT *, max($end) OVER (PARTITION BY r.person_id ORDER BY $start, $end "
            "ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING) AS check_last_end FROM batch AS r",
        ),
        start=Parameter("column", "First day of the period."),
        end=Parameter("column", "Last day of the period."),
    ),
    ours(
        "expect_eras_not_to_overlap",
        "No two eras of a person and of the same thing lie within so many days of each other.",
        RowSql(
            "coalesce($start <= r.check_last_end + $days, false)",
            rows="SELECT *, max($end) OVER (PARTITION BY r.person_id, $of ORDER BY $start, $end "
            "ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING) AS check_last_end FROM batch AS r",
        ),
        of=Parameter("columns", "The fields that tell what the era is of."),
        start=Parameter("column", "First day of the era."),
        end=Parameter("column", "Last day of the era."),
        days=Parameter("integer", "Days within which two eras would be one; 0: they only share no day."),
    ),
    ours(
        "expect_long_visits_not_to_overlap",
        "Two visits of a person of several days each share no day but the last of one and the first of the other.",
        RowSql(
            "coalesce($start < r.check_last_end, false)", "$end > $start",
            rows="SELECT *, max(CASE WHEN $end > $start THEN $end END) OVER (PARTITION BY r.person_id ORDER BY $start, $end "
            "ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING) AS check_last_end FROM batch AS r",
        ),
        start=Parameter("column", "First day of the visit."),
        end=Parameter("column", "Last day of the visit."),
    ),
    ours(
        "expect_details_within_visit",
        "The days of the detail lie within those of its visit, which is of the same person.",
        RowSql(
            "NOT EXISTS (SELECT 1 FROM visit_occurrence AS v WHERE v.visit_occurrence_id = $visit "
            "AND v.person_id = r.person_id AND $start >= v.visit_start_date AND $end <= v.visit_end_date)",
            "$visit IS NOT NULL",
        ),
        start=Parameter("column", "First day of the detail."),
        end=Parameter("column", "Last day of the detail."),
        visit=Parameter("column", "The field that holds the id of the visit."),
    ),
    ours(
        "expect_year_not_after_delivery",
        "The year is not after the year of the delivery.",
        RowSql("$column > (SELECT year(delivery) FROM check_delivery)", "$column IS NOT NULL"),
        column=Parameter("column", "The target field that holds the year."),
    ),
    ours(
        "expect_text_to_be_declared",
        "A text other than what stands for a withheld one is there only if METADATA has a row that lets it leave.",
        RowSql("NOT EXISTS (SELECT 1 FROM metadata AS m WHERE m.name IN $declared)", "$column NOT IN $withheld"),
        column=COLUMN,
        declared=Parameter("texts", "The names in METADATA of which one must be there."),
        withheld=Parameter("texts", "What stands for a withheld text."),
    ),
    ours(
        "expect_birth_parts_to_agree",
        "birth_datetime, where filled, is the day that year, month and day of birth say.",
        RowSql(
            "year(r.birth_datetime) <> r.year_of_birth OR month(r.birth_datetime) IS DISTINCT FROM r.month_of_birth "
            "OR day(r.birth_datetime) IS DISTINCT FROM r.day_of_birth",
            "r.birth_datetime IS NOT NULL",
        ),
    ),
)  # fmt: skip

MODEL = Definition(
    "expect_columns_of_the_model",
    "The table has exactly the columns of the CDM, in its order and of its types.",
    mostly=False,
)
"""The one expectation of ours that judges the catalogue's columns and not the table's rows."""

CATALOGUE: Mapping[str, Definition] = {
    d.name: d for d in (*_GREAT_EXPECTATIONS, MODEL, *REFERENCES, *RELATIONSHIPS, *_CONCEPTS, *_DATES)
}
