"""The CDM that we make of 27 Synthea patients is the one that dbt-synthea makes, but for the differences that are listed.

differences.csv lists them one by one: table, what differs, a hash of the record's key, and the reason (reasons.py,
README.md). `python -m tests.parity.write` writes it anew; whoever commits it answers for every line.
"""

from __future__ import annotations

import csv
from collections import Counter
from pathlib import Path

import duckdb
import pytest

from tests.parity.compare import Difference, differences
from tests.parity.reasons import REASONS
from tests.parity.tables import TABLES, Compared

LISTED = Path(__file__).with_name("differences.csv")
COUNTS = {
    "person": 27, "condition_occurrence": 180, "drug_exposure": 663, "measurement": 560, "procedure_occurrence": 146,
    "observation": 735, "visit_occurrence": 604, "visit_detail": 604, "device_exposure": 3, "death": 2, "observation_period": 27,
    "condition_era": 179, "drug_era": 62, "cdm_source": 1, "care_site": 63, "provider": 166,
}  # fmt: skip
"""The peer's rows: what it is compared with is not empty."""


def listed(table: str) -> dict[tuple[str, str], str]:
    """The reason of each listed difference of a table, by what differs and the key."""
    with LISTED.open(encoding="utf-8", newline="") as file:
        return {(row["what"], row["key"]): row["reason"] for row in csv.DictReader(file) if row["table"] == table}


@pytest.mark.parametrize("table", TABLES, ids=lambda table: table.name)
def test_a_table_differs_from_the_peers_where_it_is_listed_and_nowhere_else(
    both: duckdb.DuckDBPyConnection, table: Compared
) -> None:
    ((rows,),) = both.execute(f"SELECT count(*) FROM peer.{table.name}").fetchall()
    assert rows == COUNTS[table.name]
    found = {(d.what, d.key): d for d in differences(both, table)}
    reasons = listed(table.name)
    assert sorted(found.keys() - reasons.keys()) == [], "differences that are not listed"
    assert sorted(reasons.keys() - found.keys()) == [], "listed differences that do not occur"
    assert [key for key, d in found.items() if not REASONS[reasons[key]](d)] == [], "reasons that do not hold"


def test_every_reason_is_explained_and_used() -> None:
    explained = Path(__file__).with_name("README.md").read_text(encoding="utf-8")
    with LISTED.open(encoding="utf-8", newline="") as file:
        used = Counter(row["reason"] for row in csv.DictReader(file))
    assert used.keys() == REASONS.keys()
    assert [name for name in REASONS if f"| `{name}` |" not in explained] == []


def test_a_wrong_value_and_a_lost_row_are_found() -> None:
    table = Compared("death", ("person",), ("death_date",))
    with duckdb.connect() as connection:
        for side, rows in (("ours", "(1, 5), (2, 6)"), ("peer", "(1, 5), (2, 7), (3, 8)")):
            connection.execute(f"CREATE SCHEMA {side}")
            connection.execute(f"CREATE TABLE {side}.death AS FROM (VALUES {rows}) AS t(person_id, death_date)")
            connection.execute(
                f"CREATE TABLE {side}.persons AS SELECT person_id, 'p' || person_id AS key FROM {side}.death"
            )
        found = differences(connection, table)
    assert [(d.what, d.identity, d.ours, d.peer) for d in found] == [
        ("death_date", ("p2",), 6, 7),
        ("peer", ("p3",), None, (8,)),
    ]
    assert all(isinstance(d, Difference) for d in found)
