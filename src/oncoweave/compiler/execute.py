"""Runs a plan on DuckDB: snapshot to events, with the ledger and the quarantine. Of OMOP it knows only which facts are of no person."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import Any

import duckdb
from sqlglot import exp

from oncoweave.compiler.bound import Branch, Looked
from oncoweave.compiler.code_lookups import code_lookup
from oncoweave.compiler.facts import ACTIVITY, DEAD, FactSelect, days_table, events_view, held_table
from oncoweave.compiler.join_tables import count_found, make_joined_table
from oncoweave.compiler.keys import UNITS_OF, unit_secret_words
from oncoweave.compiler.lookups import COLUMNS as LOOKUP_COLUMNS
from oncoweave.compiler.lookups import CodeLookup, LookupRow, MapLookup
from oncoweave.compiler.plan import Plan, RulePlan
from oncoweave.compiler.roll_up import OF_THE_STAY, by_day, rolled_up, visits_of
from oncoweave.compiler.sql import table
from oncoweave.compiler.staging import DELIVERED, NOT_MAPPED, PERSONS, StagePlan, snapshot_view
from oncoweave.engine.connection import without_values
from oncoweave.engine.dialect import to_duckdb
from oncoweave.engine.parquet import copy, copy_sorted, identifier
from oncoweave.errors import DataError, OncoweaveError
from oncoweave.events import TYPES, select_columns, select_events, union_of
from oncoweave.omop.routing import UNSEEN_FACTS
from oncoweave.privacy.pseudonym import Key
from oncoweave.records import EventFile, JoinCount, LedgerEntry, UnconvertedCount, UnmappedCount
from oncoweave.vocabulary.bundle import Bundle

NO_ACTIVITY = UNSEEN_FACTS | {"episode"}
"""Facts that belie no death: their days tell of no contact with the person, or (a course) are put together from others."""

HELD = ("unit BIGINT", "file VARCHAR", "line BIGINT", "verdict VARCHAR")
HELD_OF_A_GROUP = ('"rows" BIGINT', "files VARCHAR[]", "lines BIGINT[]")
"""The columns of what is no fact."""

QUARANTINE = (
    ("file", "VARCHAR"),
    ("line", "BIGINT"),
    ("rule", "VARCHAR"),
    ("column", "VARCHAR"),
    ("reason", "VARCHAR"),
)


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

    def run(self) -> None:
        """Everything up to the events.

        Raises DataError when a correction does not match, OncoweaveError when the ledger does not balance.
        """
        self._prepare()
        first, *waiting = self.plan.stages
        self._stage(first)
        self._keep_persons(first)
        staged = [first]
        for number, plan in enumerate(self.plan.rules):
            while plan.rule.table in [stage.table for stage in waiting]:
                staged.append(waiting.pop(0))
                self._stage(staged[-1])
            self._rule(plan)
            needed = {later.rule.table for later in self.plan.rules[number + 1 :]}.union(
                *(s.looks_into for s in waiting)
            )
            for stage in [s for s in staged if s.table not in needed]:
                self._do(f"DROP TABLE {identifier(stage.name)}", f"tidying up {stage.table}")
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
        self._do(f'CREATE TEMP TABLE "quarantine" ({columns})', "making the quarantine")
        for stage in self.plan.stages:
            self._check_corrections(stage)
        for lookup in self.plan.lookups.values():
            if isinstance(lookup, MapLookup):
                self._load_lookup(lookup.name, list(lookup.rows))
        for joined in self.plan.joined:
            self._note_joins(make_joined_table(self.connection, joined))

    def _note_joins(self, counts: Iterable[JoinCount]) -> None:
        """Keeps how many rows find no partner; a join that is made twice counts the same rows."""
        self.joins |= {(count.table, count.join): count for count in counts}

    def _load_lookup(self, name: str, rows: list[LookupRow]) -> None:
        columns = ", ".join(f"{identifier(n)} {t}" for n, t in LOOKUP_COLUMNS)
        self._do(f"CREATE TEMP TABLE {identifier(name)} ({columns})", f"loading {name}")
        holes = ", ".join("?" * len(LOOKUP_COLUMNS))
        with without_values(f"loading {name}"):
            if rows:
                self.connection.executemany(
                    f"INSERT INTO {identifier(name)} VALUES ({holes})", [r.values() for r in rows]
                )

    def _load_codes(self, lookup: CodeLookup) -> None:
        """Resolves the codes that occur (or all of their vocabulary): the source concept, and the standard concepts it maps to."""
        select, parameters = code_lookup(self.connection, lookup, self.bundle)
        with without_values(f"resolving the codes of {lookup.vocabulary}"):
            self.connection.execute(f"CREATE TEMP TABLE {identifier(lookup.name)} AS {select}", parameters)

    # Stages

    def _stage(self, stage: StagePlan) -> None:
        sql = f"CREATE TEMP TABLE {identifier(stage.name)} AS {to_duckdb(stage.select)}"
        self._do(sql, f"staging {stage.table}")
        self._note_joins(count_found(self.connection, stage.name, stage.joins))
        if stage.by_content:
            self._number_occurrences(stage)
        else:
            self._hold_duplicates(stage)

    def _check_corrections(self, stage: StagePlan) -> None:
        for item in stage.amendments:
            select = exp.select(exp.Count(this=exp.Star())).from_(table(snapshot_view(stage.table), DELIVERED))
            sql = to_duckdb(select.where(item.condition.copy()))
            ((rows,),) = self._rows(sql, f"checking correction {item.number}")
            if rows != item.rows:
                message = f"correction {item.number} of `{stage.table}` matches {rows} rows instead of {item.rows}"
                raise DataError(message, mend="the source has changed: revise corrections.yaml")
            self.corrected += item.rows

    def _duplicates(self, stage: StagePlan) -> str:
        """A SELECT of the rows that share a key, numbered by content, so that the order of the file does not matter."""
        name = identifier(stage.name)
        content = () if stage.by_content else stage.content  # which is the same where it is the key
        order = ", ".join(identifier(f) for f in (*content, "_file", "_line"))
        shared = f"SELECT _row FROM {name} WHERE _row IS NOT NULL GROUP BY _row HAVING count(*) > 1"
        number = f"row_number() OVER (PARTITION BY _row ORDER BY {order})"
        return f"SELECT _file, _line, {number} AS n FROM {name} WHERE _row IN ({shared})"

    def _hold_duplicates(self, stage: StagePlan) -> None:
        sql = f"""UPDATE {identifier(stage.name)} AS s SET _state = 'duplicate key', _row = NULL FROM ({self._duplicates(stage)}) AS d
            WHERE d.n > 1 AND s._file = d._file AND s._line = d._line AND s._state IS NULL"""
        self._do(sql, f"finding duplicate keys in {stage.table}")

    def _number_occurrences(self, stage: StagePlan) -> None:
        """Rows of the same content differ by an occurrence number, which is mixed into their keyed hashes."""
        mixed = "CAST(CAST('0x' || substring(sha256('occurrence' || d.n), 1, 16) AS UBIGINT) >> 1 AS BIGINT)"
        sets = [f"_row = xor(s._row, {mixed})"]
        if stage.person_by_content:
            sets += [f"_person = xor(s._person, {mixed})", "_person_key = s._person_key || '#' || d.n"]
        keyed = "s._file = d._file AND s._line = d._line AND d.n > 1"
        sql = f"UPDATE {identifier(stage.name)} AS s SET {', '.join(sets)} FROM ({self._duplicates(stage)}) AS d WHERE {keyed}"
        self._do(sql, f"numbering equal rows of {stage.table}")

    def _keep_persons(self, stage: StagePlan) -> None:
        """The mapped persons with their key; facts of anyone else are held back as `person not mapped`."""
        name, persons = identifier(stage.name), to_duckdb(self.plan.mapped_persons)
        sql = f"""CREATE TEMP TABLE {identifier(PERSONS)} AS SELECT _person_key AS key, _person AS person_id FROM {name}
            WHERE _person IN ({persons}) GROUP BY ALL"""
        self._do(sql, "keeping the persons")
        sql = f"""UPDATE {name} SET _state = '{NOT_MAPPED}' WHERE _state IS NULL
            AND NOT EXISTS (SELECT 1 FROM {identifier(PERSONS)} AS p WHERE p.person_id = _person)"""
        self._do(sql, "finding facts without a person")

    # Rules

    def _rule(self, plan: RulePlan) -> None:
        for lookup in self._codes_of(plan):
            self._load_codes(lookup)
        if plan.rule.fact == "death":
            self._find_activity()
            self._find_dead()
        if plan.before is not None:
            self._do(f"CREATE TEMP TABLE {_held(plan)} AS {to_duckdb(plan.before)}", f"reading rows of {plan.name}")
        files = [
            self._facts(plan, select, bound) for select, bound in zip(plan.branches, plan.rule.branches, strict=True)
        ]
        self.files += files
        more = [self._visits_of(plan, file) for file in files if plan.rule.rolls_up]
        self.files += more
        sql = union_of(self.events, files)
        self._do(f"CREATE TEMP VIEW {identifier(events_view(plan.name))} AS {sql}", f"opening {plan.name}")
        if plan.rule.by_date:
            self._list_days(plan)
        for file, select, bound in zip(files, plan.branches, plan.rule.branches, strict=True):
            entry = self._entry(plan, select, file, sum(f.rows for f in more))
            self.ledger.append(entry)
            self.unmapped += self._unmapped(file, bound, concept=entry.unmapped > 0)
            self.unconverted += self._unconverted(file, bound)

    def _find_activity(self) -> None:
        """The last day that any fact of a person starts on, from the events written so far."""
        files = [f for f in self.files if f.fact not in NO_ACTIVITY]
        sql = f"""CREATE TEMP TABLE IF NOT EXISTS {identifier(ACTIVITY)} AS SELECT person_id, max(start_date) AS last_day
            FROM ({union_of(self.events, files, ["person_id", "start_date"])}) GROUP BY ALL"""
        self._do(sql, "finding the last day of each person")

    def _find_dead(self) -> None:
        """The persons of whom the rules before tell a death."""
        told = union_of(self.events, [f for f in self.files if f.fact == "death"], ["person_id"])
        sql = f"CREATE OR REPLACE TEMP TABLE {identifier(DEAD)} AS {told}"
        self._do(sql, "finding who is dead already")

    def _facts(self, plan: RulePlan, select: FactSelect, bound: Branch) -> EventFile:
        """Writes the facts of a branch."""
        name = f"{plan.name}.{select.column}.parquet" if select.column else f"{plan.name}.parquet"
        file = EventFile(
            name=name, rule=plan.name, column=select.column, fact=plan.rule.fact, targets=tuple(sorted(bound.targets)),
            columns=tuple(n for n in TYPES if n not in select.constants), constants=dict(select.constants),
            derived=dict(select.derived), rows=0,
        )  # fmt: skip
        events = select.events_sql
        if plan.rule.rolls_up:
            file, events = self._roll_up(plan, file, events)
        order = (
            ["event_id"] if plan.rule.grouped or plan.rule.fact == "death" else []
        )  # others keep that of the delivery
        rows = copy_sorted(self.connection, events, self.events / name, order_by=order, parameters=self._given(events))
        return file.model_copy(update={"rows": rows})

    def _roll_up(self, plan: RulePlan, file: EventFile, events: str) -> tuple[EventFile, str]:
        """Finds the visit of each encounter: the encounters' file and events, with the visit."""
        assert plan.rule.kinds is not None
        raw, rolled = _encounters(plan), _rolled(plan)
        self._do(f"CREATE TEMP TABLE {raw} AS {events}", f"reading {plan.name}")
        sql = rolled_up(select_columns(file, raw), plan.name, plan.rule.kinds)
        self._do(f"CREATE TEMP TABLE {rolled} AS {sql}", f"rolling up {plan.name}")
        columns = tuple(n for n in TYPES if n in (*file.columns, "visit"))
        constants = {n: v for n, v in file.constants.items() if n != "visit"}
        joined = f"SELECT e.*, r.visit FROM {raw} AS e LEFT JOIN {rolled} AS r ON r.event_id = e.event_id"
        return file.model_copy(update={"columns": columns, "constants": constants}), joined

    def _visits_of(self, plan: RulePlan, encounters: EventFile) -> EventFile:
        """Writes the visits of the encounters of a rule."""
        columns = tuple(n for n in TYPES if n in (*encounters.columns, *OF_THE_STAY) and n != "visit")
        constants = {n: encounters.constants.get(n) for n in TYPES if n not in columns}
        constants |= {"fact": "visit", "target": "visit_occurrence"}
        held = tuple(n for n in encounters.columns if n != "visit")
        stored = encounters.model_copy(update={"columns": held})
        sql = visits_of(select_columns(stored, _encounters(plan)), _rolled(plan), columns)
        name = f"{plan.name}.visits.parquet"
        rows = copy(self.connection, sql, self.events / name)
        for table_ in (_encounters(plan), _rolled(plan)):
            self._do(f"DROP TABLE {table_}", f"tidying up {plan.name}")
        return EventFile(
            name=name, rule=plan.name, column=None, fact="visit", targets=("visit_occurrence",), columns=columns,
            constants=constants, derived={}, rows=rows,
        )  # fmt: skip

    def _list_days(self, plan: RulePlan) -> None:
        """The visits of a rule by day, for the facts that find theirs by date."""
        assert plan.rule.kinds is not None
        sql = by_day(f"SELECT * FROM {identifier(events_view(plan.name))}", plan.rule.kinds)
        self._do(f"CREATE TEMP TABLE {identifier(days_table(plan.name))} AS {sql}", f"listing the days of {plan.name}")

    def _keep_held(self, plan: RulePlan, select: FactSelect, *, none: bool) -> None:
        """Keeps what is no fact. Working that out costs as much as the facts, so not where every row is known to be one.

        Of a rule that leaves rows out, which may be most of them, it is kept as a view, unless other rules look into it.
        """
        held = identifier(held_table(plan.name, select.column))
        columns = (*HELD, *HELD_OF_A_GROUP) if plan.rule.grouped else HELD
        what = f"({', '.join(columns)})" if none else f"AS {to_duckdb(select.held)}"
        references = [r for p in self.plan.rules for r in p.rule.references.values()]
        looked_into = any(r.same_row and r.rule == plan.name for r in references)
        kind = "TABLE" if none or looked_into or plan.rule.where is None else "VIEW"
        self._do(f"CREATE TEMP {kind} {held} {what}", f"holding back rows of {plan.name}")

    def _codes_of(self, plan: RulePlan) -> list[CodeLookup]:
        """The codes that a rule looks up, each lookup once: a rule's columns share those of the rule itself."""
        choices = [c for b in plan.rule.branches for c in (b.concept, *b.choices.values())]
        found = {name: self.plan.lookups.get(name) for name in (getattr(c, "lookup", "") for c in choices)}
        return [lookup for lookup in found.values() if isinstance(lookup, CodeLookup)]

    def _entry(self, plan: RulePlan, select: FactSelect, file: EventFile, more: int) -> LedgerEntry:
        """The ledger of a branch; read comes from the snapshot itself, so that a row that got lost is noticed.

        `more` is the number of events that were made of those of the file: the visits of encounters.
        Raises OncoweaveError (our bug) when the rows do not add up.
        """
        ((read,),) = self._rows(f"SELECT count(*) FROM {identifier(snapshot_view(plan.rule.table))}", "counting rows")
        mapped, unmapped = self._mapped(plan, select, file)
        none = mapped == read
        self._keep_held(plan, select, none=none)
        reasons = () if none and plan.before is None else self._reasons(plan, select)
        split = {k: sum(n for kind, _, n in reasons if kind == k) for k in ("quarantined", "excluded")}
        if mapped + sum(split.values()) != read:
            accounted = mapped + sum(split.values())
            message = f"the ledger of rule `{plan.name}` does not balance: {read} rows read, {accounted} accounted for"
            raise OncoweaveError(message)
        if split["quarantined"]:
            places = "unnest(files), unnest(lines)" if plan.rule.grouped else "file, line"
            if plan.before is not None:
                self._hold_back(plan, select.column, _held(plan), "file, line")
            self._hold_back(plan, select.column, identifier(held_table(plan.name, select.column)), places)
        return LedgerEntry(
            rule=plan.name, column=select.column, table=plan.rule.table, fact=plan.rule.fact, read=read, mapped=mapped,
            events=file.rows + more, unmapped=unmapped, reasons=reasons, **split,
        )  # fmt: skip

    def _mapped(self, plan: RulePlan, select: FactSelect, file: EventFile) -> tuple[int, int]:
        """How many rows became facts, and how many of those facts have no concept."""
        if not select.looked and not plan.rule.grouped:
            return file.rows, 0
        rows = "coalesce(len(source_lines), 1)" if plan.rule.grouped else "1"
        source = select_events(self.events, file, ["ordinal", "concept_id", "source_lines"])
        unmapped = "count(*) FILTER (concept_id = 0)" if select.looked else "0"
        sql = f"SELECT coalesce(sum({rows}) FILTER (ordinal = 0), 0)::BIGINT, {unmapped} FROM ({source})"
        ((mapped, without),) = self._rows(sql, f"counting facts of {plan.name}")
        return mapped, without

    def _reasons(self, plan: RulePlan, select: FactSelect) -> tuple[tuple[Any, str, int], ...]:
        """kind, reason and rows of everything that is no fact."""
        rows = "rows" if plan.rule.grouped else "1"
        source = f"SELECT verdict, {rows} AS n FROM {identifier(held_table(plan.name, select.column))}"
        if plan.before is not None:
            source += f" UNION ALL SELECT verdict, 1 FROM {_held(plan)}"
        counted = self._rows(
            f"SELECT verdict, sum(n)::BIGINT FROM ({source}) GROUP BY 1 ORDER BY 1", f"counting rows of {plan.name}"
        )
        return tuple((*verdict.split(": ", 1), rows) for verdict, rows in counted)

    def _hold_back(self, plan: RulePlan, column: str | None, held: str, places: str) -> None:
        sql = f"""INSERT INTO "quarantine" SELECT {places}, $rule, $column, substring(verdict, 14) FROM {held}
            WHERE starts_with(verdict, 'quarantined: ')"""
        with without_values(f"holding back rows of {plan.name}"):
            self.connection.execute(sql, {"rule": plan.name, "column": column})

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
        ((count, events),) = self._rows(sql, "counting unmapped codes")
        if events:
            yield UnmappedCount(rule=file.rule, column=file.column, concept_map=vocabulary, codes=count, events=events)

    def _unconverted(self, file: EventFile, bound: Branch) -> Iterator[UnconvertedCount]:
        """Values that are not in the unit that the branch converts to."""
        if bound.conversion is None:
            return
        source = select_events(self.events, file, ["value_number", "unit_concept_id"])
        other = f"unit_concept_id IS DISTINCT FROM {bound.conversion.to.concept_id}"
        sql = f"SELECT count(*) FROM ({source}) WHERE value_number IS NOT NULL AND {other}"
        ((events,),) = self._rows(sql, "counting values of another unit")
        if events:
            yield UnconvertedCount(rule=file.rule, column=file.column, events=events)

    # DuckDB

    def _view(self, name: str, path: Path) -> None:
        text = to_duckdb(exp.Literal.string(str(path)))
        self._do(f"CREATE TEMP VIEW {identifier(name)} AS SELECT * FROM read_parquet({text})", f"opening {path.name}")

    def _do(self, sql: str, doing: str) -> None:
        with without_values(doing):
            self.connection.execute(sql, self._given(sql))

    def _given(self, sql: str) -> dict[str, object]:
        """The parameters of a statement: what is made of the key, and the day of the delivery, the end of an unended visit."""
        known: dict[str, object] = {"inner": self.key.inner, "outer": self.key.outer, "delivery": self.delivery}
        (statement,) = self.connection.extract_statements(sql)  # a `$` in a path or a text is no parameter
        return {name: known.get(name) or self._secret(name) for name in statement.named_parameters}

    def _secret(self, parameter: str) -> bytes:
        """The secret of the units of a table, which the name of the parameter names."""
        words = unit_secret_words(self.plan.source, parameter.removeprefix(UNITS_OF))
        return self.key.secret_of(*words)

    def _rows(self, sql: str, doing: str) -> list[tuple[Any, ...]]:
        with without_values(doing):
            return self.connection.execute(sql).fetchall()


def _held(plan: RulePlan) -> str:
    """The rows that do not get into a group of the rule: file, line, verdict."""
    return identifier(f"before:{plan.name}")


def _encounters(plan: RulePlan) -> str:
    """The encounters of a rule before they are rolled up: the event columns that vary."""
    return identifier(f"encounters:{plan.name}")


def _rolled(plan: RulePlan) -> str:
    """The visit of each encounter of a rule."""
    return identifier(f"rolled:{plan.name}")
