"""Every verb is documented; an undocumented one fails here."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from oncoweave.cli.main import VERBS, cli

CLI = Path(__file__).resolve().parents[2] / "src" / "oncoweave" / "cli"
INNER = {"__init__", "main", "failure", "options", "output", "progress", "recap", "ledger", "judged"}
"""Modules of cli that are no verbs."""
HEAVY = {"duckdb", "pydantic", "rich", "sqlglot", "ruamel", "great_expectations", "pandas", "numpy", "rapidfuzz"}


def command(verb: str) -> click.Command:
    found = cli.get_command(click.Context(cli), verb)
    assert found is not None
    return found


def test_every_module_of_the_command_line_is_a_verb_or_known() -> None:
    assert {path.stem for path in CLI.glob("*.py")} == set(VERBS) | INNER


@pytest.mark.parametrize("verb", VERBS)
def test_a_verb_has_help_a_short_help_and_an_example(verb: str) -> None:
    found = command(verb)
    assert found.name == verb
    assert (found.help or "").strip()
    assert found.short_help
    assert f"oncoweave {verb}" in (found.epilog or "").split("Example")[1]


@pytest.mark.parametrize("verb", VERBS)
def test_every_option_of_a_verb_is_described(verb: str) -> None:
    options = [param for param in command(verb).params if isinstance(param, click.Option)]
    assert [option.name for option in options if not option.help] == []


@pytest.mark.parametrize("verb", VERBS)
def test_the_help_ends_with_the_example(verb: str) -> None:
    shown = CliRunner().invoke(cli, [verb, "--help"])
    assert shown.exit_code == 0
    assert shown.output.rstrip().splitlines()[-1].strip().startswith(f"oncoweave {verb}")


def test_the_help_lists_the_verbs_in_the_order_of_the_flow() -> None:
    lines = CliRunner().invoke(cli, ["--help"]).output.split("Commands:")[1].splitlines()
    assert tuple(line.split()[0] for line in lines if line.startswith("  ") and line.split())[: len(VERBS)] == VERBS


def test_help_imports_nothing_heavy() -> None:
    code = (
        "import sys; from click.testing import CliRunner; from oncoweave.cli.main import cli;"
        "CliRunner().invoke(cli, ['--help']); CliRunner().invoke(cli, ['run', '--help']);"
        f"print(*sorted({HEAVY!r} & {{name.split('.')[0] for name in sys.modules}}))"
    )
    shown = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert shown.stdout.split() == []
