"""S3 and SFTP: what is listed is taken if a table names it and its name stays inside; keys of hosts are verified."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from oncoweave.engine.servers import transports
from oncoweave.engine.servers.connections import PREFIX
from oncoweave.errors import DataError, EnvironmentFault, SourceUnreachable
from tests.s3_server import empty_bucket, s3_server
from tests.servers.conftest import Registry
from tests.servers.file_servers import SFTP_PASSWORD, sftp_server

PATIENTS = b"id;sex\nP1;F\n"
LARGE = b"id;sex\n" + b"P1;F\n" * 5_000_000
TABLE = "  patients: {format: csv, delimiter: ';', files: 'data/*.csv', row: {content: true}}\n"


def declare(registry: Registry, url: str, *more: str) -> None:
    keys = ", ".join(["by: download", "date: 2026-05-01", f"url: '{url}'", *more])
    registry.declare(f"{{{keys}}}", TABLE)


@pytest.fixture(scope="module")
def endpoint() -> Iterator[str]:
    """A local S3 server."""
    with s3_server() as address:
        yield address


@pytest.fixture
def bucket(endpoint: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """An empty bucket, `store`, which the connection `store` leads to."""
    with empty_bucket(endpoint, "store", "s3/secret", monkeypatch) as client:
        yield client


def put(bucket: Any, name: str, content: bytes) -> None:
    bucket.put_object(Bucket="store", Key=name, Body=content)


def test_the_files_that_the_tables_name_are_taken_out_of_a_bucket(registry: Registry, bucket: Any) -> None:
    for name in (
        "may/data/a.csv",
        "may/data/b.csv",
        "may/data/c.txt",
        "may/data/deep/d.csv",
        "mayor/data/e.csv",
        "x.csv",
    ):
        put(bucket, name, PATIENTS + name.encode())
    declare(registry, "s3://store/may/", "connection: store")
    expected = {f"data/{name}.csv": PATIENTS + f"may/data/{name}.csv".encode() for name in "ab"}
    assert registry.fetched() == expected
    assert {path.stat().st_mode & 0o777 for path in registry.left_over() if path.is_file()} == {0o600}


def test_a_large_object_comes_whole_and_is_compared_with_its_checksum(registry: Registry, bucket: Any) -> None:
    put(bucket, "data/a.csv", LARGE)
    put(bucket, "SHA256SUMS", f"{hashlib.sha256(LARGE).hexdigest()}  data/a.csv\n".encode())
    declare(registry, "s3://store", "connection: store", "checksums: SHA256SUMS")
    assert registry.fetched() == {"data/a.csv": LARGE}
    put(bucket, "data/late.csv", PATIENTS)
    with pytest.raises(DataError, match=r"data/late\.csv is there, but has no checksum"):
        registry.fetched()


def test_an_object_that_is_replaced_while_it_is_read_is_not_taken(
    registry: Registry, bucket: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    put(bucket, "data/a.csv", LARGE)
    whole = transports.Remote.blocks

    def replaced(self: transports.Remote, name: str, stamp: transports.Stamp) -> Iterator[bytes]:
        blocks = whole(self, name, stamp)
        yield next(blocks)
        put(bucket, "data/a.csv", LARGE.replace(b"F", b"M"))
        yield from blocks

    monkeypatch.setattr(transports.Remote, "blocks", replaced)
    declare(registry, "s3://store/", "connection: store")
    with pytest.raises(SourceUnreachable):
        registry.fetched()
    assert not [path for path in registry.left_over() if path.is_file()]


def test_a_file_that_comes_while_others_are_read_is_waited_for(
    registry: Registry, bucket: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    put(bucket, "data/a.csv", PATIENTS)
    whole = transports.Remote.blocks

    def joined(self: transports.Remote, name: str, stamp: transports.Stamp) -> Iterator[bytes]:
        put(bucket, "data/b.csv", PATIENTS)
        yield from whole(self, name, stamp)

    monkeypatch.setattr(transports.Remote, "blocks", joined)
    declare(registry, "s3://store/", "connection: store")
    with pytest.raises(SourceUnreachable, match="files came, went or changed"):
        registry.fetched()


@pytest.mark.parametrize("name", ["../x.csv", "data/..\\x.csv"])
def test_a_listing_with_a_name_that_leads_out_is_refused(registry: Registry, bucket: Any, name: str) -> None:
    put(bucket, "may/data/a.csv", PATIENTS)
    put(bucket, f"may/{name}", b"id\n")
    declare(registry, "s3://store/may", "connection: store")
    with pytest.raises(DataError, match="a file whose name leads out of the folder, or cannot be one") as caught:
        registry.fetched()
    assert "x.csv" not in str(caught.value)
    assert not list(registry.project.root.parent.rglob("x.csv"))


def test_a_bucket_that_is_not_there_or_a_key_that_is_refused_may_be_retried_without_showing_the_key(
    registry: Registry, bucket: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(f"{PREFIX}STORE", "s3://KEY:s3%2Fsecret@/?region_name=eu-west-1&endpoint_url=http://127.0.0.1:1")
    declare(registry, "s3://store/", "connection: store")
    with pytest.raises(SourceUnreachable) as caught:
        registry.fetched()
    assert "secret" not in f"{caught.value!r} {caught.value.mend}"


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[Path, str, str]]:
    """An SFTP server of a folder, its address, and its line of known_hosts; the connection `sftp` leads to it."""
    root = tmp_path / "site"
    (root / "may" / "data").mkdir(parents=True)
    with sftp_server(root) as (port, key):
        hosts = tmp_path / "known_hosts"
        line = f"[127.0.0.1]:{port} {key.get_name()} {key.get_base64()}\n"
        hosts.write_text(line)
        url = f"sftp://reader:{SFTP_PASSWORD}@127.0.0.1:{port}/?known_hosts={hosts}"
        monkeypatch.setenv(f"{PREFIX}SFTP", url)
        yield root / "may", f"sftp://127.0.0.1:{port}/may", line


def test_the_files_that_the_tables_name_are_taken_by_sftp(registry: Registry, site: tuple[Path, str, str]) -> None:
    (site[0] / "data" / "a.csv").write_bytes(LARGE)
    (site[0] / "data" / "b.txt").write_bytes(PATIENTS)
    declare(registry, site[1], "connection: sftp")
    assert registry.fetched() == {"data/a.csv": LARGE}


def test_a_link_on_the_server_is_not_followed(registry: Registry, site: tuple[Path, str, str]) -> None:
    (site[0] / "data" / "a.csv").write_bytes(PATIENTS)
    (site[0] / "data" / "link.csv").symlink_to("/etc/passwd")
    declare(registry, site[1], "connection: sftp")
    assert registry.fetched() == {"data/a.csv": PATIENTS}


def test_a_server_that_lists_names_which_lead_out_is_refused(
    registry: Registry, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "site" / "data").mkdir(parents=True)
    (tmp_path / "site" / "data" / "a.csv").write_bytes(PATIENTS)
    with sftp_server(tmp_path / "site", ["../../../evil.csv", "..\\evil.csv"]) as (port, key):
        hosts = tmp_path / "known_hosts"
        hosts.write_text(f"[127.0.0.1]:{port} {key.get_name()} {key.get_base64()}\n")
        monkeypatch.setenv(f"{PREFIX}SFTP", f"sftp://reader:{SFTP_PASSWORD}@127.0.0.1:{port}/?known_hosts={hosts}")
        declare(registry, f"sftp://127.0.0.1:{port}/", "connection: sftp")
        with pytest.raises(DataError, match="a file whose name leads out of the folder"):
            registry.fetched()
    assert not list(tmp_path.rglob("evil.csv"))


def test_a_server_whose_key_is_not_known_or_another_is_refused(
    registry: Registry, site: tuple[Path, str, str], tmp_path: Path
) -> None:
    (site[0] / "data" / "a.csv").write_bytes(PATIENTS)
    declare(registry, site[1], "connection: sftp")
    hosts = tmp_path / "known_hosts"
    hosts.write_text("")
    with pytest.raises(EnvironmentFault, match="has a key that is not known"):
        registry.fetched()
    with sftp_server(tmp_path) as (_, other):
        hosts.write_text(f"{site[2].split(' ', maxsplit=1)[0]} {other.get_name()} {other.get_base64()}\n")
    with pytest.raises(EnvironmentFault, match="has a key that is not known"):
        registry.fetched()


def test_a_wrong_password_may_be_retried_and_is_not_shown(
    registry: Registry, site: tuple[Path, str, str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    port = site[1].split(":")[2].split("/")[0]
    monkeypatch.setenv(f"{PREFIX}SFTP", f"sftp://reader:wr0ng@127.0.0.1:{port}/?known_hosts={tmp_path / 'known_hosts'}")
    declare(registry, site[1], "connection: sftp")
    with pytest.raises(SourceUnreachable, match="does not let us in") as caught:
        registry.fetched()
    assert "wr0ng" not in f"{caught.value!r} {caught.value.mend}"


def test_a_file_that_grows_while_it_is_read_is_not_taken(
    registry: Registry, site: tuple[Path, str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    path = site[0] / "data" / "a.csv"
    path.write_bytes(PATIENTS)
    whole = transports.Remote.blocks

    def growing(self: transports.Remote, name: str, stamp: transports.Stamp) -> Iterator[bytes]:
        yield from whole(self, name, stamp)
        path.write_bytes(PATIENTS + b"P2;F\n")

    monkeypatch.setattr(transports.Remote, "blocks", growing)
    declare(registry, site[1], "connection: sftp")
    with pytest.raises(SourceUnreachable, match=r"data/a\.csv changed while it was read"):
        registry.fetched()
    assert not [found for found in registry.left_over() if found.is_file()]


def test_no_thread_of_a_server_is_left(registry: Registry, site: tuple[Path, str, str]) -> None:
    (site[0] / "data" / "a.csv").write_bytes(PATIENTS)
    declare(registry, site[1], "connection: sftp")
    registry.fetched()
    assert not [
        thread for thread in threading.enumerate() if not thread.daemon and thread is not threading.main_thread()
    ]
