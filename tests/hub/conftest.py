"""A real release, others made of it, and hubs to take them into: a folder, and a bucket on a local S3 server."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from oncoweave.files import sha256_of
from oncoweave.hub.bucket import open_place
from oncoweave.hub.place import Place
from oncoweave.project import Project
from oncoweave.release.verify import CHECKSUMS, MANIFEST, files_of, release_id
from oncoweave.release_records import ReleaseManifest
from oncoweave.run import run
from tests.conftest import HERE, KEY
from tests.s3_server import empty_bucket, s3_server

Another = Callable[..., Path]
BUCKET = "hub"
KEPT = {"person", "condition_occurrence", "measurement", "cdm_source"}


@pytest.fixture(scope="session")
def published(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The release of the tiny project, published once for all tests; they copy it."""
    root = tmp_path_factory.mktemp("published") / "project"
    shutil.copytree(HERE / "projects" / "tiny", root)
    before = os.environ.get("ONCOWEAVE_KEY")
    os.environ["ONCOWEAVE_KEY"] = KEY
    try:
        release = run(Project.at(root), "tiny").release
    finally:
        os.environ.pop("ONCOWEAVE_KEY") if before is None else os.environ.update(ONCOWEAVE_KEY=before)
    assert release is not None
    return release


@pytest.fixture(scope="session")
def small(published: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same with four tables only, so that each file of it can be tried."""
    folder = Path(shutil.copytree(published, tmp_path_factory.mktemp("small") / published.name))
    manifest = read_manifest(folder)
    kept = tuple(file for file in manifest.tables if Path(file.name).stem in KEPT)
    for file in manifest.tables:
        if file not in kept:
            (folder / file.name).unlink()
    seal(folder, manifest.model_copy(update={"tables": kept}))
    return folder


@pytest.fixture
def release(small: Path, tmp_path: Path) -> Path:
    """A copy of the small release that may be spoilt."""
    return Path(shutil.copytree(small, tmp_path / "releases" / small.name))


@pytest.fixture
def another(small: Path, tmp_path: Path) -> Another:
    """Makes a whole release of another source, run or day out of the small one."""

    def make(source: str = "tiny", run_id: str = "", day: str = "", **changes: object) -> Path:
        manifest = read_manifest(small)
        update = {"source": source, "run_id": run_id or manifest.run_id, **changes}
        made = manifest.model_copy(update=update)
        made = ReleaseManifest.model_validate({**made.model_dump(), "delivery_date": day or made.delivery_date})
        made = made.model_copy(update={"release_id": release_id(made.delivery_date.isoformat(), made.run_id)})
        folder = tmp_path / "others" / source / made.release_id
        shutil.copytree(small, folder)
        seal(folder, made)
        return folder

    return make


def read_manifest(folder: Path) -> ReleaseManifest:
    """The manifest of a release."""
    return ReleaseManifest.model_validate_json((folder / MANIFEST).read_text(encoding="utf-8"))


def seal(folder: Path, manifest: ReleaseManifest) -> None:
    """Writes manifest and checksums of a release anew, so that it is whole."""
    for name in (MANIFEST, CHECKSUMS):
        (folder / name).chmod(0o600)
    (folder / MANIFEST).write_text(manifest.model_dump_json(indent=2) + "\n", encoding="utf-8")
    sums = [f"{file.sha256}  {file.name}\n" for file in files_of(manifest)]
    (folder / CHECKSUMS).write_text("".join([*sums, f"{sha256_of(folder / MANIFEST)}  {MANIFEST}\n"]), encoding="utf-8")


@pytest.fixture(scope="session")
def endpoint() -> Iterator[str]:
    """A local S3 server."""
    with s3_server() as address:
        yield address


@pytest.fixture(params=["folder", "bucket"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Place:
    """An empty hub: a folder, and a bucket."""
    if request.param == "folder":
        return open_place(str(tmp_path / "hub"))
    bucket: Place = request.getfixturevalue("bucket")
    return bucket


@pytest.fixture
def bucket(endpoint: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[Place]:
    """An empty hub in a bucket."""
    with empty_bucket(endpoint, BUCKET, "secret", monkeypatch):
        yield open_place(f"s3://{BUCKET}/cancer", "hub")
