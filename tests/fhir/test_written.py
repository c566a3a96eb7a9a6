"""Everything that any source of the repository writes as FHIR is R4, agrees with its OMOP tables, and is nothing of the USA's."""

from __future__ import annotations

import json
import tarfile
from collections.abc import Iterator, Mapping
from functools import cache
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest

from oncoweave.engine.fhir.lines import lines_of
from oncoweave.quality.fhir.judged import examine
from tests.fhir.written_runs import CORE, DELIVERED, DEMO, OWN, SETS, Written, written

SMALL = [(source, profiles) for source in (*OWN, "gbsg", "colon", *DELIVERED) for profiles in SETS]
LARGE = [pytest.param(("seer_breast", profiles), marks=pytest.mark.slow) for profiles in SETS]
AMERICAN = ("us/core", "us-core", "race", "ethnicity", "birthsex", "hl7.fhir.us.core")
"""What must not stand in a resource, as part of a URL."""


@pytest.fixture(scope="module", params=[*SMALL, *LARGE], ids="-".join)
def run(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Written:
    """The run of a source with FHIR in a set of profiles."""
    source, profiles = request.param
    return written(tmp_path_factory.mktemp("written"), source, profiles)


def test_every_resource_passes_the_strict_validator_and_every_check_and_reconciles(run: Written) -> None:
    examined = examine(run.run, run.record, every=True)
    assert examined is not None
    assert {
        (f.check, f.place, f.evaluated, f.unexpected) for f in examined.findings if f.unexpected or f.error
    } == set()
    told = {one.type: (one.resources, one.validated, one.refused) for one in examined.reconciliation.types}
    assert told == {t: (n, n, 0) for t, n in _written(run).items()}
    assert "Patient" in told
    assert all(kind.difference == 0 for kind in examined.reconciliation.kinds)


def test_fhir_resources_reads_every_resource_as_r4b(run: Written) -> None:
    for type_ in run.files:
        model = getattr(import_module(f"fhir.resources.R4B.{type_.lower()}"), type_)
        for resource in run.resources(type_):
            model.model_validate(resource)


def test_members_are_those_of_r4_and_none_that_only_r5_has(run: Written) -> None:
    for type_ in run.files:
        members = {name.removeprefix("_") for resource in run.resources(type_) for name in resource} - {"resourceType"}
        assert members <= _members_of_r4(type_), type_
        assert not members & _members_of_r5_alone(type_), type_


def test_nothing_is_of_us_core_and_no_race_is_told(run: Written) -> None:
    for paths in run.files.values():
        for line in (line for path in paths for line in lines_of(path)):
            assert not any(f"{sign}{word}".encode() in line for word in AMERICAN for sign in "/-"), line[:60]


@pytest.mark.slow
def test_structure_bindings_and_invariants_hold_for_some_of_each_type(run: Written) -> None:
    validator = _pyrofile()
    errors = []
    for type_ in sorted(run.files):
        for resource in (alone for one in run.sample(type_, 2) for alone in _alone(one)):
            plain = {name: member for name, member in resource.items() if name != "meta"}
            report = validator.validate_resource(plain)
            errors += [(type_, i.code, i.path, i.message) for i in report.issues if i.severity.value == "error"]
    assert errors == []


def _written(run: Written) -> Mapping[str, int]:
    return {type_: sum(f.file.rows or 0 for f in run.fhir.files if f.type == type_) for type_ in run.files}


@cache
def _pyrofile() -> Any:
    """The validator with the definitions of R4; skips where they are not beside the checkout."""
    from pyrofile_validator.config import TerminologyConfig, ValidatorConfig
    from pyrofile_validator.core.engine import Validator

    return Validator(
        ValidatorConfig(
            local_package_paths=[str(_core())], allow_unknown_extensions=True, error_on_unknown_profile=False,
            terminology=TerminologyConfig(mode="local"),
        )
    )  # fmt: skip


def _alone(resource: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """The resource; a ConceptMap with one code at a time, for the validator counts the codes of all its groups as those of one."""
    if resource["resourceType"] != "ConceptMap":
        yield resource
        return
    for group in resource["group"]:
        for element in group["element"][:10]:
            for target in element["target"]:
                yield {**resource, "group": [{**group, "element": [{**element, "target": [target]}]}]}


def _core() -> Path:
    if not CORE.is_file():
        pytest.skip("the core package of R4 is not beside the checkout")
    return CORE


@cache
def _members_of_r4(type_: str) -> frozenset[str]:
    """The members that R4's own definition gives a resource of the type; a choice by each of its types."""
    with tarfile.open(_core()) as archive:
        found = archive.extractfile(f"package/StructureDefinition-{type_}.json")
        assert found is not None
        elements = json.load(found)["snapshot"]["element"]
    members = set()
    for element in elements:
        _, _, name = element["path"].partition(".")
        if name.endswith("[x]"):
            members |= {name[:-3] + one["code"][0].upper() + one["code"][1:] for one in element["type"]}
        elif name and "." not in name:
            members.add(name)
    return frozenset(members)


@cache
def _members_of_r5_alone(type_: str) -> frozenset[str]:
    """What a resource of the type has in R5 and not in R4."""
    try:
        model = getattr(import_module(f"fhir.resources.{type_.lower()}"), type_)
    except ModuleNotFoundError:
        return frozenset()  # R5 has no such type any more
    names = {field.alias or name for name, field in model.model_fields.items()}
    return frozenset({name for name in names if not name.startswith("_")} - _members_of_r4(type_))


def test_the_guard_knows_what_r5_renamed() -> None:
    assert {"occurrenceDateTime", "reported"} & _members_of_r5_alone("Procedure")
    assert "actualPeriod" in _members_of_r5_alone("Encounter")
    assert {"performedDateTime", "subject"} <= _members_of_r4("Procedure")
    assert set(DEMO) <= {source for source, _ in [*SMALL, ("seer_breast", "")]}
