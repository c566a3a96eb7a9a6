"""Every resource of a run in mCODE's profiles meets what it claims, by the snapshots of the package; what does not claim says why."""

from __future__ import annotations

import json
import shutil
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from oncoweave.fhir.eu_cancer import PATIENT_EU_CCM
from oncoweave.lint import lint
from oncoweave.project import Project, RunFolder
from oncoweave.records import FhirRecord
from oncoweave.stages.extract import extract
from oncoweave.stages.map import map as map_stage
from oncoweave.vocabulary.load import load
from tests.fhir.snapshots import Checker, Packages

ROOT = Path(__file__).resolve().parents[2]
DATA = ROOT.parent / "shared" / "data"
MCODE = "http://hl7.org/fhir/us/mcode/StructureDefinition/mcode-"

Run = tuple[RunFolder, FhirRecord]


@pytest.fixture(scope="module")
def packages() -> Packages:
    folder = DATA / "fhir" / "packages"
    if not folder.is_dir():
        pytest.skip("no ../shared/data/fhir/packages beside the checkout: claims are not compared with the snapshots")
    return Packages(folder)


def mapped(
    root: Path,
    source: str,
    delivery: Path | None = None,
    vocabulary: tuple[Path, str] | None = None,
    folders: Path | None = None,
) -> Run:
    """A source of a project, mapped into other `folders` than those of the project where they are given."""
    made = folders or root
    with pytest.MonkeyPatch.context() as environment:
        environment.delenv("ONCOWEAVE_VOCABULARIES", raising=False)
        environment.setenv("ONCOWEAVE_KEY", "5e" * 32)
        project = Project(root, made / "runs", made / "releases", made / "restricted")
        if vocabulary:
            load(project, *vocabulary)
        assert [p for p in lint(project, source) if p.severity == "error"] == []
        run = extract(project, source, delivery)
        record = map_stage(run, project).fhir
        assert record is not None
        return run, record


@pytest.fixture(scope="module")
def registry(tmp_path_factory: pytest.TempPathFactory) -> Run:
    """A made-up registry with all that HL7 Europe's models ask for, in mCODE's profiles."""
    root = tmp_path_factory.mktemp("oncology") / "project"
    shutil.copytree(ROOT / "tests" / "projects" / "oncology", root)
    return mapped(root, "registry")


def resources(run: RunFolder) -> dict[str, dict[str, Any]]:
    """All resources of a run by type and id."""
    found: dict[str, dict[str, Any]] = {}
    for path in sorted(run.fhir.glob("*.ndjson")):
        for line in path.read_text(encoding="utf-8").splitlines():
            resource = json.loads(line)
            name = f"{resource['resourceType']}/{resource['id']}"
            assert name not in found, name
            found[name] = resource
    return found


def profiles(found: dict[str, dict[str, Any]]) -> Counter[str]:
    return Counter(url.removeprefix(MCODE) for r in found.values() for url in r.get("meta", {}).get("profile", []))


def violations(packages: Packages, found: dict[str, dict[str, Any]]) -> Counter[str]:
    """What the resources break, and how many do."""
    checker = Checker(packages, found)
    for resource in found.values():
        checker.check(resource)
    return Counter(f"{v.profile} {v.path} {v.told}" for v in checker.violations)


def test_every_resource_of_the_registry_meets_what_it_claims(registry: Run, packages: Packages) -> None:
    assert violations(packages, resources(registry[0])) == {}


def test_the_record_counts_the_claims_that_the_resources_make(registry: Run) -> None:
    counted = {c.profile.removeprefix(MCODE): c.resources for c in registry[1].claims if not c.reason}
    counted["tumor"] = sum(name.startswith("BodyStructure/") for name in resources(registry[0]))
    assert counted == profiles(resources(registry[0]))


def test_a_tumour_is_told_with_site_morphology_stage_and_findings(registry: Run) -> None:
    found = resources(registry[0])
    staged = [r for r in found.values() if r["resourceType"] == "Condition" and "stage" in r]
    assert sorted(len(r["stage"][0]["assessment"]) for r in staged) == [1, 2]
    (cancer,) = (r for r in staged if len(r["stage"][0]["assessment"]) == 2)
    assert cancer["bodySite"][0]["coding"][0]["code"] == "C50.9"
    assert cancer["bodySite"][0]["extension"][0]["valueCodeableConcept"]["coding"][0]["code"] == "7771000", "left"
    (morphology,) = (e["valueCodeableConcept"] for e in cancer["extension"] if e["url"].startswith(MCODE))
    assert morphology["coding"][0]["code"] == "8500/3"
    group = next(r for r in found.values() if "mcode-tnm-stage-group" in str(r.get("meta")) and "hasMember" in r)
    members = [found[m["reference"]]["valueCodeableConcept"]["text"].rpartition("-")[2] for m in group["hasMember"]]
    assert members in (["T2", "N1", "M0"], ["T2", "N1"])


def test_a_metastasis_is_a_secondary_cancer_with_its_site(registry: Run) -> None:
    (found,) = (r for name, r in resources(registry[0]).items() if name.endswith("-metastasis"))
    assert [c["code"] for c in found["code"]["coding"]] == ["36770283", "128462008"]
    assert [c["code"] for c in found["bodySite"][0]["coding"]] == ["C34.9", "39607008"]


def test_who_has_no_cancer_is_no_cancer_patient(registry: Run) -> None:
    patients = [r for r in resources(registry[0]).values() if r["resourceType"] == "Patient"]
    assert sorted("meta" in r for r in patients) == [False, True, True, True]
    assert sorted("identifier" in r for r in patients) == [False, True, True, True]


def test_what_does_not_conform_stays_a_resource_and_is_counted_with_the_reason(registry: Run) -> None:
    reasons = {(c.profile.removeprefix(MCODE), c.reason): c.resources for c in registry[1].claims if c.reason}
    assert reasons == {
        ("histologic-behavior-and-type", "no standard concept"): 2,
        ("histologic-grade", "the date is not known to the day, which US Core asks for (us-core-1)"): 1,
        ("tnm-distant-metastases-category", "its category is not in the profile's maximum value set"): 1,
        (
            "tnm-primary-tumor-category",
            "no staging system is known: neither the concept nor the source's text names one",
        ): 1,
    }
    grades = [r for r in resources(registry[0]).values() if "1634371" in str(r.get("code"))]
    assert [("meta" in r, r["effectiveDateTime"]) for r in grades] == [(False, "2021-02")]


def test_hl7_europe_adds_its_patient_to_mcode(tmp_path: Path, packages: Packages) -> None:
    root = tmp_path / "project"
    shutil.copytree(ROOT / "tests" / "projects" / "oncology", root)
    mapping = root / "mappings" / "sources" / "registry" / "mapping.yaml"
    mapping.write_text(mapping.read_text(encoding="utf-8").replace("fhir: mcode", "fhir: eu-cancer"), encoding="utf-8")
    run, record = mapped(root, "registry")
    found = resources(run)
    patients = [r for r in found.values() if PATIENT_EU_CCM in r.get("meta", {}).get("profile", [])]
    assert len(patients) == 3
    assert all(r["birthDate"] and r["gender"] for r in patients), "patient-eu-ccm requires them"
    sexes = [e for r in patients for e in r["extension"] if e["url"].endswith("individual-recordedSexOrGender")]
    assert [{part["url"] for part in e["extension"]} for e in sexes] == [{"value", "type"}] * 3
    assert {c.resources for c in record.claims if c.profile == PATIENT_EU_CCM} == {3}
    # neither HL7 Europe's profile nor its extension is in the packages that there are
    assert {told for told in violations(packages, found) if "eu-ccm" not in told and "recordedSex" not in told} == set()
    dead = [r for r in patients if "deceasedDateTime" in r]
    causes = [r for name, r in found.items() if name.endswith("-cause-of-death")]
    assert len(dead) == 1
    assert [r["dataAbsentReason"]["coding"][0]["code"] for r in causes] == ["unknown"], "lfu-2: who died has a cause"
    conditions = [r for r in found.values() if "primary-cancer" in str(r.get("meta"))]
    assert all("onsetDateTime" in r and "bodySite" in r for r in conditions), (
        "ccad-1: a diagnosis has a date, and a site"
    )


@pytest.mark.parametrize(
    ("source", "claims"),
    [
        ("gbsg", {"cancer-patient": 686, "primary-cancer-condition": 686, "histologic-grade": 686, "tumor-size": 686, "tumor": 686}),
        ("colon", {"cancer-patient": 929, "primary-cancer-condition": 929, "histologic-grade": 906,
                   "cancer-disease-status": 468, "cancer-related-medication-administration": 918}),
        ("seer_breast", {"cancer-patient": 4024, "primary-cancer-condition": 4024, "histologic-grade": 4024, "tumor-size": 4024,
                         "tumor": 4024, "tumor-marker-test": 8048, "tnm-primary-tumor-category": 4024,
                         "tnm-regional-nodes-category": 4024, "tnm-stage-group": 2435, "cancer-stage": 5613}),
    ],
)  # fmt: skip
def test_every_resource_of_a_demo_source_meets_what_it_claims(
    source: str, claims: dict[str, int], tmp_path: Path, packages: Packages
) -> None:
    run, _ = mapped(ROOT, source, folders=tmp_path)
    found = resources(run)
    assert profiles(found) == claims
    assert violations(packages, found) == {}


def test_every_resource_of_synthea_is_of_fhir_as_it_is(tmp_path: Path, packages: Packages) -> None:
    data = DATA / "synthea" / "dbt-synthea-27"
    if not data.is_dir():
        pytest.skip("no Synthea data beside the checkout")
    for part in ("mappings/sources/synthea", "mappings/concepts"):
        shutil.copytree(ROOT / part, tmp_path / part)
    mapping = tmp_path / "mappings" / "sources" / "synthea" / "mapping.yaml"
    mapping.write_text(mapping.read_text(encoding="utf-8").replace("fhir: base", "fhir: mcode"), encoding="utf-8")
    run, record = mapped(tmp_path, "synthea", data / "raw", (data / "vocab", "v5.0 29-FEB-24"))
    found = resources(run)
    assert (len(found) > 3_800, violations(packages, found), record.claims) == (True, {}, ())


def test_nothing_of_the_united_states_alone_is_written(registry: Run) -> None:
    text = "".join(path.read_text(encoding="utf-8") for path in registry[0].fhir.glob("*.ndjson"))
    assert [word for word in ("us/core", "us-core", "ethnicity", '"race', "icd-10-cm", "cpt") if word in text] == []


def test_the_same_bytes_are_written_with_one_thread(
    registry: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = tmp_path / "project"
    shutil.copytree(ROOT / "tests" / "projects" / "oncology", root)
    monkeypatch.setenv("ONCOWEAVE_THREADS", "1")
    again = mapped(root, "registry")[0]
    for path in registry[0].fhir.glob("*.ndjson"):
        assert (again.fhir / path.name).read_bytes() == path.read_bytes(), path.name
