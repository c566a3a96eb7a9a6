"""Expectations of what rows point at: keys of other tables, events, modifiers, and related facts."""

from __future__ import annotations

from oncoweave.quality.expectation import (
    COLUMN,
    CONCEPT,
    CONCEPT_JOIN,
    DATE,
    EVENT,
    FIELD_CONCEPT,
    Definition,
    Parameter,
    RowSql,
    ours,
)

_POINTED_AT = "SELECT 1 FROM check_linked AS l WHERE l.field_concept_id = $field AND l.event_id = $event"

REFERENCES: tuple[Definition, ...] = (
    ours(
        "expect_column_values_to_reference",
        "A foreign key: each filled value is the key of a row in another table.",
        RowSql("NOT EXISTS (SELECT 1 FROM $table AS t WHERE t.$field = $column)", "$column IS NOT NULL"),
        column=COLUMN,
        table=Parameter("table", "The table pointed at."),
        field=Parameter("field", "Its key."),
    ),
    ours(
        "expect_column_values_to_be_referenced",
        "Each value occurs in another table: every person has an observation period.",
        RowSql("NOT EXISTS (SELECT 1 FROM $table AS t WHERE t.$field = $column)"),
        column=COLUMN,
        table=Parameter("table", "The other table."),
        field=Parameter("field", "The field in which the value must occur."),
    ),
    ours(
        "expect_references_of_the_same_person",
        "The row pointed at is one of the same person; judged where there is such a row.",
        RowSql(
            "t.person_id <> r.person_id",
            joins="JOIN $table AS t ON t.$field = $column",
        ),
        column=COLUMN,
        table=Parameter("table", "The table pointed at."),
        field=Parameter("field", "Its key."),
    ),
    ours(
        "expect_references_not_to_start_later",
        "The row pointed at does not start later; judged where there is such a row.",
        RowSql(
            "t.$other_start > $start",
            joins="JOIN $table AS t ON t.$field = $column",
        ),
        column=COLUMN,
        start=Parameter("column", "First day of the row."),
        table=Parameter("table", "The table pointed at."),
        field=Parameter("field", "Its key."),
        other_start=Parameter("field", "Its field with the first day."),
    ),
    ours(
        "expect_events_to_exist",
        "Event id and field concept are filled together, and point at an existing row of the table so named.",
        RowSql(f"NOT EXISTS ({_POINTED_AT})", "$event IS NOT NULL OR $field IS NOT NULL"),
        event=EVENT,
        field=FIELD_CONCEPT,
    ),
    ours(
        "expect_events_of_the_same_person",
        "The row pointed at belongs to the same person.",
        RowSql(f"NOT EXISTS ({_POINTED_AT} AND l.person_id = r.person_id)", f"EXISTS ({_POINTED_AT})"),
        event=EVENT,
        field=FIELD_CONCEPT,
    ),
    ours(
        "expect_events_of_the_person_of_the_episode",
        "An episode's events belong to the episode's person.",
        RowSql(
            f"NOT EXISTS ({_POINTED_AT} AND l.person_id IN "
            "(SELECT e.person_id FROM episode AS e WHERE e.episode_id = r.episode_id))",
            f"EXISTS ({_POINTED_AT})",
        ),
        event=EVENT,
        field=FIELD_CONCEPT,
    ),
    ours(
        "expect_modifiers_to_have_an_event",
        "A concept that only ever qualifies a diagnosis (stage, TNM, grade) is tied to an event.",
        RowSql("$event IS NULL", "c.vocabulary_id IN $vocabularies AND c.concept_class_id IN $classes", CONCEPT_JOIN),
        column=CONCEPT,
        event=EVENT,
        vocabularies=Parameter("texts", "vocabulary_id of the modifiers."),
        classes=Parameter("texts", "concept_class_id of the modifiers."),
    ),
    ours(
        "expect_modifiers_to_qualify",
        "A concept that only ever qualifies a diagnosis points at a row of that table.",
        RowSql(
            f"NOT EXISTS ({_POINTED_AT} AND l.table_name = $table)",
            "$event IS NOT NULL AND c.vocabulary_id IN $vocabularies AND c.concept_class_id IN $classes",
            CONCEPT_JOIN,
        ),
        column=CONCEPT,
        event=EVENT,
        field=FIELD_CONCEPT,
        table=Parameter("table_name", "The table that the modifier must point at."),
        vocabularies=Parameter("texts", "vocabulary_id of the modifiers."),
        classes=Parameter("texts", "concept_class_id of the modifiers."),
    ),
    ours(
        "expect_modifiers_not_before_event",
        "The row is not dated before the event that it qualifies.",
        RowSql(f"NOT EXISTS ({_POINTED_AT} AND l.start <= $date)", f"EXISTS ({_POINTED_AT})"),
        date=DATE,
        event=EVENT,
        field=FIELD_CONCEPT,
    ),
)
"""Keys, events and modifiers."""

RELATIONSHIPS: tuple[Definition, ...] = (
    ours(
        "expect_facts_to_exist",
        "A related fact is a row of the table that its domain concept stands for.",
        RowSql(
            "NOT EXISTS (SELECT 1 FROM check_related AS k WHERE k.domain_concept_id = $domain AND k.fact_id = $fact)"
        ),
        fact=Parameter("column", "The field that holds the id of the fact."),
        domain=Parameter("column", "The field that holds the domain concept of the fact."),
    ),
    ours(
        "expect_related_facts_of_the_same_person",
        "Both facts of a relationship belong to one person; judged where both exist.",
        RowSql(
            "a.person_id IS DISTINCT FROM b.person_id",
            "a.fact_id IS NOT NULL AND b.fact_id IS NOT NULL",
            "LEFT JOIN check_related AS a ON a.domain_concept_id = r.domain_concept_id_1 AND a.fact_id = r.fact_id_1 "
            "LEFT JOIN check_related AS b ON b.domain_concept_id = r.domain_concept_id_2 AND b.fact_id = r.fact_id_2",
        ),
    ),
    ours(
        "expect_relationship_concepts_to_exist",
        "The concept is that of a relationship in RELATIONSHIP of the vocabulary release, which CONCEPT may leave out.",
        RowSql("NOT EXISTS (SELECT 1 FROM check_relationship AS k WHERE k.concept_id = $column)"),
        column=CONCEPT,
    ),
    ours(
        "expect_relationships_in_both_directions",
        "Each relationship is there a second time, with the facts in the other order and the reverse relationship.",
        RowSql(
            "NOT EXISTS (SELECT 1 FROM fact_relationship AS b JOIN check_relationship AS k "
            "ON k.concept_id = b.relationship_concept_id WHERE k.reverse_concept_id = r.relationship_concept_id "
            "AND b.domain_concept_id_1 = r.domain_concept_id_2 AND b.fact_id_1 = r.fact_id_2 "
            "AND b.domain_concept_id_2 = r.domain_concept_id_1 AND b.fact_id_2 = r.fact_id_1)"
        ),
    ),
)
"""Facts that are related to each other."""
