"""What the folder where deliveries arrive is seen to hold: real files, links, rights, names."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import date
from pathlib import Path

import pytest

from oncoweave.engine.arrived import Lying, look, lying_in
from oncoweave.errors import SourceUnreachable
from oncoweave.spec.arrival import Arrival


@pytest.fixture
def open_to_all() -> Iterator[Path]:
    """A folder that every user may enter; pytest's own are closed."""
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as name:
        Path(name).chmod(0o755)
        yield Path(name)


@contextmanager
def as_nobody() -> Iterator[None]:
    """Without the rights of root, to whom nothing is closed."""
    if os.geteuid() != 0:
        yield
        return
    os.seteuid(65534)
    try:
        yield
    finally:
        os.seteuid(0)


FOLDERS = Arrival(folder="in/%Y-%m-%d", marker="_READY")


def put(path: Path, text: str = "x") -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    return path


def found(root: Path, arrival: Arrival = FOLDERS) -> dict[str, Lying]:
    return {lying.name: lying for lying in look(arrival, root)}


def test_dated_folders_come_in_the_order_of_their_days(tmp_path: Path) -> None:
    for day in ("2024-03-01", "2023-12-31", "2024-01-31"):
        put(tmp_path / "in" / day / "sub" / "a.csv")
    assert [lying.day for lying in look(FOLDERS, tmp_path)] == [
        date(2023, 12, 31),
        date(2024, 1, 31),
        date(2024, 3, 1),
    ]
    assert [e.name for e in found(tmp_path)["2024-03-01"].files(FOLDERS)] == ["sub/a.csv"]


def test_days_may_be_folders_within_folders_and_have_text_around(tmp_path: Path) -> None:
    nested = Arrival(folder=f"{tmp_path}/in/%Y/reg_%m%d*", marker="_READY")
    put(tmp_path / "in" / "2024" / "reg_0229_second" / "a.csv")
    put(tmp_path / "in" / "2024" / "reg_0230" / "a.csv")
    put(tmp_path / "in" / "old" / "a.csv")
    seen = found(Path("/elsewhere"), nested)
    assert seen["2024/reg_0229_second"].day == date(2024, 2, 29)
    assert seen["2024/reg_0230"].fault == seen["old"].fault == "its name is no day as %Y/reg_%m%d*"


def test_what_is_no_delivery_says_why(tmp_path: Path) -> None:
    put(tmp_path / "in" / "2024-02-30" / "a.csv")
    put(tmp_path / "in" / "2024-01-01")
    put(tmp_path / "outside.csv")
    (tmp_path / "in" / "2024-01-02").symlink_to(tmp_path)
    for day, target in (("2024-01-03", "../../outside.csv"), ("2024-01-04", "nothing"), ("2024-01-05", "..")):
        (tmp_path / "in" / day).mkdir()
        (tmp_path / "in" / day / "b.csv").symlink_to(target)
    (tmp_path / "in" / "2024-01-06").mkdir()
    os.mkfifo(tmp_path / "in" / "2024-01-06" / "pipe")
    assert {name: lying.fault for name, lying in found(tmp_path).items()} == {
        "2024-02-30": "its name is no day as %Y-%m-%d",
        "2024-01-01": "it is a file, not a folder",
        "2024-01-02": "it is a link; a delivery is a folder of its own",
        "2024-01-03": "b.csv is a link that leads out of it",
        "2024-01-04": "b.csv is a link to nothing",
        "2024-01-05": "b.csv is a link that leads out of it",
        "2024-01-06": "pipe is neither a file nor a folder",
    }


def test_hidden_files_do_not_count_but_are_seen_to_change(tmp_path: Path) -> None:
    put(tmp_path / "in" / "2024-01-01" / "a.csv")
    before = found(tmp_path)["2024-01-01"]
    put(tmp_path / "in" / "2024-01-01" / ".a.csv.Xy12")
    after = found(tmp_path)["2024-01-01"]
    assert before.signature(FOLDERS) == after.signature(FOLDERS)
    assert before.pulse != after.pulse


def test_a_folder_that_is_not_there_is_not_reachable(tmp_path: Path) -> None:
    with pytest.raises(SourceUnreachable, match="where deliveries arrive, cannot be read: no such file or directory"):
        look(FOLDERS, tmp_path)


def test_unreadable_folders_and_files_are_refused_each_by_itself(open_to_all: Path) -> None:
    put(open_to_all / "in" / "2024-01-01" / "a.csv").chmod(0)
    put(open_to_all / "in" / "2024-01-02" / "a.csv").parent.chmod(0)
    put(open_to_all / "in" / "2024-01-03" / "a.csv")
    with as_nobody():
        faults = {name: lying.fault for name, lying in found(open_to_all).items()}
    assert faults == {
        "2024-01-01": "a.csv may not be read",
        "2024-01-02": "it may not be read",
        "2024-01-03": "",
    }
    (open_to_all / "in").chmod(0)
    with as_nobody(), pytest.raises(SourceUnreachable, match="permission denied"):
        found(open_to_all)


def test_files_of_one_day_are_one_delivery(tmp_path: Path) -> None:
    dated = Arrival(files="in/reg_%Y%m%d_*.csv")
    for name in ("reg_20240131_a.csv", "reg_20240131_b.csv", "reg_20240229_a.csv", "notes.txt"):
        put(tmp_path / "in" / name)
    seen = found(tmp_path, dated)
    assert {name: [e.name for e in lying.files(dated)] for name, lying in seen.items()} == {
        "2024-01-31": ["reg_20240131_a.csv", "reg_20240131_b.csv"],
        "2024-02-29": ["reg_20240229_a.csv"],
    }


def test_files_without_a_day_are_one_delivery_dated_by_the_newest(tmp_path: Path) -> None:
    undated = Arrival(files="in/*.csv", marker="done")
    for name, day in (("a.csv", 1706659200), ("b.csv", 1709251199), ("done", 1709300000)):
        os.utime(put(tmp_path / "in" / name), (day, day))
    (lying,) = look(undated, tmp_path)
    assert (lying.name, lying.day, [e.name for e in lying.files(undated)]) == (
        "*.csv",
        date(2024, 2, 29),
        ["a.csv", "b.csv"],
    )


def test_a_link_among_files_is_told(tmp_path: Path) -> None:
    put(tmp_path / "secret.csv")
    put(tmp_path / "in" / "a.csv")
    (tmp_path / "in" / "b.csv").symlink_to(tmp_path / "secret.csv")
    assert found(tmp_path, Arrival(files="in/*.csv"))["*.csv"].fault == "b.csv is a link that leads out of it"


def test_a_folder_given_by_hand_is_known_where_it_is_one_that_arrived(tmp_path: Path) -> None:
    put(tmp_path / "in" / "2024-01-01" / "a.csv")
    put(tmp_path / "elsewhere" / "2024-01-01" / "a.csv")
    known = lying_in(FOLDERS, tmp_path, tmp_path / "in" / "2024-01-01")
    assert known == found(tmp_path)["2024-01-01"]
    assert lying_in(FOLDERS, tmp_path, tmp_path / "elsewhere" / "2024-01-01") is None
