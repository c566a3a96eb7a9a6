"""Ids are keyed hashes of the source's keys: they do not change with what is around them."""

from __future__ import annotations

import hashlib
import hmac
from hashlib import sha256
from typing import Any

import duckdb
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from oncoweave.compiler import keys
from oncoweave.compiler.sql import col
from oncoweave.engine.dialect import to_duckdb
from tests.conftest import KEY
from tests.map.workshop import PERSONS, SOURCE, Mapped, Workshop

PATIENTS = "id,born,sex\n1,12.03.1951,F\n2,1948,F\n3,1960,M"
TUMOURS = [
    "1,1,01.01.2015,5,2", "1,2,02.2016,7,", "2,1,2017,x,3", "3,1,01.01.2015,1,1", "3,1,01.01.2015,2,1",
]  # fmt: skip
CANCER = "- {fact: condition, name: cancer, from: tumours, concept: breast_cancer, start: seen}\n"
FINDINGS = """
- fact: measurement
  name: findings
  from: tumours
  modifies: cancer
  date: seen
  columns: {size: {concept: size}, nodes: {concept: nodes}}
"""


def tumours(*rows: str) -> str:
    return "\n".join(["id,tumour,seen,size,nodes", *rows])


def made_of(workshop: Workshop, rules: str = CANCER + FINDINGS, **tables: Any) -> Mapped:
    return workshop.map(rules, **({"patients": PATIENTS, "tumours": tumours(*TUMOURS)} | tables))


def test_a_person_id_is_the_keyed_hash_of_the_key_in_the_domain(workshop: Workshop) -> None:
    made = made_of(workshop)
    message = f"person\x1f{SOURCE}\x1f2"
    digest = hmac.new(bytes.fromhex(KEY), message.encode(), hashlib.sha256).digest()
    assert int.from_bytes(digest[:8], "big") >> 1 in made.rows("person", "person_id")


def test_the_id_of_a_fact_is_the_keyed_hash_of_its_row_and_a_salt_of_its_rule(workshop: Workshop) -> None:
    made = made_of(workshop, CANCER)
    words = "\x1f".join(["unit", SOURCE, SOURCE, "tumours"])
    secret = hmac.new(bytes.fromhex(KEY), words.encode(), hashlib.sha256).digest()[:16]
    salt = int.from_bytes(hashlib.sha256("\x1f".join(["event", "cancer", ""]).encode()).digest()[:8], "big") >> 1
    row = int.from_bytes(hashlib.sha256(secret + b"1:11:2").digest()[:8], "big") >> 1  # each part after its length
    assert row ^ salt in made.rows("condition_occurrence", "condition_occurrence_id")


def test_ids_are_positive_and_63_bits_long(workshop: Workshop) -> None:
    made = made_of(workshop)
    ids = [
        *made.rows("person", "person_id"),
        *made.rows("condition_occurrence", "condition_occurrence_id"),
        *made.rows("measurement", "measurement_id"),
        *made.rows("observation_period", "observation_period_id"),
    ]
    assert all(0 < i < 2**63 for i in ids)
    assert len({i.bit_length() for i in ids}) > 1 and max(ids) > 2**60


def test_another_key_gives_other_ids(workshop: Workshop, monkeypatch: pytest.MonkeyPatch) -> None:
    before = made_of(workshop)
    monkeypatch.setenv("ONCOWEAVE_KEY", "ab" * 32)
    after = made_of(workshop)
    for table, column in [("person", "person_id"), ("measurement", "measurement_id")]:
        assert not set(before.rows(table, column)) & set(after.rows(table, column))


def test_sources_of_one_domain_give_a_person_one_id(workshop: Workshop) -> None:
    own = made_of(workshop)
    shared = made_of(workshop, source="domain: region")
    assert not set(own.rows("person", "person_id")) & set(shared.rows("person", "person_id"))


def test_every_table_is_the_same_to_the_byte_when_rows_are_shuffled(workshop: Workshop) -> None:
    before = made_of(workshop)
    shuffled = PATIENTS.splitlines()
    after = made_of(
        workshop, patients="\n".join([shuffled[0], *reversed(shuffled[1:])]), tumours=tumours(*reversed(TUMOURS))
    )
    assert before.run.run_id != after.run.run_id
    assert before.table_bytes() == after.table_bytes()


def test_every_table_is_the_same_to_the_byte_when_rules_are_reordered(workshop: Workshop) -> None:
    before = made_of(workshop)
    after = made_of(workshop, FINDINGS + CANCER + PERSONS, persons="")
    assert before.data_bytes() == after.data_bytes()


def test_every_table_is_the_same_to_the_byte_when_a_column_is_added_to_the_source(workshop: Workshop) -> None:
    before = made_of(workshop)
    wider = "\n".join(f"{line},{'extra' if n == 0 else n}" for n, line in enumerate(tumours(*TUMOURS).splitlines()))
    assert before.data_bytes() == made_of(workshop, tumours=wider).data_bytes()


@pytest.mark.parametrize(
    ("variable", "value"), [("ONCOWEAVE_THREADS", "1"), ("ONCOWEAVE_THREADS", "2"), ("ONCOWEAVE_MEMORY", "200MB")]
)
def test_every_table_is_the_same_to_the_byte_on_any_machine(
    workshop: Workshop, monkeypatch: pytest.MonkeyPatch, variable: str, value: str
) -> None:
    many = [f"{n % 3 + 1},{n},{n % 28 + 1:02}.01.2015,{n % 90},{n % 9}" for n in range(20_000)]
    before = made_of(workshop, tumours=tumours(*many)).table_bytes()
    monkeypatch.setenv(variable, value)
    record = workshop.project.runs / SOURCE
    for path in record.glob("*/map.json"):
        path.unlink()
    assert made_of(workshop, tumours=tumours(*many)).table_bytes() == before


DEATHS = """
- {fact: death, name: first, from: tumours, group: [id], date: max(seen), where: "line_no >= 3", because: alive}
- {fact: death, name: second, from: patients, date: born}
- {fact: condition, name: worst, from: tumours, group: [id], concept: breast_cancer, start: min(seen)}
"""


def test_events_of_groups_and_deaths_stand_in_one_order(workshop: Workshop, monkeypatch: pytest.MonkeyPatch) -> None:
    patients = "id,born\n" + "\n".join(f"{n},01.01.19{n % 90 + 10}" for n in range(9_000))
    rows = "id,tumour,seen,line_no\n" + "\n".join(
        f"{n % 6_000},{n},{n % 28 + 1:02}.01.2015,{n % 4}" for n in range(24_000)
    )
    files = ("first.parquet", "second.parquet", "worst.parquet")
    found = set()
    for threads in ("1", "4", "8", "8"):
        monkeypatch.setenv("ONCOWEAVE_THREADS", threads)
        made = workshop.map(DEATHS, patients=patients, tumours=rows)
        found.add(tuple(sha256((made.run.events / name).read_bytes()).hexdigest() for name in files))
        (made.run.path / "map.json").unlink()
    assert len(found) == 1


def test_ids_stay_when_other_rows_and_rules_come(workshop: Workshop) -> None:
    before = made_of(workshop)
    after = made_of(
        workshop,
        CANCER + FINDINGS + "- {fact: procedure, name: excisions, from: tumours, concept: excision, date: seen}\n",
        patients=PATIENTS + "\n4,1970,F",
        tumours=tumours("4,1,01.01.2015,5,2", *TUMOURS, "1,9,01.01.2015,1,1"),
    )
    for table, column in [
        ("person", "person_id"),
        ("condition_occurrence", "condition_occurrence_id"),
        ("measurement", "measurement_id"),
    ]:
        assert set(before.rows(table, column)) < set(after.rows(table, column))


def test_facts_of_one_row_have_ids_of_their_own(workshop: Workshop) -> None:
    made = made_of(workshop)
    ids = [
        *made.rows("condition_occurrence", "condition_occurrence_id"),
        *made.rows("measurement", "measurement_id"),
        *made.rows("person", "person_id"),
    ]
    assert len(ids) == len(set(ids))


def test_key_parts_do_not_run_into_each_other(workshop: Workshop) -> None:
    made = made_of(workshop, CANCER, patients="id,born\n1,1950\n11,1950", tumours=tumours("1,11,2015,,", "11,1,2015,,"))
    assert len(set(made.rows("condition_occurrence", "condition_occurrence_id"))) == 2


LONG = 2_000
TEXTS = st.none() | st.text(st.sampled_from("a:-1é"), max_size=3) | st.just("a" * LONG)


@settings(deadline=None, max_examples=60)
@given(st.integers(1, 8).flatmap(lambda width: st.lists(st.tuples(*[TEXTS] * width), min_size=2, max_size=12)))
def test_the_text_of_a_row_tells_rows_apart_that_differ_in_any_field(rows: list[tuple[str | None, ...]]) -> None:
    names = [f"f{number}" for number in range(len(rows[0]))]
    values = ", ".join(f"unnest(${name}::VARCHAR[]) AS {name}" for name in names)
    sql = f"SELECT {to_duckdb(keys.row_text([col(name) for name in names]))} FROM (SELECT {values})"
    with duckdb.connect() as connection:
        columns = dict(zip(names, map(list, zip(*rows, strict=True)), strict=True))
        texts = [row[0] for row in connection.execute(sql, columns).fetchall()]
    assert None not in texts
    assert all((a == b) == (x == y) for a, x in zip(rows, texts, strict=True) for b, y in zip(rows, texts, strict=True))


def test_keys_are_compared_to_the_letter(workshop: Workshop) -> None:
    made = made_of(
        workshop, CANCER, patients="id,born\n7,1950\n007,1950\na,1950\nA,1950", tumours=tumours("007,1,2015,,")
    )
    assert len(set(made.rows("person", "person_id"))) == 4
    assert made.counts("cancer") == (1, 1, 0, 0)


def test_the_restricted_id_map_leads_from_ids_to_keys(workshop: Workshop) -> None:
    made = made_of(workshop)
    path = workshop.project.restricted / SOURCE / "person_map.parquet"
    assert path.stat().st_mode & 0o777 == 0o600
    assert path.parent.stat().st_mode & 0o777 == 0o700
    with duckdb.connect() as connection:
        found = connection.execute("SELECT key, person_id FROM read_parquet(?)", [str(path)]).fetchall()
    assert {person for _, person in found} == set(made.rows("person", "person_id"))
    assert {key for key, _ in found} == {"1", "2", "3"}
