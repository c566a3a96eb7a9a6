"""A PostgreSQL of our own: started on loopback in a temporary folder, as a user that is not root, and gone afterwards."""

from __future__ import annotations

import os
import pwd
import shutil
import signal
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg
from psycopg import sql

PASSWORD = "s3cret-and-never-shown"


@dataclass(frozen=True)
class Server:
    """A running server; its superuser needs no password, its user `reader` does."""

    port: int
    folder: Path
    process: subprocess.Popen[bytes]

    def connect(self, database: str = "postgres") -> psycopg.Connection[Any]:
        return psycopg.connect(self.url(database, "postgres"), autocommit=True)

    def url(self, database: str, user: str = f"reader:{PASSWORD}") -> str:
        return f"postgresql://{user}@127.0.0.1:{self.port}/{database}"

    def make_database(self, name: str, encoding: str = "UTF8") -> None:
        with self.connect() as connection:
            connection.execute(
                sql.SQL("CREATE DATABASE {} TEMPLATE template0 ENCODING {} LC_COLLATE 'C' LC_CTYPE 'C'").format(
                    sql.Identifier(name), sql.Literal(encoding)
                )
            )
        with self.connect(name) as connection:
            connection.execute("ALTER DEFAULT PRIVILEGES GRANT SELECT ON TABLES TO reader")

    def kill_sessions(self) -> None:
        """What an administrator does who ends the sessions of `reader`."""
        with self.connect() as connection:
            connection.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'reader'")


def binaries() -> Path | None:
    """The folder of PostgreSQL's programs: Debian keeps them out of PATH."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))
    on_path = shutil.which("initdb")
    return found[-1].parent if found else Path(on_path).parent if on_path else None


@contextmanager
def running(programs: Path) -> Iterator[Server]:
    folder = Path(tempfile.mkdtemp(prefix="oncoweave-pg-"))
    try:
        user = _unprivileged(folder)
        data = folder / "data"
        made = [str(programs / "initdb"), "-D", str(data), "-A", "trust", "-U", "postgres", "-E", "UTF8", "--locale=C"]
        subprocess.run([*made, "--no-sync"], check=True, stdout=subprocess.DEVNULL, cwd=folder, user=user)
        rules = "host all postgres 127.0.0.1/32 trust\nhost all all 127.0.0.1/32 scram-sha-256\n"
        (data / "pg_hba.conf").write_text(rules)
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        settings = {
            "listen_addresses": "127.0.0.1",
            "unix_socket_directories": "",
            "fsync": "off",
            "max_connections": "20",
        }
        options = [word for name, value in settings.items() for word in ("-c", f"{name}={value}")]
        log = (folder / "log").open("wb")
        process = subprocess.Popen(
            [str(programs / "postgres"), "-D", str(data), "-p", str(port), *options],
            stdout=log, stderr=log, cwd=folder, user=user,
        )  # fmt: skip
        log.close()
        server = Server(port, folder, process)
        try:
            _await(server)
            with server.connect() as connection:
                connection.execute(sql.SQL("CREATE ROLE reader LOGIN PASSWORD {}").format(sql.Literal(PASSWORD)))
            yield server
        finally:
            process.send_signal(signal.SIGQUIT)
            process.wait(20)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _unprivileged(folder: Path) -> int | None:
    """The user to run it as, for it refuses root; the folder is given to them."""
    if os.geteuid() != 0:
        return None
    names = {user.pw_name for user in pwd.getpwall()}
    user = pwd.getpwnam("postgres" if "postgres" in names else "nobody")
    os.chown(folder, user.pw_uid, user.pw_gid)
    return user.pw_uid


def _await(server: Server) -> None:
    for _ in range(300):
        try:
            server.connect().close()
            return
        except psycopg.OperationalError:
            try:
                server.process.wait(0.1)
            except subprocess.TimeoutExpired:
                continue
            break
    raise RuntimeError((server.folder / "log").read_text())
