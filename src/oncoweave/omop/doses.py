"""How dose eras come of exposures: a person takes of an ingredient what was last started, and no more than that.

Exposures that start on one day are taken together; a later one replaces what is left of them, as no drug is stockpiled.
So a person has one dose of an ingredient (in one unit) on any day, and an era is a run of days of the same dose.
"""

from __future__ import annotations

_DAYS = "greatest(e.drug_exposure_end_date - e.drug_exposure_start_date, 0) + 1"
_DOSE = f"coalesce(s.a_day, s.a_piece * e.quantity / ({_DAYS}))"

DAILY = f"""SELECT e.drug_exposure_id AS id, e.person_id, s.ingredient_concept_id AS concept_id, s.unit_concept_id,
    e.drug_exposure_start_date AS start_date, greatest(e.drug_exposure_start_date, e.drug_exposure_end_date) AS end_date,
    CAST({_DOSE} AS DECIMAL(30, 9)) AS dose
    FROM {{exposures}} AS e JOIN era_strength AS s ON s.drug_concept_id = e.drug_concept_id
    WHERE s.a_day IS NOT NULL OR (e.quantity > 0 AND e.quantity <= {{most}})"""
"""The dose a day of each ingredient of an exposure: what was dispensed of it, over the days that it lasts.

A decimal, since a sum of decimals does not depend on the order, and equal doses are equal.
"""

_OF = "person_id, concept_id, unit_concept_id"

_TOGETHER = f"""SELECT {_OF}, start_date, end_date, sum(dose) AS dose, min(id) AS id FROM ({{daily}}) GROUP BY ALL"""

_STEPS = f"""SELECT id, {_OF}, end_date,
    sum(dose) OVER (PARTITION BY {_OF}, start_date ORDER BY end_date DESC ROWS UNBOUNDED PRECEDING) AS dose,
    coalesce(lag(end_date) OVER (PARTITION BY {_OF}, start_date ORDER BY end_date) + 1, start_date) AS start_date,
    first_value(start_date) OVER (PARTITION BY {_OF} ORDER BY start_date GROUPS BETWEEN 1 FOLLOWING AND 1 FOLLOWING) AS replaced
    FROM ({_TOGETHER})"""
"""Of what starts together, each part that ends leaves a smaller dose, until something else is started."""

_LIVED = f"""SELECT id, {_OF}, dose, start_date, least(end_date, replaced - 1) AS end_date FROM ({_STEPS})
    WHERE replaced IS NULL OR start_date < replaced"""

_BEGUN = f"""SELECT *, lag(dose) OVER before IS DISTINCT FROM dose OR start_date > lag(end_date) OVER before + {{persistence}} AS begins
    FROM ({_LIVED}) WINDOW before AS (PARTITION BY {_OF} ORDER BY start_date)"""

DOSE_ERAS = f"""SELECT max(id) FILTER (begins) AS id, {_OF}, any_value(dose) AS dose, min(start_date) AS start_date,
    max(end_date) AS end_date
    FROM (SELECT *, sum(begins::INTEGER) OVER (PARTITION BY {_OF} ORDER BY start_date ROWS UNBOUNDED PRECEDING) AS era
        FROM ({_BEGUN}))
    GROUP BY {_OF}, era"""
"""A SELECT of the dose eras of `daily`, with the id of an exposure of the first days."""
