"""A download of Athena becomes a release of the project, or is refused with file and line while the others stay."""

from __future__ import annotations

import stat
import zipfile
from collections.abc import Callable
from pathlib import Path

import duckdb
import pytest

from oncoweave.errors import DataError, EnvironmentFault, OncoweaveError, UsageError
from oncoweave.project import Project
from oncoweave.vocabulary.bundle import open_release
from oncoweave.vocabulary.ingredients import derivation
from oncoweave.vocabulary.load import load
from oncoweave.vocabulary.shelf import loaded
from tests.vocabulary.downloads import RELEASE, Texts, folder_of, texts, zip_of


@pytest.fixture
def project(tmp_path: Path) -> Project:
    return Project.at(tmp_path / "site")


@pytest.fixture
def in_use(project: Project, tmp_path: Path) -> dict[str, bytes]:
    """A release that is loaded already, as bytes."""
    load(project, folder_of(tmp_path / "sound", texts()))
    return shelf(project)


def shelf(project: Project) -> dict[str, bytes]:
    paths = (p for p in project.vocabularies.rglob("*") if p.is_file() and p.name != ".load.lock")
    return {str(path.relative_to(project.vocabularies)): path.read_bytes() for path in paths}


def values(project: Project, table: str, columns: str) -> list[tuple[object, ...]]:
    path = project.vocabularies / RELEASE / f"{table}.parquet"
    return duckdb.sql(f"SELECT {columns} FROM '{path}' ORDER BY ALL").fetchall()


@pytest.mark.parametrize("name", ["starter", "starter-2"])
def test_a_download_cannot_take_the_name_of_the_starter(project: Project, tmp_path: Path, name: str) -> None:
    with pytest.raises(UsageError, match="the starter vocabulary's"):
        load(project, folder_of(tmp_path / "a", texts()), name)
    assert shelf(project) == {}


@pytest.mark.parametrize("form", ["folder", "zip"])
def test_download_is_loaded_as_it_comes(project: Project, tmp_path: Path, form: str) -> None:
    given = folder_of(tmp_path / "a", texts()) if form == "folder" else zip_of(tmp_path / "a.zip", texts())
    done = load(project, given)
    assert (done.record.release, done.record.version, done.already) == (RELEASE, RELEASE, False)
    assert done.record.rows("CONCEPT") == 9 and done.record.remarks == ()
    tables = {name.removesuffix(".csv") for name in texts()} | {"CODE_TARGET", "DRUG_INGREDIENT"}
    assert [file.name for file in done.record.files] == [f"{name}.parquet" for name in sorted(tables)]
    assert [record.release for record in loaded(project)] == [RELEASE]


def test_zip_and_folder_give_the_same_bytes(project: Project, tmp_path: Path) -> None:
    load(project, folder_of(tmp_path / "a", texts()))
    assert load(project, zip_of(tmp_path / "a.zip", texts())).already


def test_what_looks_like_nothing_or_a_number_stays_text(project: Project, tmp_path: Path) -> None:
    load(project, folder_of(tmp_path / "a", texts()))
    assert ("NA", "007") in values(project, "CONCEPT", "concept_name, concept_code")
    assert ('Malignant neoplasm of breast, "NOS', None) in values(project, "CONCEPT", "concept_name, invalid_reason")
    assert values(project, "DRUG_STRENGTH", "amount_value, box_size, valid_start_date::VARCHAR") == [
        (10.5, None, "1970-01-01")
    ]


def test_line_ends_of_windows_are_read(project: Project, tmp_path: Path) -> None:
    load(project, folder_of(tmp_path / "a", texts()))
    windows = {name: text.replace("\n", "\r\n") for name, text in texts().items()}
    assert load(project, folder_of(tmp_path / "b", windows)).already


def test_folder_of_links_is_read_from_wherever_it_is_called(
    project: Project, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = folder_of(tmp_path / "a", texts())
    links = tmp_path / "links"
    links.mkdir()
    for path in folder.iterdir():
        (links / path.name).symlink_to(path)
    load(project, links)
    monkeypatch.chdir(tmp_path)
    assert load(project, Path("a")).already


def test_mapping_finds_the_release_by_its_name(project: Project, in_use: dict[str, bytes]) -> None:
    bundle = open_release(project, RELEASE)
    assert bundle.release == RELEASE
    found = bundle.by_code("ICD10", "c509")
    assert found is not None and [target.concept_id for target in bundle.maps_to(found.concept_id)] == [2]


def test_release_that_is_not_there_names_the_nearest(project: Project, in_use: dict[str, bytes]) -> None:
    with pytest.raises(UsageError, match=r"no vocabulary release `v5\.0 27-AUG-24`") as raised:
        open_release(project, "v5.0 27-AUG-24")
    assert RELEASE in raised.value.mend


def test_release_can_be_given_another_name(project: Project, tmp_path: Path) -> None:
    done = load(project, folder_of(tmp_path / "a", texts()), "breast only")
    assert (done.record.release, done.record.version) == ("breast only", RELEASE)
    assert open_release(project, "breast only").release == "breast only"


@pytest.mark.parametrize("name", ["../up", "a/b", ".hidden", "a\nb", "ends "])
def test_name_that_cannot_be_a_folder_is_refused(project: Project, tmp_path: Path, name: str) -> None:
    with pytest.raises(UsageError, match="cannot name a release"):
        load(project, folder_of(tmp_path / "a", texts()), name)


def test_other_content_under_the_same_name_is_refused(
    project: Project, tmp_path: Path, in_use: dict[str, bytes]
) -> None:
    other = texts() | {"CONCEPT.csv": texts()["CONCEPT.csv"].replace("History of", "Past")}
    with pytest.raises(UsageError, match="is loaded already, with other content"):
        load(project, folder_of(tmp_path / "b", other))
    assert shelf(project) == in_use


def test_shared_folder_of_parquet_is_loaded_under_a_name(project: Project, shared_data: Path) -> None:
    with pytest.raises(UsageError, match="no row 'None'"):
        load(project, shared_data / "vocab" / "merged")
    assert load(project, shared_data / "vocab" / "merged", RELEASE).record.rows("CONCEPT") == 100_152
    assert values(project, "CONCEPT", "DISTINCT typeof(concept_id)") == [("INTEGER",)]


def test_file_that_changed_since_is_noticed(project: Project, in_use: dict[str, bytes]) -> None:
    with (project.vocabularies / RELEASE / "DOMAIN.parquet").open("ab") as file:
        file.write(b"more")
    with pytest.raises(EnvironmentFault, match=r"DOMAIN.parquet is not the file that was loaded"):
        open_release(project, RELEASE)


def cut(table: str, end: int) -> Callable[[Texts], dict[str, str | bytes]]:
    return lambda files: {**files, table: files[table][:end]}


def put(table: str, old: str, new: str) -> Callable[[Texts], dict[str, str | bytes]]:
    return lambda files: {**files, table: files[table].replace(old, new)}


def without(table: str) -> Callable[[Texts], dict[str, str | bytes]]:
    return lambda files: {name: text for name, text in files.items() if name != table}


def latin(table: str) -> Callable[[Texts], dict[str, str | bytes]]:
    return lambda files: {**files, table: files[table].replace("Old disease", "Maladie âgée").encode("latin-1")}


FAULTS = (
    (cut("CONCEPT.csv", -1), "CONCEPT.csv, line 10: the last line does not end"),
    (cut("CONCEPT_ANCESTOR.csv", -5), "CONCEPT_ANCESTOR.csv, line 2: the last line does not end"),
    (put("CONCEPT.csv", "\tDisorder\tS", "\tDisorder"), "CONCEPT.csv, line 4: 9 columns instead of 10"),
    (put("CONCEPT.csv", "\n5\t", "\nfive\t"), "CONCEPT.csv, line 7: `concept_id` is not a whole number"),
    (put("CONCEPT_RELATIONSHIP.csv", "\n4\t5\tMaps to\t19700101", "\n4\t5\tMaps to\t19701301"),
     "CONCEPT_RELATIONSHIP.csv, line 7: `valid_start_date` is not a date written YYYYMMDD"),
    (put("CONCEPT.csv", "\n6\t", "\n-6\t"), "CONCEPT.csv, line 8: `concept_id` is -6: no concept has a negative id"),
    (put("CONCEPT.csv", "\n6\t", "\n\t"), "CONCEPT.csv, line 8: `concept_id` is empty"),
    (put("CONCEPT_RELATIONSHIP.csv", "\n6\t7", "\n6\t-7"), "CONCEPT_RELATIONSHIP.csv, line 9: `concept_id_2` is -7"),
    (put("CONCEPT_ANCESTOR.csv", "\n2\t", "\n-2\t"), "CONCEPT_ANCESTOR.csv, line 2: `ancestor_concept_id` is -2"),
    (put("DRUG_STRENGTH.csv", "\n2\t2", "\n2\t-2"), "DRUG_STRENGTH.csv, line 2: `ingredient_concept_id` is -2"),
    (put("DOMAIN.csv", "Unit\t1", "Unit\t-1"), "DOMAIN.csv, line 5: `domain_concept_id` is -1"),
    (put("CONCEPT.csv", "\n3\t", "\n2\t"), "CONCEPT.csv, lines 4 and 5: concept_id 2 is there more than once"),
    (put("CONCEPT_RELATIONSHIP.csv", "\n3\t3\tMaps", "\n2\t2\tMaps"),
     "CONCEPT_RELATIONSHIP.csv, lines 3 and 4: relationship_id Maps to, concept_id_1 2, concept_id_2 2 is there more than once"),
    (put("CONCEPT.csv", "\n3\t", "\n\n3\t"), "10 lines after its header, of which 9 could be read"),
    (without("VOCABULARY.csv"), "has no VOCABULARY.csv"),
    (without("CONCEPT.csv"), "has no CONCEPT.csv"),
    (without("DRUG_STRENGTH.csv"), "has no DRUG_STRENGTH.csv"),
    (put("CONCEPT.csv", "standard_concept\t", "concept_level\t"), "does not have the columns of CDM 5.4: it has no standard_c"),
    (put("VOCABULARY.csv", "vocabulary_reference\t", ""), "it has no vocabulary_reference"),
    (put("DOMAIN.csv", "domain_id\t", "domain_id\tsince\t"), "`since` is not one of them"),
    (latin("CONCEPT.csv"), "CONCEPT.csv, line 8: a byte is not UTF-8"),
    (lambda files: {**files, "DOMAIN.csv": b""}, "DOMAIN.csv is empty"),
    (lambda files: {**files, "CONCEPT.csv": "\n".join(files["CONCEPT.csv"].split("\n")[:6]) + "\n"},
     "5 of 10 relationships name a concept that CONCEPT does not have"),
    (put("VOCABULARY.csv", "\nSNOMED\t", "\nSnomed\t"), "4 of 9 concepts are of a vocabulary that VOCABULARY does not have"),
    (lambda files: {**files, "CONCEPT_RELATIONSHIP.csv": "\n".join(files["CONCEPT_RELATIONSHIP.csv"].split("\n")[:3]) + "\n"},
     "3 of 4 standard concepts have no 'Maps to'"),
)  # fmt: skip


@pytest.mark.parametrize(("spoil", "reason"), FAULTS, ids=[reason[:50] for _, reason in FAULTS])
@pytest.mark.parametrize("form", ["folder", "zip"])
def test_unsound_download_stops_with_a_reason_and_the_bundle_in_use_stays(
    project: Project,
    tmp_path: Path,
    in_use: dict[str, bytes],
    spoil: Callable[[Texts], dict[str, str | bytes]],
    reason: str,
    form: str,
) -> None:
    files = spoil(texts())
    given = folder_of(tmp_path / "b", files) if form == "folder" else zip_of(tmp_path / "b.zip", files)
    with pytest.raises(DataError) as raised:
        load(project, given, "second")
    assert reason in raised.value.message
    assert shelf(project) == in_use


def test_download_that_lacks_a_table_is_named_as_the_user_calls_it(project: Project, tmp_path: Path) -> None:
    files = without("CONCEPT.csv")(texts())
    with pytest.raises(DataError, match=r"^july has no CONCEPT\.csv$"):
        load(project, folder_of(tmp_path / "july", files), "second")


def test_selection_with_gaps_can_be_accepted_and_is_remarked(project: Project, tmp_path: Path) -> None:
    files = put("VOCABULARY.csv", "\nSNOMED\t", "\nSnomed\t")(texts())
    done = load(project, folder_of(tmp_path / "a", files), accept_gaps=True)
    assert done.record.remarks == ("4 of 9 concepts are of a vocabulary that VOCABULARY does not have",)


def test_cpt4_concepts_without_names_are_known(project: Project, tmp_path: Path) -> None:
    head, *_ = texts()["CONCEPT.csv"].splitlines()
    cpt4 = f"{head}\n9\t\tProcedure\tSNOMED\tCPT4\tS\t19301\t19700101\t20991231\t\n"
    relation = texts()["CONCEPT_RELATIONSHIP.csv"] + "9\t9\tMaps to\t19700101\t20991231\t\n"
    files = {**texts(), "CONCEPT_CPT4.csv": cpt4, "CONCEPT_RELATIONSHIP.csv": relation}
    done = load(project, folder_of(tmp_path / "a", files))
    assert done.record.rows("CONCEPT_CPT4") == 1 and done.record.remarks == ()


def bomb(path: Path) -> None:
    with zipfile.ZipFile(path, "a", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("padding.csv", b"0" * 20_000_000)


def link(path: Path) -> None:
    info = zipfile.ZipInfo("CONCEPT_CPT4.csv")
    info.external_attr = (stat.S_IFLNK | 0o777) << 16
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr(info, "/etc/passwd")


def named(name: str) -> Callable[[Path], None]:
    def add(path: Path) -> None:
        with zipfile.ZipFile(path, "a") as archive:
            archive.writestr(name, "x")

    return add


def half(path: Path) -> None:
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def flipped(path: Path) -> None:
    whole = bytearray(path.read_bytes())
    whole[60] ^= 0xFF
    path.write_bytes(bytes(whole))


@pytest.mark.parametrize(
    ("spoil", "reason"),
    [
        (named("../outside.csv"), "`../outside.csv` leads out of the archive's folder"),
        (named("/tmp/outside.csv"), "leads out of the archive's folder"),
        (named("..\\outside.csv"), "leads out of the archive's folder"),
        (named("deep/CONCEPT.csv"), "has CONCEPT.csv more than once"),
        (link, "`CONCEPT_CPT4.csv` is a link"),
        (bomb, "`padding.csv` is packed"),
        (half, "cannot be unpacked: it may be cut off"),
        (flipped, "cannot be unpacked"),
    ],
)
def test_archive_that_could_do_harm_is_refused(
    project: Project, tmp_path: Path, in_use: dict[str, bytes], spoil: Callable[[Path], None], reason: str
) -> None:
    archive = zip_of(tmp_path / "b.zip", texts())
    spoil(archive)
    with pytest.raises(OncoweaveError) as raised:
        load(project, archive, "second")
    assert reason in raised.value.message
    assert raised.value.exit_code == 3
    assert shelf(project) == in_use
    assert not list(tmp_path.rglob("outside.csv"))


def test_what_a_killed_load_left_is_removed(project: Project, tmp_path: Path) -> None:
    left = project.vocabularies / ".loading.tmp" / "bundle"
    left.mkdir(parents=True)
    (left / "CONCEPT.parquet").write_bytes(b"half")
    load(project, folder_of(tmp_path / "a", texts()))
    assert not left.exists() and len(loaded(project)) == 1


def test_the_ingredients_of_drugs_are_found_once_at_load(project: Project, shared_data: Path) -> None:
    given = shared_data / "vocab" / "merged"
    folder = load(project, given, "merged").folder
    with duckdb.connect() as connection:
        kept = connection.execute("SELECT * FROM read_parquet(?)", [str(folder / "DRUG_INGREDIENT.parquet")]).fetchall()
        files = {"concepts": str(given / "CONCEPT.parquet"), "ancestors": str(given / "CONCEPT_ANCESTOR.parquet")}
        derived = connection.execute(f"SELECT * FROM ({derivation()}) ORDER BY ALL", files).fetchall()
        counts = connection.execute(
            """SELECT count(DISTINCT vocabulary_id), count(*) FILTER (standard_concept <> 'S' OR concept_class_id <> 'Ingredient')
            FROM read_parquet($concepts) WHERE concept_id IN (SELECT unnest($ids))""",
            {"concepts": files["concepts"], "ids": [ingredient for _, ingredient in kept]},
        ).fetchall()
    assert kept == derived
    assert any(drug != ingredient for drug, ingredient in kept)
    assert counts == [(2, 0)]
