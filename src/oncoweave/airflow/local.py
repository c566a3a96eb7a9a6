"""A complete Airflow on this machine, for a look and for tests: `make airflow`, or `python -m oncoweave.airflow.local`.

SQLite, four task processes at most, loopback only, passwords of its own. Not for production: docs say how that is done.
"""

from __future__ import annotations

import argparse
import ctypes
import json
import os
import secrets
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from types import FrameType

from oncoweave import content
from oncoweave.airflow.rest import Api
from oncoweave.errors import EnvironmentFault, OncoweaveError, UsageError
from oncoweave.files import lock, make_private_folder
from oncoweave.orchestration.documentation import fault_text
from oncoweave.orchestration.pipeline import pipelines
from oncoweave.privacy.pseudonym import KEY, KEY_FILE, demo_key
from oncoweave.project import Project

USERS = {"admin": "admin", "steward": "op", "reviewer": "op", "viewer": "viewer"}
"""The users and their roles."""
COMPONENTS = (
    ("api-server",),
    ("scheduler", "--skip-serve-logs"),
    ("dag-processor",),
    ("triggerer", "--skip-serve-logs"),
)
PASSWORDS = "simple_auth_manager_passwords.json.generated"
"""The file of the passwords, in the folder of the local Airflow."""
PATIENCE = 600
"""Seconds until all components must be healthy; half a minute is usual on a machine that has nothing else to do."""
PR_SET_PDEATHSIG = 1
"""Linux: the signal that a process gets when its parent ends; other systems have no such call."""
GRACE = 15
"""Seconds that a component has to stop by itself."""


@dataclass(frozen=True)
class LocalAirflow:
    """A running Airflow: its address, its folder, the password of each user, and its processes by component."""

    url: str
    home: Path
    passwords: Mapping[str, str]
    processes: Mapping[str, subprocess.Popen[bytes]]

    @property
    def stopped(self) -> str | None:
        """A component that has ended although nobody stopped it."""
        return next((name for name, process in self.processes.items() if process.poll() is not None), None)

    def api(self, user: str = "admin") -> Api:
        """Its REST API, as seen by a user."""
        return Api.log_in(self.url, user, self.passwords[user])


@contextmanager
def running(
    project: Project, home: Path, port: int = 0, settings: Mapping[str, str] | None = None
) -> Iterator[LocalAirflow]:
    """An Airflow for the project, healthy, with its files in `home`; stopped with all its processes when the block ends.

    `settings` are further environment variables. Raises EnvironmentFault when it does not come up, LockHeld when one runs
    in `home` already.
    """
    make_private_folder(home)
    with lock(home / ".lock", "airflow"), ExitStack() as started:
        port = port or _free_port()
        environment = {**os.environ, **settings_of(project, home, port), **(settings or {})}
        log = started.enter_context((home / "airflow.log").open("ab"))
        _run(["db", "migrate"], environment, log.fileno(), home)
        processes: dict[str, subprocess.Popen[bytes]] = {}
        started.callback(_stop, processes)
        airflow = LocalAirflow(f"http://127.0.0.1:{port}", home, passwords_in(home), processes)
        for component in COMPONENTS:
            processes[component[0]] = subprocess.Popen(
                _airflow(*component),
                env=environment, stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True,
                preexec_fn=_go_with_parent,  # noqa: PLW1509 - a system call, no lock
            )  # fmt: skip
        _wait(airflow)
        _make_pools(project, airflow.api())
        yield airflow


def main(arguments: list[str] | None = None) -> int:
    """Run until somebody stops it."""
    parser = argparse.ArgumentParser(
        prog="python -m oncoweave.airflow.local", description=(__doc__ or "").split("\n\n")[0]
    )
    parser.add_argument(
        "--project", type=Path, default=None, help="the project; ONCOWEAVE_PROJECT or this folder if unset"
    )
    parser.add_argument(
        "--home", type=Path, default=None, help="where Airflow keeps its files; .airflow in the project if unset"
    )
    chosen = parser.parse_args(arguments)
    project = Project.at(chosen.project)
    home = (chosen.home or project.root / ".airflow").resolve()
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, _interrupt)
    try:
        names = [pipeline.name for pipeline in pipelines(project)]
        first = not (home / PASSWORDS).exists()
        say(f"starting Airflow for {project.root} (half a minute; what it says goes to {home / 'airflow.log'})")
        with running(project, home, chosen_port()) as airflow:
            say(_welcome(airflow, names, first))
            while not airflow.stopped:
                time.sleep(1)
            raise EnvironmentFault(f"Airflow's {airflow.stopped} has ended", mend=f"{home / 'airflow.log'} says why")
    except KeyboardInterrupt:
        say("stopped")
        return 0
    except OncoweaveError as error:
        say(fault_text(error))
        return error.exit_code


def settings_of(project: Project, home: Path, port: int) -> dict[str, str]:
    """The settings: three of them must agree on the port, or no task can report back."""
    url = f"http://127.0.0.1:{port}"
    key = {} if os.environ.get(KEY) or os.environ.get(KEY_FILE) else {KEY_FILE: str(demo_key(project))}
    return {
        "AIRFLOW_HOME": str(home),
        "AIRFLOW__API__HOST": "127.0.0.1",
        "AIRFLOW__API__PORT": str(port),
        "AIRFLOW__API__BASE_URL": url,
        "AIRFLOW__API__WORKERS": "1",
        "AIRFLOW__CORE__EXECUTION_API_SERVER_URL": f"{url}/execution/",
        "AIRFLOW__CORE__EXECUTOR": "LocalExecutor",
        "AIRFLOW__CORE__PARALLELISM": "4",
        "AIRFLOW__CORE__DAGS_FOLDER": str(content.standard() / "dags"),
        "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
        "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_USERS": ",".join(f"{name}:{role}" for name, role in USERS.items()),
        "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_PASSWORDS_FILE": str(home / PASSWORDS),
        "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": f"sqlite:///{home / 'airflow.db'}",
        "ONCOWEAVE_PROJECT": str(project.root),
        **key,
    }


def passwords_in(home: Path) -> dict[str, str]:
    """The password of each user; made once, readable by nobody else."""
    path = home / PASSWORDS
    if not path.exists():
        made = {name: secrets.token_urlsafe(9) for name in USERS}
        with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
            json.dump(made, file)
    return dict(json.loads(path.read_text(encoding="utf-8")))


def _run(arguments: list[str], environment: Mapping[str, str], log: int, home: Path) -> None:
    done = subprocess.run(_airflow(*arguments), env=environment, stdout=log, stderr=log, check=False)
    if done.returncode:
        raise EnvironmentFault(f"`airflow {' '.join(arguments)}` failed", mend=f"{home / 'airflow.log'} says why")


def _airflow(*arguments: str) -> list[str]:
    return [sys.executable, "-m", "airflow", *arguments]


def _wait(airflow: LocalAirflow) -> None:
    """Until every component says that it is healthy."""
    until = time.monotonic() + PATIENCE
    while time.monotonic() < until and not airflow.stopped:
        try:
            found = Api(airflow.url).get("/monitor/health")
        except OncoweaveError:
            found = {}
        if len(found) >= len(COMPONENTS) and all(part["status"] == "healthy" for part in found.values()):
            return
        time.sleep(1)
    what = f"its {airflow.stopped} has ended" if airflow.stopped else f"it is not healthy after {PATIENCE} seconds"
    raise EnvironmentFault(f"Airflow did not come up: {what}", mend=f"{airflow.home / 'airflow.log'} says why")


def _make_pools(project: Project, api: Api) -> None:
    """The pools that sources name, of two places each: a task whose pool is not there would wait for ever."""
    named = {pipeline.scheduling.pool for pipeline in pipelines(project)} - {None}
    there = {pool["name"] for pool in api.get("/pools?limit=1000")["pools"]}
    for name in sorted(str(pool) for pool in named - there):
        api.post("/pools", {"name": name, "slots": 2, "description": "named by a source", "include_deferred": False})


def _stop(processes: Mapping[str, subprocess.Popen[bytes]]) -> None:
    """Stop every component with all that it started; each is a session, so that nothing outlives it."""
    for number in (signal.SIGTERM, signal.SIGKILL):
        for process in processes.values():
            with suppress(ProcessLookupError):
                os.killpg(process.pid, number)
        until = time.monotonic() + GRACE
        for process in processes.values():
            with suppress(subprocess.TimeoutExpired):
                process.wait(max(0.1, until - time.monotonic()))


def _go_with_parent() -> None:
    """Let a component be told to stop when this process is killed, which could stop none: so no second scheduler runs beside it."""
    with suppress(OSError, AttributeError):
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGTERM)


def chosen_port() -> int:
    """The port in AIRFLOW_PORT; 0, for any that is free, if unset."""
    text = os.environ.get("AIRFLOW_PORT") or "0"
    if not text.isdecimal() or not 0 <= int(text) < 65536:
        raise UsageError(f"AIRFLOW_PORT is `{text}`, which is no port", mend="a number from 1024 to 65535")
    if int(text):
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", int(text)))
            except OSError as error:
                raise UsageError(
                    f"port {text} cannot be had: {error.strerror}", mend="choose another AIRFLOW_PORT, or none"
                ) from None
    return int(text)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _welcome(airflow: LocalAirflow, names: list[str], first: bool) -> str:
    users = [f"    {name:10} {airflow.passwords[name]}" for name in USERS]
    told = (
        ["users and their passwords, shown this once:", *users] if first else [f"passwords: {airflow.home / PASSWORDS}"]
    )
    if not (os.environ.get(KEY) or os.environ.get(KEY_FILE)):
        told.append("pseudonyms: with restricted/demo.key, which is for trying out")
    return "\n".join(
        [f"Airflow is at {airflow.url}", *told, f"sources: {', '.join(names) or 'none yet'}", "Ctrl-C stops it"]
    )


def _interrupt(number: int, frame: FrameType | None) -> None:
    raise KeyboardInterrupt


def say(text: str) -> None:
    """Tell whoever started it, at once."""
    sys.stderr.write(text + "\n")
    sys.stderr.flush()


if __name__ == "__main__":
    sys.exit(main())
