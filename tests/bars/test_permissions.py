"""Who may read what: runs and restricted files their owner alone, whatever the umask; releases their readers."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest

from oncoweave.project import Project
from tests.bars.conftest import Oncoweave


@pytest.mark.parametrize("umask", [0o000, 0o077], ids=oct)
def test_private_is_private_and_a_release_is_not_whatever_the_umask(
    umask: int, tiny: Project, oncoweave: Oncoweave
) -> None:
    ran = oncoweave("run", "tiny", at=tiny, umask=umask)
    assert ran.code == 0, ran.err
    for place in (tiny.runs, tiny.restricted):
        for path in [place, *place.rglob("*")]:
            assert mode(path) == (0o700 if path.is_dir() else 0o600), path
    (release,) = tiny.releases.glob("tiny/2*")
    for path in [release, *release.rglob("*")]:
        assert mode(path) == (0o750 if path.is_dir() else 0o440), path


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_the_demo_key_is_private(tiny: Project, oncoweave: Oncoweave) -> None:
    from oncoweave.privacy.pseudonym import demo_key

    assert stat.S_IMODE(demo_key(tiny).stat().st_mode) == 0o600
