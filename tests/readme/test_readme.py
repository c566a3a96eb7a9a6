"""The README is true: its commands run, its links lead somewhere, its tables are complete."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from oncoweave.cli.main import cli
from oncoweave.project import Project

ROOT = Path(__file__).resolve().parents[2]
README = (ROOT / "README.md").read_text(encoding="utf-8")


def commands(program: str) -> list[list[str]]:
    """The README's commands that call a program."""
    blocks = re.findall(r"```console\n(.*?)```", README, re.DOTALL)
    lines = [line.removeprefix("$ ") for block in blocks for line in block.splitlines() if line.startswith("$ ")]
    return [words for words in map(shlex.split, lines) if words[0] == program]


def test_the_readme_has_commands() -> None:
    assert commands("make")
    assert commands("oncoweave")


@pytest.mark.parametrize("command", commands("make"), ids=" ".join)
def test_a_make_target_of_the_readme_exists(command: list[str]) -> None:
    dry = subprocess.run(["make", "-n", *command[1:]], cwd=ROOT, capture_output=True, text=True, check=False)
    assert dry.returncode == 0, dry.stderr


def test_every_make_target_that_the_readme_names_is_in_the_help() -> None:
    helped = subprocess.run(["make", "help"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    assert set(re.findall(r"`make ([a-z-]+)`", README)) <= set(re.findall(r"make ([a-z-]+) ", helped)) | {"help"}


def test_every_target_has_a_line_in_the_help() -> None:
    text = (ROOT / "Makefile").read_text(encoding="utf-8")
    targets = set(re.findall(r"^([a-z-]+):", text, re.MULTILINE))
    assert targets == set(re.findall(r"^([a-z-]+):.*## ", text, re.MULTILINE))


def test_every_link_of_the_readme_leads_somewhere() -> None:
    links = [link for link in re.findall(r"\]\(([^)#]+)", README) if "://" not in link]
    assert [link for link in links if not (ROOT / link).exists()] == []


def test_the_exit_codes_are_those_of_the_help() -> None:
    table = dict(re.findall(r"^\| ([\d, ]+) \| (.+?)(?:;[^|]*carries on)? \|$", README, re.MULTILINE))
    assert cli.epilog is not None
    assert all(f"  {code}  {meaning}" in cli.epilog for code, meaning in table.items())
    assert len(table) == 7


def test_every_top_folder_is_on_the_map() -> None:
    tracked = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=False).stdout
    folders = {name.split("/")[0] for name in tracked.splitlines() if "/" in name and not name.startswith(".")}
    assert {folder for folder in folders if f"`{folder}/" not in README and f"({folder}" not in README} == set()


def oncoweave(arguments: list[str], folder: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    program = [sys.executable, "-c", "from oncoweave.cli.main import main; main()"]
    return subprocess.run(
        [*program, *arguments], cwd=folder, env=os.environ | environment, capture_output=True, text=True, check=False
    )


@pytest.mark.slow
def test_the_commands_of_the_readme_run(tmp_path: Path) -> None:
    made = oncoweave(["demo", "--project", str(tmp_path)], tmp_path)
    assert made.returncode == 0, made.stderr
    key = str(Project.at(tmp_path).restricted / "demo.key")
    for command in commands("oncoweave"):
        done = oncoweave(command[1:], tmp_path, ONCOWEAVE_KEY_FILE=key)
        assert done.returncode == 0, (command, done.stderr)
        assert done.stdout
