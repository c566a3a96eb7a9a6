"""Expectations of concepts: that they exist, are standard, of the right domain, class and vocabulary, and mapped."""

from __future__ import annotations

from oncoweave.quality.expectation import (
    COLUMN,
    CONCEPT,
    CONCEPT_JOIN,
    DOMAINS,
    Definition,
    Parameter,
    RowSql,
    ours,
)

_KNOWN_CONCEPT = "$column <> 0 AND c.concept_id IS NOT NULL"

CONCEPTS: tuple[Definition, ...] = (
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
        "expect_concepts_to_be_in_vocabulary",
        "The concept is of a vocabulary that the OMOP CDM has for the field; 0 passes.",
        RowSql("coalesce(c.vocabulary_id, '') NOT IN $vocabularies", _KNOWN_CONCEPT, CONCEPT_JOIN),
        column=CONCEPT,
        vocabularies=Parameter("texts", "vocabulary_id as OMOP spells it, one or more."),
    ),
    ours(
        "expect_zero_to_come_from_a_source_value",
        "Where the source says nothing, an optional concept is empty, not 0.",
        RowSql("coalesce($column, 1) = 0", "$source IS NULL"),
        column=CONCEPT,
        source=Parameter("column", "The field that holds the source value."),
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
