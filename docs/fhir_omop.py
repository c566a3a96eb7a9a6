"""Writes docs/fhir_omop_conformance.md from docs/fhir_omop.yaml: how we stand to HL7's FHIR to OMOP guide.

`make reference` runs it; a test fails when the page is not what the facts say.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Literal

import yaml  # type: ignore[import-untyped]
from pydantic import BaseModel, ConfigDict

FACTS = Path(__file__).parent / "fhir_omop.yaml"
PAGE = Path(__file__).parent / "fhir_omop_conformance.md"
Status = Literal["met", "partly", "not ours"]


class Fact(BaseModel):
    """A part of the facts: frozen, and strict about its keys."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Guide(Fact):
    """The guide that is meant."""

    name: str
    version: str
    commit: str


class Requirement(Fact):
    """How we stand to one requirement: the tests that prove it, the reason where it is not (wholly) met."""

    level: Literal["SHALL", "SHOULD", "MAY"]
    what: str
    status: Status
    tests: tuple[str, ...] = ()
    reason: str = ""


class TableFilled(Fact):
    """How far the source fills a table: fully, partly (then without the columns that are always empty), or not at all."""

    filled: Literal["full", "partial", "empty"]
    empty_columns: tuple[str, ...] = ()


class RoundTrip(Fact):
    """What comes back of OMOP through FHIR: the sources it is tried with, the columns, and what differs for which reason."""

    sources: tuple[str, ...]
    columns: dict[str, tuple[str, ...]]
    differences: dict[str, str]
    not_supported: str


class Conformance(Fact):
    """All facts."""

    guide: Guide
    cdm_version: str
    fhir_versions: tuple[str, ...]
    profiles: tuple[str, ...]
    use_cases: tuple[str, ...]
    resources: dict[str, tuple[str, ...]]
    tables: dict[str, TableFilled]
    round_trip: RoundTrip
    requirements: dict[str, Requirement]


def facts() -> Conformance:
    """The facts, read strictly."""
    return Conformance.model_validate(yaml.safe_load(FACTS.read_text(encoding="utf-8")))


def main() -> int:
    """Write the page."""
    PAGE.write_text(page(facts()), encoding="utf-8")
    return 0


def page(of: Conformance) -> str:
    """The whole page."""
    count = {
        status: sum(one.status == status for one in of.requirements.values())
        for status in ("met", "partly", "not ours")
    }
    return "\n".join(
        [
            f"# Conformance to {of.guide.name} {of.guide.version}",
            "",
            "This page is written by `make reference` from `docs/fhir_omop.yaml`; do not edit it. A test holds the facts to the guide's own list of",
            f"requirements (HL7/fhir-omop-ig@{of.guide.commit}), and to the tests that they name.",
            "",
            f"Of {len(of.requirements)} requirements {count['met']} are met, {count['partly']} partly, and {count['not ours']} are not ours to meet.",
            "",
            *declared(of),
            "## Requirements",
            "",
            "| id | level | what | status | proof or reason |",
            "|---|---|---|---|---|",
            *(requirement_row(name, one) for name, one in of.requirements.items()),
            "",
            *tables(of),
            *round_trip(of.round_trip),
        ]
    )


def declared(of: Conformance) -> list[str]:
    """What a conformance claim has to declare."""
    lines = ["## Declared", "", f"- CDM: {of.cdm_version}. FHIR: {', '.join(of.fhir_versions)}."]
    lines += [f"- Profiles: {'; '.join(of.profiles)}.", f"- Use cases: {'; '.join(of.use_cases)}.", ""]
    lines += ["| resource | becomes rows of (where its concept is not of another domain) |", "|---|---|"]
    return [*lines, *(f"| {name} | {', '.join(found)} |" for name, found in of.resources.items()), ""]


def requirement_row(name: str, one: Requirement) -> str:
    """A requirement with what proves it."""
    proof = "<br>".join([*([one.reason] if one.reason else []), *(f"`{test}`" for test in one.tests)])
    return f"| {name} | {one.level} | {escaped(one.what)} | {one.status} | {escaped(proof)} |"


def tables(of: Conformance) -> list[str]:
    """How far each table is filled."""
    head = [
        "## Tables that the source fhir_r4 fills",
        "",
        "| table | filled | columns that stay empty |",
        "|---|---|---|",
    ]
    rows = [f"| {name} | {one.filled} | {', '.join(one.empty_columns)} |" for name, one in of.tables.items()]
    return [*head, *rows, ""]


def round_trip(of: RoundTrip) -> list[str]:
    """What comes back of OMOP through FHIR."""
    lines = ["## OMOP to FHIR to OMOP", ""]
    lines += [
        f"The tables of {', '.join(of.sources)} are written as FHIR (`fhir: base`), read by fhir_r4, and compared row by row in these columns:",
        "",
    ]
    lines += ["| table | columns that come back |", "|---|---|"]
    lines += [f"| {name} | {', '.join(columns)} |" for name, columns in of.columns.items()]
    lines += ["", "What differs, and nothing else:", "", *(f"- {why}" for why in of.differences.values())]
    return [*lines, "", f"Not supported: {of.not_supported.strip()}", ""]


def escaped(text: str) -> str:
    """Text that may stand in a cell of a table."""
    return text.replace("|", "\\|")


if __name__ == "__main__":
    sys.exit(main())
