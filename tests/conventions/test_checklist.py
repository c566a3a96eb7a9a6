"""The page of the OMOP conventions names tests and exceptions that are there."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PAGE = ROOT / "docs" / "omop-conventions.md"
LINES = [
    line.strip("| ").split(" | ") for line in PAGE.read_text(encoding="utf-8").splitlines() if line.startswith("| ")
]
KEPT = {line[0]: line[1] for line in LINES if len(line) == 2 and not line[0].startswith(("**", "Convention"))}


def defined() -> set[str]:
    files = (ROOT / "tests").rglob("test_*.py")
    return {
        name
        for path in files
        for name in re.findall(r"^def (test_\w+)", path.read_text(encoding="utf-8"), re.MULTILINE)
    }


def test_each_convention_is_kept_by_a_test_or_an_exception() -> None:
    assert len(KEPT) > 45
    named = {name for kept in KEPT.values() for name in re.findall(r"test_\w+", kept)}
    assert sorted(named - defined()) == []
    assert [line for line, kept in KEPT.items() if not re.search(r"test_\w+|exception \d{4}", kept)] == []


def test_each_exception_is_in_the_decisions() -> None:
    for number, item in re.findall(r"exception (\d{4})(?:\.(\d+))?", PAGE.read_text(encoding="utf-8")):
        (decision,) = (ROOT / "docs" / "decisions").glob(f"{number}-*.md")
        assert not item or re.search(rf"^{item}\. \*\*", decision.read_text(encoding="utf-8"), re.MULTILINE), item


def test_no_line_of_the_checklist_is_forgotten(shared_data: Path) -> None:
    notes = shared_data.parent / "docs" / "OMOP.md"
    if not notes.is_file():
        pytest.skip("the notes of the project are not here")
    section = notes.read_text(encoding="utf-8").split("## 1.", 1)[1].split("\n## ", 1)[0]
    assert len(re.findall(r"^- \[ \]", section, re.MULTILINE)) <= len(KEPT)
