"""The bootstrap sets up a bare machine, takes nothing that it did not pin, and says what is wrong in one line."""

from __future__ import annotations

import hashlib
import importlib.util
import json
import os
import subprocess
import sys
import zipfile
from importlib.machinery import SourceFileLoader
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).resolve().parents[2]
SCRIPT = ROOT / ".ci" / "bootstrap"


@pytest.fixture
def bootstrap(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> ModuleType:
    """The script as a module, with its tools in a temporary folder and no configuration of this machine."""
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    spec = importlib.util.spec_from_loader("bootstrap", SourceFileLoader("bootstrap", str(SCRIPT)))
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    monkeypatch.setattr(module, "TOOLS", str(tmp_path / "tools"))
    for name in [n for n in os.environ if n.startswith(("PIP_", "UV_"))]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
    return module


def index_with(folder: Path, name: str, body: bytes) -> str:
    """A package index in a folder, with one wheel of uv."""
    page = folder / "simple" / "uv"
    page.mkdir(parents=True)
    (page / name).write_bytes(body)
    (page / "index.html").write_text(f'<a href="{name}#sha256=0">{name}</a>')
    return (folder / "simple").as_uri()


def wheel_of_uv(folder: Path, version: str) -> bytes:
    """A wheel whose uv only tells its version."""
    path = folder / "uv.whl"
    with zipfile.ZipFile(path, "w") as wheel:
        wheel.writestr(f"uv-{version}.data/scripts/uv", f"#!/bin/sh\necho uv {version}\n")
    return path.read_bytes()


@pytest.fixture
def pinned(bootstrap: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> bytes:
    """A wheel in a local index, pinned for this machine."""
    body = wheel_of_uv(tmp_path, bootstrap.UV)
    machine = (bootstrap.platform.system(), bootstrap.platform.machine())
    monkeypatch.setattr(bootstrap, "WHEELS", {machine: ("uv.whl", hashlib.sha256(body).hexdigest())})
    page = index_with(tmp_path, "uv.whl", body) + "/uv/index.html"
    monkeypatch.setattr(bootstrap, "get", lambda url, accept, get=bootstrap.get: get(_file(url, page), accept))
    return body


def _file(url: str, page: str) -> str:
    return page if url.endswith("/uv/") else url


def test_uv_is_unpacked_from_its_pinned_wheel(bootstrap: ModuleType, pinned: bytes, tmp_path: Path) -> None:
    own = tmp_path / "tools" / "bin" / "uv"
    bootstrap.uv_by_wheel(str(own))
    assert bootstrap.is_recent(str(own))


def test_another_file_than_the_pinned_one_is_refused(
    bootstrap: ModuleType, pinned: bytes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bootstrap, "WHEELS", dict.fromkeys(bootstrap.WHEELS, ("uv.whl", "0" * 64)))
    with pytest.raises(bootstrap.Stop, match="not the pinned file"):
        bootstrap.uv_by_wheel(str(tmp_path / "tools" / "bin" / "uv"))
    assert not (tmp_path / "tools").exists()


def test_an_index_that_cannot_be_reached_is_named_without_its_password(
    bootstrap: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PIP_INDEX_URL", "http://somebody:secret@127.0.0.1:9/simple")
    with pytest.raises(bootstrap.Stop) as stop:
        bootstrap.download("uv.whl")
    assert stop.value.code == 4
    assert "http://127.0.0.1:9/simple" in str(stop.value)
    assert "secret" not in str(stop.value)


def test_the_index_is_that_of_pip(bootstrap: ModuleType, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    assert bootstrap.index_url() == bootstrap.PYPI
    config = tmp_path / "pip.conf"
    config.write_text("[global]\nindex-url = https://mirror.example/simple/\n")
    monkeypatch.setenv("PIP_CONFIG_FILE", str(config))
    assert bootstrap.index_url() == "https://mirror.example/simple"
    monkeypatch.setenv("PIP_INDEX_URL", "https://other.example/simple")
    assert bootstrap.index_url() == "https://other.example/simple"
    assert bootstrap.uv_environment()["UV_DEFAULT_INDEX"] == "https://other.example/simple"


def test_no_python_is_downloaded(bootstrap: ModuleType) -> None:
    assert bootstrap.uv_environment()["UV_PYTHON_DOWNLOADS"] == "never"


def test_an_index_page_is_read_in_both_forms(bootstrap: ModuleType) -> None:
    form = json.dumps({"files": [{"filename": "a.whl", "url": "../a.whl"}]}).encode()
    assert bootstrap.links_of(form, "application/vnd.pypi.simple.v1+json") == {"a.whl": "../a.whl"}
    assert bootstrap.links_of(b'<a href="../a%2B1.whl#sha256=1">', "text/html") == {"a+1.whl": "../a%2B1.whl"}


def test_a_python_that_is_too_old_is_told(
    bootstrap: ModuleType, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(bootstrap, "PYTHONS", ((9, 1),))
    assert bootstrap.main([]) == 5
    assert "needs Python 3.11" in capsys.readouterr().err


def test_the_script_is_plain_enough_for_an_old_python() -> None:
    compile(SCRIPT.read_text(encoding="utf-8"), str(SCRIPT), "exec")
    import ast

    ast.parse(SCRIPT.read_text(encoding="utf-8"), feature_version=(3, 6))


@pytest.fixture
def synced(bootstrap: ModuleType, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> list[list[str]]:
    """The extras of each sync that is done, of an environment in `tmp_path`."""
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "python").touch()
    monkeypatch.setattr(bootstrap, "VENV", str(tmp_path))
    monkeypatch.setattr(bootstrap, "STAMP", str(tmp_path / ".bootstrap"))
    done: list[list[str]] = []
    monkeypatch.setattr(bootstrap, "find_uv", lambda python: "uv")
    monkeypatch.setattr(bootstrap, "sync", lambda uv, python, extras: done.append(extras))
    return done


def test_nothing_is_done_twice(bootstrap: ModuleType, synced: list[list[str]]) -> None:
    assert [bootstrap.main([]), bootstrap.main([])] == [0, 0]
    assert synced == [[]]


def test_airflow_is_added_when_asked_for_and_then_kept(
    bootstrap: ModuleType, synced: list[list[str]], tmp_path: Path
) -> None:
    assert [bootstrap.main([]), bootstrap.main(["--airflow"])] == [0, 0]
    (tmp_path / "bin" / "airflow").touch()
    assert bootstrap.main([]) == 0
    (tmp_path / ".bootstrap").unlink()
    assert bootstrap.main([]) == 0
    assert synced == [[], ["--extra", "airflow"], ["--extra", "airflow"]]


@pytest.mark.slow
def test_a_clean_clone_sets_itself_up_without_uv_pip_and_venv(tmp_path: Path) -> None:
    clone, masked = tmp_path / "clone", tmp_path / "masked"
    subprocess.run(["git", "clone", "-q", str(ROOT), str(clone)], check=True)
    (masked / "venv").mkdir(parents=True)
    (masked / "venv" / "__init__.py").write_text("raise ImportError('no venv on this machine')\n")
    kept = {name: value for name, value in os.environ.items() if name.startswith(("PIP_", "http", "SSL_"))}
    bare = kept | {"PATH": "/usr/bin:/bin", "HOME": str(tmp_path), "PYTHONPATH": str(masked)}
    made = subprocess.run(["make", "setup"], cwd=clone, env=bare, capture_output=True, text=True, check=False)
    assert made.returncode == 0, made.stderr
    assert sorted(p.name for p in (clone / ".uv" / "bin").iterdir()) == ["uv"]
    again = subprocess.run(["make", "setup"], cwd=clone, env=bare, capture_output=True, text=True, check=False)
    assert (again.returncode, again.stderr) == (0, "")
    asked = [".venv/bin/oncoweave", "--version"]
    assert subprocess.run(asked, cwd=clone, capture_output=True, text=True, check=True).stdout.startswith("oncoweave ")
