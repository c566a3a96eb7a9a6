"""The starter vocabulary says what public releases say, and marks what none of them confirms."""

import csv
from pathlib import Path

import pytest

from oncoweave.cli.demo import demo_sources
from oncoweave.vocabulary.bundle import Bundle, ConceptRow
from oncoweave.vocabulary.starter import build

STARTER = Path("mappings/vocabulary/starter")
FIELDS = (
    "concept_id", "concept_name", "domain_id", "vocabulary_id", "concept_class_id", "standard_concept", "concept_code",
    "invalid_reason",
)  # fmt: skip


@pytest.fixture(scope="module")
def starter(checkout: Path, tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    return Bundle.open(build(checkout / STARTER, tmp_path_factory.mktemp("starter")))


@pytest.fixture(scope="module")
def rows(checkout: Path, starter: Bundle) -> list[ConceptRow]:
    with (checkout / STARTER / "CONCEPT.csv").open(encoding="utf-8", newline="") as file:
        ids = [int(row["concept_id"]) for row in csv.DictReader(file)]
    assert ids == sorted(set(ids))
    return list(starter.concepts(ids).values())


def test_evidence_is_confirmed_or_unconfirmed(checkout: Path) -> None:
    with (checkout / STARTER / "CONCEPT.csv").open(encoding="utf-8", newline="") as file:
        assert {row["evidence"] for row in csv.DictReader(file)} == {"confirmed", "unconfirmed"}


def test_confirmed_concepts_are_rows_of_the_shared_vocabulary(rows: list[ConceptRow], shared_data: Path) -> None:
    merged = Bundle.open(shared_data / "vocab" / "merged", release="merged from public sources")
    confirmed = {row.concept_id: row for row in rows if row.confirmed}
    found = merged.concepts(confirmed)
    differing = {
        (id_, field)
        for id_, row in confirmed.items()
        for field in FIELDS
        if id_ not in found or getattr(row, field) != getattr(found[id_], field)
    }
    assert not differing


def test_unconfirmed_concepts_are_in_the_list_of_oncology_concepts(rows: list[ConceptRow], shared_data: Path) -> None:
    path = shared_data / "oncology" / "omop_oncology_core_concepts.csv"
    with path.open(encoding="utf-8", newline="") as file:
        named = [(int(row["concept_id"]), _names(row)) for row in csv.DictReader(file) if row["concept_id"].isdecimal()]
    unknown = [row for row in rows if not row.confirmed and not any(_is_named(row, *entry) for entry in named)]
    assert not unknown


def test_every_standard_concept_maps_to_itself(rows: list[ConceptRow], starter: Bundle) -> None:
    standard = [row.concept_id for row in rows if row.standard_concept == "S"]
    targets = starter.targets(standard)
    assert all([row.concept_id for row in targets[id_]] == [id_] for id_ in standard)


def test_no_concept_but_zero_is_non_standard_or_invalid(rows: list[ConceptRow]) -> None:
    assert [row.concept_id for row in rows if row.standard_concept != "S" or row.invalid_reason] == [0]


def test_every_vocabulary_of_a_concept_is_listed(checkout: Path, rows: list[ConceptRow]) -> None:
    with (checkout / STARTER / "VOCABULARY.csv").open(encoding="utf-8", newline="") as file:
        listed = {row["vocabulary_id"] for row in csv.DictReader(file)}
    assert {row.vocabulary_id for row in rows} <= listed


def test_every_concept_of_the_demos_concept_maps_is_in_the_starter_vocabulary(
    checkout: Path, rows: list[ConceptRow]
) -> None:
    known = {(row.concept_id, row.concept_name, row.domain_id) for row in rows} | {(0, "Unmapped", "Unknown")}
    assert not [
        (path.name, row["sourceCode"])
        for source in ("concepts", *(f"sources/{name}/concepts" for name in demo_sources()))
        for path in sorted((checkout / "mappings" / source).glob("*.csv"))
        for row in csv.DictReader(path.read_text(encoding="utf-8").splitlines())
        if (int(row["conceptId"]), row["conceptName"], row["domainId"]) not in known
    ]


def _names(row: dict[str, str]) -> set[str]:
    labels = row["label_in_saved_file"].split("|")
    return {name.strip() for name in [row["key"], row["meaning"], *labels] if name.strip()}


def _is_named(row: ConceptRow, concept_id: int, names: set[str]) -> bool:
    return row.concept_id == concept_id and row.concept_name in names
