"""Runs a plan on DuckDB: snapshot to events, with the ledger and the quarantine; tables and rules that do not need each other side by side."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import date
from pathlib import Path

import duckdb
from sqlglot import exp

from oncoweave.compiler.execute_rule import RuleFound, RuleRun
from oncoweave.compiler.execute_stage import keep_persons, stage_table
from oncoweave.compiler.join_tables import make_joined_table
from oncoweave.compiler.lookups import COLUMNS as LOOKUP_COLUMNS
from oncoweave.compiler.lookups import LookupRow, MapLookup
from oncoweave.compiler.plan import Plan
from oncoweave.compiler.sql import table
from oncoweave.compiler.staging import DELIVERED, PERSONS, StagePlan, snapshot_view
from oncoweave.compiler.statements import Statements
from oncoweave.engine.connection import without_values
from oncoweave.engine.dialect import to_duckdb
from oncoweave.engine.parquet import copy_sorted, identifier
from oncoweave.engine.side_by_side import Task, side_by_side
from oncoweave.errors import DataError
from oncoweave.privacy.pseudonym import Key
from oncoweave.records import EventFile, JoinCount, LedgerEntry, UnconvertedCount, UnmappedCount
from oncoweave.vocabulary.bundle import Bundle

QUARANTINE = (
    ("file", "VARCHAR"),
    ("line", "BIGINT"),
    ("rule", "VARCHAR"),
    ("column", "VARCHAR"),
    ("reason", "VARCHAR"),
)

Done = RuleFound | list[JoinCount] | None
"""What a task of an execution finds: of a rule, of a staged table, and nothing of a table that is dropped."""


@dataclass
class Execution:
    """One run of a plan: `snapshot` gives the Parquet file of each source table, events go to the folder `events`."""

    connection: duckdb.DuckDBPyConnection
    plan: Plan
    bundle: Bundle
    key: Key
    snapshot: Mapping[str, Path]
    events: Path
    delivery: date
    files: list[EventFile] = field(default_factory=list)
    ledger: list[LedgerEntry] = field(default_factory=list)
    unmapped: list[UnmappedCount] = field(default_factory=list)
    unconverted: list[UnconvertedCount] = field(default_factory=list)
    joins: dict[tuple[str, str], JoinCount] = field(default_factory=dict)
    corrected: int = 0

    @property
    def _statements(self) -> Statements:
        return Statements(self.connection, self.plan, self.key, self.delivery)

    def run(self) -> None:
        """Everything up to the events.

        Raises DataError when a correction does not match, OncoweaveError when the ledger does not balance.
        """
        self._prepare()
        for done in side_by_side(self.connection, list(self.tasks())).values():
            if isinstance(done, RuleFound):
                self.files += done.files
                self.ledger += done.ledger
                self.unmapped += done.unmapped
                self.unconverted += done.unconverted
            else:
                self._note_joins(done or ())

    def tasks(self) -> Iterator[Task[Done]]:
        """Each table is staged before the first rule that reads it, and dropped after the last task that needs it."""
        made: dict[str, RuleFound] = {}
        persons, *waiting = self.plan.stages
        staged = [persons]
        yield Task(_staging(persons.table), self._on(lambda statements: _stage_persons(statements, persons)))
        for number, plan in enumerate(self.plan.rules):
            while plan.rule.table in [stage.table for stage in waiting]:
                staged.append(waiting.pop(0))
                yield self._stage(staged[-1], persons)
            yield self._rule(number, made)
            needed = {later.rule.table for later in self.plan.rules[number + 1 :]}.union(
                *(s.looks_into for s in waiting)
            )
            for stage in [s for s in staged if s.table not in needed]:
                yield self._drop(stage, number)
                staged.remove(stage)

    def write_quarantine(self, path: Path) -> int:
        """The rows held back, in order of rule, file and line; returns their number."""
        return copy_sorted(
            self.connection, 'SELECT * FROM "quarantine"', path, order_by=["rule", "column", "file", "line", "reason"]
        )

    def write_id_map(self, path: Path) -> None:
        """The restricted map from person_id to the key that the source knows the person by."""
        copy_sorted(self.connection, f"SELECT * FROM {identifier(PERSONS)}", path, order_by=["person_id"])

    # Preparation

    def _prepare(self) -> None:
        for name, path in self.snapshot.items():
            self._view(snapshot_view(name), path)
        columns = ", ".join(f"{identifier(n)} {t}" for n, t in QUARANTINE)
        self._statements.do(f'CREATE TABLE "quarantine" ({columns})', "making the quarantine")
        for stage in self.plan.stages:
            self._check_corrections(stage)
        for lookup in self.plan.lookups.values():
            if isinstance(lookup, MapLookup):
                self._load_lookup(lookup.name, list(lookup.rows))
        for joined in self.plan.joined:
            self._note_joins(make_joined_table(self.connection, joined))

    def _view(self, name: str, path: Path) -> None:
        text = to_duckdb(exp.Literal.string(str(path)))
        sql = f"CREATE VIEW {identifier(name)} AS SELECT * FROM read_parquet({text})"
        self._statements.do(sql, f"opening {path.name}")

    def _note_joins(self, counts: Iterable[JoinCount]) -> None:
        """Keeps how many rows find no partner; a join that is made twice counts the same rows."""
        self.joins |= {(count.table, count.join): count for count in counts}

    def _load_lookup(self, name: str, rows: list[LookupRow]) -> None:
        columns = ", ".join(f"{identifier(n)} {t}" for n, t in LOOKUP_COLUMNS)
        self._statements.do(f"CREATE TABLE {identifier(name)} ({columns})", f"loading {name}")
        holes = ", ".join("?" * len(LOOKUP_COLUMNS))
        with without_values(f"loading {name}"):
            if rows:
                self.connection.executemany(
                    f"INSERT INTO {identifier(name)} VALUES ({holes})", [r.values() for r in rows]
                )

    def _check_corrections(self, stage: StagePlan) -> None:
        for item in stage.amendments:
            select = exp.select(exp.Count(this=exp.Star())).from_(table(snapshot_view(stage.table), DELIVERED))
            sql = to_duckdb(select.where(item.condition.copy()))
            ((rows,),) = self._statements.rows(sql, f"checking correction {item.number}")
            if rows != item.rows:
                message = f"correction {item.number} of `{stage.table}` matches {rows} rows instead of {item.rows}"
                raise DataError(message, mend="the source has changed: revise corrections.yaml")
            self.corrected += item.rows

    # Tables and rules

    def _stage(self, stage: StagePlan, persons: StagePlan) -> Task[Done]:
        needed = {persons.table, *stage.looks_into}
        return Task(
            _staging(stage.table),
            self._on(lambda statements: stage_table(statements, stage)),
            frozenset(map(_staging, needed)),
        )

    def _rule(self, number: int, made: dict[str, RuleFound]) -> Task[Done]:
        """A rule needs its table and the rules that it refers to; a death those of all facts that may belie it."""
        plan = self.plan.rules[number]
        before = [rule.name for rule in self.plan.rules[:number]]
        belied = before if plan.rule.fact == "death" else []
        referred = {reference.rule for reference in plan.rule.references.values()} - {plan.name}

        def work(statements: Statements) -> Done:
            files = [file for name in belied for file in made[name].files]
            made[plan.name] = RuleRun(statements, plan, self.bundle, self.events, files).run()
            return made[plan.name]

        needed = {_staging(plan.rule.table), *map(_mapping, referred), *map(_mapping, belied)}
        return Task(_mapping(plan.name), self._on(work), frozenset(needed))

    def _drop(self, stage: StagePlan, number: int) -> Task[Done]:
        """After the rules of a table, of which the last one is `number`, and after the tables that look into it."""
        rules = [rule.name for rule in self.plan.rules[: number + 1] if rule.rule.table == stage.table]
        tables = [other.table for other in self.plan.stages if stage.table in other.looks_into]
        sql = f"DROP TABLE {identifier(stage.name)}"
        needed = {_staging(stage.table), *map(_mapping, rules), *map(_staging, tables)}
        return Task(
            f"drop {stage.table}",
            self._on(lambda statements: statements.do(sql, f"tidying up {stage.table}")),
            frozenset(needed),
        )

    def _on(self, work: Callable[[Statements], Done]) -> Callable[[duckdb.DuckDBPyConnection], Done]:
        """The same work, given the connection of whoever does it."""
        return lambda connection: work(replace(self._statements, connection=connection))


def _stage_persons(statements: Statements, stage: StagePlan) -> Done:
    counts = stage_table(statements, stage)
    keep_persons(statements, stage)
    return counts


def _staging(source_table: str) -> str:
    return f"stage {source_table}"


def _mapping(rule: str) -> str:
    return f"map {rule}"
