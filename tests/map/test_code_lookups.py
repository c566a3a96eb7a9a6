"""The lookup of a vocabulary's codes: every code that occurs is in it, with the ids that further targets get."""

from __future__ import annotations

from pathlib import Path

import duckdb
import sqlglot
from sqlglot import exp

from oncoweave.compiler.code_lookups import code_lookup
from oncoweave.compiler.lookups import COLUMNS, CodeLookup, ordinal_salt
from oncoweave.project import Project
from oncoweave.vocabulary.bundle import Bundle
from oncoweave.vocabulary.load import load
from tests.vocabulary.downloads import folder_of, texts

CODES = ("C50", "c509", "Z85", "c34 ", "unheard of")


def rows_of(vocabulary: Path, role: str = "concept") -> list[dict[str, object]]:
    select = sqlglot.parse_one(f"SELECT unnest({list(CODES)}) AS code", dialect="duckdb")
    assert isinstance(select, exp.Select)
    lookup = CodeLookup("codes", "ICD10", select, role)
    with duckdb.connect() as connection:
        made, parameters = code_lookup(connection, lookup, Bundle.open(vocabulary))
        found = connection.execute(f"SELECT * FROM ({made}) ORDER BY code, ordinal", parameters)
        assert [(c[0], str(c[1])) for c in found.description] == [(name, str(kind)) for name, kind in COLUMNS]
        return [dict(zip((name for name, _ in COLUMNS), row, strict=True)) for row in found.fetchall()]


def test_every_code_is_in_the_lookup(vocabulary: Path) -> None:
    assert {row["code"] for row in rows_of(vocabulary)} == set(CODES)


def test_codes_have_their_targets_and_tables(vocabulary: Path) -> None:
    found = [(row["code"], row["concept_id"], row["source_concept_id"], row["target"]) for row in rows_of(vocabulary)]
    assert found == [
        ("C50", 101, 9001, "condition_occurrence"),
        ("Z85", 0, 9003, "observation"),
        ("c34 ", 102, 9004, "condition_occurrence"),
        ("c509", 101, 9002, "condition_occurrence"),
        ("c509", 502, 9002, "observation"),
        ("unheard of", 0, 0, None),
    ]


def test_salt_of_a_further_target_is_the_one_of_concept_maps(vocabulary: Path) -> None:
    assert {row["ordinal"]: row["salt"] for row in rows_of(vocabulary)} == {0: 0, 1: ordinal_salt(1)}


def test_field_takes_targets_of_its_own_domain_only(vocabulary: Path) -> None:
    assert {row["any_concept_id"] for row in rows_of(vocabulary, "unit")} == {0}
    causes = {row["code"]: row["any_concept_id"] for row in rows_of(vocabulary, "cause") if row["ordinal"] == 0}
    assert causes == {"C50": 101, "c509": 101, "c34 ": 102, "Z85": 0, "unheard of": 0}


def looked_up(given: list[str], bundle: Bundle) -> tuple[int, dict[str, tuple[object, ...]]]:
    """The number of rows of the lookup, and what a left join with it gives for each of the codes."""
    codes = "SELECT unnest([" + ", ".join(f"'{code}'" for code in given) + "]) AS code"
    select = sqlglot.parse_one(codes, dialect="duckdb")
    assert isinstance(select, exp.Select)
    with duckdb.connect() as connection:
        made, parameters = code_lookup(connection, CodeLookup("codes", "SNOMED", select), bundle)
        connection.execute(f"CREATE TABLE lookup AS {made}", parameters)
        ((rows,),) = connection.execute("SELECT count(*) FROM lookup").fetchall()
        sql = f"""SELECT DISTINCT c.code, coalesce(concept_id, 0), coalesce(source_concept_id, 0), target
            FROM ({codes}) AS c LEFT JOIN lookup AS k ON k.code = c.code"""
        return rows, {row[0]: row[1:] for row in connection.execute(sql).fetchall()}


def test_whole_vocabulary_gives_what_its_codes_one_by_one_give(tmp_path: Path) -> None:
    release = load(Project.at(tmp_path / "project"), folder_of(tmp_path / "download", texts()))
    bundle = Bundle.open(release.folder)
    few = ["372137005", "254837009", "nobody"]
    rows, one_by_one = looked_up(few, bundle)
    assert rows == len(few)
    rows, whole = looked_up(few * 10, bundle)
    assert rows == 4  # the concepts of SNOMED
    assert whole == one_by_one
    assert one_by_one["254837009"] == (2, 7, "condition_occurrence")
    rows, trimmed = looked_up([*few * 10, "007\u00a0"], bundle)
    assert rows == len(few) + 1  # a blank that no trim of text takes off: code by code
    assert trimmed["007\u00a0"] == (3, 3, "measurement")
