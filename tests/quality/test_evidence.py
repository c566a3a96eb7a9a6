"""What the check stage writes down for the report: by the keys of source.yaml, and without the small counts."""

from __future__ import annotations

import pytest

from oncoweave.errors import SpecError
from oncoweave.project import Project
from oncoweave.quality.evidence import read_evidence, write_evidence
from oncoweave.spec.load import load_source
from oncoweave.stages.extract import extract
from oncoweave.stages.map import map as map_stage


def with_keys(project: Project, lines: str) -> None:
    path = project.root / "mappings" / "sources" / "tiny" / "source.yaml"
    path.write_text(
        path.read_text(encoding="utf-8").replace("kind: registry\n", f"kind: registry\n{lines}\n"), encoding="utf-8"
    )


@pytest.mark.parametrize(("keys", "smallest"), [("", 5), ("small_cells: 2\nlanguage: de", 2)])
def test_the_keys_of_source_yaml_hold(tiny_project: Project, keys: str, smallest: int) -> None:
    with_keys(tiny_project, keys)
    run = extract(tiny_project, "tiny")
    map_stage(run, tiny_project)
    run.results.mkdir()
    write_evidence(run.results, run, tiny_project, (), ())
    found = read_evidence(run)
    assert found.coverage and found.distributions
    assert (found.coverage.smallest, found.distributions.smallest, found.source.small_cells) == (smallest,) * 3
    assert found.source.language == ("de" if keys else "en")
    sexes = next(d for d in found.distributions.persons_by if d.by == "sex")
    counts = {group.name: group.persons for group in sexes.groups}
    assert all(count is None or count == 0 or count >= smallest for count in counts.values())
    assert counts["male"] is None and counts["female"] is None  # one man, who would follow from the women


def test_a_run_without_evidence_has_none(tiny_project: Project) -> None:
    run = extract(tiny_project, "tiny")
    found = read_evidence(run)
    assert (found.coverage, found.distributions, found.queries, found.source.title) == (None, None, {}, "")


@pytest.mark.parametrize(
    ("lines", "told"), [("small_cells: 1", "2"), ("small_cells: few", "few"), ("language: xx", "en")]
)
def test_what_the_keys_do_not_take_is_told_with_its_line(tiny_project: Project, lines: str, told: str) -> None:
    with_keys(tiny_project, lines)
    with pytest.raises(SpecError) as caught:
        load_source(tiny_project, "tiny")
    (problem,) = caught.value.problems
    assert problem.line == 7
    assert told in f"{problem.message} {problem.help}"
