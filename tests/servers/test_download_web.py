"""A file of a web server is taken whole and as promised, over a connection that is verified, from the host that was named."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from pathlib import Path

import pytest

from oncoweave.engine.servers import download as downloads
from oncoweave.engine.servers import transports
from oncoweave.engine.servers.connections import PREFIX
from oncoweave.errors import DataError, EnvironmentFault, OncoweaveError, SourceUnreachable, UsageError
from tests.servers.conftest import Registry
from tests.servers.file_servers import Files, Web, drip, self_signed, web_server

PATIENTS = b"id;sex\n" + b"".join(b"P%d;F\n" % n for n in range(2000))
TABLE = "  patients: {{format: csv, delimiter: ';', files: {files}, row: {{fields: [id]}}, fields: {{id: {{type: identifier}}}}}}\n"


def sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


@pytest.fixture
def web() -> Iterator[tuple[str, Files]]:
    sums = f"{sha256(PATIENTS)}  patients.csv\n".encode()
    with web_server({"/may/patients.csv": PATIENTS, "/may/SHA256SUMS": sums}) as server:
        yield server


def declare(registry: Registry, url: str, *more: str, files: str = "patients.csv") -> None:
    keys = ", ".join(["by: download", "date: 2026-05-01", f"url: '{url}/may/'", *more])
    registry.declare(f"{{{keys}}}", TABLE.format(files=files))


def store(registry: Registry) -> dict[str, bytes]:
    folder = registry.project.runs / "deliveries" / "registry"
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_a_file_is_fetched_into_the_private_store(registry: Registry, web: tuple[str, Files]) -> None:
    declare(registry, web[0])
    assert registry.fetched() == {"patients.csv": PATIENTS}
    modes = {path.stat().st_mode & 0o777 for path in registry.left_over() if path.is_file()}
    assert modes == {0o600}
    assert store(registry) == {"files/patients.csv": PATIENTS}


def test_what_a_later_delivery_lacks_does_not_stay(registry: Registry, web: tuple[str, Files]) -> None:
    declare(registry, web[0])
    registry.fetched()
    web[1].content["/may/others.csv"] = PATIENTS
    declare(registry, web[0], files="others.csv")
    assert list(registry.fetched()) == ["others.csv"] == [path.name for path in registry.left_over() if path.is_file()]


def test_a_file_of_a_known_checksum_is_fetched_once(registry: Registry, web: tuple[str, Files]) -> None:
    declare(registry, web[0], "checksums: SHA256SUMS", files="'*.csv'")
    assert registry.fetched() == registry.fetched() == {"patients.csv": PATIENTS}
    assert web[1].asked.count("GET /may/patients.csv") == 1
    web[1].content["/may/patients.csv"] = changed = PATIENTS + b"P;F\n"
    web[1].content["/may/SHA256SUMS"] = f"{sha256(changed)} *patients.csv\r\n".encode()
    assert registry.fetched() == {"patients.csv": changed}


@pytest.mark.parametrize("promise", ["checksums: SHA256SUMS", f"sha256: {{patients.csv: {sha256(b'x')}}}"])
def test_a_file_that_is_not_what_was_promised_is_not_taken(
    registry: Registry, web: tuple[str, Files], promise: str
) -> None:
    web[1].content["/may/patients.csv"] = PATIENTS.replace(b"P7;F", b"P7;M")
    declare(registry, web[0], promise)
    with pytest.raises(EnvironmentFault, match=r"patients\.csv is not what its checksum promises"):
        registry.fetched()
    assert store(registry) == {}


def test_a_refused_delivery_leaves_the_one_before(registry: Registry, web: tuple[str, Files]) -> None:
    declare(registry, web[0], "checksums: SHA256SUMS")
    registry.fetched()
    web[1].content["/may/SHA256SUMS"] = b"0" * 64 + b"  patients.csv\n"
    with pytest.raises(EnvironmentFault):
        registry.fetched()
    assert store(registry) == {"files/patients.csv": PATIENTS}


def test_a_list_of_checksums_without_the_file_or_of_another_form_is_told(
    registry: Registry, web: tuple[str, Files]
) -> None:
    declare(registry, web[0], "checksums: SHA256SUMS")
    for content, said in {
        b"hello\n": "SHA256SUMS, line 1: this is no checksum",
        b"# made by hand\n" + b"0" * 64 + b"  ../../etc/passwd\n": "SHA256SUMS, line 2: this is no checksum",
        (b"0" * 64 + b"  a\n") + (b"1" * 64 + b"  a\n"): "SHA256SUMS, line 2",
    }.items():
        web[1].content["/may/SHA256SUMS"] = content
        with pytest.raises(DataError, match=said):
            registry.fetched()
    del web[1].content["/may/SHA256SUMS"]
    with pytest.raises(SourceUnreachable, match="there is no SHA256SUMS yet"):
        registry.fetched()


def broken_off(web: Web) -> None:
    web.plain(PATIENTS, cut=500)


def too_short(web: Web) -> None:
    web.plain(PATIENTS[:500], length=len(PATIENTS) if web.command == "HEAD" else None)


def too_long(web: Web) -> None:
    web.plain(PATIENTS, length=500 if web.command == "HEAD" else None)


def failing(web: Web) -> None:
    web.send_error(500)


def forbidden(web: Web) -> None:
    web.send_error(403)


def changing(web: Web) -> None:
    web.files.etag += "1"
    web.plain(PATIENTS)


def loops(web: Web) -> None:
    web.send_response(302)
    web.send_header("Location", web.path)
    web.send_header("Content-Length", "0")
    web.end_headers()


@pytest.mark.parametrize(
    ("manner", "said"),
    [
        (broken_off, "broke off"),
        (too_short, "broke off: 500 of"),
        (too_long, "larger than the server said"),
        (failing, "HTTP 500"),
        (forbidden, "does not let us in"),
        (changing, "changed while"),
        (drip, "fallen silent|broke off"),
        (loops, "cannot be reached"),
    ],
)
def test_a_server_with_bad_manners_may_be_retried_and_nothing_is_taken(
    registry: Registry, web: tuple[str, Files], monkeypatch: pytest.MonkeyPatch, manner: object, said: str
) -> None:
    monkeypatch.setattr(transports, "SILENCE", 1)
    web[1].manners["/may/patients.csv"] = manner  # type: ignore[assignment]
    declare(registry, web[0])
    with pytest.raises(SourceUnreachable, match=said):
        registry.fetched()
    assert store(registry) == {}


def test_a_server_that_is_too_slow_is_given_up(
    registry: Registry, web: tuple[str, Files], monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = iter(range(0, 10_000, 1000))
    monkeypatch.setattr(downloads, "monotonic", lambda: next(clock))
    declare(registry, web[0])
    with pytest.raises(SourceUnreachable, match="comes too slowly"):
        registry.fetched()


def test_a_file_without_a_size_needs_a_checksum(registry: Registry, web: tuple[str, Files]) -> None:
    def chunked(web: Web) -> None:
        web.send_response(200)
        web.send_header("Transfer-Encoding", "chunked")
        web.end_headers()
        if web.command == "GET":
            web.wfile.write(b"%x\r\n%b\r\n0\r\n\r\n" % (len(PATIENTS), PATIENTS))

    web[1].manners["/may/patients.csv"] = chunked
    declare(registry, web[0])
    with pytest.raises(DataError, match="does not say how large it is"):
        registry.fetched()
    declare(registry, web[0], "checksums: SHA256SUMS")
    assert registry.fetched() == {"patients.csv": PATIENTS}


def test_a_file_that_is_not_there_is_named(registry: Registry, web: tuple[str, Files]) -> None:
    declare(registry, web[0], files="nothing.csv")
    with pytest.raises(DataError, match=r"table `patients`: no file of the delivery matches `nothing\.csv`"):
        registry.located()


def test_a_redirect_to_another_host_is_not_followed_and_one_within_is(
    registry: Registry, web: tuple[str, Files]
) -> None:
    with web_server({"/may/patients.csv": b"not ours"}) as (other, elsewhere):

        def away(web: Web) -> None:
            web.send_response(302)
            web.send_header("Location", f"{other}/may/patients.csv")
            web.send_header("Content-Length", "0")
            web.end_headers()

        web[1].manners["/may/patients.csv"] = away
        declare(registry, web[0])
        with pytest.raises(EnvironmentFault, match="sends us on to another host"):
            registry.fetched()
        assert not elsewhere.asked

    def within(web: Web) -> None:
        web.send_response(302)
        web.send_header("Location", "/may/moved.csv")
        web.send_header("Content-Length", "0")
        web.end_headers()

    web[1].content["/may/moved.csv"] = PATIENTS
    web[1].manners["/may/patients.csv"] = within
    assert registry.fetched() == {"patients.csv": PATIENTS}


def test_a_certificate_that_nobody_vouches_for_is_refused_until_the_site_names_it(
    registry: Registry, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with web_server({"/may/patients.csv": PATIENTS}, self_signed(tmp_path)) as (url, files):
        declare(registry, url)
        with pytest.raises(EnvironmentFault, match="a certificate that cannot be verified"):
            registry.fetched()
        assert not files.asked and store(registry) == {}
        monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "own.crt"))
        assert registry.fetched() == {"patients.csv": PATIENTS}


def test_a_password_goes_to_its_own_host_only(
    registry: Registry, web: tuple[str, Files], monkeypatch: pytest.MonkeyPatch
) -> None:
    given: list[str | None] = []

    def guarded(web: Web) -> None:
        given.append(web.headers.get("Authorization"))
        web.plain(PATIENTS)

    web[1].manners["/may/patients.csv"] = guarded
    declare(registry, web[0], "connection: files")
    monkeypatch.setenv(f"{PREFIX}FILES", "https://reader:p%40ss@127.0.0.1")
    registry.fetched()
    assert set(given) == {"Basic cmVhZGVyOnBAc3M="}
    monkeypatch.setenv(f"{PREFIX}FILES", "https://reader:p%40ss@elsewhere.example")
    with pytest.raises(UsageError, match="of another host than") as caught:
        registry.fetched()
    assert "p%40ss" not in str(caught.value) and "p@ss" not in str(caught.value)


def test_nothing_listens_there(registry: Registry) -> None:
    declare(registry, "http://127.0.0.1:1")
    with pytest.raises(SourceUnreachable, match=r"http://127\.0\.0\.1 cannot be reached"):
        registry.fetched()


def test_a_delta_of_a_server_is_a_delta(registry: Registry, web: tuple[str, Files]) -> None:
    declare(registry, web[0], "mode: delta")
    web[1].content["/may/gone.csv"] = b"id\nP1\n"
    source = registry.folder / "source.yaml"
    source.write_text(
        source.read_text().replace("files: patients.csv", "files: patients.csv, removed: {files: gone.csv}")
    )
    assert registry.fetched() == {"patients.csv": PATIENTS, "gone.csv": b"id\nP1\n"}


def test_every_fault_is_ours(registry: Registry, web: tuple[str, Files]) -> None:
    def nonsense(web: Web) -> None:
        web.wfile.write(b"\x00\xffHTTP/9 what\r\n\r\n")
        web.close_connection = True

    web[1].manners["/may/patients.csv"] = nonsense
    declare(registry, web[0])
    with pytest.raises(OncoweaveError) as caught:
        registry.fetched()
    assert caught.value.transient
