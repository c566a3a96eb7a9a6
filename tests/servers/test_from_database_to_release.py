"""A registry whose tables are in PostgreSQL goes through extract, map, check and publish as one whose files lie in a folder."""

from __future__ import annotations

import pytest

from oncoweave import run as runs
from oncoweave.cli.main import main
from oncoweave.engine.servers.connections import PREFIX
from oncoweave.errors import SourceUnreachable, UsageError
from oncoweave.files import read_record
from oncoweave.project import Project
from oncoweave.records import ExtractRecord
from tests.servers.conftest import Database
from tests.servers.postgres_server import PASSWORD
from tests.servers.tiny_in_database import fill, move_to_database

CANARY = "left, upper outer quadrant"


@pytest.fixture
def registry_project(tiny_project: Project, database: Database) -> Project:
    fill(database, tiny_project.root / "deliveries" / "2024-01-31")
    move_to_database(tiny_project)
    return tiny_project


def test_the_release_is_that_of_the_files(tiny_project: Project, database: Database) -> None:
    from_files = runs.run(tiny_project, "tiny")
    fill(database, tiny_project.root / "deliveries" / "2024-01-31")
    move_to_database(tiny_project)
    from_server = runs.run(tiny_project, "tiny")
    assert from_files.release and from_server.release and from_files.release != from_server.release
    told_apart = ("metadata.parquet", "cdm_source.parquet")  # these name the specification
    tables = {path.name: path for path in from_files.release.rglob("*.parquet") if path.name not in told_apart}
    assert len(tables) > 10
    for name, path in tables.items():
        same = from_server.release / path.relative_to(from_files.release)
        assert same.read_bytes() == path.read_bytes(), name
    assert (from_server.records, from_server.delivery_date) == (from_files.records, from_files.delivery_date)


def test_a_second_identical_extraction_finds_the_first_run(registry_project: Project, database: Database) -> None:
    first = runs.run(registry_project, "tiny")
    database.execute("CREATE TABLE again AS SELECT * FROM patients ORDER BY patient DESC")
    database.execute("DROP TABLE patients; ALTER TABLE again RENAME TO patients")
    second = runs.run(registry_project, "tiny")
    assert (second.run_id, second.repeated) == (first.run_id, True)
    database.execute("UPDATE patients SET sex = 'M' WHERE patient = 'P001'")
    third = runs.run(registry_project, "tiny")
    assert third.run_id != first.run_id
    database.execute("UPDATE loads SET day = '2024-02-01'")
    later = runs.run(registry_project, "tiny")
    assert later.run_id != third.run_id and later.delivery_date.isoformat() == "2024-02-01"


def test_the_record_tells_query_rows_and_hash(registry_project: Project) -> None:
    folder = runs.extract(registry_project, "tiny")
    record = read_record(folder.path / "extract.json", ExtractRecord)
    patients, tumours = record.tables
    assert [(file.name, file.rows) for table in (patients, tumours) for file in table.files] == [
        ("public.patients", 6),
        ("sql/tumours.sql", tumours.rows),
    ]
    assert not list((registry_project.runs / "deliveries").iterdir())


def test_a_changed_query_is_another_specification(registry_project: Project) -> None:
    folder = runs.extract(registry_project, "tiny")
    query = registry_project.root / "mappings" / "sources" / "tiny" / "sql" / "tumours.sql"
    query.write_text(query.read_text() + "-- changed\n")
    with pytest.raises(UsageError, match=r"rests on what has changed since: sql/tumours\.sql"):
        runs.map(folder, registry_project)


def test_the_command_line_says_that_a_retry_may_help(
    registry_project: Project, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv(f"{PREFIX}REGISTRY", f"postgresql://reader:{PASSWORD}@127.0.0.1:1/x")
    with pytest.raises(SystemExit) as left:
        main(["extract", "tiny", "--project", str(registry_project.root)])
    said = " ".join(capsys.readouterr().err.split())
    assert left.value.code == 4
    assert "the postgresql server of the connection `registry` cannot be read: nothing listens there" in said
    assert PASSWORD not in said and "Traceback" not in said


def test_lint_names_the_line_of_a_query_that_writes(
    registry_project: Project, capsys: pytest.CaptureFixture[str]
) -> None:
    query = registry_project.root / "mappings" / "sources" / "tiny" / "sql" / "tumours.sql"
    query.write_text("WITH gone AS (\n  DELETE FROM tumours RETURNING *\n)\nSELECT * FROM gone\n")
    with pytest.raises(SystemExit) as left:
        main(["lint", "tiny", "--project", str(registry_project.root)])
    said = capsys.readouterr().out
    assert left.value.code == 2
    assert "sql/tumours.sql:2:3" in said and "`DELETE` writes" in said


def test_no_value_of_a_patient_and_no_password_is_written_anywhere_but_into_the_run(
    registry_project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    runs.run(registry_project, "tiny")
    monkeypatch.setenv(f"{PREFIX}REGISTRY", f"postgresql://reader:{PASSWORD}@127.0.0.1:1/x")
    with pytest.raises(SourceUnreachable):
        runs.extract(registry_project, "tiny")
    for path in (path for path in registry_project.root.rglob("*") if path.is_file()):
        content = path.read_bytes()
        assert PASSWORD.encode() not in content, path
        if path.suffix == ".json" or path.is_relative_to(registry_project.releases):
            assert CANARY.encode() not in content, path
