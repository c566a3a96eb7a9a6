"""A bundle answers by id, by code and by relationship, whatever release it is."""

import dataclasses
from pathlib import Path

import pytest

from oncoweave.errors import SpecError, UsageError
from oncoweave.project import Project
from oncoweave.vocabulary.bundle import Bundle, open_release
from oncoweave.vocabulary.starter import build, open_bundle

CONCEPTS = """concept_id,concept_name,domain_id,vocabulary_id,concept_class_id,standard_concept,concept_code,invalid_reason,evidence
1,Old,Condition,SNOMED,Disorder,,A,D,confirmed
2,New,Condition,SNOMED,Disorder,S,A,,confirmed
3,"Guessed, perhaps",Measurement,SNOMED,,S,B,,unconfirmed
4,Class,Drug,ATC,ATC 5th,C,X,,confirmed
5,Value,Meas Value,SNOMED,,S,V,,confirmed
6,Two in one,Condition,ICDO3,ICDO Condition,,8500/3-C50.9,,confirmed
"""
RELATIONSHIPS = """concept_id_1,concept_id_2,relationship_id,invalid_reason
1,2,Maps to,
1,3,Maps to,D
6,2,Maps to,
6,3,Maps to,
6,5,Maps to value,
2,4,Maps to,
3,1,Maps to,
"""
VOCABULARY = """vocabulary_id,vocabulary_name,vocabulary_version,vocabulary_concept_id
None,OMOP Standardized Vocabularies,starter-9,1
"""


@pytest.fixture
def csv_folder(tmp_path: Path) -> Path:
    folder = tmp_path / "csv"
    folder.mkdir()
    for name, text in (("CONCEPT", CONCEPTS), ("CONCEPT_RELATIONSHIP", RELATIONSHIPS), ("VOCABULARY", VOCABULARY)):
        (folder / f"{name}.csv").write_text(text, encoding="utf-8")
    return folder


@pytest.fixture
def bundle(csv_folder: Path, tmp_path: Path) -> Bundle:
    return open_bundle(csv_folder, tmp_path / "bundle")


def test_release_is_the_version_of_the_vocabulary_none(bundle: Bundle) -> None:
    assert bundle.release == "starter-9"


def test_concepts_that_do_not_exist_are_left_out(bundle: Bundle) -> None:
    assert set(bundle.concepts([2, 3, 99, 2])) == {2, 3}


def test_concept_tells_what_the_file_tells(bundle: Bundle) -> None:
    assert dataclasses.astuple(bundle.concepts([3])[3]) == (
        3, "Guessed, perhaps", "Measurement", "SNOMED", "", "S", "B", "", False,
    )  # fmt: skip


def test_unconfirmed_concepts_are_known(bundle: Bundle) -> None:
    assert bundle.unconfirmed() == {3}


def test_of_two_concepts_with_one_code_the_valid_one_is_found(bundle: Bundle) -> None:
    found = bundle.by_code("SNOMED", "A")
    assert found is not None and found.concept_id == 2


def test_codes_are_found_in_the_form_the_source_writes(bundle: Bundle) -> None:
    assert set(bundle.by_codes("ICDO3", ["85003-C509", "9999/9-C00.0"])) == {"85003-C509"}


def test_code_of_another_vocabulary_is_not_found(bundle: Bundle) -> None:
    assert bundle.by_code("LOINC", "A") is None


@pytest.mark.parametrize(
    ("concept", "targets", "why"),
    [
        (1, [2], "a relationship with an invalid reason is not followed"),
        (6, [2, 3], "a concept may map to several"),
        (2, [], "a classification concept is not standard"),
        (3, [], "an invalid concept is no target"),
        (99, [], "an unknown concept maps to nothing"),
    ],
)
def test_maps_to_gives_valid_standard_concepts(bundle: Bundle, concept: int, targets: list[int], why: str) -> None:
    assert [row.concept_id for row in bundle.maps_to(concept)] == targets, why


def test_maps_to_value_gives_the_value(bundle: Bundle) -> None:
    assert [row.concept_id for row in bundle.targets([6], "Maps to value")[6]] == [5]


def test_same_files_give_the_same_bytes(csv_folder: Path, tmp_path: Path) -> None:
    first, second = build(csv_folder, tmp_path / "one"), build(csv_folder, tmp_path / "two")
    names = sorted(path.name for path in first.iterdir())
    assert names == ["CONCEPT.parquet", "CONCEPT_RELATIONSHIP.parquet", "VOCABULARY.parquet"]
    assert all((first / name).read_bytes() == (second / name).read_bytes() for name in names)


def test_folder_with_a_bundle_is_opened_as_it_is(csv_folder: Path, tmp_path: Path) -> None:
    built = build(csv_folder, tmp_path / "one")
    assert open_bundle(built, tmp_path / "unused").folder == built
    assert not (tmp_path / "unused").exists()


def test_bundle_without_the_release_row_must_be_given_a_name(csv_folder: Path, tmp_path: Path) -> None:
    (csv_folder / "VOCABULARY.csv").write_text(VOCABULARY.replace("\nNone,", "\nSNOMED,"), encoding="utf-8")
    built = build(csv_folder, tmp_path / "one")
    with pytest.raises(UsageError, match="has no row 'None'"):
        Bundle.open(built)
    assert Bundle.open(built, release="v5.0 27-AUG-25").release == "v5.0 27-AUG-25"


def test_missing_table_is_named(csv_folder: Path, tmp_path: Path) -> None:
    built = build(csv_folder, tmp_path / "one")
    (built / "CONCEPT_RELATIONSHIP.parquet").unlink()
    with pytest.raises(UsageError, match=r"has no CONCEPT_RELATIONSHIP\.parquet"):
        Bundle.open(built)


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [("evidence\n", "proof\n", "must have the columns"), ("\n2,", "\ntwo,", "CONCEPT.csv of the starter vocabulary:")],
)
def test_broken_starter_file_is_a_spec_error(
    csv_folder: Path, tmp_path: Path, old: str, new: str, message: str
) -> None:
    (csv_folder / "CONCEPT.csv").write_text(CONCEPTS.replace(old, new), encoding="utf-8")
    with pytest.raises(SpecError, match=message):
        build(csv_folder, tmp_path / "one")


def test_starter_is_built_once(csv_folder: Path, tmp_path: Path) -> None:
    first = open_bundle(csv_folder, tmp_path / "cache").table("CONCEPT").stat().st_mtime_ns
    assert open_bundle(csv_folder, tmp_path / "cache").table("CONCEPT").stat().st_mtime_ns == first
    assert len(list((tmp_path / "cache").iterdir())) == 1


def test_changed_starter_is_built_anew(csv_folder: Path, tmp_path: Path) -> None:
    open_bundle(csv_folder, tmp_path / "cache")
    (csv_folder / "CONCEPT.csv").write_text(CONCEPTS.replace("New", "Newer"), encoding="utf-8")
    assert open_bundle(csv_folder, tmp_path / "cache").concepts([2])[2].concept_name == "Newer"


def test_release_of_the_standard_content_is_opened_by_name(tmp_path: Path) -> None:
    bundle = open_release(Project.at(tmp_path), "starter-1")
    assert bundle.release == "starter-1"
    assert bundle.has_vocabulary("SNOMED") and not bundle.has_vocabulary("Snomed")


def test_release_of_another_name_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="is the release starter-1, not starter-2"):
        open_release(Project.at(tmp_path), "starter-2")


def test_vocabulary_that_only_the_concepts_tell_of_is_one_of_the_release(bundle: Bundle) -> None:
    assert bundle.vocabularies() == ["None"]
    assert bundle.has_vocabulary("ICDO3") and not bundle.has_vocabulary("CVX")
