"""The local Airflow of `make airflow`: its port, its passwords, one at a time. That it runs is tried end to end elsewhere."""

from __future__ import annotations

import socket
import stat
from pathlib import Path

import pytest

from oncoweave.errors import LockHeld, UsageError
from oncoweave.files import lock, make_private_folder
from oncoweave.project import Project


def test_all_settings_agree_on_the_port_and_stay_on_this_machine(tiny_project: Project, tmp_path: Path) -> None:
    from oncoweave.airflow.local import settings_of

    found = settings_of(tiny_project, tmp_path, 18999)
    urls = [value for value in found.values() if value.startswith("http")]
    assert len(urls) == 2
    assert all(url.startswith("http://127.0.0.1:18999") for url in urls)
    assert (found["AIRFLOW__API__PORT"], found["AIRFLOW__API__HOST"]) == ("18999", "127.0.0.1")
    assert found["ONCOWEAVE_PROJECT"] == str(tiny_project.root)


def test_a_key_that_is_set_is_used_and_else_the_demo_has_its_own(
    tiny_project: Project, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from oncoweave.airflow.local import settings_of

    assert "ONCOWEAVE_KEY_FILE" not in settings_of(tiny_project, tmp_path, 1)
    monkeypatch.delenv("ONCOWEAVE_KEY")
    assert Path(settings_of(tiny_project, tmp_path, 1)["ONCOWEAVE_KEY_FILE"]).is_file()


def test_passwords_are_made_once_and_nobody_else_may_read_them(tmp_path: Path) -> None:
    from oncoweave.airflow.local import PASSWORDS, USERS, passwords_in

    made = passwords_in(tmp_path)
    assert set(made) == set(USERS)
    assert len(set(made.values())) == len(USERS)
    assert min(map(len, made.values())) >= 12
    assert stat.S_IMODE((tmp_path / PASSWORDS).stat().st_mode) == 0o600
    assert passwords_in(tmp_path) == made


@pytest.mark.parametrize("text", ["http", "-1", "70000", "8080 "])
def test_a_port_that_is_none_is_refused(text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    from oncoweave.airflow.local import chosen_port

    monkeypatch.setenv("AIRFLOW_PORT", text)
    with pytest.raises(UsageError, match="is no port"):
        chosen_port()


def test_a_port_that_is_taken_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    from oncoweave.airflow.local import chosen_port

    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        monkeypatch.setenv("AIRFLOW_PORT", str(taken.getsockname()[1]))
        with pytest.raises(UsageError, match="cannot be had"):
            chosen_port()
    monkeypatch.delenv("AIRFLOW_PORT")
    assert chosen_port() == 0


def test_a_folder_holds_one_airflow_at_a_time(tiny_project: Project, tmp_path: Path) -> None:
    from oncoweave.airflow.local import running

    home = make_private_folder(tmp_path / "home")
    with (
        lock(home / ".lock", "airflow"),
        pytest.raises(LockHeld, match="`airflow`"),
        running(tiny_project, home),
    ):
        pass
    assert [path.name for path in home.iterdir()] == [".lock"]
