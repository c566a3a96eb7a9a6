"""ConceptMaps say what the engine does with each code, as R4 has it, and nothing that nobody reviewed."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from oncoweave.fhir.concept_maps import concept_map_resource, concept_maps_of
from oncoweave.fhir.resource_text import compact, resource_id
from oncoweave.project import Project
from oncoweave.quality.fhir.strict import faults_of
from oncoweave.spec.concept_map import load_concept_map
from oncoweave.spec.load import load_source
from oncoweave.vocabulary.bundle import ConceptRow
from tests.fhir_releases import fhir_project, lines, resources

HEAD = "sourceCode,sourceName,sourceFrequency,mappingStatus,equivalence,statusSetBy,conceptId,conceptName,mappingType,comment"
CONCEPTS = {
    id_: ConceptRow(id_, name, "Measurement", vocabulary, class_, "S", code, "", True)
    for id_, name, vocabulary, class_, code in (
        (1, "Premenopausal", "SNOMED", "Clinical Finding", "22636003"),
        (2, "Stage 2", "Cancer Modifier", "Staging", "S2"),
        (3, "Ductal carcinoma of breast", "ICDO3", "ICDO Condition", "8500/3-C50.9"),
        (4, "millimetre", "UCUM", "Unit", "mm"),
        (5, "less than", "SNOMED", "Qualifier Value", "276139006"),
        (6, "A concept without a code", "SNOMED", "Clinical Finding", ""),
        (7, "Breast", "ICDO3", "ICDO Topography", "C50.9"),
    )
}


def told(project: Project, rows: str) -> Any:
    """The resource of a concept map with these rows."""
    path = project.root / "mappings" / "sources" / "tiny" / "concepts" / "made_up.csv"
    path.write_text(f"{HEAD}\n{rows}")
    source, _ = load_source(project, "tiny")
    resource = concept_map_resource(source, load_concept_map(path, project.root), CONCEPTS)
    assert faults_of(compact(resource).encode()) == ()
    return resource


def row(code: str, name: str, status: str, equivalence: str, concept: int, kind: str = "MAPS_TO") -> str:
    return f"{code},{name},3,{status},{equivalence},somebody,{concept},,{kind},a remark of the author\n"


def elements(resource: Any, target: str | None) -> Any:
    return [group["element"] for group in resource["group"] if group.get("target") == target]


def test_each_vocabulary_has_its_system_and_the_others_that_of_omop(tiny_project: Project) -> None:
    resource = told(tiny_project, "".join(row(f"c{i}", f"label {i}", "APPROVED", "EQUAL", i) for i in CONCEPTS))
    found = {
        (group["target"], target["code"]): element["code"]
        for group in resource["group"]
        for element in group["element"]
        for target in element["target"]
    }
    omop = "http://fhir.ohdsi.org/CodeSystem/concepts"
    assert found == {
        ("http://snomed.info/sct", "22636003"): "c1",
        (omop, "2"): "c2",
        (omop, "3"): "c3",
        ("http://unitsofmeasure.org", "mm"): "c4",
        ("http://snomed.info/sct", "276139006"): "c5",
        (omop, "6"): "c6",
        ("http://terminology.hl7.org/CodeSystem/icd-o-3", "C50.9"): "c7",
    }
    assert {group["source"] for group in resource["group"]} == {"urn:oncoweave:tiny:made_up"}


@pytest.mark.parametrize(
    ("usagi", "r4"),
    [("EQUAL", "equal"), ("EQUIVALENT", "equivalent"), ("WIDER", "wider"), ("NARROWER", "narrower"), ("INEXACT", "inexact"),
     ("UNREVIEWED", "relatedto"), ("UNMATCHED", "relatedto"), ("", "relatedto")],
)  # fmt: skip
def test_equivalence_is_what_usagi_says_in_the_words_of_r4(tiny_project: Project, usagi: str, r4: str) -> None:
    ((element,),) = elements(told(tiny_project, row("pre", "before", "APPROVED", usagi, 1)), "http://snomed.info/sct")
    (target,) = element["target"]
    assert target["equivalence"] == r4
    assert ("comment" in target) == (r4 in ("narrower", "inexact")), "R4, invariant cmd-1"


def test_codes_without_an_approved_target_are_unmatched_and_lose_a_label_nobody_reviewed(tiny_project: Project) -> None:
    rows = row("a", "seen", "APPROVED", "UNMATCHED", 0) + row("b", "from the data", "UNCHECKED", "UNREVIEWED", 1)
    rows += row("c", "left out", "IGNORED", "UNMATCHED", 0) + row("d", "doubtful", "FLAGGED", "WIDER", 2)
    resource = told(tiny_project, rows)
    ((a, b, c, d),) = elements(resource, None)
    assert [one["target"][0]["equivalence"] for one in (a, b, c, d)] == ["unmatched"] * 4
    assert (a.get("display"), b.get("display"), c.get("display"), d.get("display")) == ("seen", None, "left out", None)
    assert c["target"][0]["comment"].startswith("Left out on purpose")


def test_nothing_but_codes_labels_and_the_holder_is_told(tiny_project: Project) -> None:
    text = compact(told(tiny_project, row("b", "from the data", "UNCHECKED", "UNREVIEWED", 1)))
    for left_out in ("from the data", "a remark", "somebody", '"3"', ":3"):
        assert left_out not in text


def test_value_unit_and_operator_are_products_of_the_target_that_they_go_with(tiny_project: Project) -> None:
    rows = row("<2", "small", "APPROVED", "EQUAL", 5, "MAPS_TO_OPERATOR") + row("<2", "small", "APPROVED", "EQUAL", 2)
    rows += row("<2", "small", "APPROVED", "EQUAL", 4, "MAPS_TO_UNIT")
    ((element,),) = elements(told(tiny_project, rows), "http://fhir.ohdsi.org/CodeSystem/concepts")
    (target,) = element["target"]
    assert [(product["property"], product["system"], product["value"]) for product in target["product"]] == [
        ("urn:oncoweave:tiny:made_up:operator", "http://snomed.info/sct", "276139006"),
        ("urn:oncoweave:tiny:made_up:unit", "http://unitsofmeasure.org", "mm"),
    ]


def test_unit_that_stands_alone_is_the_target(tiny_project: Project) -> None:
    rows = row("mm", "millimetres", "APPROVED", "EQUAL", 4, "MAPS_TO_UNIT")
    ((element,),) = elements(told(tiny_project, rows), "http://unitsofmeasure.org")
    assert element["target"][0]["code"] == "mm"


def test_code_that_fhir_does_not_take_as_one_stands_as_text(tiny_project: Project) -> None:
    ((element,),) = elements(
        told(tiny_project, row("a  b", "two blanks", "APPROVED", "EQUAL", 1)), "http://snomed.info/sct"
    )
    assert "code" not in element
    assert element["display"] == "a b"


def test_version_follows_the_content_and_not_the_order_of_the_file(tiny_project: Project) -> None:
    one, two = row("a", "first", "APPROVED", "EQUAL", 1), row("b", "second", "APPROVED", "EQUAL", 2)
    assert told(tiny_project, one + two) == told(tiny_project, two + one)
    changed = told(tiny_project, one + row("b", "second", "APPROVED", "WIDER", 2))
    assert changed["version"] != told(tiny_project, one + two)["version"]


def test_map_that_is_looked_up_by_free_text_stays_at_the_site(tmp_path: Path, key: str) -> None:
    project = fhir_project(tmp_path / "project")
    before = [resource["title"] for resource in concept_maps_of(project, "tiny")]
    assert before == ["tiny: menopause", "tiny: sex", "tiny: t_category"]
    source = project.root / "mappings" / "sources" / "tiny" / "source.yaml"
    source.write_text(source.read_text().replace("menopause: {type: code}", "menopause: {type: text}"))
    assert [resource["title"] for resource in concept_maps_of(project, "tiny")] == ["tiny: sex", "tiny: t_category"]


def test_run_holds_what_the_command_prints(fhir_releases: Any) -> None:
    written = lines(fhir_releases.first / "fhir" / "ConceptMap.000.ndjson")
    assert written == concept_maps_of(fhir_releases.project, "tiny")
    assert [one["id"] for one in written] == sorted(one["id"] for one in written)


@pytest.mark.parametrize(
    "names", [("a_b", "c"), ("a", "b_c"), ("a", "b c"), ("a", "b-c"), ("a", "ü" * 99), ("a" * 90, "b")]
)
def test_ids_are_ids_of_fhir_and_of_one_map_only(names: tuple[str, str]) -> None:
    found = resource_id(*names)
    assert faults_of(json.dumps({"resourceType": "ConceptMap", "id": found, "status": "active"}).encode()) == ()
    assert len(found) <= 64
    others = [("a_b", "c"), ("a", "b_c"), ("a", "b c"), ("a", "b-c"), ("a", "ü" * 98)]
    assert found not in [resource_id(*other) for other in others if other != names]


def test_every_local_code_of_a_resource_is_in_the_map_of_its_system(fhir_releases: Any) -> None:
    there = resources(fhir_releases.first)
    known = {
        (group["source"], element["code"])
        for one in there.values()
        if one["resourceType"] == "ConceptMap"
        for group in one["group"]
        for element in group["element"]
    }
    used = {
        (coding["system"], coding["code"])
        for one in there.values()
        for coding in _codings(one)
        if coding.get("system", "").startswith("urn:oncoweave:tiny:")
    }
    assert ("urn:oncoweave:tiny:t_category", "T1") in used
    assert used <= known


def _codings(tree: Any) -> Iterator[Any]:
    if isinstance(tree, dict):
        yield from tree.get("coding", ())
        tree = list(tree.values())
    for inner in tree if isinstance(tree, list) else ():
        yield from _codings(inner)
