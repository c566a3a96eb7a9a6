"""A lock has one holder, is told who it is, and goes with its process."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from oncoweave.errors import EnvironmentFault
from oncoweave.files import lock

HOLD = """
import sys, pathlib
from oncoweave.files import lock
with lock(pathlib.Path(sys.argv[1]), "map one", "0123456789"):
    print("held", flush=True)
    sys.stdin.read()
"""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "runs" / "one" / ".map.lock"


def holder(path: Path) -> subprocess.Popen[str]:
    process = subprocess.Popen(
        [sys.executable, "-c", HOLD, str(path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None and process.stdout.readline() == "held\n"
    return process


def take(path: Path) -> None:
    with lock(path, "run one"):
        pass


def test_second_taker_is_told_who_holds_it(path: Path) -> None:
    with holder(path) as process:
        with pytest.raises(EnvironmentFault) as caught:
            take(path)
        process.communicate("")
    message = caught.value.message
    assert caught.value.exit_code == 5
    assert "`map one` (run 0123456789), process" in message and str(process.pid) in message and "since 2" in message


def test_lock_of_a_killed_process_is_free(path: Path) -> None:
    with holder(path) as process:
        process.kill()
        process.wait()
    take(path)


def test_lock_is_free_again_after_its_block(path: Path) -> None:
    take(path)
    take(path)


def test_lock_is_not_taken_twice_within_a_process(path: Path) -> None:
    with lock(path, "run one"), pytest.raises(EnvironmentFault):
        take(path)
