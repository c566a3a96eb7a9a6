"""Reads source tables from FHIR: the rows that their views make of the resources of the files, every value as text.

Each file is read once for all tables. Every resource is accounted for: by its type it is in a table, or left out for a reason.
"""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from typing import Any, Literal

from oncoweave.engine import headers
from oncoweave.engine.fhir.paths import PathError
from oncoweave.engine.fhir.resources import Found, resources_of
from oncoweave.engine.fhir.views import Row, ViewRows, path_faults
from oncoweave.engine.reading import DeliveredFile, Reading, Reject
from oncoweave.engine.text_copy import TextCopy
from oncoweave.errors import DataError, UsageError
from oncoweave.files import faults
from oncoweave.records import ResourceCount
from oncoweave.spec.source import FhirTable

NO_VIEW = "no view reads resources of this type"
CONDITION = "a condition (`where`) of the view leaves it out"
NO_ROW = "the view finds nothing in it to make a row of"
MODIFIED = "a modifier extension that source.yaml does not name"
_Verdict = Literal["quarantined", "excluded"]


@dataclass(frozen=True)
class ResourceReadings:
    """The readings of each table, one a file, and what became of the resources by their type."""

    tables: Mapping[str, tuple[Reading, ...]]
    resources: tuple[ResourceCount, ...]


def read_resources(
    tables: Mapping[str, FhirTable], files: Mapping[str, Sequence[DeliveredFile]], work: Path
) -> ResourceReadings:
    """The readings of the files of each table by its view; `_line` is the line at which the row's resource starts.

    A record of a table is a row of its view, or a resource that is rejected: what breaks a rule of FHIR's JSON, what
    carries a modifier extension that source.yaml does not name (it may turn the meaning round), and what the view cannot be
    made of. A line that is no resource at all is counted with the first table that reads its file.

    Raises UsageError for a path of a view that is none, DataError for a file that cannot be read at all, and for a
    declared field that the view does not make.
    """
    accounts = _Accounts()
    with ExitStack() as stack:
        targets = {
            name: _Target(name, table, stack.enter_context(TextCopy(work / f"{name}.fhir")))
            for name, table in tables.items()
            if files[name]
        }
        readers: dict[DeliveredFile, list[_Target]] = defaultdict(list)
        for name, target in targets.items():
            for file in files[name]:
                readers[file].append(target)
        for file in sorted(readers, key=lambda file: file.name):
            with faults(file.path):
                _read(file, readers[file], accounts)
    readings = {name: targets[name].readings(files[name]) if name in targets else () for name in tables}
    return ResourceReadings(
        readings, accounts.counts({name: table.definition.resource for name, table in tables.items()})
    )


def _read(file: DeliveredFile, targets: Sequence[_Target], accounts: _Accounts) -> None:
    by_type: dict[str, list[_Target]] = defaultdict(list)
    for target in targets:
        by_type[target.view.resource].append(target)
    resources, first = 0, None
    for found in resources_of(file.path, file.name, by_type):
        if found.reason:
            first = first or found
            for target in by_type.get(found.type) or targets[:1]:
                target.reject(file, found.line, found.reason)
            accounts.note(found.type, found.reason, "quarantined")
        elif found.resource is None:
            resources += 1
            accounts.note(found.type, NO_VIEW)
        else:
            resources += 1
            accounts.note(found.type, *_taken([target.take(file, found) for target in by_type[found.type]]))
    if first and not resources:
        raise DataError(
            f"{file.name}: none of its records is a resource that can be read; the first, line {first.line}: {first.reason}",
            mend="transfer the file again, or have its export corrected",
        )


def _taken(outcomes: Sequence[tuple[str, _Verdict] | None]) -> tuple[str, _Verdict]:
    """What became of a resource that several views read: "" for one that is in a table."""
    reasons = [outcome for outcome in outcomes if outcome]
    held = next((outcome for outcome in reasons if outcome[1] == "quarantined"), None)
    if held:
        return held
    if len(reasons) < len(outcomes):
        return "", "excluded"
    return (CONDITION if all(reason == CONDITION for reason, _ in reasons) else NO_ROW), "excluded"


@dataclass
class _Accounts:
    """How many resources of each type were left out, and why; no reason for those that are in a table."""

    seen: Counter[tuple[str, _Verdict, str]] = field(default_factory=Counter)

    def note(self, kind: str, reason: str, verdict: _Verdict = "excluded") -> None:
        self.seen[kind, verdict, reason] += 1

    def counts(self, read: Mapping[str, str]) -> tuple[ResourceCount, ...]:
        """By type; `read` has the type that the view of each table reads."""
        made = []
        for kind in sorted({kind for kind, _, _ in self.seen}):
            of_kind = {key[1:]: many for key, many in self.seen.items() if key[0] == kind}
            reasons = sorted((verdict, reason, many) for (verdict, reason), many in of_kind.items() if reason)
            made.append(
                ResourceCount(
                    type=kind,
                    resources=sum(of_kind.values()),
                    tables=tuple(name for name, resource in read.items() if resource == kind),
                    reasons=tuple(reasons),
                )
            )
        return tuple(made)


class _Target:
    """A table that is being read: its view, its rows so far, and by file how many they are and what was rejected."""

    def __init__(self, name: str, table: FhirTable, copy: TextCopy) -> None:
        self.view = table.definition
        for _, fault in path_faults(self.view):
            raise UsageError(f"view `{table.view}`: {fault}", mend="correct it; `oncoweave lint` tells its line")
        self._name, self._table, self._copy = name, table, copy
        self._known = frozenset(table.modifier_extensions)
        self._view_rows = ViewRows(self.view)
        self._rows: Counter[str] = Counter()
        self._rejects: dict[str, list[Reject]] = defaultdict(list)

    def reject(self, file: DeliveredFile, line: int, reason: str) -> None:
        self._rejects[file.name].append(Reject(file.name, line, reason))

    def take(self, file: DeliveredFile, found: Found) -> tuple[str, _Verdict] | None:
        """Add the rows of a resource; why there is none, or None."""
        assert found.resource is not None
        if not self._known.issuperset(found.modifiers):
            self.reject(file, found.line, MODIFIED)
            return MODIFIED, "quarantined"
        try:
            rows = self._view_rows.of(found.resource)
        except PathError as error:
            self.reject(file, found.line, str(error))
            return str(error), "quarantined"
        if not rows:
            return (CONDITION if rows is None else NO_ROW), "excluded"
        self._add(file, found.line, rows)
        return None

    def _add(self, file: DeliveredFile, line: int, rows: Sequence[Row]) -> None:
        for row in rows:
            cells = [value if type(value) is str else text(value) for value in row]
            cells.append(file.name)
            self._copy.add(line, cells)
        self._rows[file.name] += len(rows)

    def readings(self, files: Sequence[DeliveredFile]) -> tuple[Reading, ...]:
        """One for each file; their rows are selected together."""
        columns = [headers.match(self.view.columns, self._table, file.name) for file in files]
        sql, parameters = self._copy.selected(columns[0].names)
        return tuple(
            Reading(file, named, self._rows[file.name], tuple(self._rejects[file.name]), sql, dict(parameters)).tagged(
                self._name
            )
            for file, named in zip(files, columns, strict=True)
        )


def text(value: Any) -> str:
    """A value as the text a person would write for it; a part of a resource as JSON.

    >>> text(True), text(None), text(Decimal("1.50")), text(["a", "b"])
    ('true', '', '1.50', '["a","b"]')
    """
    match value:
        case None:
            return ""
        case bool():
            return "true" if value else "false"
        case str():
            return value
        case int():
            return str(value)
        case float() | Decimal():
            return format(value if isinstance(value, Decimal) else Decimal(repr(value)), "f")
        case _:
            return json.dumps(value, ensure_ascii=False, separators=(",", ":"), default=text, sort_keys=True)
