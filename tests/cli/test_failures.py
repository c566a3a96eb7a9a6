"""Exit codes and messages: a user's mistake without a traceback, a fault of ours with one, neither with a value."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import click
import duckdb
import pytest

from oncoweave.cli.failure import exit_code_of
from oncoweave.errors import (
    DataError,
    EnvironmentFault,
    OncoweaveError,
    Problem,
    SourceUnreachable,
    SpecError,
    UsageError,
)
from oncoweave.project import Project


def oncoweave(*arguments: str | Path, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", "from oncoweave.cli.main import main; main()", *map(str, arguments)],
        capture_output=True, text=True, check=False, env=os.environ | environment,
    )  # fmt: skip


def raised(error: BaseException) -> BaseException:
    """The error as it is caught, with its traceback."""
    try:
        raise error
    except BaseException as caught:
        return caught


EXIT_CODES = [
    (SpecError("s"), 2), (UsageError("u"), 2), (DataError("d"), 3), (SourceUnreachable("n"), 4),
    (EnvironmentFault("e"), 5), (PermissionError(13, "no", "/x"), 5), (OSError(28, "full", "/x"), 5),
    (click.UsageError("u"), 2), (KeyboardInterrupt(), 130), (SystemExit(143), 143), (RuntimeError("r"), 1),
    (OncoweaveError("o"), 1), (BrokenPipeError(), 141),
]  # fmt: skip


@pytest.mark.parametrize(("error", "code"), EXIT_CODES, ids=[type(e).__name__ + str(c) for e, c in EXIT_CODES])
def test_an_error_has_its_exit_code(error: BaseException, code: int) -> None:
    assert exit_code_of(raised(error)) == code


def test_our_fault_shows_where_it_happened_and_no_text(capsys: pytest.CaptureFixture[str]) -> None:
    def fail() -> None:
        try:
            int("Maria 1951")
        except ValueError as cause:
            raise RuntimeError("the row of Maria") from cause

    with pytest.raises(RuntimeError) as caught:
        fail()
    assert exit_code_of(caught.value) == 1
    told = capsys.readouterr().err
    assert "Traceback" in told
    assert "test_failures.py" in told
    assert "ValueError" in told
    assert "RuntimeError" in told
    assert "fault in Oncoweave" in told
    assert "1951" not in told.replace('int("Maria 1951")', "").replace('"the row of Maria"', "")


def test_a_database_error_shows_no_value_of_the_data(capsys: pytest.CaptureFixture[str]) -> None:
    value = "Papa" + "dopoulou"
    with pytest.raises(duckdb.Error) as caught:
        duckdb.execute("SELECT CAST(? AS INTEGER)", [value])
    exit_code_of(caught.value)
    assert value not in capsys.readouterr().err


def test_debug_shows_the_text(capsys: pytest.CaptureFixture[str]) -> None:
    exit_code_of(raised(RuntimeError("in full")), debug=True)
    assert "RuntimeError: in full" in capsys.readouterr().err


def test_all_problems_are_told_with_their_places(capsys: pytest.CaptureFixture[str]) -> None:
    problems = [Problem("mapping.yaml", line, 3, "key", f"fault {line}", source="  key: value") for line in (4, 9)]
    assert exit_code_of(raised(SpecError("two faults", problems=problems, mend="mend them"))) == 2
    told = capsys.readouterr().err
    assert "mapping.yaml:4:3" in told
    assert "mapping.yaml:9:3" in told
    assert "error: two faults" in told
    assert "mend them" in told
    assert "Traceback" not in told


def test_a_machine_gets_the_error_as_json(capsys: pytest.CaptureFixture[str]) -> None:
    exit_code_of(raised(SourceUnreachable("no index")), machine=True)
    told = json.loads(capsys.readouterr().out)["error"]
    assert told.keys() == {"exit_code", "transient", "message", "mend", "problems"}
    assert (told["exit_code"], told["transient"]) == (4, True)


def test_an_unknown_verb_is_answered_with_the_nearest() -> None:
    said = oncoweave("statsu")
    assert said.returncode == 2
    assert "did you mean `status`?" in said.stderr


def test_an_unknown_source_is_answered_with_the_nearest(tiny_project: Project) -> None:
    said = oncoweave("run", "tinny", "--project", tiny_project.root)
    assert said.returncode == 2
    assert "did you mean `tiny`?" in said.stderr
    assert "Traceback" not in said.stderr


def test_a_run_without_a_key_is_refused(tiny_project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("ONCOWEAVE_KEY")
    said = oncoweave("run", "tiny", "--project", tiny_project.root)
    assert said.returncode == 2
    assert "ONCOWEAVE_KEY" in said.stderr


def test_a_broken_mapping_is_told_without_a_traceback(tiny_project: Project) -> None:
    mapping = tiny_project.source_folder("tiny") / "mapping.yaml"
    mapping.write_text(mapping.read_text().replace("fact: death", "fact: deaths"))
    said = oncoweave("lint", "--project", tiny_project.root)
    assert said.returncode == 2
    assert "mapping.yaml:" in said.stdout
    assert "Traceback" not in said.stderr


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_ends_the_command_with_its_code(number: signal.Signals, code: int) -> None:
    script = (
        "import os, signal, click; from oncoweave.cli import main as m\n"
        "signal.signal(signal.SIGINT, signal.default_int_handler)\n"  # a shell's background jobs ignore it
        f"m.cli.main = lambda *a, **k: (os.kill(os.getpid(), {int(number)}), __import__('time').sleep(9))\n"
        "m.main(['status'])"
    )
    ended = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    assert ended.returncode == code
    assert "Traceback" not in ended.stderr


def test_output_that_nobody_reads_is_no_fault(tiny_project: Project) -> None:
    command = f"{sys.executable} -c 'from oncoweave.cli.main import main; main()' status --project {tiny_project.root}"
    ended = subprocess.run(["bash", "-c", f"{command} | true"], capture_output=True, text=True, check=False)
    assert ended.stderr == ""
