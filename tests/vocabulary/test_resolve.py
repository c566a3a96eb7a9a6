"""Codes are resolved inside the engine: no code is ever lost, and only a valid standard concept is a target."""

from __future__ import annotations

import shutil
from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path

import duckdb
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from oncoweave.project import Project
from oncoweave.vocabulary.bundle import Bundle, open_release
from oncoweave.vocabulary.codes import SPELLINGS, normalise_code, normalised_sql
from oncoweave.vocabulary.load import load
from oncoweave.vocabulary.resolve import resolution, targets
from tests.vocabulary.downloads import DAYS, RELEASE, folder_of, texts

Row = tuple[object, ...]


def bundle_of(tmp_path: Path, concepts: Iterable[Sequence[object]] = (), maps: Iterable[Row] = ()) -> Bundle:
    """The small release, with more concepts and relationships."""
    files = texts()
    for concept in concepts:
        files["CONCEPT.csv"] += "\t".join(map(str, (*concept[:7], DAYS, concept[7]))) + "\n"
    for relation in maps:
        files["CONCEPT_RELATIONSHIP.csv"] += "\t".join(map(str, (*relation[:3], DAYS, *(relation[3:] or ("",))))) + "\n"
    project = Project.at(tmp_path / "site")
    load(project, folder_of(tmp_path / "download", files), accept_gaps=True)
    return open_release(project, RELEASE)


def resolved(bundle: Bundle, vocabulary: str, codes: Sequence[str | None]) -> list[Row]:
    """code, ordinal, concept, source concept, domain, value of each code's targets."""
    with duckdb.connect() as connection:
        connection.execute("CREATE TABLE codes (code VARCHAR)")
        connection.executemany("INSERT INTO codes VALUES (?)", [[code] for code in codes])
        sql, parameters = resolution("SELECT code FROM codes", vocabulary, bundle)
        rows = connection.execute(f"SELECT * FROM ({sql}) ORDER BY code, ordinal", parameters).fetchall()
        # A release that was put in place by hand has no CODE_TARGET: its codes are followed when they are asked for.
        by_hand = replace(bundle, folder=bundle.folder.with_name("by hand"))
        shutil.copytree(
            bundle.folder, by_hand.folder, ignore=shutil.ignore_patterns("CODE_TARGET*"), dirs_exist_ok=True
        )
        sql, parameters = resolution("SELECT code FROM codes", vocabulary, by_hand)
        assert connection.execute(f"SELECT * FROM ({sql}) ORDER BY code, ordinal", parameters).fetchall() == rows
        return rows


def test_code_gets_its_own_and_its_standard_concept(tmp_path: Path) -> None:
    assert resolved(bundle_of(tmp_path), "ICD10", ["c509"]) == [("c509", 0, 2, 1, "Condition", None)]


def test_unknown_code_stays_with_concept_zero(tmp_path: Path) -> None:
    assert resolved(bundle_of(tmp_path), "ICD10", ["X99", "C50.9"]) == [
        ("C50.9", 0, 2, 1, "Condition", None),
        ("X99", 0, 0, 0, None, None),
    ]


def test_target_that_is_not_standard_or_not_valid_is_none(tmp_path: Path) -> None:
    invalid = (20, "Gone", "Condition", "SNOMED", "Disorder", "S", "20", "D")
    old = (21, "Code", "Observation", "ICD10", "ICD10 code", "", "B00", "")
    bundle = bundle_of(tmp_path, [invalid, old], [(21, 20, "Maps to")])
    assert resolved(bundle, "ICD10", ["A00", "B00"]) == [
        ("A00", 0, 0, 6, "Condition", None),
        ("B00", 0, 0, 21, "Observation", None),
    ]


def test_relationship_that_is_not_valid_is_not_followed(tmp_path: Path) -> None:
    code = (21, "Code", "Observation", "ICD10", "ICD10 code", "", "B00", "")
    bundle = bundle_of(tmp_path, [code], [(21, 2, "Maps to", "D")])
    assert resolved(bundle, "ICD10", ["B00"]) == [("B00", 0, 0, 21, "Observation", None)]


def test_several_targets_come_in_the_order_of_their_ids(tmp_path: Path) -> None:
    bundle = bundle_of(tmp_path, (), [(1, 8, "Maps to"), (1, 5, "Maps to")])
    assert [row[1:3] for row in resolved(bundle, "ICD10", ["C50.9"])] == [(0, 2), (1, 5), (2, 8)]


def test_value_comes_with_its_target(tmp_path: Path) -> None:
    assert resolved(bundle_of(tmp_path), "ICD10", ["Z853"]) == [("Z853", 0, 5, 4, "Observation", 2)]


def test_one_value_goes_to_every_target(tmp_path: Path) -> None:
    bundle = bundle_of(tmp_path, (), [(4, 3, "Maps to")])
    assert [(row[2], row[5]) for row in resolved(bundle, "ICD10", ["Z85.3"])] == [(3, 2), (5, 2)]


def test_several_values_of_one_target_make_a_row_each(tmp_path: Path) -> None:
    bundle = bundle_of(tmp_path, (), [(4, 3, "Maps to value")])
    assert [(row[1], row[2], row[5]) for row in resolved(bundle, "ICD10", ["Z85.3"])] == [(0, 5, 2), (1, 5, 3)]


def test_several_values_of_several_targets_are_not_guessed(tmp_path: Path) -> None:
    bundle = bundle_of(tmp_path, (), [(4, 3, "Maps to value"), (4, 8, "Maps to")])
    assert [(row[2], row[5]) for row in resolved(bundle, "ICD10", ["Z85.3"])] == [(5, None), (8, None)]


def test_value_that_is_not_standard_is_none(tmp_path: Path) -> None:
    bundle = bundle_of(tmp_path, (), [(1, 7, "Maps to value")])
    assert resolved(bundle, "ICD10", ["C50.9"]) == [("C50.9", 0, 2, 1, "Condition", None)]


def test_of_concepts_that_share_a_code_the_valid_one_is_taken(tmp_path: Path) -> None:
    before = (11, "Old", "Observation", "ICD10", "ICD10 code", "", "D05", "D")
    after = (12, "Now", "Condition", "ICD10", "ICD10 code", "", "D05", "")
    assert resolved(bundle_of(tmp_path, [before, after]), "ICD10", ["D05"]) == [("D05", 0, 0, 12, "Condition", None)]


def test_code_of_another_vocabulary_is_unknown(tmp_path: Path) -> None:
    assert resolved(bundle_of(tmp_path), "SNOMED", ["C50.9"]) == [("C50.9", 0, 0, 0, None, None)]


def test_units_keep_their_case(tmp_path: Path) -> None:
    assert [row[2] for row in resolved(bundle_of(tmp_path), "UCUM", ["mm", "Mm"])] == [0, 8]


CODES = st.text(alphabet="cCvVeExXnul0123456789./- \t\n\u00a0ßäµ'", max_size=12)


@settings(deadline=None, max_examples=30)
@given(codes=st.lists(CODES, min_size=1, max_size=20, unique=True))
def test_no_code_is_ever_lost_and_sql_agrees_with_python(codes: list[str]) -> None:
    with duckdb.connect() as connection:
        connection.execute("CREATE TABLE codes (code VARCHAR)")
        connection.executemany("INSERT INTO codes VALUES (?)", [["c509"], *([code] for code in codes)])
        for vocabulary in (*SPELLINGS, "UCUM"):
            sql = f"SELECT code, {normalised_sql(vocabulary, 'code')} FROM codes"
            assert all(
                normalise_code(vocabulary, code) == normal for code, normal in connection.execute(sql).fetchall()
            )


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    return bundle_of(tmp_path_factory.mktemp("small"))


@settings(deadline=None, max_examples=30)
@given(codes=st.lists(CODES | st.sampled_from(["c509", "Z853", "A00", "C50.9"]), min_size=1, max_size=20, unique=True))
def test_every_code_comes_out_at_least_once(small: Bundle, codes: list[str]) -> None:
    assert {row[0] for row in resolved(small, "ICD10", codes)} == set(codes)


def test_engine_and_bundle_agree_on_every_code_of_the_shared_release(tmp_path: Path, shared_data: Path) -> None:
    project = Project.at(tmp_path)
    load(project, shared_data / "vocab" / "merged", RELEASE)
    bundle = open_release(project, RELEASE)
    for vocabulary in ("ICD10CM", "ICDO3", "RxNorm"):
        sql = "SELECT concept_code FROM read_parquet(?) WHERE vocabulary_id = ? GROUP BY 1"
        codes = [str(r[0]) for r in duckdb.execute(sql, [str(bundle.table("CONCEPT")), vocabulary]).fetchall()]
        sources = bundle.by_codes(vocabulary, codes)
        targets = bundle.targets([source.concept_id for source in sources.values()])
        expected = {(c, t.concept_id) for c, s in sources.items() for t in targets.get(s.concept_id, [])}
        rows = resolved(bundle, vocabulary, codes)
        assert {(row[0], row[2]) for row in rows if row[2]} == expected
        assert {row[0] for row in rows} == set(codes)


def test_codes_followed_in_parts_are_those_followed_at_once(small: Bundle) -> None:
    files = {"concepts": str(small.table("CONCEPT")), "relationships": str(small.table("CONCEPT_RELATIONSHIP"))}
    with duckdb.connect() as connection:
        whole = connection.execute(targets(), files).fetchall()
        parts = [connection.execute(targets(f"hash(concept_code) % 3 = {k}"), files).fetchall() for k in range(3)]
    assert sorted(map(repr, whole)) == sorted(repr(row) for part in parts for row in part)
