"""What ends how: each exit code as a script meets it, without a traceback and without a trace left behind."""

from __future__ import annotations

import fcntl
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from oncoweave.project import Project
from tests.bars.conftest import KEY, Oncoweave, copied, small_checks, untouched

MAIN = "from oncoweave.cli.main import main; main()"
FAILING = """version: 1
suite: person
table: person
expectations:
  - {expect: expect_column_values_to_be_between, parameters: {column: year_of_birth, min_value: 1990, max_value: 2000}, severity: fatal, category: plausibility, why: a check that fails}
"""


def stays(folder: Path) -> dict[str, tuple[int, bytes]]:
    files = (path for path in sorted(folder.rglob("*")) if path.is_file() and not path.name.endswith(".lock"))
    return {str(path): (path.stat().st_mtime_ns, path.read_bytes()) for path in files}


WRONG_CALLS = [
    (("rnu", "tiny"), {}, "did you mean `run`?"),
    (("run",), {}, "SOURCE"),
    (("run", "tiny", "--fast"), {}, "--fast"),
    (("run", "tinny"), {}, "did you mean `tiny`?"),
    (("run", "tiny", "tinny"), {}, "did you mean `tiny`?"),
    (("run", "../tiny"), {}, "there is no source"),
    (("map", "tiny"), {}, "run `oncoweave extract tiny` first"),
    (("publish", "tiny"), {}, "run `oncoweave extract tiny` first"),
    (("run", "tiny", "--delivery", "/nowhere"), {}, "/nowhere"),
    (("run", "tiny"), {"ONCOWEAVE_KEY": ""}, "ONCOWEAVE_KEY"),
    (("run", "tiny"), {"ONCOWEAVE_KEY": "a5a5"}, "ONCOWEAVE_KEY"),
    (("run", "tiny"), {"ONCOWEAVE_KEY": "z" * 64}, "ONCOWEAVE_KEY"),
    (("run", "tiny"), {"ONCOWEAVE_KEY": "", "ONCOWEAVE_KEY_FILE": "/nowhere"}, "/nowhere"),
    (("run", "tiny"), {"ONCOWEAVE_THREADS": "many"}, "ONCOWEAVE_THREADS"),
    (("run", "tiny"), {"ONCOWEAVE_MEMORY": "much"}, "memory"),
    (("explain", "tiny", "no_rule"), {}, "no_rule"),
]  # fmt: skip


@pytest.mark.parametrize(
    ("arguments", "environment", "phrase"), WRONG_CALLS, ids=[" ".join([*call[0], *call[1]]) for call in WRONG_CALLS]
)
def test_a_wrong_call_is_2(
    arguments: tuple[str, ...], environment: dict[str, str], phrase: str, tiny: Project, oncoweave: Oncoweave
) -> None:
    at = tiny if arguments[0] not in ("verify", "rnu") else None
    said = oncoweave(*arguments, at=at, **environment)
    assert said.code == 2, said.all
    assert phrase in said.err and "Traceback" not in said.err
    assert not list(tiny.releases.rglob("*.parquet"))


def test_data_that_does_not_pass_is_3_and_is_not_published(tiny: Project, oncoweave: Oncoweave) -> None:
    (tiny.root / "expectations" / "person.yaml").write_text(FAILING)
    ran = oncoweave("run", "tiny", "--json", at=tiny)
    assert ran.code == 3 and "nothing was published" in ran.err, ran.all
    assert json.loads(ran.out)["failures"][0]["exit_code"] == 3
    assert [oncoweave(verb, "tiny", at=tiny).code for verb in ("check", "publish")] == [3, 3]
    assert not list(tiny.releases.rglob("*.parquet"))


def test_an_index_that_is_not_reachable_is_4(tiny: Project, oncoweave: Oncoweave, tmp_path: Path) -> None:
    source = tiny.source_folder("tiny") / "source.yaml"
    folder = "{by: folder, date: 2024-01-31, path: ../../../deliveries/2024-01-31}"
    wheel = "{by: wheel, date: 2024-01-31, package: lifelines, version: 0.30.3, sha256: " + "0" * 64 + "}"
    source.write_text(source.read_text().replace(folder, wheel))
    index = {
        "PIP_INDEX_URL": "http://someone:secret@127.0.0.1:9/simple",
        "PIP_EXTRA_INDEX_URL": "",
        "PIP_CONFIG_FILE": os.devnull,
    }
    ran = oncoweave("run", "tiny", "--json", at=tiny, PIP_RETRIES="0", PIP_CACHE_DIR=str(tmp_path / "cache"), **index)
    assert ran.code == 4, ran.all
    (failure,) = json.loads(ran.out)["failures"]
    assert failure["transient"] and "lifelines==0.30.3" in failure["message"] and "try again" in failure["mend"]
    assert "secret" not in ran.all and "Traceback" not in ran.all
    assert untouched(tiny)


@pytest.mark.parametrize("place", ["/dev/null/releases", "/sys/releases"])
@pytest.mark.parametrize("kind", ["RELEASES", "RUNS", "RESTRICTED"])
def test_a_folder_that_cannot_be_written_is_5(place: str, kind: str, tiny: Project, oncoweave: Oncoweave) -> None:
    ran = oncoweave("run", "tiny", at=tiny, **{f"ONCOWEAVE_{kind}": place})
    assert ran.code == 5, ran.all
    assert place in ran.err and "Traceback" not in ran.err
    assert not list(tiny.releases.rglob("*.parquet"))


def test_a_lock_that_is_held_is_5_and_its_holder_named(tiny: Project, oncoweave: Oncoweave) -> None:
    assert oncoweave("run", "tiny", at=tiny).code == 0
    with (tiny.runs / "tiny" / ".run.lock").open("r+") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        ran = oncoweave("run", "tiny", at=tiny)
    assert ran.code == 5 and "`run tiny` cannot start" in ran.err and "process" in ran.err
    assert oncoweave("run", "tiny", at=tiny).code == 0


def one_byte(release: Path) -> Path:
    path = release / "omop" / "person.parquet"
    raw = bytearray(path.read_bytes())
    raw[len(raw) // 2] ^= 1
    path.chmod(0o600)
    path.write_bytes(raw)
    return path


def removed(release: Path) -> Path:
    (release / "omop" / "death.parquet").unlink()
    return release / "omop" / "death.parquet"


def added(release: Path) -> Path:
    (release / "omop" / "extra.parquet").write_bytes(b"x")
    return release / "omop" / "extra.parquet"


def edited(release: Path) -> Path:
    path = release / "manifest.json"
    path.chmod(0o600)
    path.write_text(path.read_text().replace('"persons": 6', '"persons": 7'))
    return path


@pytest.fixture(scope="module")
def whole(oncoweave: Oncoweave, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A whole release."""
    project = small_checks(copied("tiny", tmp_path_factory.mktemp("whole") / "project"))
    assert oncoweave("run", "tiny", at=project).code == 0
    return (project.releases / "tiny" / "current").resolve()


@pytest.mark.parametrize("tamper", [one_byte, removed, added, edited])
def test_a_release_that_was_tampered_with_is_5(
    tamper: Callable[[Path], Path], whole: Path, tmp_path: Path, oncoweave: Oncoweave
) -> None:
    release = tmp_path / whole.name
    shutil.copytree(whole, release)
    assert oncoweave("verify", release).code == 0
    path = tamper(release)
    said = oncoweave("verify", release)
    assert said.code == 5 and path.name in said.err, said.all
    assert oncoweave("verify", release, "--json").code == 5


def test_the_same_run_again_says_so_and_changes_nothing(tiny: Project, oncoweave: Oncoweave) -> None:
    assert oncoweave("run", "tiny", at=tiny).code == 0
    before = stays(tiny.root)
    again = oncoweave("run", "tiny", at=tiny)
    assert again.code == 0 and "nothing was done again" in again.out
    assert json.loads(oncoweave("run", "tiny", "--json", at=tiny).out)["runs"][0]["repeated"] is True
    assert stays(tiny.root) == before


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_stops_a_run_without_a_trace(
    number: signal.Signals, code: int, tiny: Project, oncoweave: Oncoweave
) -> None:
    command = [sys.executable, "-c", MAIN, "run", "tiny", "--project", str(tiny.root)]
    process = subprocess.Popen(command, env=os.environ | {"ONCOWEAVE_KEY": KEY}, stderr=subprocess.PIPE, text=True)
    deadline = time.monotonic() + 60
    while not list(tiny.runs.glob("tiny/*/extract.json")) and time.monotonic() < deadline:
        time.sleep(0.01)
    process.send_signal(number)
    _, err = process.communicate(timeout=20)
    assert process.returncode == code, err
    assert "Traceback" not in err
    paths = [path for place in (tiny.runs, tiny.releases) for path in place.rglob(".*")]
    hidden = [path for path in paths if path.name != ".history" and not path.name.endswith(".lock")]
    assert hidden == [] and not list(tiny.releases.rglob("*.parquet"))
    assert oncoweave("run", "tiny", at=tiny).code == 0


def test_a_locale_without_utf8_does_not_matter(tiny: Project) -> None:
    hostile = {
        "LC_ALL": "C",
        "LANG": "C",
        "PYTHONCOERCECLOCALE": "0",
        "PYTHONUTF8": "0",
        "PYTHONIOENCODING": "ascii",
        "TZ": "Asia/Kathmandu",
    }
    path = tiny.root / "deliveries" / "2024-01-31" / "tumours.csv"
    path.write_text(path.read_text(encoding="utf-8").replace("T1", "Tä1"), encoding="utf-8")
    source = tiny.source_folder("tiny") / "source.yaml"
    source.write_text(source.read_text(encoding="utf-8").replace("A made-up", "Ein ausgedachtes — ü"), encoding="utf-8")
    for arguments in (["lint"], ["run", "tiny"]):
        command = [sys.executable, "-c", MAIN, *arguments, "--project", str(tiny.root)]
        ran = subprocess.run(
            command,
            env=os.environ | {"ONCOWEAVE_KEY": KEY} | hostile,
            capture_output=True,
            text=True,
            check=False,
            cwd="/",
        )
        assert ran.returncode == 0, ran.stderr
