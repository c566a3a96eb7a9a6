"""The code stays small: no function past 50 lines, no file past 450 (aim: 200), no name that says nothing."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
SAYS_NOTHING = {"utils", "util", "helpers", "common", "misc", "base", "manager", "handler", "process", "v2", "new"}


def modules() -> Iterator[Path]:
    for folder in ("src", "transforms", "bench", "docs"):
        yield from (ROOT / folder).rglob("*.py")


def test_no_function_is_longer_than_50_lines() -> None:
    long = [
        f"{path.relative_to(ROOT)}:{node.lineno} {node.name}"
        for path in modules()
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.FunctionDef) and (node.end_lineno or 0) - node.lineno >= 50
    ]
    assert long == []


def test_no_file_is_longer_than_450_lines() -> None:
    lines = {path: len(path.read_text(encoding="utf-8").splitlines()) for path in modules()}
    assert [str(path.relative_to(ROOT)) for path, count in lines.items() if count > 450] == []


def test_no_file_has_a_name_that_says_nothing() -> None:
    assert [str(path) for path in modules() if SAYS_NOTHING & set(path.stem.split("_"))] == []


def test_no_source_is_named_in_the_code() -> None:
    sources = {path.parent.name for path in (ROOT / "mappings" / "sources").glob("*/source.yaml")}
    words = [
        f"{path.relative_to(ROOT)}:{node.lineno}"
        for path in (ROOT / "src").rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if (isinstance(node, ast.Constant) and node.value in sources)
        or (isinstance(node, ast.Name) and node.id in sources)
    ]
    assert words == []
