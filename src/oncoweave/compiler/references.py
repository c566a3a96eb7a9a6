"""The pass over `modifies`, `visit`, `provider` and the like: how a rule finds the fact of another rule, or why it cannot."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Literal

from oncoweave.compiler.bound import BoundRule, Reference
from oncoweave.compiler.draft import Draft
from oncoweave.compiler.inputs import Inputs
from oncoweave.compiler.joins import DOT, BoundJoin, is_joined, paths
from oncoweave.errors import Problem, nearest
from oncoweave.omop.routing import HEALTH_SYSTEM_FACTS, RELATED_FACTS, ROUTED_FACTS
from oncoweave.spec.clinical import FactSpec
from oncoweave.spec.document import Loc
from oncoweave.spec.mapping import Rule
from oncoweave.spec.notes import NoteRule
from oncoweave.spec.relationship import FactLink
from oncoweave.spec.rule import VisitLink

REFERENCES: Mapping[str, frozenset[str]] = {
    "modifies": ROUTED_FACTS - {"specimen"},
    "episode": frozenset({"episode"}),
    "parent": frozenset({"episode", "visit_detail"}),
    "visit": frozenset({"visit"}),
    "visit_detail": frozenset({"visit_detail"}),
    "location": frozenset({"location"}),
    "care_site": frozenset({"care_site"}),
    "provider": frozenset({"provider"}),
    "first": RELATED_FACTS,
    "second": RELATED_FACTS,
}
"""The keys that name another rule, and the facts that rule may have."""

FROM_VISIT = "from visit"
"""What stands for a rule in `provider`: the provider of the fact's visit."""


def find_references(draft: Draft) -> Draft:
    """Every rule with the facts that it refers to."""
    finder = _Finder(draft.reading, draft.joins, {r.name: r for r in draft.rules})
    rules = tuple(finder.with_references(rule) for rule in draft.rules)
    return replace(draft, rules=rules).with_problems(finder.problems)


@dataclass
class _Finder:
    """Finds the references of rules, collecting problems as it goes; `bound` are the rules without errors."""

    inputs: Inputs
    joins: Sequence[BoundJoin]
    bound: Mapping[str, BoundRule]
    problems: list[Problem] = field(default_factory=list)

    def with_references(self, rule: BoundRule) -> BoundRule:
        """The rule with its references."""
        number = self.inputs.mapping.rules.index(rule.spec)
        found: dict[str, Reference] = {}
        for key, allowed in REFERENCES.items():
            facts = frozenset({rule.fact}) if key == "parent" else allowed
            named, loc = getattr(rule.spec, key, None), ("rules", number, key)
            if isinstance(named, VisitLink):
                reference = self._reference(rule, named.rule, facts, (*loc, "rule"), by_date=True)
            elif isinstance(named, FactLink):
                reference = self._reference(rule, named.rule, facts, (*loc, "rule"), by=named.by)
            else:
                reference = self._reference(rule, named, facts, loc) if named not in (None, FROM_VISIT) else None
            found |= {key: reference} if reference else {}
        inherits = self._provider_from(rule, found, ("rules", number, "provider"))
        found = {k: self._same_row(rule, k, r, more=k in ("location", inherits)) for k, r in found.items()}
        return replace(rule, references=found, provider_from=inherits)

    def _provider_from(self, rule: BoundRule, found: Mapping[str, Reference], loc: Loc) -> str | None:
        """The reference whose provider the rule's facts have: the visit's detail, else the visit, where one has any."""
        own = getattr(rule.spec, "provider", None)
        default = self.inputs.mapping.defaults.provider if isinstance(rule.spec, (FactSpec, NoteRule)) else None
        if (own or default) != FROM_VISIT:
            return None
        rules = {r.name: r for r in self.inputs.mapping.rules}
        links = [key for key in ("visit_detail", "visit") if key in found]
        for key in links:
            if getattr(rules[found[key].rule], "provider", None):
                return key
        if own and not any(getattr(rule.spec, key, None) for key in ("visit_detail", "visit")):
            self._refuse("a fact without a visit has no provider of it", loc, "add `visit:`, or name a provider rule")
        elif own and links:
            visit = found[links[-1]].rule
            self._refuse(f"the visits of `{visit}` have no provider", loc, "add `provider:` to that rule")
        return None

    def _reference(
        self,
        rule: BoundRule,
        name: str,
        facts: frozenset[str],
        loc: Loc,
        *,
        by_date: bool = False,
        by: Mapping[str, str] | None = None,
    ) -> Reference | None:
        """The reference to the rule of that name; None with a problem told, here or where that rule stands."""
        rules = {r.name: r for r in self.inputs.mapping.rules}
        parent = rules.get(name)
        if parent is not None and not self._settled(parent.from_):
            return None
        if parent is None or parent.fact not in facts:
            fitting = [r.name for r in rules.values() if r.fact in facts and r.name != rule.name]
            what = "there is no rule" if parent is None else f"a {parent.fact} cannot be named here:"
            mend = nearest(name, fitting) or f"it takes the name of a rule with `fact: {min(facts)}`"
            return self._refuse(f"{what} `{name}`", loc, mend)
        if getattr(parent, "columns", None):
            message = f"`{name}` makes several facts of a row, so it cannot be referred to"
            return self._refuse(message, loc, "refer to a rule without `columns`")
        if by_date:
            return Reference(name, parent.from_, None, by_date=True)
        fields = tuple(parent.group) or self.inputs.source.tables[parent.from_].row.fields or None
        if by:
            return self._by_fields(rule, parent, fields, by, loc)
        ways = self._ways(rule, parent, fields)
        if len(ways) == 1:
            partial = parent.fact in HEALTH_SYSTEM_FACTS and len(parent.group) > 1
            return Reference(name, parent.from_, fields, ways[0], partial)
        if ways:
            message = f"`{rule.table}` leads to a row of `{parent.from_}` in several ways, so it is open which fact of `{name}` is meant"
            return self._refuse(message, loc, "leave one of the joins, or read the other table through a further one")
        return self._refuse(
            f"the fact of `{name}` cannot be found from a row of `{rule.table}`", loc, _way(rule, parent, fields)
        )

    def _by_fields(
        self, rule: BoundRule, parent: Rule, fields: tuple[str, ...] | None, by: Mapping[str, str], loc: Loc
    ) -> Reference | None:
        """The reference by the fields that the author names; they must tell all of the other rule's unit."""
        at: Loc = (*loc[:-1], "by")
        own = rule.spec.group or tuple(self.inputs.source.tables[rule.table].fields)
        unknown = next((name for name in by if name not in own), None)
        if unknown is not None:
            where = "is not in `group`" if rule.grouped else f"is not a field of `{rule.table}`"
            return self._refuse(f"`{unknown}` {where}", (*at, unknown), nearest(unknown, own), at="key")
        if fields is None:
            message = f"a row of `{parent.from_}` has no key by which the fact of `{parent.name}` could be named"
            return self._refuse(message, at, "name the fields of its key in source.yaml, or group the rule by fields")
        if sorted(by.values()) != sorted(fields):
            message = f"a fact of `{parent.name}` is identified by {' and '.join(f'`{f}`' for f in fields)}"
            return self._refuse(message, at, "name each of them once, as the value of the field that holds it here")
        mine = {theirs: own_field for own_field, theirs in by.items()}
        return Reference(parent.name, parent.from_, fields, tuple(mine[f] for f in fields))

    def _settled(self, table: str) -> bool:
        """Whether a table is there and declares the fields of its key; else that is told already."""
        spec = self.inputs.source.tables.get(table)
        return spec is not None and set(spec.row.fields) <= set(spec.fields)

    def _ways(self, rule: BoundRule, parent: Rule, fields: tuple[str, ...] | None) -> list[tuple[str, ...] | None]:
        """The fields of this rule's table (or group) that hold the texts of the other's unit.

        Its own fields, by a join or else by name, are taken before those that have to be looked up.
        """
        if fields is None:
            return [None] if rule.table == parent.from_ and not rule.grouped else []
        own = set(rule.spec.group or self.inputs.source.tables[rule.table].fields)
        chains = [_along(chain, fields, own) for chain in paths(self.joins, rule.table, parent.from_)]
        found = list(dict.fromkeys(way for way in chains if set(way) <= own))
        straight = [way for way in found if not any(map(is_joined, way))]
        return [*(straight or ([fields] if set(fields) <= own else found))]

    def _same_row(self, rule: BoundRule, key: str, reference: Reference, *, more: bool) -> Reference:
        """The reference, marked where both rules make one fact of the same row, bound for one CDM table.

        `more` says that something of the fact has to be looked up besides whether it is there.
        """
        parent = self.bound.get(reference.rule)
        tells_visit = key == "visit_detail" or (parent is not None and parent.rolls_up)
        if reference.by_date or tells_visit:
            return replace(reference, tells_visit=tells_visit)
        other_row = reference.by != reference.fields
        if more or other_row or parent is None or parent.table != rule.table or parent.grouped or rule.grouped:
            return reference
        targets = parent.branches[0].targets
        return replace(reference, same_row=True, target=min(targets)) if len(targets) == 1 else reference

    def _refuse(self, message: str, loc: Loc, mend: str, *, at: Literal["value", "key"] = "value") -> Reference | None:
        """Tells why there is no reference."""
        self.problems.append(self.inputs.document.problem("rule", message, loc, help=mend, at=at))
        return None


def _along(chain: Sequence[BoundJoin], fields: Sequence[str], own: set[str]) -> tuple[str, ...]:
    """The fields that hold, at the end of a chain of joins, these fields; the table's own where the join is by them."""
    end = DOT.join(join.name for join in chain)
    same = {theirs: mine for mine, theirs in chain[0].by if mine in own} if len(chain) == 1 else {}
    return tuple(same.get(field, f"{end}{DOT}{field}") for field in fields)


def _way(rule: BoundRule, parent: Rule, fields: tuple[str, ...] | None) -> str:
    """How a fact could be found."""
    if not fields:
        return "both rules must read the same table"
    needed = f"`{rule.table}` (or the group) must hold the fields that identify it: {', '.join(fields)}"
    if rule.table == parent.from_:
        return needed
    return f"{needed}; or join the table: under `joins:`, `- {{from: {rule.table}, to: {parent.from_}, by: …}}`"
