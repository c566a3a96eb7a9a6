"""Expectations of dates, periods and places: what happens when, to whom, and in which order."""

from __future__ import annotations

from oncoweave.omop.model import tables
from oncoweave.quality.expectation import COLUMN, DATE, Definition, Parameter, RowSql, ours

_PLACE = ", ".join(f"r.{field.name}" for field in tables()["location"].fields[1:])

CHRONOLOGY: tuple[Definition, ...] = (
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
    ours(
        "expect_datetimes_to_agree",
        "The time that a row gives is of the day that it gives.",
        RowSql("CAST($datetime AS DATE) <> $column", "$datetime IS NOT NULL AND $column IS NOT NULL"),
        column=DATE,
        datetime=Parameter("column", "The target field that holds date and time."),
    ),
    ours(
        "expect_dates_within_visit",
        "The date lies within the visit that the row belongs to.",
        RowSql(
            "$column NOT BETWEEN v.visit_start_date AND v.visit_end_date",
            "$column IS NOT NULL AND v.visit_start_date IS NOT NULL AND v.visit_end_date IS NOT NULL",
            "LEFT JOIN visit_occurrence AS v ON v.visit_occurrence_id = $visit",
        ),
        column=DATE,
        visit=Parameter("column", "The field that holds the id of the visit."),
    ),
    ours(
        "expect_ages_to_be_between",
        "The person's age in years on the date lies within bounds; judged where a birth is known.",
        RowSql(
            "date_sub('year', b.birth, $column) NOT BETWEEN $min_value AND $max_value",
            "$column IS NOT NULL AND b.birth IS NOT NULL",
            "LEFT JOIN check_birth AS b ON b.person_id = r.person_id",
        ),
        column=DATE,
        min_value=Parameter("integer", "Lowest age."),
        max_value=Parameter("integer", "Highest age."),
    ),
    ours(
        "expect_first_dates_within_observation",
        "The first of a person's dates lies in one of the person's observation periods.",
        RowSql(
            "NOT EXISTS (SELECT 1 FROM observation_period AS o WHERE o.person_id = r.person_id AND $column "
            "BETWEEN o.observation_period_start_date AND o.observation_period_end_date)",
            "$column = r.check_first",
            rows="SELECT *, min($column) OVER (PARTITION BY r.person_id) AS check_first FROM batch AS r",
        ),
        column=DATE,
    ),
    ours(
        "expect_persons_not_active_long_after_death",
        "Nothing of a person who died, in any table, starts more than so many days after the death.",
        RowSql(
            "l.last_start > d.death + $days", "d.death IS NOT NULL AND l.last_start IS NOT NULL",
            "LEFT JOIN check_death AS d ON d.person_id = r.person_id LEFT JOIN check_activity AS l ON l.person_id = r.person_id",
        ),
        column=Parameter("column", "The target field that holds the person."),
        days=Parameter("integer", "Days after death that are tolerated."),
    ),
    ours(
        "expect_eras_within_records",
        "An era starts on the day of one of the person's records, and ends no later than the day after the last of them.",
        RowSql(
            "NOT EXISTS (SELECT 1 FROM $table AS t WHERE t.person_id = r.person_id AND t.$other_start = $start) "
            "OR $end > t.check_last + 1",
            "$start IS NOT NULL AND $end IS NOT NULL",
            "LEFT JOIN (SELECT person_id, max(greatest($other_start, coalesce($other_end, $other_start))) AS check_last FROM $table GROUP BY person_id) AS t "
            "ON t.person_id = r.person_id",
        ),
        start=Parameter("column", "First day of the era."),
        end=Parameter("column", "Last day of the era."),
        table=Parameter("table", "The table of the records."),
        other_start=Parameter("field", "Its field with the first day."),
        other_end=Parameter("field", "Its field with the last day."),
    ),
    ours(
        "expect_days_within_span",
        "A number of days is not more than the span has that it is part of.",
        RowSql("$column > $end - $start", "$column IS NOT NULL AND $start IS NOT NULL AND $end IS NOT NULL"),
        column=COLUMN,
        start=Parameter("column", "First day of the span."),
        end=Parameter("column", "Last day of the span."),
    ),
    ours(
        "expect_rows_to_meet",
        "Every row meets a condition over its fields; one that cannot be told, because a field is empty, is not judged.",
        RowSql("NOT $condition", "($condition) IS NOT NULL"),
        condition=Parameter("condition", "An expression that is true or false: `value_as_number <= 300`."),
    ),
)  # fmt: skip
