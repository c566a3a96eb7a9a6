"""The plan: everything a run of `map` does, as a value. It holds no path, no key and no data, and prints itself."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property

from sqlglot import exp

from oncoweave.compiler.bound import BoundRule
from oncoweave.compiler.facts import FactSelect
from oncoweave.compiler.joining import JoinedTable
from oncoweave.compiler.lookups import Lookup
from oncoweave.compiler.printing import lookup_line, rule_lines
from oncoweave.compiler.roll_up import by_day, rolled_up
from oncoweave.compiler.staging import StagePlan
from oncoweave.engine.dialect import to_duckdb
from oncoweave.spec.mapping import Mapping as MappingSpec
from oncoweave.spec.source import Source


@dataclass(frozen=True)
class RulePlan:
    """One rule: its branches, and for a group the rows that do not get into one (`before`: file, line, verdict)."""

    rule: BoundRule
    branches: tuple[FactSelect, ...]
    before: exp.Select | None

    @property
    def name(self) -> str:
        return self.rule.name

    @property
    def readings(self) -> list[exp.Select]:
        """The selects that read the staged table; all others are over these."""
        return [*([self.before] if self.before else []), *(branch.unit for branch in self.branches)]


@dataclass(frozen=True)
class Plan:
    """What `map` does, in order: make the joined tables, stage the table of the persons, find who they are
    (`mapped_persons`), stage the others, run the rules.

    `readable` is the source with what its tables read through joins, the person too.
    """

    source: Source
    readable: Source
    mapping: MappingSpec
    vocabulary: str
    joined: tuple[JoinedTable, ...]
    stages: tuple[StagePlan, ...]
    rules: tuple[RulePlan, ...]
    lookups: Mapping[str, Lookup]
    mapped_persons: exp.Select
    unconfirmed: tuple[int, ...]
    warnings: tuple[str, ...]
    period_type: int

    @property
    def persons(self) -> RulePlan:
        """The rule of the persons."""
        return next(plan for plan in self.rules if plan.rule.fact == "person")

    @cached_property
    def sha256(self) -> str:
        """Hash of the plan's text: the same specification gives the same plan."""
        return hashlib.sha256("\n".join(self.lines(sql=True)).encode()).hexdigest()

    def __str__(self) -> str:
        return "\n".join(self.lines(sql=False))

    def lines(self, *, sql: bool, rule: str | None = None) -> Iterator[str]:
        """The plan as text; `sql` adds the statements, `rule` keeps to one rule."""
        yield f"source {self.source.source}, vocabulary {self.vocabulary}"
        for joined in self.joined if rule is None else ():
            yield f"joined table {joined.table}: found by {', '.join(joined.key)}"
            yield from [f"    {to_duckdb(joined.select)}", f"    {to_duckdb(joined.select_faults)}"] if sql else ()
        for stage in self.stages if rule is None else ():
            yield f"source table {stage.table}: {', '.join(stage.content)}"
            yield from [f"    {to_duckdb(stage.select)}"] if sql else ()
        for plan in self.rules:
            if rule in (None, plan.name):
                yield from rule_lines(plan.rule, self.mapping.concepts)
                yield from _statements(plan) if sql else ()
        if rule is None:
            yield f"observation periods by the rule {self.mapping.observation_periods.rule}"
        for lookup in self.lookups.values() if rule is None else ():
            yield lookup_line(lookup)


def _statements(plan: RulePlan) -> Iterator[str]:
    for branch in plan.branches:
        yield f"    {branch.events_sql}"
    if plan.rule.rolls_up and plan.rule.kinds:
        yield f"    {rolled_up('encounters', plan.name, plan.rule.kinds)}"
    if plan.rule.by_date and plan.rule.kinds:
        yield f"    {by_day('visits', plan.rule.kinds)}"
