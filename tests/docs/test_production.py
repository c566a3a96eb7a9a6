"""What the production page and the files of deploy/ name must exist: settings, commands, extras, folders."""

from __future__ import annotations

import re
import shutil
import subprocess
import tomllib
from pathlib import Path

import pytest

AIRFLOW = "the extra `airflow` is not installed"


def _texts(checkout: Path) -> str:
    files = [path for path in sorted((checkout / "deploy").rglob("*")) if path.is_file()]
    return "\n".join(path.read_text(encoding="utf-8") for path in [*files, checkout / "docs" / "airflow-production.md"])


def test_every_setting_of_airflow_exists(checkout: Path) -> None:
    configuration = pytest.importorskip("airflow.configuration", reason=AIRFLOW)
    known = configuration.conf.configuration_description
    sensitive = configuration.conf.sensitive_config_values
    named = set(re.findall(r"AIRFLOW__([A-Z_]+?)__([A-Z_]+)", _texts(checkout)))
    assert len(named) > 12
    for section, key in named:
        if section in ("OPENLINEAGE",):  # a provider's, which has its own settings
            continue
        option = key.removesuffix("_CMD").lower()
        assert option in known[section.lower()]["options"], f"{section}.{key}"
        assert not key.endswith("_CMD") or (section.lower(), option) in sensitive, f"{key} can have no command"


def test_every_setting_of_ours_is_read_somewhere(checkout: Path) -> None:
    source = "\n".join(path.read_text(encoding="utf-8") for path in (checkout / "src").rglob("*.py"))
    for name in sorted(set(re.findall(r"ONCOWEAVE_[A-Z_]+", _texts(checkout)))):
        assert name in source or f'"{name.removeprefix("ONCOWEAVE_")}"' in source, name


def test_every_extra_exists(checkout: Path) -> None:
    project = tomllib.loads((checkout / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    named = re.findall(r"oncoweave\[([a-z,]+)\]", _texts(checkout))
    named += re.findall(r"--extra ([a-z]+)", _texts(checkout))
    assert {extra for names in named for extra in names.split(",")} <= set(project["optional-dependencies"])


def test_every_service_is_a_command_of_airflow(checkout: Path) -> None:
    parser = pytest.importorskip("airflow.cli.cli_parser", reason=AIRFLOW)
    unit = (checkout / "deploy" / "oncoweave-airflow@.service").read_text(encoding="utf-8")
    services = re.findall(r"@([a-z-]+)", unit.splitlines()[0])
    assert services == ["api-server", "scheduler", "dag-processor", "triggerer"]
    assert set(services) <= {command.name for command in parser.airflow_commands}


def test_the_unit_is_one_that_systemd_takes(checkout: Path, tmp_path: Path) -> None:
    if shutil.which("systemd-analyze") is None:
        pytest.skip("no systemd-analyze on this machine: the unit is not verified")
    for path in (checkout / "deploy").rglob("*"):
        if path.is_file() and path.suffix in (".service", ".conf"):
            text = path.read_text(encoding="utf-8").replace("/opt/oncoweave/venv/bin/airflow", "/usr/bin/true")
            copy = tmp_path / path.relative_to(checkout / "deploy")
            copy.parent.mkdir(exist_ok=True)
            copy.write_text(text, encoding="utf-8")
    unit = tmp_path / "oncoweave-airflow@scheduler.service"
    told = subprocess.run(
        ["systemd-analyze", "verify", "--man=no", str(unit)], capture_output=True, text=True, check=False
    )
    assert (told.returncode, told.stderr) == (0, "")
