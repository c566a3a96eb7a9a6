"""Expectations of oncology: what qualifies a tumour, and whether stage, categories, behaviour and treatment agree.

They read `check_category` (the stages, T, N and M categories and grades of MEASUREMENT, by the grammar of the
vocabulary's codes) and `check_tumour` (the diagnoses that those qualify, as a text of code and names).
"""

from __future__ import annotations

from oncoweave.quality.expectation import (
    CONCEPT,
    DATE,
    Definition,
    Parameter,
    RowSql,
    ours,
)

_CATEGORY = "JOIN check_category AS k ON k.measurement_id = r.measurement_id"
_TUMOUR = "JOIN check_tumour AS t ON t.condition_occurrence_id = k.condition_id"
_ONE_STAGING = (
    "o.condition_id = k.condition_id AND o.day = k.day AND o.later = k.later "
    "AND (o.kind = k.kind OR o.kind = '' OR k.kind = '' OR o.category LIKE 'M%' OR k.category LIKE 'M%')"
)
"""The other category `o` is of the same tumour, day and kind (clinical, pathological); a clinical M counts for both."""

_OF = Parameter(
    "pattern", "Which are judged: a regular expression that matches the whole category, such as Stage-.* or T[0-4].*."
)
_TUMOURS = Parameter("pattern", "Only tumours with a match in the text of their codes and names.", required=False)
_TEXT = "concat_ws(' ', concept_code, concept_name)"
_MEANT = f"JOIN (SELECT concept_id FROM check_concept WHERE concept_id <> 0 AND regexp_matches({_TEXT}, $of)) AS c ON c.concept_id = $column"
"""Keeps the rows whose concept is meant, so that the pattern is tried once a concept and not once a row."""

_OF_CONCEPTS = Parameter("pattern", "Which concepts are meant: a regular expression found in `code name`.")
_VALUE = Parameter("column", "The field that holds the value.")

TUMOURS: tuple[Definition, ...] = (
    ours(
        "expect_modifiers_to_agree",
        "A stage or category of a tumour is what another one of the same tumour, day and kind, or the tumour itself, demands.",
        RowSql(
            "NOT regexp_full_match(k.category, $must_be)",
            "regexp_full_match(k.category, $of) "
            "AND coalesce(k.edition IN $editions, true) AND coalesce(regexp_matches(t.tumour, $tumours), true) "
            "AND NOT coalesce(regexp_matches(t.tumour, $except_tumours), false) "
            f"AND EXISTS (SELECT 1 FROM check_category AS o WHERE {_ONE_STAGING} "
            "AND coalesce(regexp_full_match(o.category, $given), true)) "
            f"AND NOT EXISTS (SELECT 1 FROM check_category AS o WHERE {_ONE_STAGING} "
            "AND coalesce(regexp_full_match(o.category, $unless), false))",
            f"{_CATEGORY} {_TUMOUR}",
        ),
        column=CONCEPT,
        of=_OF,
        must_be=Parameter("pattern", "What those must be: a regular expression that matches the whole category."),
        given=Parameter("pattern", "Only where the same staging has a category that this matches.", required=False),
        unless=Parameter("pattern", "Not where the same staging has a category that this matches.", required=False),
        tumours=_TUMOURS,
        except_tumours=Parameter("pattern", "But no tumours with a match of this.", required=False),
        editions=Parameter("texts", "Only of these editions of TNM: 6, 7, 8.", required=False, absent="(NULL)"),
    ),
    ours(
        "expect_modifiers_not_to_contradict",
        "A tumour has no two different categories of the same sort, kind, edition and day; a finer one beside a coarser is none.",
        RowSql(
            "NOT starts_with(r.check_most, r.check_least)",
            "r.check_least IS NOT NULL",
            rows="SELECT r.*, min(k.category) OVER w AS check_least, max(k.category) OVER w AS check_most FROM batch AS r "
            "LEFT JOIN (FROM check_category WHERE condition_id IS NOT NULL AND regexp_full_match(category, $of)) AS k "
            "ON k.measurement_id = r.measurement_id "
            "WINDOW w AS (PARTITION BY k.condition_id, k.day, k.kind, k.later, k.edition)",
        ),
        column=CONCEPT,
        of=_OF,
    ),
    ours(
        "expect_modifiers_not_of_tumours",
        "A category is not given for tumours that the classification does not know.",
        RowSql(
            "regexp_matches(t.tumour, $tumours) AND NOT coalesce(regexp_matches(t.tumour, $except_tumours), false)",
            "regexp_full_match(k.category, $of)",
            f"{_CATEGORY} {_TUMOUR}",
        ),
        column=CONCEPT,
        of=_OF,
        tumours=Parameter("pattern", "The tumours without it: found in the text of their codes and names."),
        except_tumours=Parameter("pattern", "But these have it.", required=False),
    ),
    ours(
        "expect_modifiers_of_persons_with_a_diagnosis",
        "Who has a stage, category or grade has a diagnosis.",
        RowSql(
            "NOT EXISTS (SELECT 1 FROM condition_occurrence AS d WHERE d.person_id = r.person_id)",
            "regexp_full_match(k.category, $of)",
            _CATEGORY,
        ),
        column=CONCEPT,
        of=_OF,
    ),
    ours(
        "expect_categories_to_agree_with_source",
        "Where the source value ends in a T, N or M category, the concept is that category, of the same prefix.",
        RowSql(
            "regexp_extract($source, '([TNM](?:is|[a0-4X]))[^ ]*$$', 1) <> regexp_extract(k.category, '^([TNM](?:is|[a0-4X]))', 1) "
            "OR (regexp_extract($source, '([a-z]*)[TNM][^ ]*$$', 1) NOT LIKE '%y%') = (k.later LIKE '%y%') "
            "OR (k.kind = 'c' AND regexp_extract($source, '([a-z]*)[TNM][^ ]*$$', 1) LIKE '%p%') "
            "OR (k.kind = 'p' AND regexp_extract($source, '([a-z]*)[TNM][^ ]*$$', 1) LIKE '%c%')",
            "regexp_matches(k.category, '^[TNM](is|[a0-4X])') "
            "AND regexp_matches($source, '(^|[ _:-])[ycpra]{0,3}[TNM](is|[a0-4X])[a-e]?[0-9]?(mi)?$$')",
            _CATEGORY,
        ),
        column=CONCEPT,
        source=Parameter("column", "The field that holds the source value."),
    ),
    ours(
        "expect_concepts_not_to_match",
        "The concept's code and name do not have a mark by which it says less, or something else, than it should.",
        RowSql(
            "c.marked",
            joins=f"JOIN (SELECT concept_id, regexp_matches({_TEXT}, $pattern) AS marked FROM check_concept "
            "WHERE concept_id <> 0 AND coalesce(vocabulary_id IN $vocabularies, true)) AS c ON c.concept_id = $column",
        ),
        column=CONCEPT,
        pattern=Parameter("pattern", "The mark: a regular expression found in `code name` of the concept."),
        vocabularies=Parameter("texts", "Only concepts of these vocabularies.", required=False, absent="(NULL)"),
    ),
    ours(
        "expect_values_of_concepts_to_be_between",
        "The number that a row gives for certain concepts lies within bounds, in a unit if one is named.",
        RowSql(
            "coalesce($value < $min_value, false) OR coalesce($value > $max_value, false)",
            "$value IS NOT NULL AND ($in_unit IS NULL OR $unit IS NOT DISTINCT FROM $in_unit)",
            _MEANT,
        ),
        column=CONCEPT,
        of=_OF_CONCEPTS,
        value=_VALUE,
        min_value=Parameter("number", "Lowest number.", required=False),
        max_value=Parameter("number", "Highest number.", required=False),
        unit=Parameter("column", "The field that holds the unit's concept.", required=False),
        in_unit=Parameter("integer", "Only numbers in the unit of this concept.", required=False),
    ),
    ours(
        "expect_values_of_concepts_to_be_in_set",
        "The concept that a row gives as the value for certain concepts is one of a list.",
        RowSql(
            "$value NOT IN $value_set",
            "$value <> 0",
            _MEANT,
        ),
        column=CONCEPT,
        of=_OF_CONCEPTS,
        value=_VALUE,
        value_set=Parameter("values", "The concepts that it may be."),
    ),
    ours(
        "expect_treatments_not_before_diagnosis",
        "A treatment does not start before the person's first tumour; judged where both are known.",
        RowSql(
            "$date < d.check_first",
            "$date IS NOT NULL",
            f"{_MEANT} JOIN (SELECT n.person_id, min(n.condition_start_date) AS check_first "
            "FROM condition_occurrence AS n JOIN check_concept AS i ON i.concept_id = n.condition_concept_id "
            "WHERE n.condition_concept_id <> 0 AND regexp_matches(i.concept_name, $tumours) GROUP BY n.person_id) AS d "
            "ON d.person_id = r.person_id",
        ),
        date=DATE,
        column=CONCEPT,
        of=Parameter("pattern", "Which concepts are treatments: a regular expression found in `code name`."),
        tumours=Parameter("pattern", "Which conditions are tumours: a regular expression found in the concept's name."),
    ),
)  # fmt: skip
"""What qualifies a tumour, what treats it, and what its codes say."""
