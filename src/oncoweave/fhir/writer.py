"""Writes the resources of a run from its event files: what varies is sorted by patient and id, and becomes text after it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import TypeAlias

import duckdb

from oncoweave.engine.connection import fetch_rows
from oncoweave.engine.lines import copy_lines
from oncoweave.engine.parquet import identifier, literal
from oncoweave.errors import OncoweaveError
from oncoweave.events import TYPES, select_events
from oncoweave.fhir.compilation import Binder, Bound, Part, compiled, leaves_of, part_of_leaf
from oncoweave.fhir.concepts import LOOKUPS, TABLE, make_lookups, told_of, type_of
from oncoweave.fhir.joined import JOINED
from oncoweave.fhir.profile_sets import Overlay, ProfileSet
from oncoweave.fhir.routing import Alternative, Choice, choices
from oncoweave.fhir.template import Elements, Leaf
from oncoweave.files import file_record
from oncoweave.records import EventFile, FhirClaim, FhirFile, FhirLeftOut

LINES = 500_000
"""How many resources a file has at most."""


@dataclass(frozen=True)
class _Chosen:
    """A choice for the events of a file: the alternatives that they may be, each with its number and its bound condition."""

    file: EventFile
    alternatives: tuple[tuple[Bound, Alternative], ...]
    rows: Mapping[int, int] = field(default_factory=dict)
    """How many events are which alternative; those of none are left out."""

    @property
    def possible(self) -> list[int]:
        """The alternatives that events are, as far as it is known: what none is need not be asked for."""
        return sorted(self.rows) or list(range(len(self.alternatives)))

    @property
    def is_sure(self) -> bool:
        """Whether every event is the one alternative that is possible."""
        first, *others = self.possible
        return not others and (not self.alternatives[first][0].columns or self.rows.get(first) == self.file.rows)

    @property
    def number(self) -> str:
        """SQL of the number of the alternative that an event is."""
        if self.is_sure:
            return str(self.possible[0])
        whens = " ".join(f"WHEN {self.alternatives[n][0].sql} THEN {n}" for n in self.possible)
        return f"CASE {whens} END"

    @property
    def columns(self) -> frozenset[str]:
        """The columns that the conditions name."""
        if self.is_sure:
            return frozenset()
        return frozenset().union(*(self.alternatives[n][0].columns for n in self.possible))


_Asked: TypeAlias = tuple[Overlay, Bound, list[tuple[Bound, str]]]
"""An overlay, the condition that an event meets of which it tells, and its requirements with the reason of each."""


@dataclass(frozen=True)
class FhirWriter:
    """Writes the FHIR resources of one run from its event files; `prepare` comes first."""

    connection: duckdb.DuckDBPyConnection
    events: Path
    files: Sequence[EventFile]
    folder: Path
    profiles: ProfileSet
    source: str
    ancestors: Path | None = None
    """CONCEPT_ANCESTOR of the vocabulary, where it has one."""

    def over(self, connection: duckdb.DuckDBPyConnection) -> FhirWriter:
        """The same writer over another connection of the same database; what is prepared is not prepared again."""
        other = replace(self, connection=connection)
        vars(other).update({name: getattr(self, name) for name in ("_told", "_chosen", "counted")})
        return other

    def prepare(self) -> None:
        """Work out what resources say of the concepts of the run, and which events become what."""
        make_lookups(self.connection, self.events / "_concepts.parquet", self.profiles.lookups)
        if self.profiles.make_tables:
            self.profiles.make_tables(self.connection, self.events, self.files, self.ancestors)
        _ = self.counted

    @property
    def types(self) -> tuple[str, ...]:
        """The types of resources that the events of this run become, by name."""
        found = {chosen.alternatives[number][1].type for chosen in self._all() for number in chosen.rows}
        return tuple(sorted(found - {""}))

    @cached_property
    def counted(self) -> Counter[tuple[str, str, str, str]]:
        """How many events there are, by target, fact, type of resource and reason of those without one."""
        found: Counter[tuple[str, str, str, str]] = Counter()
        for chosen in (of_file[0] for of_file in self._chosen if of_file):
            for number, rows in chosen.rows.items():
                _, alternative = chosen.alternatives[number]
                found[alternative.target, chosen.file.fact, alternative.type, alternative.reason] += rows
        return found

    @property
    def left_out(self) -> tuple[FhirLeftOut, ...]:
        """The events that no resource is made of."""
        counts = sorted((key, rows) for key, rows in self.counted.items() if not key[2] and rows)
        return tuple(FhirLeftOut(target=t, fact=f, reason=reason, events=n) for (t, f, _, reason), n in counts)

    @property
    def claims(self) -> tuple[FhirClaim, ...]:
        """How many resources claim which profile, and how many that tell of what it is about do not, by the first reason."""
        found: Counter[tuple[str, str]] = Counter()
        for chosen in self._all():
            for number, rows in chosen.rows.items() if any(a.profiles for _, a in chosen.alternatives) else ():
                for profile in chosen.alternatives[number][1].profiles:
                    found[profile, ""] += rows
            for overlay, reason, rows in self._reasons(chosen):
                found[overlay.profile, reason] += rows
        claimed = sorted((key, rows) for key, rows in found.items() if rows)
        return tuple(FhirClaim(profile=p, reason=reason, resources=n) for (p, reason), n in claimed)

    def write(self, type_: str) -> list[FhirFile]:
        """Write all resources of a type. Raises OncoweaveError where they are not as many as the events counted."""
        chosen = [of for of in self._all() if any(of.alternatives[n][1].type == type_ for n in of.rows)]
        parts = [(n, of, self._parts(of, type_)) for n, of in enumerate(chosen)]
        columns = sorted({c for _, _, texts in parts for _, _, used in texts for c in used} - {"person_id", "event_id"})
        rows = " UNION ALL ".join(self._rows(n, of, columns, [m for m, _, _ in texts]) for n, of, texts in parts)
        cases = [(f"_of = {n} AND _alternative = {m}", text) for n, _, texts in parts for m, text, _ in texts]
        line = (
            f"CASE {' '.join(f'WHEN {where} THEN {text}' for where, text in cases)} END"
            if len(cases) > 1
            else cases[0][1]
        )
        sorted_ = f"SELECT * FROM ({rows}) ORDER BY person_id, event_id, _of, _alternative"
        written = copy_lines(self.connection, f"SELECT {line} AS line FROM ({sorted_})", self.folder, type_, LINES)
        self._reconcile(type_, chosen, sum(lines for _, lines in written))
        return [FhirFile(type=type_, file=file_record(path, path.name, lines)) for path, lines in written]

    def _reconcile(self, type_: str, chosen: Iterable[_Chosen], lines: int) -> None:
        counted = sum(rows for of in chosen for n, rows in of.rows.items() if of.alternatives[n][1].type == type_)
        if counted != lines:
            raise OncoweaveError(f"{counted} resources of type {type_} are to be written, and {lines} were")

    def _all(self) -> list[_Chosen]:
        return [chosen for of_file in self._chosen for chosen in of_file]

    @cached_property
    def _told(self) -> dict[tuple[str, int], str | None]:
        """What the lookups say of the concepts that are the same in all events of a file."""
        ids = {v for f in self.files for n, v in f.constants.items() if n.endswith("concept_id") and isinstance(v, int)}
        return told_of(self.connection, ids, [*LOOKUPS, *self.profiles.lookups])

    @cached_property
    def _chosen(self) -> list[list[_Chosen]]:
        """For each file that has events, the choice that they are counted in, then those of further resources."""
        files = [self._as_found(file) for file in self.files if file.rows]
        return [[self._bound(file, choice) for choice in choices(file, self.profiles)] for file in files]

    def _as_found(self, file: EventFile) -> EventFile:
        """The file with the tables that its events really go to: they may be fewer than those that they might have gone to."""
        if len(file.targets) == 1:
            return file
        sql = f"SELECT DISTINCT target FROM ({select_events(self.events, file, ['target'])}) ORDER BY target"
        targets = tuple(str(target) for (target,) in fetch_rows(self.connection, sql, f"looking into {file.name}"))
        if len(targets) > 1:
            return file.model_copy(update={"targets": targets})
        return file.model_copy(
            update={
                "targets": targets,
                "columns": tuple(name for name in file.columns if name != "target"),
                "derived": {name: text for name, text in file.derived.items() if name != "target"},
                "constants": {**file.constants, "target": targets[0]},
            }
        )

    def _binder(self, file: EventFile) -> Binder:
        consents = any(f.constants.get("kind") == "consent" for f in self.files)
        return Binder(file, self._told, {"source_name": literal(self.source), "has_consents": str(consents).lower()})

    def _bound(self, file: EventFile, choice: Choice) -> _Chosen:
        """The alternatives of a choice that events of the file may be."""
        bound = [(self._binder(file).bind(alternative.where), alternative) for alternative in choice]
        fixed = self._values([condition.sql for condition, _ in bound if not condition.columns])
        found = []
        for condition, alternative in bound:
            value = None if condition.columns else fixed[condition.sql]
            if condition.columns or value == "true":
                found.append((condition, alternative))
            if value == "true":
                break
        return self._counted(_Chosen(file, tuple(found)))

    def _values(self, texts: Sequence[str]) -> dict[str, str | None]:
        """What SQL without columns comes to, as text."""
        if not texts:
            return {}
        sql = f"SELECT {', '.join(f'CAST({text} AS VARCHAR)' for text in texts)}"
        return dict(zip(texts, fetch_rows(self.connection, sql, "working out constants")[0], strict=True))

    def _counted(self, chosen: _Chosen) -> _Chosen:
        """The choice with the number of events of each alternative."""
        if not chosen.alternatives:
            return chosen
        if chosen.is_sure:
            return replace(chosen, rows={0: chosen.file.rows})
        source = self._source(chosen.file, chosen.columns)
        sql = f"SELECT {chosen.number} AS n, count(*) FROM ({source}) WHERE n IS NOT NULL GROUP BY n ORDER BY n"
        return replace(chosen, rows=dict(fetch_rows(self.connection, sql, f"counting {chosen.file.name}")))

    def _reasons(self, chosen: _Chosen) -> list[tuple[Overlay, str, int]]:
        """Why events of a file are passed over by overlays that tell of them: each overlay and reason, and how many."""
        passed_over = dict.fromkeys(o for n in chosen.rows for o in chosen.alternatives[n][1].passed_over)
        asked = self._asked(chosen, list(passed_over))
        if not asked:
            return []
        cases = [f"CASE WHEN {where.sql} THEN {self._why(reasons)} END" for _, where, reasons in asked]
        columns = chosen.columns.union(
            *(b.columns for _, where, reasons in asked for b in (where, *(r for r, _ in reasons)))
        )
        told = ", ".join(f"{case} AS why{n}" for n, case in enumerate(cases))
        sql = f"SELECT {chosen.number} AS n, {told}, count(*) FROM ({self._source(chosen.file, columns)}) GROUP BY ALL HAVING n IS NOT NULL"
        found = []
        for n, *whys, rows in fetch_rows(self.connection, sql, "counting claims"):
            before = chosen.alternatives[n][1].passed_over
            found += [
                (o, str(why), int(rows)) for (o, _, _), why in zip(asked, whys, strict=True) if why and o in before
            ]
        return found

    def _asked(self, chosen: _Chosen, overlays: Sequence[Overlay]) -> list[_Asked]:
        """The overlays that may tell of events of a file, with their conditions and requirements bound."""
        binder = self._binder(chosen.file)
        bound: list[_Asked] = []
        for overlay in overlays:
            reasons = [(binder.bind(requirement.sql), requirement.reason) for requirement in overlay.requires]
            bound.append((overlay, binder.bind(overlay.where or "true"), reasons))
        fixed = self._values([where.sql for _, where, _ in bound if not where.columns])
        return [of for of in bound if of[1].columns or fixed[of[1].sql] == "true"]

    @staticmethod
    def _why(reasons: Sequence[tuple[Bound, str]]) -> str:
        return f"CASE {' '.join(f'WHEN ({bound.sql}) IS NOT TRUE THEN {literal(reason)}' for bound, reason in reasons)} END"

    def _parts(self, chosen: _Chosen, type_: str) -> list[tuple[int, str, frozenset[str]]]:
        """Of each alternative of that type: its number, the SQL of the resource, and the columns that it names."""
        return [
            (number, *self._text(chosen.file, alternative.elements))
            for number, (_, alternative) in enumerate(chosen.alternatives)
            if alternative.type == type_ and number in chosen.rows
        ]

    def _text(self, file: EventFile, elements: Elements) -> tuple[str, frozenset[str]]:
        leaves = {leaf: self._binder(file).bind(leaf.sql) for leaf in leaves_of(elements)}
        fixed = self._values(list(dict.fromkeys(bound.sql for bound in leaves.values() if not bound.columns)))

        def part_of(leaf: Leaf) -> Part:
            bound = leaves[leaf]
            return part_of_leaf(leaf, bound, None if bound.columns else fixed[bound.sql])

        return compiled(elements, part_of).sql, frozenset().union(*(bound.columns for bound in leaves.values()))

    def _rows(self, number: int, chosen: _Chosen, columns: Sequence[str], alternatives: Sequence[int]) -> str:
        """SQL of what is sorted of the events of a file that are one of these alternatives."""
        file = chosen.file
        there = {c for c in columns if _has(file, c)}
        payload = [identifier(c) if c in there else f"CAST(NULL AS {_type(c)}) AS {identifier(c)}" for c in columns]
        listed = ", ".join(map(str, alternatives))
        source = self._source(file, there | chosen.columns)
        keys = f"person_id, event_id, CAST({number} AS USMALLINT) AS _of, CAST({chosen.number} AS UTINYINT) AS _alternative"
        return f"SELECT {', '.join([keys, *payload])} FROM ({source}) WHERE _alternative IN ({listed})"

    def _source(self, file: EventFile, columns: Iterable[str]) -> str:
        """SQL of the events of a file with these columns, of what lookups and other events say of them too."""
        wanted, names, joins = {"person_id", "event_id"}, [], {}
        for column in sorted(columns):
            looked_up, _, concept = column.partition("@")
            joined, _, told = column.partition("#")
            if concept:
                wanted.add(concept)
                joins[concept] = (
                    f"LEFT JOIN {TABLE} AS {identifier(concept)} ON {identifier(concept)}.concept_id = e.{concept}"
                )
                names.append(f"{identifier(concept)}.{identifier(looked_up)} AS {identifier(column)}")
            elif told:
                fact = {**JOINED, **self.profiles.joined}[joined]
                wanted.add(fact.by)
                rows = fact.rows(self.events, self.files)
                joins[joined] = (
                    f"LEFT JOIN ({rows}) AS {identifier(joined)} ON {identifier(joined)}.{fact.column} = e.{fact.by}"
                )
                names.append(f"{identifier(joined)}.{told} AS {identifier(column)}")
            else:
                wanted.add(column)
        select = ", ".join([*(f"e.{name}" for name in sorted(wanted)), *names])
        return (
            f"SELECT {select} FROM ({select_events(self.events, file, sorted(wanted))}) AS e {' '.join(joins.values())}"
        )


def _has(file: EventFile, column: str) -> bool:
    """Whether a column differs from event to event of a file."""
    _, _, concept = column.partition("@")
    return "#" in column or (concept or column) in file.columns or (concept or column) in file.derived


def _type(column: str) -> str:
    looked_up, _, concept = column.partition("@")
    return type_of(looked_up) if concept else TYPES.get(column, "VARCHAR")
