"""The pass over visits: which visit concepts are of which kind, for the rules whose visits are rolled up, end on the day
of the delivery, or are found by date.

A concept is of the kind of the first of these that it is or descends from: 9201 or 262 inpatient, 9203 emergency,
9202 outpatient. A release without CONCEPT_ANCESTOR knows these four concepts alone.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from oncoweave.compiler.bound import BoundRule, VisitKinds
from oncoweave.compiler.draft import Draft
from oncoweave.compiler.roll_up import EMERGENCY, EMERGENCY_TO_INPATIENT, INPATIENT, OUTPATIENT
from oncoweave.errors import Problem
from oncoweave.vocabulary.bundle import Bundle


def find_visit_kinds(draft: Draft) -> Draft:
    """The rules of visits with the kinds that they need, and what keeps them from it."""
    by_date = {r.rule for rule in draft.rules for r in rule.references.values() if r.by_date}
    wanting = [r for r in draft.rules if r.fact in ("visit", "visit_detail") and _wants(r, r.name in by_date)]
    if not wanting:
        return draft.with_problems([*_without_end(draft)])
    bundle = draft.inputs.bundle
    kinds = visit_kinds(bundle)
    rules = tuple(replace(r, kinds=kinds, by_date=r.name in by_date) if r in wanting else r for r in draft.rules)
    return replace(draft, rules=rules).with_problems([*_without_end(draft), *_vocabulary(draft, wanting)])


def visit_kinds(bundle: Bundle) -> VisitKinds:
    """The visit concepts of each kind in a release."""
    below = bundle.descendants([INPATIENT, EMERGENCY_TO_INPATIENT, EMERGENCY, OUTPATIENT])
    inpatient = below[INPATIENT] | below[EMERGENCY_TO_INPATIENT]
    emergency = below[EMERGENCY] - inpatient
    outpatient = below[OUTPATIENT] - inpatient - emergency
    return VisitKinds(tuple(sorted(inpatient)), tuple(sorted(emergency)), tuple(sorted(outpatient)))


def _wants(rule: BoundRule, by_date: bool) -> bool:
    return by_date or rule.rolls_up or getattr(rule.spec, "without_end", "start") == "ongoing"


def _without_end(draft: Draft) -> Iterator[Problem]:
    """`without_end` says what an empty `end` means, so there must be one."""
    for number, rule in enumerate(draft.inputs.mapping.rules):
        if "without_end" in rule.model_fields_set and getattr(rule, "end", None) is None:
            message = "`without_end` says what an empty `end` means, and there is no `end`"
            mend = "give `end`, the field of the last day, or leave `without_end` out"
            yield draft.inputs.document.problem("rule", message, ("rules", number, "without_end"), help=mend, at="key")


def _vocabulary(draft: Draft, wanting: list[BoundRule]) -> Iterator[Problem]:
    """The concepts that rolled-up visits get must be there; a release without ancestors knows few kinds."""
    bundle, document = draft.inputs.bundle, draft.inputs.document
    known = bundle.concepts([INPATIENT, EMERGENCY_TO_INPATIENT])
    for rule in wanting:
        loc = ("rules", draft.inputs.mapping.rules.index(rule.spec))
        missing = [i for i in (INPATIENT, EMERGENCY_TO_INPATIENT) if rule.rolls_up and i not in known]
        for concept in missing:
            message = f"rolled-up visits need concept {concept}, which the vocabulary {bundle.release} does not have"
            yield document.problem("concept", message, (*loc, "roll_up"), help="load a release that has it", at="key")
        if not bundle.has_ancestors:
            message = f"the vocabulary {bundle.release} has no CONCEPT_ANCESTOR: only 9201, 262, 9203 and 9202 have a kind of visit"
            mend = "load a release with CONCEPT_ANCESTOR, or map visits to these concepts"
            yield document.problem("vocabulary", message, (*loc, "name"), help=mend, severity="warning")
