"""The two facts of a relationship as columns of the fact select: which they are, and when a row names no pair."""

from __future__ import annotations

from oncoweave.compiler.bound import BoundRule, Reference
from oncoweave.compiler.sql import Node, col, equals, is_null, number, text
from oncoweave.omop.routing import TABLE_OF_FACT


def related_values(rule: BoundRule) -> dict[str, Node]:
    """The event columns of a relationship: both facts, each with its table, and the concepts of both directions."""
    if rule.related is None:
        return {}
    found: dict[str, Node] = {
        "relationship_concept_id": number(rule.related.concept_id),
        "reverse_concept_id": number(rule.related.reverse_concept_id),
    }
    for key, reference in rule.references.items():
        found |= {key: _fact(key, reference), f"{key}_target": _target(key, reference)}
    return found


def unnamed_fact(rule: BoundRule) -> list[Node]:
    """When a row of a relationship does not name both facts: a field that tells one of them is empty."""
    return [is_null(col(f"event:{key}")) for key in rule.references] if rule.related else []


def same_fact(rule: BoundRule) -> list[tuple[Node, Node]]:
    """The verdict on a row of a relationship whose two ends are one fact."""
    if rule.related is None:
        return []
    first, second = (_fact(key, reference) for key, reference in rule.references.items())
    return [(equals(first, second), text("quarantined: first and second are the same fact"))]


def _fact(key: str, reference: Reference) -> Node:
    """The event at one end; of an encounter that was rolled up it is the visit."""
    return col(f"visit:{key}") if reference.tells_visit else col(f"event:{key}")


def _target(key: str, reference: Reference) -> Node:
    """The CDM table of that event, row by row where its concept decides it."""
    if reference.tells_visit:
        return text(TABLE_OF_FACT["visit"])
    return text(reference.target) if reference.target else col(f"target:{key}")
