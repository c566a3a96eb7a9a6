"""Runs one rule on DuckDB: writes its events, and accounts for every row that it reads."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import takewhile
from pathlib import Path
from typing import Any

from oncoweave.compiler.bound import Branch, Looked
from oncoweave.compiler.code_lookups import code_lookup
from oncoweave.compiler.coding_lookups import coding_lookup
from oncoweave.compiler.facts import ACTIVITY, DEAD, FactSelect, days_table, events_view, held_table
from oncoweave.compiler.lookups import CodeLookup, CodingLookup
from oncoweave.compiler.plan import RulePlan
from oncoweave.compiler.roll_up import OF_THE_STAY, by_day, rolled_up, visits_of
from oncoweave.compiler.staging import snapshot_view
from oncoweave.compiler.statements import Statements
from oncoweave.engine.connection import without_values
from oncoweave.engine.dialect import to_duckdb
from oncoweave.engine.parquet import copy, copy_sorted, identifier
from oncoweave.errors import OncoweaveError
from oncoweave.events import TYPES, select_columns, select_events, union_of
from oncoweave.omop.routing import UNSEEN_FACTS
from oncoweave.records import EventFile, LedgerEntry, UnconvertedCount, UnmappedCount
from oncoweave.vocabulary.bundle import Bundle

NO_ACTIVITY = UNSEEN_FACTS | {"episode"}
"""Facts that belie no death: their days tell of no contact with the person, or (a course) are put together from others."""

HELD = ("unit BIGINT", "file VARCHAR", "line BIGINT", "verdict VARCHAR")
HELD_OF_A_GROUP = ('"rows" BIGINT', "files VARCHAR[]", "lines BIGINT[]")
"""The columns of what is no fact."""


@dataclass(frozen=True)
class RuleFound:
    """What a rule made of its rows: the event files, and the accounts."""

    files: list[EventFile]
    ledger: list[LedgerEntry] = field(default_factory=list)
    unmapped: list[UnmappedCount] = field(default_factory=list)
    unconverted: list[UnconvertedCount] = field(default_factory=list)


@dataclass(frozen=True)
class RuleRun:
    """One rule at work: its events go to the folder `events`; `before` are the event files of the rules before it."""

    statements: Statements
    plan: RulePlan
    bundle: Bundle
    events: Path
    before: Sequence[EventFile]

    def run(self) -> RuleFound:
        """Write the event files of the rule, and account for the rows that it reads.

        Raises OncoweaveError (our bug) when the ledger does not balance.
        """
        for lookup in self._codes():
            self._load_codes(lookup)
        if self.plan.rule.fact == "death":
            self._find_activity()
            self._find_dead()
        if self.plan.before is not None:
            held = f"CREATE TABLE {_held(self.plan)} AS {to_duckdb(self.plan.before)}"
            self.statements.do(held, f"reading rows of {self.plan.name}")
        branches = list(zip(self.plan.branches, self.plan.rule.branches, strict=True))
        files = [self._facts(select, bound) for select, bound in branches]
        more = [self._visits_of(file) for file in files if self.plan.rule.rolls_up]
        sql = union_of(self.events, files)
        self.statements.do(
            f"CREATE VIEW {identifier(events_view(self.plan.name))} AS {sql}", f"opening {self.plan.name}"
        )
        if self.plan.rule.by_date:
            self._list_days()
        found = RuleFound([*files, *more])
        for file, (select, bound) in zip(files, branches, strict=True):
            entry = self._entry(select, file, sum(f.rows for f in more))
            found.ledger.append(entry)
            found.unmapped.extend(self._unmapped(file, bound, concept=entry.unmapped > 0))
            found.unconverted.extend(self._unconverted(file, bound))
        return found

    def _load_codes(self, lookup: CodeLookup | CodingLookup) -> None:
        """Resolves the codes that occur (or all of their vocabulary): the source concept, and the standard concepts it maps to."""
        if isinstance(lookup, CodingLookup):
            select, parameters = coding_lookup(lookup, self.bundle)
        else:
            select, parameters = code_lookup(self.statements.connection, lookup, self.bundle)
        with without_values(f"resolving the codes of {lookup.vocabulary}"):
            self.statements.connection.execute(f"CREATE TABLE {identifier(lookup.name)} AS {select}", parameters)

    def _find_activity(self) -> None:
        """The last day that any fact of a person starts on, from the events written so far."""
        files = [f for f in takewhile(lambda f: f.fact != "death", self.before) if f.fact not in NO_ACTIVITY]
        sql = f"""CREATE OR REPLACE TEMP TABLE {identifier(ACTIVITY)} AS SELECT person_id, max(start_date) AS last_day
            FROM ({union_of(self.events, files, ["person_id", "start_date"])}) GROUP BY ALL"""
        self.statements.do(sql, "finding the last day of each person")

    def _find_dead(self) -> None:
        """The persons of whom the rules before tell a death."""
        told = union_of(self.events, [f for f in self.before if f.fact == "death"], ["person_id"])
        sql = f"CREATE OR REPLACE TEMP TABLE {identifier(DEAD)} AS {told}"
        self.statements.do(sql, "finding who is dead already")

    def _facts(self, select: FactSelect, bound: Branch) -> EventFile:
        """Writes the facts of a branch."""
        name = f"{self.plan.name}.{select.column}.parquet" if select.column else f"{self.plan.name}.parquet"
        file = EventFile(
            name=name, rule=self.plan.name, column=select.column, fact=self.plan.rule.fact, targets=tuple(sorted(bound.targets)),
            columns=tuple(n for n in TYPES if n not in select.constants), constants=dict(select.constants),
            derived=dict(select.derived), rows=0,
        )  # fmt: skip
        events = select.events_sql
        if self.plan.rule.rolls_up:
            file, events = self._roll_up(file, events)
        ordered = self.plan.rule.grouped or self.plan.rule.fact == "death"  # others keep the order of the delivery
        rows = copy_sorted(
            self.statements.connection, events, self.events / name,
            order_by=["event_id"] if ordered else [], parameters=self.statements.given(events),
        )  # fmt: skip
        return file.model_copy(update={"rows": rows})

    def _roll_up(self, file: EventFile, events: str) -> tuple[EventFile, str]:
        """Finds the visit of each encounter: the encounters' file and events, with the visit."""
        assert self.plan.rule.kinds is not None
        raw, rolled = _encounters(self.plan), _rolled(self.plan)
        self.statements.do(f"CREATE TABLE {raw} AS {events}", f"reading {self.plan.name}")
        sql = rolled_up(select_columns(file, raw), self.plan.name, self.plan.rule.kinds)
        self.statements.do(f"CREATE TABLE {rolled} AS {sql}", f"rolling up {self.plan.name}")
        columns = tuple(n for n in TYPES if n in (*file.columns, "visit"))
        constants = {n: v for n, v in file.constants.items() if n != "visit"}
        joined = f"SELECT e.*, r.visit FROM {raw} AS e LEFT JOIN {rolled} AS r ON r.event_id = e.event_id"
        return file.model_copy(update={"columns": columns, "constants": constants}), joined

    def _visits_of(self, encounters: EventFile) -> EventFile:
        """Writes the visits of the encounters of a rule."""
        columns = tuple(n for n in TYPES if n in (*encounters.columns, *OF_THE_STAY) and n != "visit")
        constants = {n: encounters.constants.get(n) for n in TYPES if n not in columns}
        constants |= {"fact": "visit", "target": "visit_occurrence"}
        held = tuple(n for n in encounters.columns if n != "visit")
        stored = encounters.model_copy(update={"columns": held})
        sql = visits_of(select_columns(stored, _encounters(self.plan)), _rolled(self.plan), columns)
        name = f"{self.plan.name}.visits.parquet"
        rows = copy(self.statements.connection, sql, self.events / name)
        for table_ in (_encounters(self.plan), _rolled(self.plan)):
            self.statements.do(f"DROP TABLE {table_}", f"tidying up {self.plan.name}")
        return EventFile(
            name=name, rule=self.plan.name, column=None, fact="visit", targets=("visit_occurrence",), columns=columns,
            constants=constants, derived={}, rows=rows,
        )  # fmt: skip

    def _list_days(self) -> None:
        """The visits of a rule by day, for the facts that find theirs by date."""
        assert self.plan.rule.kinds is not None
        sql = by_day(f"SELECT * FROM {identifier(events_view(self.plan.name))}", self.plan.rule.kinds)
        self.statements.do(
            f"CREATE TABLE {identifier(days_table(self.plan.name))} AS {sql}", f"listing the days of {self.plan.name}"
        )

    def _keep_held(self, select: FactSelect, *, none: bool) -> None:
        """Keeps what is no fact. Working that out costs as much as the facts, so not where every row is known to be one.

        Of a rule that leaves rows out, which may be most of them, it is kept as a view, unless other rules look into it.
        """
        held = identifier(held_table(self.plan.name, select.column))
        columns = (*HELD, *HELD_OF_A_GROUP) if self.plan.rule.grouped else HELD
        what = f"({', '.join(columns)})" if none else f"AS {to_duckdb(select.held)}"
        references = [r for p in self.statements.plan.rules for r in p.rule.references.values()]
        looked_into = any(r.same_row and r.rule == self.plan.name for r in references)
        kind = "TABLE" if none or looked_into or self.plan.rule.where is None else "TEMP VIEW"
        self.statements.do(f"CREATE {kind} {held} {what}", f"holding back rows of {self.plan.name}")

    def _codes(self) -> list[CodeLookup | CodingLookup]:
        """The codes that a rule looks up, each lookup once: a rule's columns share those of the rule itself."""
        choices = [c for b in self.plan.rule.branches for c in (b.concept, *b.choices.values())]
        found = {name: self.statements.plan.lookups.get(name) for name in (getattr(c, "lookup", "") for c in choices)}
        return [lookup for lookup in found.values() if isinstance(lookup, CodeLookup | CodingLookup)]

    def _entry(self, select: FactSelect, file: EventFile, more: int) -> LedgerEntry:
        """The ledger of a branch; read comes from the snapshot itself, so that a row that got lost is noticed.

        `more` is the number of events that were made of those of the file: the visits of encounters.
        Raises OncoweaveError (our bug) when the rows do not add up.
        """
        ((read,),) = self.statements.rows(
            f"SELECT count(*) FROM {identifier(snapshot_view(self.plan.rule.table))}", "counting rows"
        )
        mapped, unmapped = self._mapped(select, file)
        none = mapped == read
        self._keep_held(select, none=none)
        reasons = () if none and self.plan.before is None else self._reasons(select)
        split = {k: sum(n for kind, _, n in reasons if kind == k) for k in ("quarantined", "excluded")}
        if mapped + sum(split.values()) != read:
            accounted = mapped + sum(split.values())
            message = (
                f"the ledger of rule `{self.plan.name}` does not balance: {read} rows read, {accounted} accounted for"
            )
            raise OncoweaveError(message)
        if split["quarantined"]:
            places = "unnest(files), unnest(lines)" if self.plan.rule.grouped else "file, line"
            if self.plan.before is not None:
                self._hold_back(select.column, _held(self.plan), "file, line")
            self._hold_back(select.column, identifier(held_table(self.plan.name, select.column)), places)
        return LedgerEntry(
            rule=self.plan.name, column=select.column, table=self.plan.rule.table, fact=self.plan.rule.fact, read=read, mapped=mapped,
            events=file.rows + more, unmapped=unmapped, reasons=reasons, **split,
        )  # fmt: skip

    def _mapped(self, select: FactSelect, file: EventFile) -> tuple[int, int]:
        """How many rows became facts, and how many of those facts have no concept."""
        if not select.looked and not self.plan.rule.grouped:
            return file.rows, 0
        rows = "coalesce(len(source_lines), 1)" if self.plan.rule.grouped else "1"
        source = select_events(self.events, file, ["ordinal", "concept_id", "source_lines"])
        unmapped = "count(*) FILTER (concept_id = 0)" if select.looked else "0"
        sql = f"SELECT coalesce(sum({rows}) FILTER (ordinal = 0), 0)::BIGINT, {unmapped} FROM ({source})"
        ((mapped, without),) = self.statements.rows(sql, f"counting facts of {self.plan.name}")
        return mapped, without

    def _reasons(self, select: FactSelect) -> tuple[tuple[Any, str, int], ...]:
        """kind, reason and rows of everything that is no fact."""
        rows = "rows" if self.plan.rule.grouped else "1"
        source = f"SELECT verdict, {rows} AS n FROM {identifier(held_table(self.plan.name, select.column))}"
        if self.plan.before is not None:
            source += f" UNION ALL SELECT verdict, 1 FROM {_held(self.plan)}"
        counted = self.statements.rows(
            f"SELECT verdict, sum(n)::BIGINT FROM ({source}) GROUP BY 1 ORDER BY 1",
            f"counting rows of {self.plan.name}",
        )
        return tuple((*verdict.split(": ", 1), rows) for verdict, rows in counted)

    def _hold_back(self, column: str | None, held: str, places: str) -> None:
        sql = f"""INSERT INTO "quarantine" SELECT {places}, $rule, $column, substring(verdict, 14) FROM {held}
            WHERE starts_with(verdict, 'quarantined: ')"""
        with without_values(f"holding back rows of {self.plan.name}"):
            self.statements.connection.execute(sql, {"rule": self.plan.name, "column": column})

    def _unmapped(self, file: EventFile, bound: Branch, *, concept: bool) -> Iterator[UnmappedCount]:
        """Codes without an approved target: of the concept, where there are any, and of each further one, as a unit."""
        main = {"": bound.concept} if concept else {}
        for key, choice in {**main, **bound.choices}.items():
            if isinstance(choice, Looked):
                yield from self._without_target(file, key.removesuffix("_concept"), choice.vocabulary)

    def _without_target(self, file: EventFile, field: str, vocabulary: str) -> Iterator[UnmappedCount]:
        concept, code = (f"{field}_concept_id", f"{field}_source_value") if field else ("concept_id", "source_code")
        if concept not in TYPES:  # what the fact's own concept falls back to
            return
        source = select_events(self.events, file, [n for n in (concept, code) if n in TYPES])
        codes = f"count(DISTINCT {code})" if code in TYPES else "0"
        sql = f"SELECT {codes}, count(*) FROM ({source}) WHERE {concept} = 0"
        ((count, events),) = self.statements.rows(sql, "counting unmapped codes")
        if events:
            yield UnmappedCount(rule=file.rule, column=file.column, concept_map=vocabulary, codes=count, events=events)

    def _unconverted(self, file: EventFile, bound: Branch) -> Iterator[UnconvertedCount]:
        """Values that are not in the unit that the branch converts to."""
        if bound.conversion is None:
            return
        source = select_events(self.events, file, ["value_number", "unit_concept_id"])
        other = f"unit_concept_id IS DISTINCT FROM {bound.conversion.to.concept_id}"
        sql = f"SELECT count(*) FROM ({source}) WHERE value_number IS NOT NULL AND {other}"
        ((events,),) = self.statements.rows(sql, "counting values of another unit")
        if events:
            yield UnconvertedCount(rule=file.rule, column=file.column, events=events)


def _held(plan: RulePlan) -> str:
    """The rows that do not get into a group of the rule: file, line, verdict."""
    return identifier(f"before:{plan.name}")


def _encounters(plan: RulePlan) -> str:
    """The encounters of a rule before they are rolled up: the event columns that vary."""
    return identifier(f"encounters:{plan.name}")


def _rolled(plan: RulePlan) -> str:
    """The visit of each encounter of a rule."""
    return identifier(f"rolled:{plan.name}")
