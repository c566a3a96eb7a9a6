"""Stages a source table on DuckDB: runs its SELECT, and settles which of the rows that share a key has it."""

from __future__ import annotations

from oncoweave.compiler.join_tables import count_found
from oncoweave.compiler.staging import NOT_MAPPED, PERSONS, StagePlan
from oncoweave.compiler.statements import Statements
from oncoweave.engine.dialect import to_duckdb
from oncoweave.engine.parquet import identifier
from oncoweave.records import JoinCount


def stage_table(statements: Statements, stage: StagePlan) -> list[JoinCount]:
    """Make a staged table, and say of rows that share their key which one has it; returns how many rows find a partner in each join."""
    sql = f"CREATE TABLE {identifier(stage.name)} AS {to_duckdb(stage.select)}"
    statements.do(sql, f"staging {stage.table}")
    counts = count_found(statements.connection, stage.name, stage.joins)
    if stage.by_content:
        _number_occurrences(statements, stage)
    else:
        _hold_duplicates(statements, stage)
    return counts


def keep_persons(statements: Statements, stage: StagePlan) -> None:
    """The mapped persons with their key; facts of anyone else are held back as `person not mapped`."""
    name, persons = identifier(stage.name), to_duckdb(statements.plan.mapped_persons)
    sql = f"""CREATE TABLE {identifier(PERSONS)} AS SELECT _person_key AS key, _person AS person_id FROM {name}
        WHERE _person IN ({persons}) GROUP BY ALL"""
    statements.do(sql, "keeping the persons")
    sql = f"""UPDATE {name} SET _state = '{NOT_MAPPED}' WHERE _state IS NULL
        AND NOT EXISTS (SELECT 1 FROM {identifier(PERSONS)} AS p WHERE p.person_id = _person)"""
    statements.do(sql, "finding facts without a person")


def _duplicates(stage: StagePlan) -> str:
    """A SELECT of the rows that share a key, numbered by content, so that the order of the file does not matter."""
    name = identifier(stage.name)
    content = () if stage.by_content else stage.content  # which is the same where it is the key
    order = ", ".join(identifier(f) for f in (*content, "_file", "_line"))
    shared = f"SELECT _row FROM {name} WHERE _row IS NOT NULL GROUP BY _row HAVING count(*) > 1"
    number = f"row_number() OVER (PARTITION BY _row ORDER BY {order})"
    return f"SELECT _file, _line, {number} AS n FROM {name} WHERE _row IN ({shared})"


def _hold_duplicates(statements: Statements, stage: StagePlan) -> None:
    sql = f"""UPDATE {identifier(stage.name)} AS s SET _state = 'duplicate key', _row = NULL FROM ({_duplicates(stage)}) AS d
        WHERE d.n > 1 AND s._file = d._file AND s._line = d._line AND s._state IS NULL"""
    statements.do(sql, f"finding duplicate keys in {stage.table}")


def _number_occurrences(statements: Statements, stage: StagePlan) -> None:
    """Rows of the same content differ by an occurrence number, which is mixed into their keyed hashes."""
    mixed = "CAST(CAST('0x' || substring(sha256('occurrence' || d.n), 1, 16) AS UBIGINT) >> 1 AS BIGINT)"
    sets = [f"_row = xor(s._row, {mixed})"]
    if stage.person_by_content:
        sets += [f"_person = xor(s._person, {mixed})", "_person_key = s._person_key || '#' || d.n"]
    keyed = "s._file = d._file AND s._line = d._line AND d.n > 1"
    sql = f"UPDATE {identifier(stage.name)} AS s SET {', '.join(sets)} FROM ({_duplicates(stage)}) AS d WHERE {keyed}"
    statements.do(sql, f"numbering equal rows of {stage.table}")
