"""Reads a concept map: a Usagi CSV file, source code to target concept with status and relationship.

The file stays Usagi's own: its columns, its words, and ADD_INFO:* columns for what a site adds.
"""

from __future__ import annotations

import csv
import io
import re
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from oncoweave.errors import Problem, SpecError
from oncoweave.spec.document import line_of, read_text, shown_name
from oncoweave.spec.explain import closest, suggestion

MAX_BYTES = 50_000_000
NEEDED = ("sourceCode", "sourceName", "mappingStatus", "conceptId", "mappingType")
KNOWN = (
    "sourceCode", "sourceName", "sourceFrequency", "sourceAutoAssignedConceptIds", "matchScore", "mappingStatus", "equivalence",
    "statusSetBy", "statusSetOn", "conceptId", "conceptName", "domainId", "mappingType", "comment", "createdBy", "createdOn",
    "assignedReviewer",
)  # fmt: skip
STATUSES = ("APPROVED", "UNCHECKED", "AUTO_MAPPED", "AUTO_MAPPED_TO_1", "INVALID_TARGET", "FLAGGED", "IGNORED")
TYPES = ("MAPS_TO", "MAPS_TO_VALUE", "MAPS_TO_UNIT", "MAPS_TO_OPERATOR")
LATER_TYPES = ("MAPS_TO_TYPE", "MAPS_TO_NUMBER")
EQUIVALENCES = ("EQUAL", "EQUIVALENT", "WIDER", "NARROWER", "INEXACT", "UNMATCHED", "UNREVIEWED")


@dataclass(frozen=True)
class MapRow:
    """One line of a concept map: a source code (trimmed) and one target concept; 0 is no matching concept.

    `equivalence` says how the target's meaning stands to the code's, in Usagi's words; empty where the file does not say.
    """

    line: int
    source_code: str
    source_name: str
    status: str
    concept_id: int
    concept_name: str
    domain_id: str
    mapping_type: str
    comment: str
    equivalence: str = ""


@dataclass(frozen=True)
class ConceptMap:
    """A concept map, in the order of its file; several targets of a code are several rows. `shown` names the file."""

    name: str
    path: Path
    shown: str
    rows: tuple[MapRow, ...]
    columns: tuple[str, ...] = ()
    lines: tuple[str, ...] = ()

    def problem(self, row: MapRow, column: str, code: str, message: str, mend: str) -> Problem:
        """A problem of one cell of a row."""
        source = line_of(self.lines, row.line)
        start = _cell_start(source, self.columns.index(column)) if column in self.columns else 1
        return Problem(self.shown, row.line, start, code, message, mend, source)


def load_concept_map(path: Path, root: Path) -> ConceptMap:
    """The concept map in a Usagi CSV file (UTF-8, comma); raises SpecError with all problems."""
    text = read_text(path, root, MAX_BYTES)
    page = _Page(shown_name(path, root), text, re.split("\r\n|[\r\n]", text))
    rows = list(_rows(page))
    if not page.problems:
        _check_codes(page, rows)
    if page.problems:
        count = f"{len(page.problems)} problem{'s' if len(page.problems) != 1 else ''}"
        raise SpecError(f"{count} in {page.name}", problems=sorted(set(page.problems)))
    return ConceptMap(path.stem, path, page.name, tuple(rows), page.columns, tuple(page.lines))


@dataclass
class _Page:
    """The file while it is read: its columns, and the problems found so far."""

    name: str
    text: str
    lines: list[str]
    columns: tuple[str, ...] = ()
    problems: list[Problem] = field(default_factory=list)

    def fault(self, line: int, column: str, code: str, message: str, mend: str = "") -> None:
        source = line_of(self.lines, line)
        start = _cell_start(source, self.columns.index(column)) if column in self.columns else 1
        self.problems.append(Problem(self.name, line, start, code, message, mend, source))


def _rows(page: _Page) -> Iterator[MapRow]:
    records = _records(page)
    header = next(records, None)
    if header is None:
        page.fault(1, "", "empty-file", "the concept map is empty", "start it with Usagi's header line")
        return
    page.columns = tuple(header[1])
    if not _header_is_whole(page):
        return
    for line, cells in records:
        if not any(cells):
            continue
        if len(cells) != len(page.columns):
            message = f"this line has {len(cells)} cells, the header has {len(page.columns)}"
            page.fault(line, "", "row-length", message, "put a text that holds a comma in double quotes")
            continue
        row = _row(page, line, dict(zip(page.columns, cells, strict=True)))
        if row:
            yield row


def _records(page: _Page) -> Iterator[tuple[int, list[str]]]:
    """Each record with the number of its first line."""
    reader = csv.reader(io.StringIO(page.text, newline=""), strict=True)
    line = 1
    try:
        for cells in reader:
            yield line, cells
            line = reader.line_num + 1
    except csv.Error:
        page.fault(
            line, "", "csv-syntax", "a quoted text is not closed or not quoted rightly", "double a quote inside quotes"
        )


def _header_is_whole(page: _Page) -> bool:
    if len(page.columns) == 1 and ";" in page.columns[0]:
        page.fault(
            1, "", "delimiter", "the columns are separated by semicolons", "save the file with commas, as Usagi does"
        )
        return False
    misspelt = set()
    for column in NEEDED:
        if column not in page.columns:
            near = closest(column, [name for name in page.columns if name not in KNOWN])
            misspelt.add(near)
            mend = f"did you mean it by `{near}`?" if near else "Usagi writes it; add it to the header"
            page.fault(1, near or "", "missing-column", f"the column `{column}` is missing", mend)
    for number, column in enumerate(page.columns):
        if column in page.columns[:number]:
            page.fault(1, column, "duplicate-column", f"the column `{column}` is there twice", "remove one")
        elif column not in KNOWN and column not in misspelt and not column.startswith("ADD_INFO:"):
            mend = f"name it `ADD_INFO:{column}`: Usagi drops every other column of your own"
            page.fault(1, column, "unknown-column", f"Usagi has no column `{column}`", mend)
    return not any(problem.code in ("missing-column", "duplicate-column") for problem in page.problems)


def _row(page: _Page, line: int, cells: Mapping[str, str]) -> MapRow | None:
    """The row of these cells; None when a cell is wrong, which is then among the page's problems."""
    before = len(page.problems)
    code, kind, concept = cells["sourceCode"].strip(), cells["mappingType"].strip(), cells["conceptId"].strip()
    if not code:
        page.fault(
            line, "sourceCode", "empty-value", "`sourceCode` is empty", "fill it in; an empty cell is never looked up"
        )
    _check_word(page, line, "mappingStatus", cells, STATUSES)
    if cells.get("equivalence", "").strip():
        _check_word(page, line, "equivalence", cells, EQUIVALENCES)
    if kind in LATER_TYPES:
        message = f"`{kind}` is not supported in version 1"
        page.fault(line, "mappingType", "mapping-type", message, suggestion("", TYPES, "supported"))
    else:
        _check_word(page, line, "mappingType", cells, TYPES)
    if not (concept.isascii() and concept.isdigit()):
        message = f"`conceptId` must be a whole number, but here is `{concept}`" if concept else "`conceptId` is empty"
        page.fault(line, "conceptId", "wrong-type", message, "write 0 where there is no matching concept")
    if len(page.problems) > before:
        return None
    return MapRow(
        line, code, cells["sourceName"], cells["mappingStatus"].strip(), int(concept),
        cells.get("conceptName", ""), cells.get("domainId", ""), kind, cells.get("comment", ""),
        cells.get("equivalence", "").strip(),
    )  # fmt: skip


def _check_word(page: _Page, line: int, column: str, cells: Mapping[str, str], valid: Sequence[str]) -> None:
    word = cells[column].strip()
    if word not in valid:
        message = f"`{word}` is not a value of `{column}`" if word else f"`{column}` is empty"
        page.fault(line, column, "unknown-value", message, suggestion(word, valid, "values"))


def _check_codes(page: _Page, rows: Sequence[MapRow]) -> None:
    """What the rows of one code must not be together."""
    by_code: dict[str, list[MapRow]] = defaultdict(list)
    for row in rows:
        by_code[row.source_code].append(row)
    for same in by_code.values():
        if len(same) > 1:
            _check_targets(page, same)


def _check_targets(page: _Page, rows: Sequence[MapRow]) -> None:
    """The rows of one code: no target twice, no decision against another, one value, unit or operator."""
    code = rows[0].source_code
    targets: dict[tuple[int, str], int] = {}
    single: dict[str, int] = {}
    decided: MapRow | None = None
    for row in rows:
        first = targets.setdefault((row.concept_id, row.mapping_type), row.line)
        if first != row.line:
            page.fault(
                row.line, "sourceCode", "duplicate-row",
                f"`{code}` goes to concept {row.concept_id} as {row.mapping_type} twice",
                f"the first is in line {first}; remove one",
            )  # fmt: skip
        elif row.status == "APPROVED" and row.mapping_type != "MAPS_TO":
            other = single.setdefault(row.mapping_type, row.line)
            if other != row.line:
                page.fault(
                    row.line, "mappingType", "two-targets", f"`{code}` has two approved targets as {row.mapping_type}",
                    f"the first is in line {other}; a fact has room for one",
                )  # fmt: skip
        if row.status not in ("APPROVED", "IGNORED"):
            continue
        decided = decided or row
        if row.status != decided.status:
            page.fault(
                row.line, "mappingStatus", "two-decisions",
                f"`{code}` is {row.status} here and {decided.status} in line {decided.line}", "decide for one",
            )  # fmt: skip


def _cell_start(line: str, number: int) -> int:
    """The 1-based column at which the cell with that number starts in a line; 1 where the line is shorter."""
    quoted, cells, start = False, 0, 1
    for position, sign in enumerate(line, start=1):
        if cells == number:
            return start
        if sign == '"':
            quoted = not quoted
        elif sign == "," and not quoted:
            cells, start = cells + 1, position + 1
    return start if cells == number else 1
