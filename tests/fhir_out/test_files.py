"""The files: whole, sorted, in parts of bounded size, the same bytes however the run is done, and every event accounted for."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path

import pytest

from oncoweave.engine.connection import connect
from oncoweave.engine.lines import copy_lines
from oncoweave.fhir import writer
from oncoweave.project import Project, RunFolder
from oncoweave.records import MapRecord
from oncoweave.run import map as map_run
from oncoweave.stages import map as stage
from oncoweave.stages.extract import extract
from tests.fhir_out.written import mapped, resources
from tests.map.workshop import Workshop

TEXT = '"\\ / \t é 漢 𝄞 <b> {{x}} \u007f\u0001 ,null [] :'
RULES = """
- {fact: condition, name: diagnosis, from: tumours, concept: breast_cancer, start: seen}
- {fact: measurement, name: sizes, from: tumours, concept: size, date: seen, value: size, modifies: diagnosis}
"""


def tiny(project: Project, profiles: str = "base") -> RunFolder:
    """A run of the tiny project, in which FHIR is asked for."""
    path = project.root / "mappings" / "sources" / "tiny" / "mapping.yaml"
    text = path.read_text(encoding="utf-8")
    path.write_text(text.replace("source: tiny\n", f"source: tiny\nfhir: {profiles}\n"), encoding="utf-8")
    return extract(project, "tiny")


def written(run: RunFolder) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in sorted(run.fhir.iterdir())}


def test_without_the_key_no_fhir_is_written(tiny_project: Project) -> None:
    run = extract(tiny_project, "tiny")
    assert stage.map(run, tiny_project).fhir is None
    assert not run.fhir.exists()


@pytest.mark.parametrize("profiles", ["base", "mcode", "eu-cancer"])
def test_every_event_is_a_resource_or_counted_with_a_reason(tiny_project: Project, profiles: str) -> None:
    run = tiny(tiny_project, profiles)
    record = stage.map(run, tiny_project)
    assert record.fhir is not None
    events: Counter[str] = Counter()
    for entry in record.ledger:
        events[entry.fact] += entry.events
    left_out: Counter[str] = Counter()
    for one in record.fhir.left_out:
        left_out[one.fact] += one.events
    lines = [json.loads(line) for content in written(run).values() for line in content.splitlines()]
    ids = {one["id"].partition("-")[0] for one in lines if one["resourceType"] not in ("Provenance", "ConceptMap")}
    assert len(ids) == sum(events.values()) - sum(left_out.values())
    assert set(left_out) == {"observation_period"}
    assert record.fhir.profiles == profiles


def test_the_parts_of_a_map_write_the_same_bytes_as_the_whole(tiny_project: Project) -> None:
    run = tiny(tiny_project)
    whole = stage.map(run, tiny_project)
    before = written(run)
    stage.map_events(run, tiny_project)
    for table in stage.tables_to_write(run):
        stage.write_table(run, table)
    assert stage.map_record(run, tiny_project).fhir == whole.fhir
    assert written(run) == before


@pytest.mark.parametrize("threads", ["1", "2", "4"])
def test_the_bytes_do_not_depend_on_threads(
    tiny_project: Project, threads: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = tiny(tiny_project)
    stage.map(run, tiny_project)
    before = written(run)
    (run.path / "map.json").unlink()
    monkeypatch.setenv("ONCOWEAVE_THREADS", threads)
    stage.map(run, tiny_project)
    assert written(run) == before


def test_a_file_that_is_not_what_the_record_says_is_written_anew(tiny_project: Project) -> None:
    run = tiny(tiny_project)
    map_run(run, tiny_project)
    before = written(run)
    (run.fhir / "Patient.000.ndjson").write_bytes(b"{}\n")
    (run.fhir / "Condition.000.ndjson").unlink()
    map_run(run, tiny_project)
    assert written(run) == before


def test_resources_are_sorted_by_patient_and_id_in_files_of_bounded_size(
    workshop: Workshop, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(writer, "LINES", 7)
    patients = "id,born\n" + "".join(f"P{n},1950\n" for n in range(20))
    tumours = "id,tumour,seen,size\n" + "".join(f'P{n % 20},{n},2019,"{n},5"\n' for n in range(60))
    done = mapped(workshop, RULES, patients=patients, tumours=tumours)
    record = done.record.fhir
    assert record is not None
    files = [entry.file for entry in record.files if entry.type == "Observation"]
    assert [(file.name, file.rows) for file in files] == [*((f"Observation.{n:03}.ndjson", 7) for n in range(8)), ("Observation.008.ndjson", 4)]  # fmt: skip
    found = [
        (int(one["subject"]["reference"].partition("/")[2]), int(one["id"])) for one in resources(done, "Observation")
    ]
    assert found == sorted(found) and len(set(found)) == 60
    assert all(path.stat().st_mode & 0o777 == 0o600 for path in done.run.fhir.iterdir())


def test_the_bytes_do_not_depend_on_the_order_of_rows(workshop: Workshop) -> None:
    patients = [f"P{n},19{50 + n}\n" for n in range(9)]
    tumours = [f'P{n % 9},{n},0{n % 9 + 1}.2019,"{n},5"\n' for n in range(30)]
    found = []
    for turn in (1, -1):
        tables = {"patients": "id,born\n" + "".join(patients[::turn]), "tumours": "id,tumour,seen,size\n" + "".join(tumours[::turn])}  # fmt: skip
        found.append(written(mapped(workshop, RULES, **tables).run))
    for files in found:
        del files["Provenance.000.ndjson"]  # it names the delivery
    assert found[0] == found[1] and len(found[0]) == 3


def test_hostile_text_is_escaped_exactly(workshop: Workshop) -> None:
    rows = 'id,born,seen,odd\nA,1950,05.06.2019,"' + TEXT.replace('"', '""') + '"\n'
    rules = "- {fact: observation, name: family, from: patients, concept: family_history, date: seen, value: odd}"
    done = mapped(workshop, rules, patients=rows)
    (one,) = resources(done, "Observation")
    assert one["valueString"] == TEXT.replace("\u007f\u0001", " ")


@pytest.mark.parametrize(
    ("given", "number"),
    [("0,1", "0.1"), ("25", "25"), ("1234567,125", "1234567.125"), ("-0,3", "-0.3"), ("100000000", "100000000")],
)
def test_a_number_is_written_as_it_was_given(workshop: Workshop, given: str, number: str) -> None:
    tumours = f'id,tumour,seen,size\nA,1,2019,"{given}"\n'
    done = mapped(workshop, RULES, patients="id,born\nA,1950\n", tumours=tumours)
    assert f'"valueQuantity":{{"value":{number}}}' in (done.run.fhir / "Observation.000.ndjson").read_text()


def test_nothing_is_left_of_a_run_that_could_not_write(tiny_project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    run = tiny(tiny_project)

    def fail(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(writer, "copy_lines", fail)
    with pytest.raises(OSError, match="No space"):
        stage.map(run, tiny_project)
    assert not run.fhir.exists() and not (run.path / "map.json").exists()
    assert not [path.name for path in run.path.iterdir() if path.name.endswith(".tmp")]


def test_a_run_keeps_its_record_of_fhir(tiny_project: Project) -> None:
    run = tiny(tiny_project)
    made = stage.map(run, tiny_project)
    assert MapRecord.model_validate_json((run.path / "map.json").read_text()).fhir == made.fhir


@pytest.mark.parametrize(("lines", "most"), [(0, 3), (1, 3), (3, 3), (4, 3), (10_000, 1_999), (6, 1)])
def test_lines_are_cut_into_files(tmp_path: Path, lines: int, most: int) -> None:
    target = tmp_path / "lines"
    target.mkdir()
    with connect(work=tmp_path, allow=[target]) as connection:
        sql = f"SELECT repeat('é', CAST(n % 300 AS BIGINT)) || n FROM range({lines}) AS r(n) ORDER BY n"
        parts = copy_lines(connection, sql, target, "Some", most)
    whole = "".join(f"{'é' * (n % 300)}{n}\n" for n in range(lines))
    assert "".join(path.read_text(encoding="utf-8") for path, _ in parts) == whole
    assert [number for _, number in parts] == [most] * (lines // most) + [lines % most] * (lines % most > 0)
    assert sorted(path.name for path in target.iterdir()) == [f"Some.{n:03}.ndjson" for n in range(len(parts))]
