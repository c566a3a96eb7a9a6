"""The ingredients of drugs, and how much of each a drug holds, by the release: what the drug and dose eras rest on.

An ingredient is a valid standard concept of the class Ingredient in RxNorm or RxNorm Extension (which has the
ingredients of European drugs that RxNorm lacks).
"""

from __future__ import annotations

from oncoweave.vocabulary.bundle import Bundle, valid

_INGREDIENTS = f"""SELECT concept_id FROM read_parquet($concepts)
    WHERE vocabulary_id IN ('RxNorm', 'RxNorm Extension') AND concept_class_id = 'Ingredient'
        AND standard_concept = 'S' AND {valid()}"""

Parameters = dict[str, str]
MOST = 1e9
"""Strengths and quantities above this are taken for errors: a dose of them could not be added up exactly."""


def ingredients(bundle: Bundle) -> tuple[str, Parameters] | None:
    """A SELECT of drug_concept_id and ingredient_concept_id of every drug, no two rows alike, with its parameters.

    A drug of several ingredients has a row of each, an ingredient one of itself. None for a release without CONCEPT_ANCESTOR.
    """
    derived, ancestors = bundle.table("DRUG_INGREDIENT"), bundle.table("CONCEPT_ANCESTOR")
    if derived.is_file():
        return "SELECT * FROM read_parquet($derived)", {"derived": str(derived)}
    if not ancestors.is_file():
        return None
    return derivation(), {"concepts": str(bundle.table("CONCEPT")), "ancestors": str(ancestors)}


def derivation() -> str:
    """The SELECT that DRUG_INGREDIENT is made by when a release is loaded. Parameters: the files $concepts and $ancestors."""
    return f"""
        WITH ingredient AS MATERIALIZED ({_INGREDIENTS})
        SELECT DISTINCT drug_concept_id, ingredient_concept_id FROM (
            SELECT CAST(descendant_concept_id AS INTEGER) AS drug_concept_id,
                CAST(ancestor_concept_id AS INTEGER) AS ingredient_concept_id
            FROM read_parquet($ancestors) WHERE ancestor_concept_id IN (SELECT concept_id FROM ingredient)
            UNION ALL SELECT CAST(concept_id AS INTEGER), CAST(concept_id AS INTEGER) FROM ingredient)"""


def strengths(bundle: Bundle) -> tuple[str, Parameters] | None:
    """A SELECT of the strength of each ingredient of every drug, with its parameters; None for a release without DRUG_STRENGTH.

    Columns: drug_concept_id, ingredient_concept_id, unit_concept_id, and either a_piece (what one of `quantity` holds)
    or a_day (what is given a day, whatever the quantity). What drug_dose.Rmd of the CDM has no rule for is left out.
    """
    table = bundle.table("DRUG_STRENGTH")
    if not table.is_file():
        return None
    sql = f"""
        WITH ingredient AS MATERIALIZED ({_INGREDIENTS}),
        unit AS MATERIALIZED (SELECT concept_id, concept_code FROM read_parquet($concepts)
            WHERE vocabulary_id = 'UCUM' AND domain_id = 'Unit' AND standard_concept = 'S' AND {valid()}),
        strength AS (SELECT DISTINCT drug_concept_id, ingredient_concept_id, amount_value, amount_unit_concept_id,
                numerator_value, numerator_unit_concept_id, denominator_value, denominator_unit_concept_id
            FROM read_parquet($strengths) WHERE {valid()})
        SELECT CAST(s.drug_concept_id AS INTEGER) AS drug_concept_id, CAST(s.ingredient_concept_id AS INTEGER) AS ingredient_concept_id,
            CAST(u.concept_id AS INTEGER) AS unit_concept_id, {_A_PIECE} AS a_piece, {_A_DAY} AS a_day
        FROM strength AS s
        LEFT JOIN unit AS u ON u.concept_id = coalesce(s.amount_unit_concept_id, s.numerator_unit_concept_id)
        LEFT JOIN unit AS d ON d.concept_id = s.denominator_unit_concept_id
        WHERE s.ingredient_concept_id IN (SELECT concept_id FROM ingredient) AND u.concept_id IS NOT NULL
            AND coalesce({_A_PIECE}, {_A_DAY}) > 0 AND coalesce({_A_PIECE}, {_A_DAY}) <= {MOST}"""
    return sql, {"concepts": str(bundle.table("CONCEPT")), "strengths": str(table)}


_A_PIECE = """CASE WHEN s.denominator_unit_concept_id IS NULL THEN s.amount_value
    WHEN d.concept_code IN ('mL', '{actuat}') THEN s.numerator_value
    WHEN d.concept_code = 'mg' THEN s.numerator_value * CASE WHEN s.denominator_value IS NULL THEN 1000 ELSE 1 END END"""
"""Tablets count by the piece, puffs by the actuation, solutions by the millilitre and ointments by the gram, or, with a
denominator of their own (250 mg / 5 mL), by the container."""
_A_DAY = "CASE WHEN d.concept_code = 'h' THEN 24 * s.numerator_value / coalesce(s.denominator_value, 1) END"
"""A patch releases so much an hour, however many are dispensed."""
