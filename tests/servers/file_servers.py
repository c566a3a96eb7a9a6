"""File servers on loopback, each with the manners and the bad manners that a test asks for."""

from __future__ import annotations

import socket
import ssl
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, ClassVar

import paramiko

SFTP_PASSWORD = "sftp-s3cret"


class Files:
    """What a web server has, and how it answers: `manners` by path are called instead of the plain answer."""

    def __init__(self, content: dict[str, bytes]) -> None:
        self.content = content
        self.manners: dict[str, Callable[[Web], None]] = {}
        self.asked: list[str] = []
        self.etag = "1"


class Web(BaseHTTPRequestHandler):
    """Answers HEAD and GET."""

    files: ClassVar[Files]
    protocol_version = "HTTP/1.1"

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - named by the class above
        pass

    def do_HEAD(self) -> None:
        self._answer()

    def do_GET(self) -> None:
        self._answer()

    def _answer(self) -> None:
        self.files.asked.append(f"{self.command} {self.path}")
        manner = self.files.manners.get(self.path)
        if manner:
            manner(self)
        else:
            self.plain(self.files.content.get(self.path))

    def plain(self, content: bytes | None, length: int | None = None, cut: int | None = None) -> None:
        if content is None:
            self.send_error(404)
            return
        self.send_response(200)
        self.send_header("Content-Length", str(len(content) if length is None else length))
        self.send_header("ETag", f'"{self.files.etag}"')
        self.end_headers()
        if self.command == "GET":
            self.wfile.write(content[:cut])
        if cut is not None:
            self.close_connection = True


@contextmanager
def web_server(content: dict[str, bytes], certificate: Path | None = None) -> Iterator[tuple[str, Files]]:
    """A web server's address, and what it has."""
    files = Files(content)
    handler = type("Handler", (Web,), {"files": files})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    server.daemon_threads = True
    if certificate:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate)
        server.socket = context.wrap_socket(server.socket, server_side=True)
    thread = threading.Thread(target=server.serve_forever, args=(0.05,))
    thread.start()
    try:
        yield f"{'https' if certificate else 'http'}://127.0.0.1:{server.server_port}", files
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def self_signed(folder: Path) -> Path:
    """A certificate of 127.0.0.1 that nobody vouches for."""
    path = folder / "own.pem"
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=127.0.0.1",
         "-addext", "subjectAltName=IP:127.0.0.1", "-keyout", str(path), "-out", str(folder / "own.crt")],
        check=True, capture_output=True,
    )  # fmt: skip
    path.write_bytes(path.read_bytes() + (folder / "own.crt").read_bytes())
    return path


class _Login(paramiko.ServerInterface):  # type: ignore[misc]
    def check_auth_password(self, username: str, password: str) -> int:
        right = (username, password) == ("reader", SFTP_PASSWORD)
        return paramiko.AUTH_SUCCESSFUL if right else paramiko.AUTH_FAILED  # type: ignore[no-any-return]

    def get_allowed_auths(self, username: str) -> str:
        return "password"

    def check_channel_request(self, kind: str, chanid: int) -> int:
        return paramiko.OPEN_SUCCEEDED  # type: ignore[no-any-return]


class _Folder(paramiko.SFTPServerInterface):  # type: ignore[misc]
    """Serves a folder; `shown` may say other names than there are."""

    root: ClassVar[Path]
    shown: ClassVar[list[str]]

    def _real(self, path: str) -> Path:
        return self.root / path.lstrip("/")

    def list_folder(self, path: str) -> Any:
        folder = self._real(path)
        if not folder.is_dir():
            return paramiko.SFTP_NO_SUCH_FILE
        found = [paramiko.SFTPAttributes.from_stat(each.lstat(), each.name) for each in sorted(folder.iterdir())]
        like = next((each for each in folder.iterdir() if each.is_file()), None)
        more = [paramiko.SFTPAttributes.from_stat(like.lstat(), name) for name in self.shown] if like else []
        return [*found, *more]

    def stat(self, path: str) -> Any:
        try:
            return paramiko.SFTPAttributes.from_stat(self._real(path).stat())
        except OSError as error:
            return paramiko.SFTPServer.convert_errno(error.errno)

    lstat = stat

    def open(self, path: str, flags: int, attr: Any) -> Any:
        handle = paramiko.SFTPHandle(flags)
        try:
            handle.readfile = self._real(path).open("rb")
        except OSError as error:
            return paramiko.SFTPServer.convert_errno(error.errno)
        return handle


@contextmanager
def sftp_server(root: Path, shown: list[str] | None = None) -> Iterator[tuple[int, paramiko.PKey]]:
    """The port and the host key of an SFTP server of a folder."""
    key = paramiko.ECDSAKey.generate()
    folder = type("Folder", (_Folder,), {"root": root, "shown": shown or []})
    listening = socket.create_server(("127.0.0.1", 0))
    transports: list[Any] = []

    def serve() -> None:
        while True:
            try:
                client, _ = listening.accept()
            except OSError:
                return
            transport = paramiko.Transport(client)
            transport.add_server_key(key)
            transport.set_subsystem_handler("sftp", paramiko.SFTPServer, folder)
            transports.append(transport)
            try:
                transport.start_server(server=_Login())
            except (paramiko.SSHException, EOFError):
                continue

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    try:
        yield listening.getsockname()[1], key
    finally:
        listening.shutdown(socket.SHUT_RDWR)
        listening.close()
        for transport in transports:
            transport.close()
        thread.join(5)


def drip(web: Web) -> None:
    """Promises much, sends a little, and falls silent."""
    web.send_response(200)
    web.send_header("Content-Length", "100000")
    web.end_headers()
    if web.command == "GET":
        web.wfile.write(b"x" * 10)
        web.wfile.flush()
        time.sleep(3)
        web.close_connection = True
