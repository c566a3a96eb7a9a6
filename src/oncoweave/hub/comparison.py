"""The comparison of the sources of a hub, by their current releases: as JSON, as CSV and as a page."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator, Sequence

from oncoweave.hub.facts import Facts
from oncoweave.report.page import render

HEAD = ("source", "release", "measure", "of", "value")
LEFT_OUT = "left out"
"""What stands for a count that is too small to be told."""
_FORMULA = ("=", "+", "-", "@", "\t", "\r")


def as_json(compared: Sequence[Facts]) -> bytes:
    """The comparison for machines; a count that is left out is null."""
    told = [facts.model_dump(mode="json", exclude={"software", "run_id"}) for facts in compared]
    return (json.dumps({"sources": told}, indent=2, ensure_ascii=False) + "\n").encode()


def as_csv(compared: Sequence[Facts]) -> bytes:
    """The comparison for a spreadsheet: one measure a line."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(HEAD)
    for facts in compared:
        for measure, of, value in measures(facts):
            writer.writerow((facts.source, facts.release_id, measure, of, _cell(value)))
    return out.getvalue().encode()


def as_page(compared: Sequence[Facts]) -> bytes:
    """The comparison for people: a page without script and without request."""
    tables = sorted({one.table for facts in compared for one in facts.tables})
    types = sorted({type_ for facts in compared if facts.fhir for type_ in facts.fhir.resources})
    return render(
        "hub.html", compared=compared, tables=tables, types=types, facts={f.source: _by_table(f) for f in compared}
    ).encode()


def measures(facts: Facts) -> Iterator[tuple[str, str, object]]:
    """Every measure of a source: its name, of what, and its value; None where it is left out."""
    yield "title", "", facts.title
    yield "holder", "", facts.holder
    yield "vocabulary", "", facts.vocabulary
    yield "persons", "", facts.persons
    for sex, count in facts.sex.items():
        yield "persons by sex", sex, count
    yield "first year", "", facts.years[0] if facts.years else None
    yield "last year", "", facts.years[1] if facts.years else None
    for table, rows in facts.rows.items():
        yield "rows", table, rows
    for one in facts.tables:
        yield "share without a concept", one.table, one.unmapped_share
    for type_, count in facts.fhir.resources.items() if facts.fhir else ():
        yield "FHIR resources", type_, count
    for name, count in facts.ledger.model_dump().items():
        yield "rule rows", name, count
    for concept in facts.concepts:
        yield f"persons with a concept in {concept.table}", str(concept.concept_id), concept.persons


def _by_table(facts: Facts) -> dict[str, object]:
    return {one.table: one for one in facts.tables}


def _cell(value: object) -> object:
    """A cell that a spreadsheet takes as text or number, never as a formula."""
    if value is None:
        return LEFT_OUT
    return f"'{value}" if isinstance(value, str) and value.startswith(_FORMULA) else value
