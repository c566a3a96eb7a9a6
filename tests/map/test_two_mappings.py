"""Several files, one mapping; several mappings, one delivery: two folders of sources that point at the same files."""

from __future__ import annotations

import shutil

from oncoweave.run_identity import identity
from oncoweave.stages.extract import extract
from oncoweave.stages.map import map as map_stage
from tests.map.workshop import SOURCE, Mapped, Workshop

PATIENTS = "id,born,seen,nodes\np1,01.02.1950,03.04.2001,3\np2,05.06.1960,07.08.2002,0"
DIAGNOSES = "- {fact: condition, name: diagnoses, from: patients, concept: breast_cancer, start: seen}\n"
NODES = """rules:
- fact: measurement
  name: findings
  from: patients
  date: seen
  columns:
    nodes: {concept: nodes}
"""


def test_a_second_folder_over_the_same_delivery_makes_a_release_of_the_same_persons(workshop: Workshop) -> None:
    first = workshop.map(DIAGNOSES, patients=PATIENTS)
    other = workshop.folder.with_name("clinic_findings")
    shutil.copytree(workshop.folder, other)
    source = (other / "source.yaml").read_text().replace(f"source: {SOURCE}", f"source: {other.name}\ndomain: {SOURCE}")
    (other / "source.yaml").write_text(source)
    mapping = (other / "mapping.yaml").read_text().replace(f"source: {SOURCE}", f"source: {other.name}")
    (other / "mapping.yaml").write_text(
        mapping.replace(DIAGNOSES.strip(), NODES.removeprefix("rules:\n").replace("\n", "\n  "))
    )
    run = extract(workshop.project, other.name)
    second = Mapped(run, map_stage(run, workshop.project), workshop.project)
    assert sorted(first.rows("person", "person_id")) == sorted(second.rows("person", "person_id"))
    assert (len(first.rows("condition_occurrence")), len(first.rows("measurement"))) == (2, 0)
    assert (len(second.rows("condition_occurrence")), len(second.rows("measurement"))) == (0, 2)
    assert first.run.path.parent != second.run.path.parent


def test_a_mapping_in_two_files_makes_the_same_tables_as_in_one(workshop: Workshop) -> None:
    whole = workshop.map(DIAGNOSES + NODES.removeprefix("rules:\n"), patients=PATIENTS)
    workshop.write(DIAGNOSES, patients=PATIENTS)
    (workshop.folder / "mapping").mkdir()
    (workshop.folder / "mapping" / "findings.yaml").write_text(NODES)
    split = workshop.run()
    clinical = ("person.parquet", "condition_occurrence.parquet", "measurement.parquet")
    assert [split.table_bytes()[n] for n in clinical] == [whole.table_bytes()[n] for n in clinical]
    assert len(split.rows("measurement")) == 2


def test_a_run_rests_on_every_file_of_the_mapping(workshop: Workshop) -> None:
    workshop.write(DIAGNOSES, patients=PATIENTS)
    before = identity(workshop.project, SOURCE)
    (workshop.folder / "mapping").mkdir()
    (workshop.folder / "mapping" / "findings.yaml").write_text(NODES)
    after = identity(workshop.project, SOURCE)
    assert before.mapping_sha256 != after.mapping_sha256
    assert "mapping/findings.yaml" in after.files
