"""How much of the codes is mapped, and which unmapped codes may be named."""

from __future__ import annotations

from pathlib import Path

import pytest

from oncoweave.project import Project
from oncoweave.quality.coverage import UnmappedCode, coverage, withheld
from oncoweave.stages.extract import extract
from oncoweave.stages.map import map as map_stage


def code(text: str, persons: int) -> UnmappedCode:
    return UnmappedCode(rule="r", column=None, concept_map="m", code=text, label="", events=persons, persons=persons)


@pytest.mark.parametrize(
    ("persons", "shown"),
    [
        ([9, 7, 5], [9, 7, 5]),
        ([9, 7, 4], [9]),
        ([9, 4, 1], [9]),
        ([9, 4, 3], [9]),
        ([4], []),
        ([9, 1], []),
        ([50, 40, 2, 2, 2], [50, 40]),
    ],
)
def test_small_cells_are_not_named_nor_told_by_a_sum(persons: list[int], shown: list[int]) -> None:
    named, hidden = withheld([code(f"c{i}", n) for i, n in enumerate(persons)], 5)
    assert [c.persons for c in named] == shown
    assert len(named) + len(hidden) == len(persons)
    assert not hidden or sum(c.persons for c in hidden) >= 5 or not named


def test_codes_and_records_are_counted_by_concept_map(tiny_project: Project, tmp_path: Path) -> None:
    run = extract(tiny_project, "tiny")
    map_stage(run, tiny_project)
    found = coverage(run, tiny_project, tmp_path, smallest=2)
    by_map = {one.concept_map: (one.codes, one.codes_mapped, one.records, one.records_mapped) for one in found.maps}
    assert by_map["menopause"] == (2, 1, 4, 3)  # pre is not approved, unk is ignored
    assert all(one.codes_mapped <= one.codes and one.records_mapped <= one.records for one in found.maps)
    assert all(one.persons >= 2 for one in found.unmapped)
