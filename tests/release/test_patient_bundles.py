"""One Bundle a patient, on request: all that refers to the patient, nothing of another, private and whole."""

from __future__ import annotations

import json
import shutil
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from oncoweave.cli.fhir import fhir
from oncoweave.errors import EnvironmentFault, UsageError
from oncoweave.fhir.bundles import MCODE_BUNDLE, MCODE_PATIENT, Resources
from oncoweave.files import read_record
from oncoweave.project import Project, RunFolder
from oncoweave.quality.fhir.strict import faults_of
from oncoweave.release_records import ReleaseManifest
from oncoweave.run import write_bundles
from tests.fhir_releases import Published, lines, references, resources, subject


def call(project: Project, *arguments: str | Path) -> Result:
    return CliRunner().invoke(fhir, [*map(str, arguments), "--project", str(project.root)])


def bundles(folder: Path) -> list[Any]:
    return [json.loads(path.read_bytes()) for path in sorted(folder.iterdir())]


def test_each_patient_has_one_and_every_resource_is_in_one(fhir_releases: Published, tmp_path: Path) -> None:
    made = write_bundles(fhir_releases.project, "tiny", None, tmp_path / "out")
    found, there = bundles(made.folder), resources(fhir_releases.second)
    assert made.bundles == len(found) == 5
    assert made.resources == sum(len(bundle["entry"]) for bundle in found)
    inside: Counter[str] = Counter()
    for bundle in found:
        entries = [entry["resource"] for entry in bundle["entry"]]
        assert entries[0]["resourceType"] == "Patient"
        assert [one["id"] for one in entries if one["resourceType"] == "Patient"] == [bundle["id"]]
        assert {subject(one) for one in entries if one["resourceType"] != "Provenance"} == {f"Patient/{bundle['id']}"}
        inside.update(f"{one['resourceType']}/{one['id']}" for one in entries if one["resourceType"] != "Provenance")
    assert inside == Counter(name for name, one in there.items() if subject(one))


def test_bundle_is_fhir_and_its_references_lead_to_its_entries(fhir_releases: Published, tmp_path: Path) -> None:
    made = write_bundles(fhir_releases.project, "tiny", None, tmp_path / "out", address="https://hub.example/fhir/")
    for path in made.folder.iterdir():
        assert faults_of(path.read_bytes()) == ()
        bundle = json.loads(path.read_bytes())
        assert (bundle["type"], bundle["timestamp"]) == ("collection", "2024-06-30T00:00:00Z")
        urls = [entry["fullUrl"] for entry in bundle["entry"]]
        assert len(set(urls)) == len(urls)
        for entry in bundle["entry"]:
            one = entry["resource"]
            assert entry["fullUrl"] == f"https://hub.example/fhir/{one['resourceType']}/{one['id']}"
        assert {f"https://hub.example/fhir/{name}" for name in references(bundle["entry"])} <= set(urls)


def test_each_bundle_has_a_provenance_of_all_that_is_in_it(fhir_releases: Published, tmp_path: Path) -> None:
    made = write_bundles(fhir_releases.project, "tiny", None, tmp_path / "out")
    (of_run,) = lines(fhir_releases.second / "fhir" / "Provenance.000.ndjson")
    for bundle in bundles(made.folder):
        *others, last = [entry["resource"] for entry in bundle["entry"]]
        assert last["id"] == f"{of_run['id']}-{bundle['id']}"
        assert last["target"] == [{"reference": f"{one['resourceType']}/{one['id']}"} for one in others]
        assert [one["what"] for one in last["entity"]] == [
            one["what"] for one in of_run["entity"] if "identifier" in one["what"]
        ]


def test_folder_and_files_are_private(fhir_releases: Published, tmp_path: Path) -> None:
    made = write_bundles(fhir_releases.project, "tiny", None, tmp_path / "out")
    assert made.folder.stat().st_mode & 0o777 == 0o700
    assert {path.stat().st_mode & 0o777 for path in made.folder.iterdir()} == {0o600}
    assert [path.name for path in tmp_path.iterdir()] == ["out"]


def test_a_run_that_is_not_current_can_be_named_and_they_lie_in_its_folder(fhir_releases: Published) -> None:
    older = read_record(fhir_releases.first / "manifest.json", ReleaseManifest).run_id
    for _ in range(2):
        said = call(fhir_releases.project, "bundles", "tiny", "--run", older[:8])
        assert said.exit_code == 0, said.output
    folder = fhir_releases.project.runs / "tiny" / older / "bundles"
    assert str(folder) in said.output and "6 Bundles" in said.output
    assert len(bundles(folder)) == 6
    shutil.rmtree(folder)


def test_one_file_of_them_all_and_some_patients_only(fhir_releases: Published, tmp_path: Path) -> None:
    some = [name.split("/")[1] for name in resources(fhir_releases.second) if name.startswith("Patient/")][:2]
    named = [word for patient in some for word in ("--patient", patient)]
    said = call(fhir_releases.project, "bundles", "tiny", "--to", tmp_path / "out", "--ndjson", *named, "--json")
    assert json.loads(said.output)["bundles"] == 2
    (path,) = (tmp_path / "out").iterdir()
    assert path.name == "Bundle.000.ndjson"
    assert [bundle["id"] for bundle in lines(path)] == sorted(some, key=int)


def test_what_cannot_be_written_is_told(fhir_releases: Published, tmp_path: Path, tiny_project: Project) -> None:
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "something").touch()
    with pytest.raises(UsageError, match="it is not empty"):
        write_bundles(fhir_releases.project, "tiny", None, tmp_path / "full")
    with pytest.raises(UsageError, match="1 of the patients named are not there"):
        write_bundles(fhir_releases.project, "tiny", None, tmp_path / "none", patients=[1])
    assert not (tmp_path / "none").exists()
    with pytest.raises(UsageError, match="`tiny` has no release"):
        write_bundles(tiny_project, "tiny", None, tmp_path / "none")


def test_a_changed_file_is_not_handed_over(fhir_releases: Published, tmp_path: Path) -> None:
    project = Project.at(Path(shutil.copytree(fhir_releases.project.root, tmp_path / "project", symlinks=True)))
    run_id = read_record(fhir_releases.first / "manifest.json", ReleaseManifest).run_id
    run = RunFolder(project.runs / "tiny" / run_id)
    with (run.fhir / "Patient.000.ndjson").open("ab") as file:
        file.write(b"{}\n")
    with pytest.raises(EnvironmentFault, match="is not what its record says"):
        write_bundles(project, "tiny", run, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def made_up(folder: Path, type_: str, *texts: str) -> Path:
    path = folder / f"{type_}.000.ndjson"
    path.write_text("".join(f"{text}\n" for text in texts))
    return path


def test_a_bundle_of_an_mcode_patient_says_that_it_is_one_of_mcode(tmp_path: Path) -> None:
    patients = [
        f'{{"resourceType":"Patient","id":"1","meta":{{"profile":["{MCODE_PATIENT}"]}}}}',
        '{"resourceType":"Patient","id":"2"}',
    ]
    found = Resources(
        {"Patient": [made_up(tmp_path, "Patient", *patients)]}, "https://a.example", "2024-01-31T00:00:00Z"
    )
    metas = [json.loads(bundle.text).get("meta") for bundle in found.bundles()]
    assert metas == [{"profile": [MCODE_BUNDLE]}, None]


@pytest.mark.parametrize(
    ("observations", "told"),
    [
        (['"id":"1","subject":{"reference":"Patient/2"}', '"id":"2","subject":{"reference":"Patient/1"}'], "not sorted by patient"),
        (['"id":"1","subject":{"reference":"Patient/9"}'], "0 Patient resources"),
        (['"id":"1"'], "without an id or a patient"),
        (['"id":"1","note":"\\"subject\\":{\\"reference\\":\\"Patient/1\\"}"'], "without an id or a patient"),
    ],
)  # fmt: skip
def test_files_that_are_not_as_they_are_written_give_no_bundle(
    tmp_path: Path, observations: list[str], told: str
) -> None:
    texts = [f'{{"resourceType":"Observation",{text}}}' for text in observations]
    files = {
        "Patient": [
            made_up(tmp_path, "Patient", '{"resourceType":"Patient","id":"1"}', '{"resourceType":"Patient","id":"2"}')
        ],
        "Observation": [made_up(tmp_path, "Observation", *texts)],
    }
    with pytest.raises(EnvironmentFault, match=told):
        list(Resources(files, "https://a.example", "2024-01-31T00:00:00Z").bundles())


def test_concept_maps_are_printed_or_written(fhir_releases: Published, tmp_path: Path) -> None:
    printed = call(fhir_releases.project, "concept-maps", "tiny")
    found = [json.loads(line) for line in printed.output.splitlines()]
    assert [one["id"] for one in found] == ["tiny.menopause", "tiny.sex", "tiny.t-category"]
    said = call(fhir_releases.project, "concept-maps", "tiny", "--to", tmp_path / "maps")
    assert [json.loads(Path(path).read_text()) for path in said.output.split()] == found
