"""Compares two CDMs record by record, both ways, and names every difference by a short hash of the record's key."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import duckdb

from tests.parity.tables import Compared

Record = tuple[Any, ...]

VISIT = "concat_ws(' ', v.visit_start_date, v.visit_source_value)"
"""The natural key of a visit within a person."""
PROVIDER = "concat_ws(' ', d.specialty_source_value, d.gender_source_value)"
"""What both sides tell of a provider: names do not leave."""


HOME = "concat_ws(', ', h.city, h.county, h.state, h.zip)"
"""Where a person lives, as far as both sides tell it."""


@dataclass(frozen=True)
class Difference:
    """A record that one side has alone (`what` is `ours` or `peer`), or a column (`what`) in which the two differ.

    `key` is a short hash of what identifies the record; `identity`, `ours` and `peer` are the values themselves.
    """

    table: str
    what: str
    key: str
    identity: Record
    ours: Any
    peer: Any

    @property
    def line(self) -> tuple[str, str, str]:
        """What the list of differences holds of it."""
        return self.table, self.what, self.key


def differences(connection: duckdb.DuckDBPyConnection, table: Compared) -> list[Difference]:
    """All differences of a table, between the schemas `ours` and `peer` of a database."""
    ours, peer = (_records(connection, side, table) for side in ("ours", "peer"))
    found: list[Difference] = []
    for identity in sorted({*ours, *peer}, key=repr):
        found += _of_one(table, identity, ours.get(identity, []), peer.get(identity, []))
    return found


def _records(connection: duckdb.DuckDBPyConnection, side: str, table: Compared) -> dict[Record, list[Record]]:
    """What else a side tells of each record, by identity; several records may share one."""
    names = {row[0] for row in connection.execute(f"DESCRIBE {side}.{table.name}").fetchall()}
    source = f"{side}.{table.name} AS t"
    person = visit = provider = home = "NULL"
    if "person_id" in names:
        source += f" LEFT JOIN {side}.persons AS p USING (person_id)"
        person = "p.key"
    if "visit_occurrence_id" in names and table.name != "visit_occurrence":
        source += f" LEFT JOIN {side}.visit_occurrence AS v ON v.visit_occurrence_id = t.visit_occurrence_id"
        visit = f"CASE WHEN v.visit_occurrence_id IS NOT NULL THEN {VISIT} END"
    if "provider_id" in names and table.name != "provider":
        source += f" LEFT JOIN {side}.provider AS d ON d.provider_id = t.provider_id"
        provider = f"CASE WHEN d.provider_id IS NOT NULL THEN {PROVIDER} END"
    if table.name == "person":
        source += f" LEFT JOIN {side}.location AS h ON h.location_id = t.location_id"
        home = HOME
    columns = [
        {"person": person, "visit": visit, "provider": provider, "home": home}.get(c, c if "(" in c else f"t.{c}")
        for c in (*table.identity, *table.others)
    ]
    found: dict[Record, list[Record]] = {}
    for row in connection.execute(f"SELECT {', '.join(columns)} FROM {source}").fetchall():
        found.setdefault(row[: len(table.identity)], []).append(row[len(table.identity) :])
    return found


def _of_one(table: Compared, identity: Record, ours: Sequence[Record], peer: Sequence[Record]) -> list[Difference]:
    """The differences of the records of one identity: those that are equal go first, the rest is paired in order."""
    equal = Counter(ours) & Counter(peer)
    left = sorted((Counter(ours) - equal).elements(), key=repr)
    right = sorted((Counter(peer) - equal).elements(), key=repr)
    found: list[Difference] = []
    for number in range(max(len(left), len(right))):
        key = _key(identity, number)
        if number >= len(right):
            found.append(Difference(table.name, "ours", key, identity, left[number], None))
        elif number >= len(left):
            found.append(Difference(table.name, "peer", key, identity, None, right[number]))
        else:
            found += [
                Difference(table.name, column, key, identity, mine, theirs)
                for column, mine, theirs in zip(table.others, left[number], right[number], strict=True)
                if mine != theirs
            ]
    return found


def _key(identity: Record, number: int) -> str:
    return hashlib.sha256(repr((*identity, number)).encode()).hexdigest()[:12]
