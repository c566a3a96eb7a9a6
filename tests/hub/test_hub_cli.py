"""`oncoweave hub`: take, list and compare, by people and by machines."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from oncoweave.cli.hub import hub
from oncoweave.errors import DataError


def call(*arguments: str | Path) -> Result:
    return CliRunner().invoke(hub, [str(argument) for argument in arguments])


def test_take_list_and_compare(release: Path, tmp_path: Path) -> None:
    place = tmp_path / "hub"
    assert "has taken no release in yet" in call("list", "--hub", place).output
    first = call("take", release, "--into", place, "--smallest", "2")
    assert first.exit_code == 0, first.output
    assert f"tiny {release.name}: taken in; 6 persons" in first.output
    assert "there already, as it was" in call("take", release, "--into", place, "--smallest", "2").output
    listed = call("list", "--hub", place).output
    assert release.name in listed
    compared = call("compare", "--hub", place).output
    assert "measurement" in compared
    assert "Without a concept" in compared


def test_a_refusal_is_told_and_listed(release: Path, tmp_path: Path) -> None:
    (release / "extra").touch()
    refused = call("take", release, "--into", tmp_path / "hub")
    assert isinstance(refused.exception, DataError)
    assert "extra: added: the manifest does not know it" in call("list", "--hub", tmp_path / "hub").output


def test_for_machines(release: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ONCOWEAVE_HUB", str(tmp_path / "hub"))
    taken = json.loads(call("take", release, "--json").output)
    assert (taken["source"], taken["outcome"], taken["is_current"]) == ("tiny", "taken", True)
    assert [one["current"] for one in json.loads(call("list", "--json").output)["releases"]] == [True]
    assert [one["source"] for one in json.loads(call("compare", "--json").output)["sources"]] == ["tiny"]
