"""The wheel carries all that the demo needs: installed in a bare environment, it runs it."""

from __future__ import annotations

import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
pytestmark = pytest.mark.slow


def uv(*arguments: str | Path) -> None:
    subprocess.run([sys.executable, ROOT / ".ci" / "bootstrap", "--uv", *map(str, arguments)], check=True)


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("dist")
    uv("build", "--quiet", "--wheel", "--out-dir", folder)
    (built,) = folder.glob("*.whl")
    return built


def test_the_wheel_carries_the_standard_content(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        names = set(archive.namelist())
    for folder in ("transforms", "expectations", "mappings", "dags"):
        files = {
            p.relative_to(ROOT).as_posix() for p in (ROOT / folder).rglob("*") if p.suffix in {".py", ".yaml", ".csv"}
        }
        assert files
        assert {f"oncoweave/standard/{name}" for name in files} <= names


def test_the_demo_runs_from_an_installed_wheel(wheel: Path, tmp_path: Path) -> None:
    environment, locked = tmp_path / "environment", tmp_path / "locked.txt"
    uv("export", "--quiet", "--frozen", "--no-dev", "--no-emit-project", "--output-file", locked)
    uv("venv", "--quiet", environment)
    uv("pip", "install", "--quiet", "--python", environment / "bin" / "python", "--require-hashes", "-r", locked)
    uv("pip", "install", "--quiet", "--python", environment / "bin" / "python", "--no-deps", wheel)
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    kept = {name: value for name, value in os.environ.items() if name.startswith(("PIP_", "http", "SSL_", "PATH"))}
    bare = kept | {"HOME": str(tmp_path)}
    demo = subprocess.run(
        [environment / "bin" / "oncoweave", "demo"],
        cwd=elsewhere,
        env=bare,
        capture_output=True,
        text=True,
        check=False,
    )
    assert demo.returncode == 0, demo.stderr
    releases = elsewhere / "oncoweave-demo" / "releases"
    assert sorted(p.name for p in releases.iterdir()) == ["colon", "gbsg", "seer_breast"]
