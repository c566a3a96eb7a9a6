"""Every field comes as the text that PostgreSQL writes for it, whatever its type; NULL and the empty text stay apart."""

from __future__ import annotations

import pytest

from oncoweave.errors import DataError, SourceUnreachable
from tests.servers.conftest import Database, Registry
from tests.servers.postgres_server import Server

TYPES = {
    "NULL::text": None,
    "''::text": "",
    "'\"a,b\"'": '"a,b"',
    "E'line\\r\\nline\\n'": "line\r\nline\n",
    "E'\\\\N'": "\\N",
    "' blank '": " blank ",
    "'😀 ǅ \u202e'": "😀 ǅ \u202e",
    "'007'::text": "007",
    "1::smallint": "1",
    "9223372036854775807": "9223372036854775807",
    "0.1::real": "0.1",
    "1e-7::float8": "0.0000001",
    "-1.5e300::float8": "-15" + "0" * 299,
    "0.1::float8 + 0.2::float8": "0.30000000000000004",
    "'NaN'::float8": "NaN",
    "'-Infinity'::float8": "-Infinity",
    "12345678901234567890.0123456789::numeric(38,10)": "12345678901234567890.0123456789",
    "1.50::numeric": "1.50",
    "1e-20::numeric": "0.00000000000000000001",
    "'NaN'::numeric": "NaN",
    "true": "true",
    "false": "false",
    "date '2020-02-29'": "2020-02-29",
    "date '0044-03-15 BC'": "0044-03-15 BC",
    "date '10000-01-01'": "10000-01-01",
    "'infinity'::date": "infinity",
    "timestamp '2020-01-02'": "2020-01-02 00:00:00",
    "timestamp '2020-01-02 03:04:05.678901'": "2020-01-02 03:04:05.678901",
    "timestamptz '2020-07-01 00:30:00+02'": "2020-06-30 22:30:00+00",
    "time '24:00'": "24:00:00",
    "timetz '03:04+05:30'": "03:04:00+05:30",
    "interval '1 year 2 months 3 days 04:05:06'": "P1Y2M3DT4H5M6S",
    "'ab'::char(5)": "ab",
    "'ab'::varchar(5)": "ab",
    "'a'::\"char\"": "a",
    "'\\x00ff'::bytea": "\\x00ff",
    "array[1,null,3]": "{1,NULL,3}",
    "array['a,b','\"']": '{"a,b","\\""}',
    '\'{"b": 1,  "a": null}\'::json': '{"b": 1,  "a": null}',
    '\'{"b": 1,  "a": null}\'::jsonb': '{"a": null, "b": 1}',
    "row(1, 'x')": "(1,x)",
    "uuid '00000000-0000-0000-0000-00000000000A'": "00000000-0000-0000-0000-00000000000a",
    "inet '10.0.0.1/8'": "10.0.0.1/8",
    "int4range(1, 5)": "[1,5)",
    "b'0101'": "0101",
    "'a & b'::tsquery": "'a' & 'b'",
    "oid '26'": "26",
    "1 = 1 and null": None,
}


def test_every_type_comes_as_the_text_that_the_server_writes(database: Database, registry: Registry) -> None:
    columns = ", ".join(f"{expression} AS c{number}" for number, expression in enumerate(TYPES))
    registry.query(f"SELECT {columns}")
    (row,) = registry.rows()
    assert dict(zip(TYPES, row, strict=True)) == TYPES


def test_the_text_does_not_depend_on_the_settings_of_the_server(database: Database, registry: Registry) -> None:
    settings = {
        "TimeZone": "Asia/Tokyo",
        "DateStyle": "German",
        "IntervalStyle": "postgres",
        "extra_float_digits": "-5",
    }
    for name, value in settings.items():
        database.execute(f"ALTER DATABASE {database.name} SET {name} = '{value}'")
    registry.query("SELECT date '2020-02-29' a, timestamptz '2020-07-01 00:30+02' b, 0.1::float8 c, interval '1 day' d")
    assert registry.rows() == [("2020-02-29", "2020-06-30 22:30:00+00", "0.1", "P1D")]


def test_a_row_without_any_value_is_a_row(database: Database, registry: Registry) -> None:
    registry.query("SELECT NULL::text AS a FROM generate_series(1, 3) UNION ALL SELECT ''")
    assert registry.rows() == [(None,), (None,), (None,), ("",)]


def test_a_field_of_ten_megabytes_comes_whole(database: Database, registry: Registry) -> None:
    registry.query("SELECT n, repeat('x', n) AS long FROM (VALUES (1), (10000000)) AS v(n)")
    assert [(n, len(text)) for n, text in registry.rows()] == [("1", 1), ("10000000", 10_000_000)]


def test_a_database_in_latin_1_gives_unicode(
    postgres: Server, registry: Registry, monkeypatch: pytest.MonkeyPatch
) -> None:
    postgres.make_database("latin", "LATIN1")
    monkeypatch.setenv("ONCOWEAVE_CONNECTION_REGISTRY", postgres.url("latin"))
    registry.query("SELECT chr(233) AS a")
    assert registry.rows() == [("é",)]


def test_bytes_that_are_no_text_are_refused_without_being_shown(
    postgres: Server, registry: Registry, monkeypatch: pytest.MonkeyPatch
) -> None:
    postgres.make_database("bytes", "SQL_ASCII")
    with postgres.connect("bytes") as connection:
        connection.execute(b"CREATE TABLE t AS SELECT E'Mari\\351'::text AS name")
    monkeypatch.setenv("ONCOWEAVE_CONNECTION_REGISTRY", postgres.url("bytes"))
    registry.query("SELECT name FROM t")
    with pytest.raises(
        DataError, match=r"sql/rows\.sql: the server cannot answer on its data \(character not in repertoire"
    ) as caught:
        registry.taken()
    assert "Mari" not in str(caught.value)
    assert not registry.left_over()


def test_a_value_that_the_server_cannot_compute_is_told_without_the_value(
    database: Database, registry: Registry
) -> None:
    registry.query("SELECT x::int AS n FROM (VALUES ('1'), ('Maria')) AS v(x)")
    with pytest.raises(DataError, match="cannot answer on its data") as caught:
        registry.taken()
    assert "Maria" not in f"{caught.value} {caught.value.mend}"
    assert not isinstance(caught.value, SourceUnreachable)
