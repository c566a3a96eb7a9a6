"""Taking releases into a hub, a folder or a bucket: whole and verified, or refused with the reason written down."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from oncoweave.errors import DataError, EnvironmentFault, SourceUnreachable, UsageError
from oncoweave.hub import intake as taking
from oncoweave.hub.bucket import BucketPlace, open_place
from oncoweave.hub.intake import Policy, refusals, take
from oncoweave.hub.place import FolderPlace, Place, taken
from oncoweave.hub.refresh import FILES, listed, refresh
from oncoweave.release.verify import MANIFEST, verify
from tests.hub.conftest import Another, read_manifest, seal

SECOND = "f" * 20


def contents(place: Place, folder: str = "") -> dict[str, bytes | None]:
    return {name: place.read(name) for name in place.names(folder) if not name.startswith(".locks")}


def as_published(release: Path) -> dict[str, bytes | None]:
    return {
        f"releases/tiny/{release.name}/{path.relative_to(release).as_posix()}": path.read_bytes()
        for path in release.rglob("*")
        if path.is_file()
    }


def of_releases(place: Place) -> dict[str, bytes | None]:
    found = contents(place, "releases")
    return {name: content for name, content in found.items() if not name.endswith("current.json")}


def test_a_release_is_there_as_it_was_published(place: Place, release: Path) -> None:
    done = take(release, place)
    assert (done.source, done.release_id, done.outcome, done.persons) == ("tiny", release.name, "taken", 6)
    assert of_releases(place) == as_published(release)
    assert taken(place) == [("tiny", release.name)]
    assert place.current("tiny") == release.name


def test_a_release_in_a_folder_can_be_verified_and_is_read_only(release: Path, tmp_path: Path) -> None:
    take(release, open_place(str(tmp_path / "hub")))
    there = tmp_path / "hub" / "releases" / "tiny" / "current"
    assert verify(there) == []
    assert {path.stat().st_mode & 0o777 for path in there.rglob("*") if path.is_file()} == {0o440}
    assert not list((tmp_path / "hub").glob(".tmp-*"))


def test_taking_it_again_changes_nothing(place: Place, release: Path) -> None:
    first = take(release, place)
    refresh(place)
    before = contents(place)
    again = take(release, place)
    refresh(place)
    assert (again.outcome, again.sha256, again.is_current) == ("there", first.sha256, True)
    assert contents(place) == before


def test_another_release_of_that_name_is_refused(place: Place, release: Path, another: Another) -> None:
    take(release, place)
    before = of_releases(place)
    with pytest.raises(DataError, match="a release of this name is there already, with other content"):
        take(another(software="another oncoweave"), place)
    assert of_releases(place) == before
    assert [r.findings for r in refusals(place)] == [("a release of this name is there already, with other content",)]


def spoil(release: Path, name: str, how: str) -> None:
    path = release / name
    path.chmod(0o600)
    content = path.read_bytes()
    if how == "removed":
        path.unlink()
    elif how == "cut":
        path.write_bytes(content[: len(content) // 2])
    else:
        middle = len(content) // 2
        path.write_bytes(content[:middle] + bytes([content[middle] ^ 1]) + content[middle + 1 :])


def test_each_file_that_was_tampered_with_is_found(release: Path, tmp_path: Path) -> None:
    place = open_place(str(tmp_path / "hub"))
    names = [path.relative_to(release).as_posix() for path in release.rglob("*") if path.is_file()]
    assert {"manifest.json", "SHA256SUMS", "omop/person.parquet"} < set(names)
    for name in names:
        for how in ("flipped", "cut", "removed"):
            spoilt = tmp_path / "spoilt"
            shutil.copytree(release, spoilt)
            spoil(spoilt, name, how)
            with pytest.raises(DataError) as refused:
                take(spoilt, place)
            assert name in refused.value.message, (name, how)
            shutil.rmtree(spoilt)
    assert taken(place) == []
    assert of_releases(place) == {}
    assert any("omop/person.parquet: changed" in finding for r in refusals(place) for finding in r.findings)


@pytest.mark.parametrize("name", ["omop/extra.parquet", "notes.txt", "omop/sub/x.parquet"])
def test_a_file_too_many_is_refused(release: Path, tmp_path: Path, name: str) -> None:
    (release / name).parent.mkdir(exist_ok=True)
    (release / name).write_text("x")
    with pytest.raises(DataError, match=f"{name}: added"):
        take(release, open_place(str(tmp_path / "hub")))


def test_a_link_is_refused(release: Path, tmp_path: Path) -> None:
    person = release / "omop" / "person.parquet"
    shutil.copy(person, tmp_path / "person.parquet")
    person.unlink()
    person.symlink_to(tmp_path / "person.parquet")
    with pytest.raises(DataError, match="is a link"):
        take(release, open_place(str(tmp_path / "hub")))


def test_a_release_under_the_name_of_another_is_refused(release: Path, tmp_path: Path) -> None:
    place = open_place(str(tmp_path / "hub"))
    with pytest.raises(DataError, match="it lies under the name of another release"):
        take(release, place, expected="tiny/2024-03-02-ffffffffffff")
    assert [(r.source, r.release_id) for r in refusals(place)] == [("tiny", "2024-03-02-ffffffffffff")]
    (release / MANIFEST).unlink()
    with pytest.raises(DataError, match=r"manifest\.json: missing"):
        take(release, place, expected="tiny/2024-03-03-ffffffffffff")
    assert ("tiny", "2024-03-03-ffffffffffff") in [(r.source, r.release_id) for r in refusals(place)]


@pytest.mark.parametrize("source", ["..", "../../etc", "a/b", "", "A", "x" * 300])
def test_a_name_that_leads_elsewhere_is_refused(another: Another, tmp_path: Path, source: str) -> None:
    release = another("fine")
    seal(release, read_manifest(release).model_copy(update={"source": source}))
    hub = tmp_path / "hub"
    with pytest.raises(DataError, match="names no source or no release"):
        take(release, open_place(str(hub)))
    assert sorted(path.name for path in hub.iterdir()) == ["refused"]


def test_what_changes_between_the_two_looks_is_refused(
    release: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    copy = taking._copy

    def meanwhile(source: Path, target: Path) -> None:
        spoil(source, "omop/person.parquet", "flipped")
        copy(source, target)

    monkeypatch.setattr(taking, "_copy", meanwhile)
    place = open_place(str(tmp_path / "hub"))
    with pytest.raises(DataError, match=r"omop/person\.parquet: changed"):
        take(release, place)
    assert taken(place) == []


def test_another_version_of_the_model_is_refused(another: Another, tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"it is of OMOP CDM 6\.0, this hub takes 5\.4"):
        take(another(cdm_version="6.0"), open_place(str(tmp_path / "hub")))


def test_a_hub_may_ask_for_a_sign_off(release: Path, tmp_path: Path) -> None:
    with pytest.raises(DataError, match="nobody has signed it off"):
        take(release, open_place(str(tmp_path / "hub")), Policy(signed=True))


def test_current_never_goes_back(place: Place, release: Path, another: Another) -> None:
    newer, older = another(day="2024-03-01"), another(day="2023-12-31")
    assert take(newer, place).is_current
    assert not take(older, place).is_current
    assert not take(release, place).is_current
    assert place.current("tiny") == newer.name
    assert len(taken(place)) == 3


def test_of_one_day_the_last_one_taken_in_is_current_and_stays_so(
    place: Place, release: Path, another: Another
) -> None:
    corrected = another(run_id=SECOND)
    take(release, place)
    assert take(corrected, place).is_current
    assert not take(release, place).is_current
    assert place.current("tiny") == corrected.name


class _Killed(BaseException):
    """The process ends here."""


def _kill_at(place: Place, step: int, monkeypatch: pytest.MonkeyPatch) -> Callable[[], bool]:
    """Ends the intake before its n-th write; whether it came so far."""
    names = ("commit", "point", "write") if isinstance(place, FolderPlace) else ()
    target: Any = place if names else place.files  # type: ignore[attr-defined]
    count = [0]

    def wrap(name: str) -> None:
        inner = getattr(target, name)

        def outer(*given: Any, **named: Any) -> Any:
            count[0] += 1
            if count[0] == step:
                raise _Killed
            return inner(*given, **named)

        monkeypatch.setattr(target, name, outer)

    for name in names or ("put_file", "pipe_file"):
        wrap(name)
    return lambda: count[0] >= step


def test_an_intake_that_was_killed_leaves_nothing_half_and_is_made_good_by_the_next(
    place: Place, release: Path
) -> None:
    step, reached = 1, True
    while reached:
        with pytest.MonkeyPatch.context() as patch:
            came = _kill_at(place, step, patch)
            with suppress(_Killed):
                take(release, place)
            reached = came()
        assert taken(place) in ([], [("tiny", release.name)])
        if taken(place):
            assert of_releases(place) == as_published(release)
        refresh(place)
        done = take(release, place)
        refresh(place)
        assert done.is_current
        assert of_releases(place) == as_published(release)
        assert [one.is_current for one in listed(place)] == [True]
        for name in place.names("releases") + place.names("facts"):
            _forget(place, name)
        step += 1
    assert step > 3


def _forget(place: Place, name: str) -> None:
    if isinstance(place, BucketPlace):
        place.files.rm_file(f"{place.root}/{name}")
    elif isinstance(place, FolderPlace):
        shutil.rmtree(place.root / "releases", ignore_errors=True)
        shutil.rmtree(place.root / "facts", ignore_errors=True)


def test_a_process_killed_in_the_middle_leaves_a_hub_that_takes_it(release: Path, tmp_path: Path) -> None:
    hub = tmp_path / "hub"
    pid = os.fork()
    if not pid:
        setattr(taking, "facts_of", lambda *given: os.kill(os.getpid(), 9))  # noqa: B010
        take(release, open_place(str(hub)))
        os._exit(1)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == -9
    assert list(hub.glob(".tmp-*/release/omop/person.parquet"))
    assert taken(open_place(str(hub))) == []
    take(release, open_place(str(hub)))
    assert not list(hub.glob(".tmp-*"))
    assert verify(hub / "releases" / "tiny" / "current") == []


def test_without_its_manifest_a_release_in_a_bucket_is_not_there(bucket: Place, release: Path) -> None:
    take(release, bucket)
    assert isinstance(bucket, BucketPlace)
    bucket.files.rm_file(f"{bucket.root}/releases/tiny/{release.name}/{MANIFEST}")
    bucket.files.pipe_file(f"{bucket.root}/releases/tiny/{release.name}/omop/stray.parquet", b"stray")
    assert taken(bucket) == []
    assert take(release, bucket).outcome == "taken"
    assert of_releases(bucket) == as_published(release)


def test_what_is_damaged_in_the_hub_is_told(release: Path, tmp_path: Path) -> None:
    place = open_place(str(tmp_path / "hub"))
    take(release, place)
    (tmp_path / "hub" / "releases" / "tiny" / release.name / "omop" / "person.parquet").unlink()
    with pytest.raises(EnvironmentFault, match=r"lacks omop/person\.parquet"):
        take(release, place)


@pytest.mark.parametrize(
    ("where", "told"), [("ftp://hub/x", "not ftp://"), ("s3://key:secret@bucket/x", "not s3"), ("s3:///x", "not s3")]
)
def test_another_kind_of_address_is_refused_without_repeating_it(where: str, told: str) -> None:
    with pytest.raises(UsageError, match=told) as refused:
        open_place(where)
    assert "secret" not in refused.value.message


def test_a_bucket_that_is_not_there_is_told(bucket: Place, release: Path) -> None:
    with pytest.raises(SourceUnreachable, match="s3://nowhere/x cannot be reached"):
        take(release, open_place("s3://nowhere/x", "hub"))


def test_the_same_releases_give_the_same_catalogue_and_comparison(
    place: Place, release: Path, another: Another, tmp_path: Path
) -> None:
    other = another("other")
    for each in (release, other):
        take(each, place)
    refresh(place)
    second = open_place(str(tmp_path / "second"))
    for each in (other, release):
        take(each, second)
    refresh(second)
    assert [place.read(name) for name in FILES] == [second.read(name) for name in FILES]
    assert all(place.read(name) for name in FILES)
