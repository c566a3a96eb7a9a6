"""What a site adds to a release: concepts of its own and a source_to_concept_map, and what is refused of them."""

from __future__ import annotations

import re
from pathlib import Path

import duckdb
import pytest
from click.testing import CliRunner

from oncoweave.cli.main import cli
from oncoweave.errors import DataError, UsageError
from oncoweave.project import Project
from oncoweave.vocabulary.bundle import Bundle, open_release
from oncoweave.vocabulary.load import Loaded, load
from tests.vocabulary.downloads import folder_of, texts

_DAYS = "1970-01-01,2099-12-31,"
CONCEPTS = (
    "concept_id,concept_name,domain_id,vocabulary_id,concept_class_id,standard_concept,concept_code,valid_start_date,"
    f'valid_end_date,invalid_reason\n2000000001,"Breast, left",Condition,Site,Site code,,BL,{_DAYS}\n'
    f"2000000002,Not mapped yet,Measurement,Site,Site code,,XX,{_DAYS}\n"
)
MAPS = (
    "concept_id_1,concept_id_2,relationship_id,valid_start_date,valid_end_date,invalid_reason\n"
    f"2000000001,2,Maps to,{_DAYS}\n"
)
CODES = (
    "source_code,source_concept_id,source_vocabulary_id,source_code_description,target_concept_id,target_vocabulary_id,"
    "valid_start_date,valid_end_date,invalid_reason\n"
    f"millim.,0,Site units,,8,UCUM,{_DAYS}\nparsec,0,Site units,,0,None,{_DAYS}\n"
    f"old,0,Site units,,8,UCUM,1970-01-01,2000-12-31,D\nretired,0,Site units,,7,SNOMED,{_DAYS}\n"
    f"both,2000000001,Site codes,,2,SNOMED,{_DAYS}\nboth,2000000001,Site codes,,5,SNOMED,{_DAYS}\n"
)
SOUND = {"CONCEPT.csv": CONCEPTS, "CONCEPT_RELATIONSHIP.csv": MAPS, "SOURCE_TO_CONCEPT_MAP.csv": CODES}


@pytest.fixture
def project(tmp_path: Path) -> Project:
    return Project.at(tmp_path / "project")


def added(project: Project, tmp_path: Path, files: dict[str, str]) -> Loaded:
    download = folder_of(tmp_path / "download", texts())
    return load(project, download, custom=folder_of(tmp_path / "custom", files))


def followed(bundle: Bundle, vocabulary: str) -> list[tuple[object, ...]]:
    sql = """SELECT concept_code, ordinal, concept_id, source_concept_id, domain_id FROM read_parquet(?)
        WHERE vocabulary_id = ? ORDER BY ALL"""
    with duckdb.connect() as connection:
        return connection.execute(sql, [str(bundle.table("CODE_TARGET")), vocabulary]).fetchall()


def test_own_concepts_lead_to_standard_ones(project: Project, tmp_path: Path) -> None:
    bundle = open_release(project, added(project, tmp_path, SOUND).record.release)
    assert followed(bundle, "Site") == [
        ("BL", 0, 2, 2000000001, "Condition"),
        ("XX", 0, 0, 2000000002, "Measurement"),
    ]
    assert bundle.has_vocabulary("Site")
    assert bundle.concepts([2000000001])[2000000001].concept_name == "Breast, left"


def test_mapped_from_is_completed(project: Project, tmp_path: Path) -> None:
    bundle = open_release(project, added(project, tmp_path, SOUND).record.release)
    sql = "SELECT concept_id_1, concept_id_2, relationship_id FROM read_parquet(?) WHERE greatest(concept_id_1, concept_id_2) > 2000000000 ORDER BY ALL"
    with duckdb.connect() as connection:
        found = connection.execute(sql, [str(bundle.table("CONCEPT_RELATIONSHIP"))]).fetchall()
    assert found == [(2, 2000000001, "Mapped from"), (2000000001, 2, "Maps to")]


def test_map_of_codes_leads_to_valid_standard_concepts_only(project: Project, tmp_path: Path) -> None:
    loaded = added(project, tmp_path, SOUND)
    bundle = open_release(project, loaded.record.release)
    assert followed(bundle, "Site units") == [
        ("millim.", 0, 8, 0, "Unit"),
        ("parsec", 0, 0, 0, None),
        ("retired", 0, 0, 0, None),
    ]
    assert followed(bundle, "Site codes") == [
        ("both", 0, 2, 2000000001, "Condition"),
        ("both", 1, 5, 2000000001, "Observation"),
    ]
    assert {"Site units", "Site codes"} <= set(bundle.vocabularies())
    remark = "2 of 5 rows of SOURCE_TO_CONCEPT_MAP lead to no valid standard concept: their codes get concept 0"
    assert remark in loaded.record.remarks


def test_concept_above_two_thousand_million_is_never_a_target(project: Project, tmp_path: Path) -> None:
    files = texts()
    days = "19700101\t20991231"
    files["CONCEPT.csv"] += f"2000000009\tSite standard\tCondition\tSNOMED\tDisorder\tS\tsite\t{days}\t\n"
    files["CONCEPT_RELATIONSHIP.csv"] += f"2000000009\t2000000009\tMaps to\t{days}\t\n"
    bundle = open_release(project, load(project, folder_of(tmp_path / "download", files)).record.release)
    assert ("site", 0, 0, 2000000009, "Condition") in followed(bundle, "SNOMED")
    assert bundle.maps_to(2000000009) == []


def test_files_may_be_separated_by_tabs(project: Project, tmp_path: Path) -> None:
    tabs = {
        n: t.replace('"Breast, left"', "Breast left").replace(",", "\t").replace("-01-01", "0101")
        for n, t in SOUND.items()
    }
    tabs = {n: t.replace("-12-31", "1231") for n, t in tabs.items()}
    bundle = open_release(project, added(project, tmp_path, tabs).record.release)
    assert followed(bundle, "Site")[0] == ("BL", 0, 2, 2000000001, "Condition")


REFUSED = {
    "small id": ("CONCEPT.csv", "2000000001,", "1234,", "CONCEPT.csv, line 2: concept_id 1234 cannot be added"),
    "standard": ("CONCEPT.csv", "Site code,,BL", "Site code,S,BL", "CONCEPT.csv, line 2: concept_id 2000000001 cannot"),
    "vocabulary of others": ("CONCEPT.csv", "Condition,Site,", "Condition,SNOMED,", "concept_id 2000000001 cannot be added"),
    "no domain": ("CONCEPT.csv", "Measurement,Site,", ",Site,", "CONCEPT.csv, line 3: concept_id 2000000002 cannot"),
    "twice": ("CONCEPT.csv", "2000000002,", "2000000001,", "concept_id 2000000001 is there more than once"),
    "target not standard": ("CONCEPT_RELATIONSHIP.csv", ",2,Maps to", ",7,Maps to", "CONCEPT_RELATIONSHIP.csv, line 2"),
    "hierarchy of others": ("CONCEPT_RELATIONSHIP.csv", "2,Maps to", "2,Is a", "concept_id_2 2 cannot be added"),
    "relationship of others": ("CONCEPT_RELATIONSHIP.csv", "2000000001,", "1,", "concept_id_1 1, concept_id_2 2 cannot"),
    "lost end": ("CONCEPT_RELATIONSHIP.csv", "2000000001,", "2000000099,", "concept_id_1 2000000099, concept_id_2 2 cannot"),
    "codes of others": ("SOURCE_TO_CONCEPT_MAP.csv", "0,Site units,,8", "0,ICD10,,8", "source_vocabulary_id ICD10"),
    "no number": ("SOURCE_TO_CONCEPT_MAP.csv", ",,8,UCUM", ",,eight,UCUM", "line 2: `target_concept_id` is not a whole number"),
    "no date": ("SOURCE_TO_CONCEPT_MAP.csv", "1970-01-01", "01.01.1970", "`valid_start_date` is not a date written YYYY-MM-DD"),
    "same row twice": ("SOURCE_TO_CONCEPT_MAP.csv", "parsec,0,Site units,,0,None", "millim.,0,Site units,,8,UCUM", "is there more than once"),
    "no such column": ("CONCEPT.csv", "concept_code,", "code,", "does not have the columns"),
}  # fmt: skip


@pytest.mark.parametrize("kind", REFUSED)
def test_addition_that_breaks_a_rule_stops_with_file_and_reason(project: Project, tmp_path: Path, kind: str) -> None:
    name, old, new, told = REFUSED[kind]
    assert old in SOUND[name]
    with pytest.raises(DataError, match=re.escape(told)) as caught:
        added(project, tmp_path, {**SOUND, name: SOUND[name].replace(old, new, 1)})
    assert caught.value.mend
    assert not list(project.vocabularies.glob("[!.]*"))


def test_folder_that_adds_nothing_is_refused(project: Project, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="adds nothing"):
        added(project, tmp_path, {"notes.txt": "none"})


def test_command_line_takes_the_folder(tmp_path: Path) -> None:
    download, custom = folder_of(tmp_path / "download", texts()), folder_of(tmp_path / "custom", SOUND)
    (tmp_path / "project").mkdir()
    asked = ["vocab", "load", str(download), "--custom", str(custom), "--project", str(tmp_path / "project")]
    told = CliRunner().invoke(cli, asked, catch_exceptions=False)
    assert told.exit_code == 0
    assert "SOURCE_TO_CONCEPT_MAP" in told.output
