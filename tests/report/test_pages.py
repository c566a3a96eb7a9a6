"""The pages are one file each, ask for nothing, and show every text as text."""

from __future__ import annotations

import re
import shutil
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from oncoweave.project import Project, RunFolder
from oncoweave.report.banners import Banner, of_the_run
from oncoweave.report.page import LONGEST, TEMPLATES, policy, render, visible
from oncoweave.report.quality_page import quality_page
from oncoweave.report.recap import RunSummary
from oncoweave.report.release_page import release_page
from oncoweave.report.run_page import run_page
from oncoweave.report.write import PAGES, write_pages
from tests.report.conftest import HOSTILE, look
from tests.report.made_up import hostile_material, material

PAGE_NAMES = tuple(PAGES)
LINKS = [{"file": name, "title": title, "here": False} for name, title in PAGES.items()]


def hostile_pages(records: Any) -> dict[str, str]:
    identity, extracted, mapped, checked, manifest = records
    summary = RunSummary(
        source="tiny", run_id=extracted.run_id, delivery_date=extracted.delivery_date, records=9, unreadable=1, read=9,
        mapped=7, quarantined=1, excluded=1, unmapped=2, persons=3, events={**dict.fromkeys(HOSTILE, 0), "<b>": 4},
        verdict="fail", release=Path("/x/<b>"), repeated=False, unconfirmed_concepts=(1,),
        synthetic_origin=(date(1990, 1, 1), HOSTILE[0]), warnings=HOSTILE, reasons={HOSTILE[1]: 1}, imputed={},
    )  # fmt: skip
    of = hostile_material(identity, extracted, mapped, checked, manifest)
    return {
        "run.html": run_page(summary, of, LINKS),
        "report.html": quality_page(of, LINKS),
        "release.html": release_page(manifest, of.signoff, LINKS),
    }


def as_read(text: str) -> str:
    """A text as somebody reads it off a page: blanks run together."""
    return re.sub(r"\s+", " ", visible(text)).strip()


@pytest.mark.parametrize("width", [1280, 390])
@pytest.mark.parametrize("name", PAGE_NAMES)
def test_hostile_text_is_shown_as_text(name: str, width: int, hostile: Any, browser: Any, tmp_path: Path) -> None:
    path = tmp_path / name
    path.write_text(hostile_pages(hostile)[name], encoding="utf-8")
    seen = look(browser, path, width)
    text = re.sub(r"\s+", " ", seen.text)
    assert [word for word in HOSTILE if as_read(word) not in text] == []
    assert (seen.requests, seen.console, seen.dialogs) == ([path.as_uri()], [], [])
    assert "taken" not in seen.title
    strange = ("script", "img", "iframe", "link", "object", "form", "b")
    assert {element: seen.elements[element] for element in strange} == dict.fromkeys(strange, 0)
    assert seen.elements["style"] == 1
    assert seen.overflow <= 0


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [1280, 390])
@pytest.mark.parametrize("name", PAGE_NAMES)
def test_pages_of_a_run_open_from_disk(
    name: str, width: int, scheme: str, site: tuple[Project, RunFolder], browser: Any
) -> None:
    project, run = site
    write_pages(run, project)
    seen = look(browser, run.path / name, width, scheme)
    assert (seen.requests, seen.console, seen.overflow) == ([(run.path / name).as_uri()], [], 0)
    assert "tiny" in seen.title


def test_writing_again_gives_the_same_bytes(site: tuple[Project, RunFolder]) -> None:
    project, run = site
    before = {path.name: (path.read_bytes(), path.stat().st_mtime_ns) for path in write_pages(run, project)}
    assert list(before) == list(PAGES)
    assert {path.name: (path.read_bytes(), path.stat().st_mtime_ns) for path in write_pages(run, project)} == before
    assert {path.stat().st_mode & 0o777 for path in run.path.glob("*.html")} == {0o600}


def test_a_source_that_is_broken_since_is_told_in_place_of_who_signed(
    site: tuple[Project, RunFolder], tmp_path: Path
) -> None:
    root = tmp_path / "project"
    shutil.copytree(site[0].root, root)
    project = Project.at(root)
    run = RunFolder(project.runs / "tiny" / site[1].run_id)
    (root / "mappings" / "sources" / "tiny" / "source.yaml").write_text("version: 1\n", encoding="utf-8")
    told = of_the_run(run, project)
    assert (told.tone, told.title) == ("warn", "It cannot be told who signed")
    assert "source.yaml" in told.meaning


def test_the_page_in_the_release_names_no_place_and_no_neighbour(site: tuple[Project, RunFolder]) -> None:
    project, _ = site
    page = (project.releases / "tiny" / "current" / "release.html").read_text(encoding="utf-8")
    assert str(project.root) not in page and "run.html" not in page and "<nav" not in page
    manifest = (project.releases / "tiny" / "current" / "manifest.json").read_text(encoding="utf-8")
    assert all(
        digest in page for digest in re.findall(r'omop/\w+.parquet",\s+"bytes": \d+,\s+"sha256": "(\w+)"', manifest)
    )


def test_no_template_switches_escaping_off() -> None:
    for template in TEMPLATES.rglob("*.html"):
        text = template.read_text(encoding="utf-8")
        assert not re.search(r"\|\s*safe|autoescape|<script|\son\w+=|\bstyle=|url\(|https?:", text), template.name
    assert "@import" not in (TEMPLATES / "style.css").read_text(encoding="utf-8")
    assert policy().startswith("default-src 'none'; style-src 'sha256-")


def test_long_text_is_cut_and_unseen_signs_are_named() -> None:
    assert visible("x" * 10_000) == "x" * LONGEST + "… (9,600 more characters)"
    assert visible("a\u202eb\x00c\u200f") == "a[U+202E]b[U+0000]c\u200f"
    assert "x" * 2_000 in quality_of_nothing(Banner("good", "Approved", "x" * 2_000))
    page = render("message.html", title="1", text="\u05d0<")
    assert "<bdi>\u05d0&lt;</bdi>" in page


def quality_of_nothing(signoff: Banner) -> str:
    return quality_page(material((), signoff=signoff), [])


def luminance(colour: str) -> float:
    parts = [int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    red, green, blue = (c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(one: str, other: str) -> float:
    light, dark = sorted((luminance(one), luminance(other)), reverse=True)
    return (light + 0.05) / (dark + 0.05)


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_text_stands_out_as_wcag_aa_asks(scheme: str) -> None:
    css = (TEMPLATES / "style.css").read_text(encoding="utf-8")
    part = css.split("prefers-color-scheme: dark")[1 if scheme == "dark" else 0]
    colours = dict(re.findall(r"--([\w-]+): (#[0-9a-f]{6});", part.split("}")[0]))
    pairs = [(text, ground) for text in ("text", "soft", "link") for ground in ("ground", "raised")]
    pairs += [(tone, f"{tone}-ground") for tone in ("good", "bad", "warn", "calm")]
    pairs += [(text, f"{tone}-ground") for text in ("text", "link") for tone in ("good", "bad", "warn", "calm")]
    weak = {pair: contrast(colours[pair[0]], colours[pair[1]]) for pair in pairs}
    assert {pair: round(ratio, 2) for pair, ratio in weak.items() if ratio < 4.5} == {}
