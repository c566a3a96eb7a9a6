"""A hub in an S3 bucket. A release is there when its manifest is: that is written last, and never over another one."""

from __future__ import annotations

import hashlib
import json
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from oncoweave.engine.servers.transports import BLOCK, bucket_files, told
from oncoweave.errors import EnvironmentFault, SourceUnreachable, UsageError
from oncoweave.files import sha256_of
from oncoweave.hub.place import FolderPlace, Place
from oncoweave.release.verify import MANIFEST


def open_place(where: str, connection: str | None = None) -> Place:
    """The place of a hub: a folder, or `s3://bucket/folder`, with the login of a connection or of the system's settings.

    Raises UsageError for another kind of address, EnvironmentFault where what S3 needs is not installed.
    """
    scheme = urlsplit(where).scheme if "://" in where else ""
    if not scheme:
        return FolderPlace(Path(where))
    if scheme != "s3" or not urlsplit(where).netloc or "@" in where:
        raise UsageError(f"a hub is a folder or an S3 bucket, not {scheme}://…", mend="write s3://bucket/folder")
    return BucketPlace(where, bucket_files(connection))


class BucketPlace:
    """A hub in a bucket, below a folder of it."""

    def __init__(self, url: str, files: Any) -> None:
        parts = urlsplit(url)
        self.root = f"{parts.netloc}/{parts.path.strip('/')}".rstrip("/")
        self.files = files

    @property
    def shown(self) -> str:
        return f"s3://{self.root}"

    def read(self, name: str) -> bytes | None:
        try:
            with told(self.shown):
                content: bytes = self.files.cat_file(f"{self.root}/{name}")
        except FileNotFoundError:
            return None
        return content

    def write(self, name: str, content: bytes) -> None:
        with self._there():
            self.files.pipe_file(f"{self.root}/{name}", content)

    def names(self, folder: str) -> list[str]:
        try:
            with told(self.shown):
                found = self.files.find(f"{self.root}/{folder}")
        except FileNotFoundError:
            return []
        return sorted(str(name).removeprefix(f"{self.root}/") for name in found)

    @contextmanager
    def staging(self) -> Iterator[Path]:
        with tempfile.TemporaryDirectory(prefix="oncoweave-hub-") as name:
            folder = Path(name) / "release"
            folder.mkdir()
            yield folder

    def commit(self, filled: Path, name: str) -> None:
        target = f"{self.root}/{name}"
        files = sorted(path for path in filled.rglob("*") if path.is_file() and path != filled / MANIFEST)
        with self._there():
            for path in files:
                key = f"{target}/{path.relative_to(filled).as_posix()}"
                self.files.put_file(str(path), key)
                if self._sha256(key) != sha256_of(path):
                    raise SourceUnreachable(f"{self.shown}: {path.name} did not arrive as it was sent")
            stray = set(self.names(name)) - {f"{name}/{path.relative_to(filled).as_posix()}" for path in files}
            for extra in sorted(stray):
                if extra == f"{name}/{MANIFEST}":
                    raise EnvironmentFault(f"{self.shown}/{name} is there already")
                self.files.rm_file(f"{self.root}/{extra}")
            self._create(f"{target}/{MANIFEST}", (filled / MANIFEST).read_bytes())

    def point(self, source: str, release_id: str) -> None:
        self.write(f"releases/{source}/current.json", (json.dumps({"release_id": release_id}) + "\n").encode())

    def current(self, source: str) -> str | None:
        content = self.read(f"releases/{source}/current.json")
        try:
            return str(json.loads(content)["release_id"]) if content else None
        except (ValueError, KeyError, TypeError):
            raise EnvironmentFault(
                f"{self.shown}/releases/{source}/current.json is damaged", mend="remove it"
            ) from None

    def _create(self, key: str, content: bytes) -> None:
        """Write a file that is not there yet; of two who do so at once, one is refused."""
        try:
            self.files.pipe_file(key, content, mode="create")
        except FileExistsError:
            raise EnvironmentFault(f"s3://{key} is there already: somebody else took the same release in") from None

    def _sha256(self, key: str) -> str:
        digest = hashlib.sha256()
        with self.files.open(key, "rb", block_size=2 * BLOCK, cache_type="readahead") as file:
            while block := file.read(BLOCK):
                digest.update(block)
        return digest.hexdigest()

    @contextmanager
    def _there(self) -> Iterator[None]:
        """A bucket that is not there is a fault of the settings, not a file that is missing."""
        try:
            with told(self.shown):
                yield
        except FileNotFoundError:
            raise EnvironmentFault(
                f"{self.shown}: there is no such bucket", mend="make it, or correct the name"
            ) from None
