"""What the pipeline of each source is: its ids, its form, its documentation, and what is wrong where something is."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import pytest

from oncoweave.errors import UsageError
from oncoweave.orchestration.pipeline import Pipeline, name_of, pipelines
from oncoweave.project import Project


def folder_of(project: Project, source: str) -> Path:
    return project.root / "mappings" / "sources" / source


def copy(project: Project, source: str) -> Path:
    """Another source of the project, like `tiny`."""
    shutil.copytree(folder_of(project, "tiny"), folder_of(project, source))
    for name in ("source.yaml", "mapping.yaml"):
        path = folder_of(project, source) / name
        path.write_text(path.read_text("utf-8").replace("source: tiny", f"source: {source}"), "utf-8")
    return folder_of(project, source)


def by_name(project: Project) -> dict[str, Pipeline]:
    return {pipeline.name: pipeline for pipeline in pipelines(project)}


def test_each_source_has_a_pipeline_in_the_order_of_names(tiny_project: Project) -> None:
    copy(tiny_project, "zeta")
    copy(tiny_project, "alpha")
    found = pipelines(tiny_project)
    assert [p.harmonise_id for p in found] == ["harmonise__alpha", "harmonise__tiny", "harmonise__zeta"]
    assert [p.publish_id for p in found] == ["publish__alpha", "publish__tiny", "publish__zeta"]
    assert not any(p.fault for p in found)
    for wanted in ("harmonise__tiny", "publish__tiny"):
        assert [p.name for p in pipelines(tiny_project, wanted)] == ["tiny"]
    assert pipelines(tiny_project, "hub_intake") == []


def test_a_copy_of_the_project_has_the_same_pipelines(tiny_project: Project, tmp_path: Path) -> None:
    shutil.copytree(tiny_project.root, tmp_path / "elsewhere")
    assert pipelines(tiny_project) == pipelines(Project.at(tmp_path / "elsewhere"))


def test_the_documentation_tells_about_the_source(tiny_project: Project) -> None:
    (found,) = pipelines(tiny_project)
    assert found.doc.startswith("# A made\\-up breast cancer registry of six patients\n")
    for part in ("| Held by | Nobody", "when somebody triggers it", "tumours (tumours.csv)", "](/dags/publish__tiny)"):
        assert part in found.doc


def test_text_of_a_specification_is_no_markdown(tiny_project: Project) -> None:
    path = folder_of(tiny_project, "tiny") / "source.yaml"
    hostile = 'title: "[x](javascript:alert(1)) <script>alert(2)</script> # | `y`"'
    path.write_text(re.sub("title: .*", lambda _: hostile, path.read_text("utf-8")), "utf-8")
    (found,) = pipelines(tiny_project)
    assert r"\[x\]\(javascript:alert\(1\)\) \<script\>" in found.doc
    assert "<script" not in found.doc.replace(r"\<script", "")


def test_a_link_is_only_made_of_an_address(tiny_project: Project) -> None:
    path = folder_of(tiny_project, "tiny") / "source.yaml"
    text = path.read_text("utf-8")
    path.write_text(text + "reference: https://example.org/a?b=1\n", "utf-8")
    assert "<https://example.org/a?b=1>" in pipelines(tiny_project)[0].doc
    path.write_text(text + "reference: javascript:alert(1)\n", "utf-8")
    assert "<javascript" not in pipelines(tiny_project)[0].doc


BROKEN = {
    "an unknown key": ("source.yaml", "titel: x\n", ["source.yaml:", "unknown-key", "did you mean"]),
    "no YAML at all": ("source.yaml", "  - [: }\n", ["source.yaml:"]),
    "nonsense of cron": ("source.yaml", 'schedule: {cron: "61 * * * *"}\n', ["source.yaml:", "not a minute", "cron"]),
    "an unknown key of the mapping": ("mapping.yaml", "ruls: []\n", ["mapping.yaml:", "did you mean `rules`?"]),
    "a mapping that is no YAML": ("mapping.yaml", "\t{\n", ["mapping.yaml:"]),
}


@pytest.mark.parametrize("kind", list(BROKEN))
def test_a_broken_specification_breaks_its_own_pipeline_only(tiny_project: Project, kind: str) -> None:
    file, added, told = BROKEN[kind]
    path = copy(tiny_project, "other") / file
    path.write_text(path.read_text("utf-8") + added, "utf-8")
    found = by_name(tiny_project)
    assert not found["tiny"].fault
    assert found["other"].harmonise_id == "harmonise__other"
    place = re.search(rf"mappings/sources/other/{file}:(\d+):\d+", found["other"].fault)
    assert place is not None
    assert int(place[1]) >= len(path.read_text("utf-8").splitlines()) - 1
    for part in told:
        assert part in found["other"].fault
        assert " ".join(part.split()) in " ".join(found["other"].doc.split())
    assert (found["other"].spec is None) == (file == "source.yaml")


def test_a_source_without_a_mapping_says_so(tiny_project: Project) -> None:
    (copy(tiny_project, "other") / "mapping.yaml").unlink()
    found = by_name(tiny_project)["other"]
    assert "mapping.yaml: there is no such file" in found.fault


def test_a_source_that_has_the_name_of_another_says_so(tiny_project: Project) -> None:
    shutil.copytree(folder_of(tiny_project, "tiny"), folder_of(tiny_project, "other"))
    found = by_name(tiny_project)
    assert not found["tiny"].fault
    assert "`source` is `tiny`, but the folder is named `other`" in found["other"].fault


@pytest.mark.parametrize("name", ["My Source", "Größe", "a.b", "x" * 220, "-"])
def test_a_folder_whose_name_is_none_has_a_pipeline_that_says_so(tiny_project: Project, name: str) -> None:
    shutil.copytree(folder_of(tiny_project, "tiny"), folder_of(tiny_project, name))
    found = next(p for p in pipelines(tiny_project) if p.source == name)
    assert re.fullmatch(r"[\w.-]{1,250}", found.harmonise_id, re.ASCII)
    assert found.fault
    assert pipelines(tiny_project, found.harmonise_id) == [found]


def test_names_that_are_made_up_do_not_meet() -> None:
    made = [name_of(folder) for folder in ("a b", "a-b", "a_b", "A_b", "a  b", "ä", "ö")]
    assert len(set(made)) == len(made)
    assert made[2] == "a_b"


def test_a_folder_that_cannot_be_read_has_a_pipeline_that_says_so(tiny_project: Project) -> None:
    folder_of(tiny_project, "other").mkdir()
    (folder_of(tiny_project, "other") / "source.yaml").symlink_to("source.yaml")  # a link to itself
    (folder_of(tiny_project, "third") / "source.yaml").mkdir(parents=True)
    found = by_name(tiny_project)
    assert not found["tiny"].fault
    for name in ("other", "third"):
        assert f"mappings/sources/{name}" in found[name].fault
        assert str(tiny_project.root) not in found[name].doc


def test_what_is_no_source_has_no_pipeline(tiny_project: Project) -> None:
    folder_of(tiny_project, "drafts").mkdir()
    (folder_of(tiny_project, "drafts") / "notes.txt").write_text("later")
    (folder_of(tiny_project, "readme.md")).write_text("text")
    shutil.copytree(folder_of(tiny_project, "tiny"), folder_of(tiny_project, ".hidden"))
    assert list(by_name(tiny_project)) == ["tiny"]


def test_a_project_without_sources_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="cannot be listed") as raised:
        pipelines(Project.at(tmp_path))
    assert "ONCOWEAVE_PROJECT" in raised.value.mend
