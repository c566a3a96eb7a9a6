"""The pages for authors are true: the tutorial's files and commands do what it says, the how-to shows what is run."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path

import pytest

DOCS = Path(__file__).resolve().parents[2] / "docs"
TUTORIAL = (DOCS / "tutorial-first-source.md").read_text(encoding="utf-8")
BLOCK = re.compile(
    r"(?:^`(?P<path>[^`\n]+)`(?P<end>, at its end)?:\n\n)?^```(?P<kind>\w+)\n(?P<text>.*?)^```$", re.M | re.S
)
PROGRAMS = {"oncoweave": "-c 'from oncoweave.cli.main import main; main()' ", "python3": ""}


@dataclass
class Page:
    """The page as one shell script, and what each step must have printed: (step, line)."""

    script: list[str] = field(default_factory=lambda: ["set -eu"])
    steps: int = 0
    told: list[tuple[int, str]] = field(default_factory=list)


def read_page() -> Page:
    page = Page()
    for block in BLOCK.finditer(TUTORIAL):
        if block["path"]:
            arrow = ">>" if block["end"] else ">"
            page.script.append(f"cat {arrow} '{block['path']}' <<'END OF FILE'\n{block['text']}END OF FILE")
        elif block["kind"] == "console":
            page.steps += 1
            commands = [line.removeprefix("$ ") for line in block["text"].splitlines()]
            page.script.append("{\n" + "\n".join(commands) + f'\n}} > "$PRINTED/{page.steps}" 2>&1')
        elif block["kind"] == "text":
            page.told += [(page.steps, line) for line in block["text"].splitlines()]
    return page


def words(text: str) -> str:
    """A text with single blanks and no table rules."""
    return " ".join(re.sub(r"[│┃|]", " ", text).split())


@pytest.fixture
def programs(tmp_path: Path) -> Path:
    """A folder of the programs that the page calls, as they are in this environment."""
    folder = tmp_path / "bin"
    folder.mkdir()
    for name, arguments in PROGRAMS.items():
        (folder / name).write_text(f'#!/bin/sh\nexec "{sys.executable}" {arguments}"$@"\n', encoding="utf-8")
        (folder / name).chmod(0o755)
    return folder


@pytest.mark.slow
def test_the_tutorial_does_what_it_says(tmp_path: Path, programs: Path) -> None:
    page = read_page()
    printed = tmp_path / "printed"
    printed.mkdir()
    environment = os.environ | {"PATH": f"{programs}:{os.environ['PATH']}", "PRINTED": str(printed)}
    done = subprocess.run(
        ["bash", "-c", "\n".join(page.script)],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    outputs = {int(path.name): path.read_text(encoding="utf-8") for path in printed.iterdir()}
    assert done.returncode == 0, (done.stderr, outputs[max(outputs)] if outputs else "")
    missing = [(step, line) for step, line in page.told if words(line) not in words(outputs[step])]
    assert missing == [], outputs


def test_the_tutorial_has_files_commands_and_outputs() -> None:
    page = read_page()
    assert page.steps >= 5
    assert len(page.told) >= 10
    assert sum(line.startswith("cat ") for line in page.script) == 7


@pytest.mark.parametrize("page", sorted(DOCS.glob("*.md")), ids=lambda page: str(page.name))
def test_every_link_of_the_docs_leads_somewhere(page: Path) -> None:
    links = [link for link in re.findall(r"\]\(([^)#]+)", page.read_text(encoding="utf-8")) if "://" not in link]
    assert [link for link in links if not (page.parent / link).exists()] == []


def test_every_line_of_yaml_in_the_how_to_is_one_that_the_tests_run() -> None:
    root = DOCS.parent
    folders = (root / "mappings" / "sources", root / "tests" / "cohorts" / "project")
    files = [path for folder in folders for path in folder.rglob("*.yaml")]
    run = {line.strip() for path in files for line in path.read_text(encoding="utf-8").splitlines()}
    blocks = BLOCK.finditer((DOCS / "how-to.md").read_text(encoding="utf-8"))
    shown = [line.strip() for block in blocks if block["kind"] == "yaml" for line in block["text"].splitlines()]
    assert len(shown) > 20
    assert [line for line in shown if line not in run] == []
