"""Runs the suite of SQL on FHIR, and writes its report (docs/sql-on-fhir.json, in the suite's own form) and the table in docs/fhir.md.

`python docs/sql_on_fhir.py FOLDER` takes the folder with the suite's JSON files: https://github.com/FHIR/sql-on-fhir-v2, tests/.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from oncoweave.engine.fhir.paths import PathError
from oncoweave.engine.fhir.views import ViewRows, path_faults
from oncoweave.spec.view import View

PAGE = Path(__file__).with_name("fhir.md")
REPORT = Path(__file__).with_name("sql-on-fhir.json")
SUITE = Path(__file__).parents[2] / "shared" / "data" / "fhir" / "sql-on-fhir-v2-tests"
BEGIN = "<!-- from here to the next mark: written by docs/sql_on_fhir.py -->"
END = "<!-- up to here -->"


@dataclass(frozen=True)
class Case:
    """A test of the suite: its file, the resources of that file, and the test as it stands there."""

    file: str
    resources: Sequence[Mapping[str, Any]]
    test: Mapping[str, Any]

    @property
    def title(self) -> str:
        """Its name in the report."""
        return str(self.test["title"])

    @property
    def is_shareable(self) -> bool:
        """Whether every runner is held to it; the others are experimental."""
        return "shareable" in self.test["tags"]

    def rows(self, *, is_compiled: bool = True) -> list[dict[str, Any]]:
        """The rows that the view makes of the resources; raises ValidationError or PathError where there are none."""
        view = View.model_validate(self.test["view"])
        for _, fault in path_faults(view):
            raise PathError(fault)
        rows = ViewRows(view, is_compiled=is_compiled)
        made = (row for resource in self.resources for row in rows.of(resource) or ())
        return [dict(zip(view.columns, row, strict=True)) for row in made]

    def passes(self, *, is_compiled: bool = True) -> bool:
        """Whether the rows, their number or the error are those that the test expects."""
        try:
            rows = self.rows(is_compiled=is_compiled)
        except (PathError, ValidationError):
            return bool(self.test.get("expectError"))
        if self.test.get("expectError"):
            return False
        if "expectCount" in self.test:
            return len(rows) == int(self.test["expectCount"])
        return _counted(rows) == _counted(self.test["expect"])


def _counted(rows: Sequence[Mapping[str, Any]]) -> Counter[str]:
    return Counter(json.dumps(row, sort_keys=True, default=float) for row in rows)


def cases(suite: Path = SUITE) -> Iterator[Case]:
    """The tests of the suite by file; none where it is not there."""
    for path in sorted(suite.glob("*.json")):
        content = json.loads(path.read_text(encoding="utf-8"), parse_float=Decimal)
        for test in content.get("tests", ()):
            yield Case(path.name, content["resources"], test)


def report(found: Sequence[tuple[Case, bool]]) -> dict[str, dict[str, list[dict[str, Any]]]]:
    """What passed, in the suite's own form."""
    made: dict[str, dict[str, list[dict[str, Any]]]] = {}
    for case, passed in found:
        made.setdefault(case.file, {"tests": []})["tests"].append({"name": case.title, "result": {"passed": passed}})
    return made


def summary(found: Sequence[tuple[Case, bool]]) -> str:
    """The part of the page: how many passed, and by file how many of the shareable and of the experimental ones."""
    tests = {kind: [passed for case, passed in found if case.is_shareable is kind] for kind in (True, False)}
    lines = [
        f"{_of(tests[True])} shareable and {_of(tests[False])} experimental tests of the suite pass; "
        "[sql-on-fhir.json](sql-on-fhir.json) has each of them, in the suite's own form.",
        "",
        "| file | shareable | experimental |",
        "|---|---|---|",
    ]
    for file in dict.fromkeys(case.file for case, _ in found):
        of_file = [
            _of([passed for case, passed in found if case.file == file and case.is_shareable is kind])
            for kind in (True, False)
        ]
        lines.append(f"| {file} | {' | '.join(of_file)} |")
    return "\n".join(lines)


def _of(passed: Sequence[bool]) -> str:
    return f"{sum(passed)} of {len(passed)}" if passed else ""


def page(text: str, found: Sequence[tuple[Case, bool]]) -> str:
    """The text of the page with its part written anew."""
    before, _, rest = text.partition(BEGIN)
    return f"{before}{BEGIN}\n{summary(found)}\n{END}{rest.partition(END)[2]}"


def main() -> int:
    """Run the suite and write the report and the page."""
    parser = argparse.ArgumentParser(prog="docs/sql_on_fhir.py", description=__doc__)
    parser.add_argument("suite", type=Path, nargs="?", default=SUITE, help="folder of the suite's JSON files")
    wanted = parser.parse_args()
    found = [(case, case.passes()) for case in cases(wanted.suite)]
    if not found:
        parser.error(f"{wanted.suite} has no tests of SQL on FHIR")
    REPORT.write_text(json.dumps(report(found), indent=1) + "\n", encoding="utf-8")
    PAGE.write_text(page(PAGE.read_text(encoding="utf-8"), found), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
