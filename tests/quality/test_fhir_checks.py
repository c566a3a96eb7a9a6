"""A planted defect of each kind in what was written as FHIR is found, with its exact count; a run without one passes."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from oncoweave.quality.fhir.failing import FailingResource, failing_resources
from oncoweave.quality.fhir.judged import examine
from oncoweave.quality.fhir.strict import NO_JSON, Fault, faults_of
from oncoweave.quality.run_checks.catalogue import RUN_CHECKS
from oncoweave.records import FhirLeftOut
from tests.quality.fhir_run import LEFT_OUT, Change, Files, clean, judged, written, wrong

ALL = {name for name in RUN_CHECKS if name.startswith("fhir_")}
Found = dict[str, tuple[int, int]]


def edited(type_: str, line: int, **members: object) -> Change:
    """A change of members of one resource; None takes the member away, `null` in a list stays."""

    def change(files: Files) -> None:
        resource = {**json.loads(files[type_][line]), **members}
        files[type_][line] = json.dumps({name: value for name, value in resource.items() if value != "take away"})

    return change


def put(type_: str, line: int, text: str) -> Change:
    """Another text in place of a line."""

    def change(files: Files) -> None:
        files[type_][line] = text

    return change


def removed(type_: str, line: int) -> Change:
    def change(files: Files) -> None:
        del files[type_][line]

    return change


def twice(type_: str, line: int) -> Change:
    def change(files: Files) -> None:
        files[type_].append(files[type_][line])

    return change


def test_a_run_without_a_defect_passes_every_check_and_each_check_judges_something(tmp_path: Path) -> None:
    examined = judged(tmp_path)
    assert wrong(examined) == {}
    judges = {finding.check for finding in examined.findings if finding.evaluated}
    assert judges == ALL - {"fhir_profiles_foreign"}  # no resource of `base` names one


@pytest.mark.parametrize(
    ("change", "found"),
    [
        (put("Observation", 0, "{"), {
            "fhir_lines_broken.Observation": (3, 1), "fhir_invalid.Observation": (3, 1),
            "fhir_rows_unreconciled.measurement": (3, 1), "fhir_facts_unreconciled.measurement": (3, 1)}),
        (put("Observation", 0, '["Observation"]'), {
            "fhir_lines_broken.Observation": (3, 1), "fhir_invalid.Observation": (3, 1),
            "fhir_rows_unreconciled.measurement": (3, 1), "fhir_facts_unreconciled.measurement": (3, 1)}),
        (put("Provenance", 0, ""), {
            "fhir_lines_broken.Provenance": (1, 1), "fhir_resources_unreconciled.Provenance": (1, 1)}),
        (edited("Patient", 0, birthDate="1970-13"), {"fhir_invalid.Patient": (3, 1)}),
        (edited("Condition", 1, onset="x", race="y"), {"fhir_invalid.Condition": (3, 1)}),
        (edited("Observation", 1, code="take away"), {"fhir_invalid.Observation": (3, 1)}),
        (edited("Patient", 1, resourceType="Group", gender="take away", type="person", actual=True), {
            "fhir_types_foreign.Patient": (3, 1)}),
        (edited("Provenance", 0, id="a b"), {"fhir_ids_malformed.Provenance": (1, 1)}),
        (edited("Provenance", 0, id="take away"), {"fhir_ids_malformed.Provenance": (1, 1)}),
        (twice("Condition", 0), {
            "fhir_ids_repeated.Condition": (4, 1), "fhir_resources_unreconciled.Condition": (3, 1)}),
        (edited("Condition", 0, note=[]), {"fhir_empty_elements.Condition": (3, 1), "fhir_invalid.Condition": (3, 1)}),
        (put("Provenance", 0, '{"resourceType":"Provenance","id":"run","target":[{"reference":"Patient/11"}],"recorded":'
             '"2024-01-31T00:00:00Z","agent":[{"who":{\t}}]}'), {
            "fhir_empty_elements.Provenance": (1, 1)}),
        (edited("Condition", 0, recordedDate=None), {"fhir_empty_elements.Condition": (3, 1), "fhir_invalid.Condition": (3, 1)}),
        (edited("Observation", 0, status="done"), {"fhir_codes_foreign.Observation": (3, 1)}),
        (edited("Patient", 0, gender="F"), {"fhir_codes_foreign.Patient": (3, 1)}),
        (edited("Patient", 0, meta={"profile": ["http://hl7.org/fhir/us/core/StructureDefinition/us-core-patient"]}), {
            "fhir_profiles_foreign.Patient": (1, 1)}),
        (edited("Observation", 0, focus=[{"reference": "Condition/99"}]), {"fhir_references_open.Observation": (6, 1)}),
        (edited("Observation", 0, focus=[{"reference": "urn:uuid:1"}]), {"fhir_references_open.Observation": (6, 1)}),
        (edited("Observation", 0, focus=[{"reference": "#c"}]), {"fhir_references_open.Observation": (6, 1)}),
        (removed("Observation", 1), {
            "fhir_resources_unreconciled.Observation": (3, 1), "fhir_rows_unreconciled.measurement": (3, 1), "fhir_facts_unreconciled.measurement": (3, 1)}),
        (removed("Patient", 2), {
            "fhir_resources_unreconciled.Patient": (3, 1), "fhir_persons_unreconciled": (3, 1),
            "fhir_rows_unreconciled.person": (3, 1), "fhir_rows_unreconciled.death": (1, 1),
            "fhir_facts_unreconciled.person": (3, 1), "fhir_facts_unreconciled.death": (1, 1),
            "fhir_references_open.Condition": (3, 1), "fhir_references_open.Observation": (6, 1)}),
        (edited("Patient", 2, deceasedBoolean="take away"), {
            "fhir_rows_unreconciled.death": (1, 1), "fhir_facts_unreconciled.death": (1, 1)}),
        (edited("Observation", 1, id="999"), {
            "fhir_resources_orphaned.Observation": (3, 1), "fhir_rows_unreconciled.measurement": (3, 1), "fhir_facts_unreconciled.measurement": (3, 1)}),
        (edited("Observation", 2, code={"text": "haemoglobin"}), {"fhir_codes_lost.measurement": (1, 1)}),
        (edited("Observation", 1, subject={"reference": "Patient/11"}), {"fhir_subjects_foreign.measurement": (3, 1)}),
    ],
)  # fmt: skip
def test_a_planted_defect_is_counted(tmp_path: Path, change: Change, found: Found) -> None:
    assert wrong(judged(tmp_path, change)) == found


def test_rows_left_out_without_saying_so_or_said_to_be_and_not_are_found(tmp_path: Path) -> None:
    run, record = written(tmp_path)
    for left_out, wrong_by in (((), 2), (LEFT_OUT * 2, 2), (LEFT_OUT, 0)):
        assert record.fhir is not None
        told = record.model_copy(update={"fhir": record.fhir.model_copy(update={"left_out": left_out})})
        examined = examine(run, told)
        assert examined is not None
        assert wrong(examined).get("fhir_rows_unreconciled.note", (2, 0)) == (2, wrong_by)
        assert sum(abs(kind.difference) for kind in examined.reconciliation.kinds) == wrong_by


def test_without_events_the_tables_alone_are_compared(tmp_path: Path) -> None:
    run, record = written(tmp_path, edited("Observation", 1, id="999"))
    (run.events / "events.json").unlink()
    examined = examine(run, record)
    assert examined is not None
    assert wrong(examined) == {"fhir_rows_unreconciled.measurement": (3, 1)}
    (orphaned,) = (f for f in examined.findings if f.check == "fhir_resources_orphaned" and f.not_applicable)
    assert orphaned.table == "Observation"


def test_a_death_that_the_patient_tells_is_told_whatever_is_made_of_its_event(tmp_path: Path) -> None:
    death = FhirLeftOut(target="death", fact="death", reason="told in the Patient", events=1)

    def cause(files: Files) -> None:
        files["Observation"].append(json.dumps({**json.loads(files["Observation"][2]), "id": "51-cause"}))

    run, record = written(tmp_path, cause)
    assert record.fhir is not None
    told = record.model_copy(update={"fhir": record.fhir.model_copy(update={"left_out": (*LEFT_OUT, death)})})
    examined = examine(run, told)
    assert examined is not None
    assert wrong(examined) == {"fhir_resources_unreconciled.Observation": (3, 1)}


def test_files_that_are_gone_or_no_text_are_told(tmp_path: Path) -> None:
    run, record = written(tmp_path)
    (run.fhir / "Condition.000.ndjson").unlink()
    (run.fhir / "Observation.000.ndjson").write_bytes(b'{"resourceType": "Observation", "id": "\xff"}\n')
    examined = examine(run, record, every=True)
    assert examined is not None
    found = wrong(examined)
    assert found["fhir_resources_unreconciled.Condition"] == (3, 3)
    assert found["fhir_rows_unreconciled.condition_occurrence"] == (3, 3)
    assert found["fhir_ids_malformed.Observation"] == (None, None)
    assert found["fhir_invalid.Observation"] == (1, 1)
    assert {f.error for f in examined.findings if f.table == "Observation" and f.check == "fhir_lines_broken"} != {None}


def test_a_last_line_that_is_cut_off_and_a_blank_line_are_broken(tmp_path: Path) -> None:
    run, record = written(tmp_path)
    path = run.fhir / "Condition.000.ndjson"
    path.write_text(path.read_text().rstrip("\n").replace("\n", "\n\n", 1))
    examined = examine(run, record)
    assert examined is not None
    assert wrong(examined) == {"fhir_lines_broken.Condition": (4, 1)}


def test_the_resources_that_fail_are_kept_by_id_and_never_with_a_value(tmp_path: Path) -> None:
    def change(files: Files) -> None:
        edited("Patient", 0, birthDate="Erika Mustermann", name=[{"Mustermann": 1}])(files)
        edited("Patient", 1, id="Max Mustermann")(files)
        edited("Patient", 2, gender="Mustermann")(files)

    run, record = written(tmp_path, change)
    examined = examine(run, record, every=True)
    assert examined is not None
    kept, number = failing_resources(run, "fhir_invalid", "Patient", 10) or ([], 0)
    assert (kept, number) == (
        [
            FailingResource("Patient", "11", "Patient.birthDate", "no valid date"),
            FailingResource("Patient", "11", "Patient.name", "an element that R4 does not have"),
        ],
        2,
    )
    assert failing_resources(run, "fhir_codes_foreign", "Patient", 1) == ([FailingResource("Patient", "13")], 1)
    assert failing_resources(run, "fhir_ids_malformed", "Patient", 1) == ([FailingResource("Patient", "")], 1)
    assert failing_resources(run, "fhir_ids_repeated", "Patient", 1) is None
    told = f"{examined} {kept} {(run.quarantine / 'fhir.parquet').read_bytes()!r}"
    assert "Mustermann" not in told


def test_the_validator_says_what_is_wrong_in_words_of_ours() -> None:
    observation = {"resourceType": "Observation", "status": "final", "code": {"text": "x"}}
    cases: list[tuple[object, Fault]] = [
        ({"resourceType": "Observation", "status": "final"}, Fault("Observation.code", "a required element is missing")),
        ({**observation, "valueString": "a", "valueBoolean": True}, Fault("Observation.value[x]", "more than one of a choice")),
        ({**observation, "valueQuantity": {"value": "1"}}, Fault("Observation.valueQuantity.value", "a value of another type")),
        ({**observation, "effectiveDateTime": "2020-01-01T10:00:00"}, Fault("Observation.effectiveDateTime", "no valid dateTime")),
        ({**observation, "issued": None}, Fault("Observation.issued", "null or empty")),
        ({"resourceType": "Nobody"}, Fault("", "a type that R4 does not have")),
    ]  # fmt: skip
    for resource, fault in cases:
        assert fault in faults_of(json.dumps(resource).encode()), resource
    assert faults_of(b'{"resourceType": "Patient", "id": "1", "id": "2"}')[-1].element == "Patient.id"
    assert faults_of(b"[" * 100_000) == faults_of(b"{") == faults_of(b"\xff") == (Fault("", NO_JSON),)
    assert all(faults_of(line.encode()) == () for lines in clean().values() for line in lines)


def test_an_ordinary_run_validates_the_same_resources_of_each_type_and_profile_and_check_fhir_all(
    tmp_path: Path,
) -> None:
    def many(files: Files) -> None:
        files["Condition"] = [
            json.dumps(
                {
                    **json.loads(files["Condition"][0]),
                    "id": f"21-{n}",
                    "onset": n,
                    "meta": {"profile": [f"http://p/{n % 2}"]},
                }
            )
            for n in range(1000)
        ]

    run, record = written(tmp_path, many)
    told: list[str] = []
    for every, judged_ in ((False, 400), (True, 1000), (False, 400)):
        examined = examine(run, record, every=every, tell=told.append)
        assert examined is not None
        assert wrong(examined)["fhir_invalid.Condition"] == (judged_, judged_)
        (of_type,) = (t for t in examined.reconciliation.types if t.type == "Condition")
        assert (of_type.resources, of_type.validated, of_type.refused) == (1000, judged_, judged_)
    first = failing_resources(run, "fhir_invalid", "Condition", 1000)
    examine(run, record)
    assert failing_resources(run, "fhir_invalid", "Condition", 1000) == first
    assert [line for line in told if "resources validated" in line]
