"""S3, SFTP and web servers behind one small face: what files there are, how each is marked, and its bytes; by fsspec.

What is fixed here, and not left to a default: certificates and host keys are verified, a redirect leads to no other host,
nothing is cached, and a server that falls silent is given up.
"""

from __future__ import annotations

import base64
import posixpath
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, unquote, urljoin, urlsplit

from oncoweave.engine.servers.connections import address
from oncoweave.errors import EnvironmentFault, OncoweaveError, SourceUnreachable, UsageError

if TYPE_CHECKING:
    from oncoweave.spec.delivery import DownloadDelivery

SILENCE = 60
CONNECTING = 30
BLOCK = 8 << 20
LOOPBACK = ("127.0.0.1", "localhost", "::1")
_EXAMPLES = {
    "s3": "s3://ACCESS_KEY:SECRET_KEY@/?region_name=eu-west-1&endpoint_url=https://s3.example.org",
    "sftp": "sftp://user:password@sftp.example.org:22/?known_hosts=/etc/oncoweave/known_hosts",
    "https": "https://user:password@files.example.org",
}


@dataclass(frozen=True)
class Stamp:
    """What a server says of a file: its size, and the mark (ETag, time) that changes with its content."""

    size: int | None
    mark: str


@dataclass(frozen=True)
class Login:
    """What a connection says: user, password, port, and further settings by name."""

    user: str = ""
    password: str = ""
    port: int | None = None
    settings: tuple[tuple[str, str], ...] = ()

    def get(self, *names: str) -> str:
        """The first of the settings that is given; an empty text without."""
        return next((value for name in names for key, value in self.settings if key == name), "")


class Elsewhere(Exception):
    """A server sent us to another host, or away from encryption."""


@dataclass
class Remote:
    """The folder of a delivery on a server."""

    files: Any
    root: str
    lists: bool
    about: str

    def names(self, depth: int) -> dict[str, Stamp]:
        """The files below the folder, `depth` levels deep, with their stamps, by their names relative to it."""
        with told(self.about):
            found = self.files.find(self.root, maxdepth=depth, detail=True)
        root = self.root.rstrip("/") + "/"
        plain = {path: info for path, info in found.items() if info["type"] == "file" and path.startswith(root)}
        return {path[len(root) :]: _stamp(info) for path, info in plain.items()}

    def stamp(self, name: str) -> Stamp | None:
        """The stamp of a file; None when the server has none of that name."""
        try:
            with told(self.about):
                return _stamp(self.files.info(self._path(name)))
        except FileNotFoundError:
            return None

    def blocks(self, name: str, stamp: Stamp) -> Iterator[bytes]:
        """The bytes of a file; raises SourceUnreachable where it ends too early."""
        with told(self.about), self.files.open(self._path(name), "rb", **self._reading()) as file:
            if hasattr(file, "prefetch") and stamp.size:
                file.prefetch(stamp.size, max_concurrent_requests=64)
            while block := file.read(BLOCK):
                yield block

    def _reading(self) -> dict[str, Any]:
        protocol = self.files.protocol if isinstance(self.files.protocol, str) else self.files.protocol[0]
        streamed = {"block_size": 0} if protocol.startswith("http") else {}
        return {"block_size": 2 * BLOCK, "cache_type": "readahead"} if protocol.startswith("s3") else streamed

    def _path(self, name: str) -> str:
        return f"{self.root.rstrip('/')}/{name}"


@contextmanager
def remote(delivery: DownloadDelivery) -> Iterator[Remote]:
    """The folder of a delivery, for the time of the block.

    Raises EnvironmentFault when the extra is not installed or the server is not the one that it should be;
    SourceUnreachable when it cannot be reached.
    """
    url = urlsplit(delivery.url)
    login = _login(delivery.connection, url.scheme, url.hostname or "") if delivery.connection else Login()
    about = f"{url.scheme}://{url.hostname}"
    try:
        with told(about):
            match url.scheme:
                case "s3":
                    files, root = _s3(login), f"{url.netloc}{url.path}"
                case "sftp":
                    files, root = _sftp(url.hostname or "", login, url.port), url.path or "/"
                case _:
                    files, root = _https(login), delivery.url
    except ModuleNotFoundError as error:
        mend = "install oncoweave[servers]"
        raise EnvironmentFault(f"the package `{error.name}` is needed for {url.scheme}://", mend=mend) from None
    try:
        yield Remote(files, root, lists=url.scheme in ("s3", "sftp"), about=about)
    finally:
        if url.scheme == "sftp":
            files.client.close()


def bucket_files(connection: str | None) -> Any:
    """The file system of S3, with the login of a connection; without one, with the system's own settings.

    Raises EnvironmentFault when the extra is not installed, UsageError when nobody has said where the connection leads.
    """
    try:
        return _s3(_login(connection, "s3", "") if connection else Login())
    except ModuleNotFoundError as error:
        mend = "install oncoweave[servers]"
        raise EnvironmentFault(f"the package `{error.name}` is needed for s3://", mend=mend) from None


def _login(connection: str, scheme: str, host: str) -> Login:
    """What a connection says; raises UsageError when it belongs to another host than the delivery's URL."""
    url = urlsplit(address(connection, _EXAMPLES["https" if scheme == "http" else scheme]))
    if scheme != "s3" and url.hostname not in (None, host):
        raise UsageError(
            f"the connection `{connection}` is of another host than `delivery.url`",
            mend="a password is sent to its own host only: correct the one or the other",
        )
    settings = tuple((name, value[-1]) for name, value in parse_qs(url.query).items())
    return Login(unquote(url.username or ""), unquote(url.password or ""), url.port, settings)


def _s3(login: Login) -> Any:
    from s3fs import S3FileSystem

    endpoint = login.get("endpoint_url")
    if endpoint and not endpoint.startswith("https://") and urlsplit(endpoint).hostname not in LOOPBACK:
        raise UsageError("the S3 connection's endpoint_url is not encrypted", mend="write it as https://…")
    return S3FileSystem(
        key=login.user or None,
        secret=login.password or None,
        token=login.get("aws_session_token") or None,
        endpoint_url=endpoint or None,
        client_kwargs={"region_name": login.get("region_name", "region")} if login.get("region_name", "region") else {},
        config_kwargs={"connect_timeout": CONNECTING, "read_timeout": SILENCE, "retries": {"max_attempts": 2}},
        use_listings_cache=False,
        skip_instance_cache=True,
    )


def _sftp(host: str, login: Login, port: int | None) -> Any:
    import paramiko
    from fsspec.implementations.sftp import SFTPFileSystem

    class VerifiedSFTP(SFTPFileSystem):  # type: ignore[misc]
        """SFTP with servers whose key is known; fsspec's own trusts any key at first sight."""

        def _connect(self) -> None:
            self.client = paramiko.SSHClient()
            self.client.load_system_host_keys()
            if login.get("known_hosts"):
                self.client.load_host_keys(login.get("known_hosts"))
            self.client.set_missing_host_key_policy(paramiko.RejectPolicy())
            self.client.connect(self.host, **self.ssh_kwargs)
            self.ftp = self.client.open_sftp()
            self.ftp.get_channel().settimeout(SILENCE)

    waits = dict.fromkeys(("timeout", "banner_timeout", "auth_timeout"), CONNECTING)
    return VerifiedSFTP(
        host,
        port=port or login.port or 22,
        username=login.user or None,
        password=login.password or None,
        key_filename=login.get("key_file") or None,
        allow_agent=not login.password,
        look_for_keys=not login.password,
        skip_instance_cache=True,
        **waits,
    )


def _https(login: Login) -> Any:
    import aiohttp
    from fsspec.implementations.http import HTTPFileSystem

    async def stay(session: object, context: object, sent: aiohttp.TraceRequestRedirectParams) -> None:
        before, after = (
            urlsplit(str(sent.url)),
            urlsplit(urljoin(str(sent.url), sent.response.headers.get("Location", ""))),
        )
        if (before.scheme, before.hostname, before.port) != (after.scheme, after.hostname, after.port):
            raise Elsewhere

    watched = aiohttp.TraceConfig()
    watched.on_request_redirect.append(stay)
    client: dict[str, Any] = {
        "timeout": aiohttp.ClientTimeout(total=None, sock_connect=CONNECTING, sock_read=SILENCE),
        "trace_configs": [watched],
    }
    if login.user:
        pair = base64.b64encode(f"{login.user}:{login.password}".encode()).decode()
        client["headers"] = {"Authorization": f"Basic {pair}"}
    asked = {"headers": {"Accept-Encoding": "identity"}, "max_redirects": 3, "ssl": ssl.create_default_context()}
    return HTTPFileSystem(client_kwargs=client, skip_instance_cache=True, **asked)


def _stamp(info: dict[str, Any]) -> Stamp:
    marks = ("ETag", "LastModified", "Last-Modified", "mtime", "VersionId")
    size = info.get("size")
    return Stamp(None if size is None else int(size), " ".join(str(info[mark]) for mark in marks if info.get(mark)))


@contextmanager
def told(about: str) -> Iterator[None]:
    """Turns what fsspec and the libraries below it raise into ours, without addresses, keys and passwords.

    A FileNotFoundError goes on where the server says that there is no such file.
    """
    try:
        yield
    except (OncoweaveError, ModuleNotFoundError):
        raise
    except Exception as error:
        ours = _ours(error, about)
        if ours is None:
            raise FileNotFoundError from None
        raise ours from None


def _ours(error: BaseException, about: str) -> OncoweaveError | None:
    """Our error; None when the server just has no such file."""
    chain = list(_causes(error))
    kinds = {kind.__name__ for cause in chain for kind in type(cause).__mro__}
    status = next((code for code in (getattr(cause, "status", None) for cause in chain) if isinstance(code, int)), 0)
    if "Elsewhere" in kinds:
        mend = "write the address that it leads to as `delivery.url`, if that is the source's own"
        return EnvironmentFault(f"{about} sends us on to another host, which is not followed", mend=mend)
    if kinds & {"ClientConnectorCertificateError", "SSLCertVerificationError", "CertificateError"}:
        mend = "let SSL_CERT_FILE (for S3: AWS_CA_BUNDLE) name the site's certificates; never go on without"
        return EnvironmentFault(f"{about} has a certificate that cannot be verified", mend=mend)
    if kinds & {"BadHostKeyException"} or any("not found in known_hosts" in str(cause) for cause in chain):
        mend = "put the server's key into known_hosts, after comparing it with what the source says; see docs/how-to.md"
        return EnvironmentFault(f"{about} has a key that is not known", mend=mend)
    if status in (404, 410) or (not status and type(chain[-1]).__name__ in ("FileNotFoundError", "NoSuchKey")):
        return None
    return SourceUnreachable(
        f"{about} {_reason(kinds, status)}", mend="look whether it lets this user in, then try again"
    )


def _reason(kinds: set[str], status: int) -> str:
    if status in (401, 403) or kinds & {
        "AuthenticationException",
        "PermissionError",
        "NoCredentialsError",
        "SSHException",
    }:
        return "does not let us in: user, password or key are not accepted"
    if status:
        return f"answers with an error (HTTP {status})"
    if kinds & {"ClientPayloadError", "IncompleteRead", "EOFError"}:
        return "broke off in the middle of a file"
    if "TimeoutError" in kinds or "timeout" in {kind.lower() for kind in kinds}:
        return "has fallen silent"
    return "cannot be reached, or broke off"


def _causes(error: BaseException) -> Iterator[BaseException]:
    seen: BaseException | None = error
    while seen is not None:
        yield seen
        seen = seen.__cause__ or seen.__context__


def is_inside(name: str) -> bool:
    """Whether a file's name, as a server gives it, stays inside its folder."""
    plain = posixpath.normpath(name) == name and not name.startswith(("/", "../", "~")) and name not in (".", "..")
    return plain and "\\" not in name and name.isprintable()
