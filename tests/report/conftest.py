"""Records whose every free text is hostile, the pages made of them, and a headless Chromium to look at the pages."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from oncoweave.files import read_record
from oncoweave.project import Project, RunFolder
from oncoweave.records import CheckRecord, ExtractRecord, MapRecord
from oncoweave.release_records import ReleaseManifest
from oncoweave.run import run
from oncoweave.run_identity import Identity

HOSTILE = (
    "<script>document.title='taken'</script>",
    '"><img src="http://127.0.0.1:9/pixel.png" onerror="document.title=1">',
    "' onmouseover='document.title=1",
    "</style><style>*{display:none}</style>",
    "<!-- --><svg onload=alert(1)>",
    "&lt;b&gt; stays as written",
    "{{ 7 * 7 }}{% raw %}",
    "javascript:alert(1)",
    "invoice\u202egnp.exe",
    "\u05e2\u05d1\u05e8\u05d9\u05ea \u0627\u0644\u0639\u0631\u0628\u064a\u0629 (<b>)",
    "bell\x07 null\x00 \u2028line",
    "Ω" * 10_000,
    "  many   blanks  ",
    "\U0001f9ec \u03bf\u03b3\u03ba\u03bf\u03bb\u03bf\u03b3\u03af\u03b1",
)
"""What a source, a specification or somebody's hand could put into a text."""
KEPT = {"fact", "severity", "category", "verdict", "mode", "date", "delivery_date", "run_id", "source", "sha256",
        "release_id", "synthetic_origin", "what", "name", "expectation", "origin", "context"}  # fmt: skip
"""Keys whose values the records or the paths restrict."""


@dataclass
class Seen:
    """What a browser saw of a page."""

    text: str
    title: str
    requests: list[str] = field(default_factory=list)
    console: list[str] = field(default_factory=list)
    dialogs: list[str] = field(default_factory=list)
    elements: dict[str, int] = field(default_factory=dict)
    overflow: int = 0


@pytest.fixture(scope="session")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Project, RunFolder]]:
    """The tiny project, run and published."""
    root = tmp_path_factory.mktemp("site") / "project"
    shutil.copytree(Path(__file__).parents[1] / "projects" / "tiny", root)
    before = os.environ.get("ONCOWEAVE_KEY")
    os.environ["ONCOWEAVE_KEY"] = "00112233445566778899aabbccddeeff" * 2
    project = Project.at(root)
    done = run(project, "tiny")
    yield project, RunFolder(project.runs / "tiny" / done.run_id)
    if before is None:
        del os.environ["ONCOWEAVE_KEY"]


@pytest.fixture
def hostile(site: tuple[Project, RunFolder]) -> tuple[Identity, ExtractRecord, MapRecord, CheckRecord, ReleaseManifest]:
    """The records of the run with every free text replaced by a hostile one, and half of the checks failed."""
    project, folder = site
    release = project.releases / "tiny" / "current" / "manifest.json"
    words = Words()
    identity = words.poison(read_record(folder.path / "identity.json", Identity))
    extracted = words.poison(read_record(folder.path / "extract.json", ExtractRecord))
    mapped = read_record(folder.path / "map.json", MapRecord)
    entry = mapped.ledger[0].model_copy(
        update={"reasons": (("quarantined", "why", 1), ("excluded", "because", 2)), "column": "column"}
    )
    more = {"ledger": (entry, *mapped.ledger), "warnings": ("a",) * len(HOSTILE)}
    checked = read_record(folder.path / "check.json", CheckRecord)
    results = [r.model_copy(update={"success": i % 2 == 0, "owner": "o"}) for i, r in enumerate(checked.results[:60])]
    manifest = words.poison(read_record(release, ReleaseManifest).model_copy(update={"expectations": ()}))
    ledger = tuple(mapped.ledger[0].model_copy(update={"rule": word}) for word in HOSTILE)
    manifest = manifest.model_copy(update={"ledger": ledger})
    return (
        identity,
        extracted,
        words.poison(mapped.model_copy(update=more)),
        words.poison(CheckRecord(verdict="fail", results=tuple(results))),
        manifest,
    )


class Words:
    """Puts hostile texts, one after the other, in the place of every free text of a record."""

    def __init__(self) -> None:
        self.next = 0

    def poison(self, record: Any) -> Any:
        """The same record with hostile texts."""
        tree = self._within(json.loads(record.model_dump_json()), "")
        return type(record).model_validate(tree)

    def _within(self, value: Any, key: str) -> Any:
        if isinstance(value, dict):
            return {name: self._within(part, name) for name, part in value.items()}
        if isinstance(value, list):
            kept = value[:1] if key == "reasons" and value and isinstance(value[0], str) else []
            return [*kept, *(self._within(part, key) for part in value[len(kept) :])]
        if not isinstance(value, str) or key in KEPT:
            return value
        self.next += 1
        return HOSTILE[self.next % len(HOSTILE)]


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    """A headless Chromium of the system; without one the tests that look at pages are skipped, but not in CI."""
    found = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if not found and not os.environ.get("CI"):
        pytest.skip("no chromium on this machine: pages are not looked at")
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=found, args=["--no-sandbox", "--disable-gpu"])
        yield chromium
        chromium.close()


def dismiss(dialog: Any, seen: Seen) -> None:
    """Note a dialog, and close it."""
    seen.dialogs.append(dialog.message)
    dialog.dismiss()


def look(browser: Any, path: Path, width: int = 1280, scheme: str = "light") -> Seen:
    """What Chromium sees of a file at a width: everything opened that can be opened."""
    context = browser.new_context(viewport={"width": width, "height": 900}, color_scheme=scheme)
    page = context.new_page()
    seen = Seen("", "")
    page.on("request", lambda request: seen.requests.append(request.url))
    page.on("console", lambda message: seen.console.append(message.text))
    page.on("pageerror", lambda error: seen.console.append(str(error)))
    page.on("dialog", lambda dialog: dismiss(dialog, seen))
    page.goto(path.as_uri())
    page.evaluate("document.querySelectorAll('details').forEach(one => { one.open = true })")
    seen.text, seen.title = page.inner_text("body"), page.title()
    for name in ("script", "img", "style", "svg", "iframe", "link", "object", "form", "b"):
        seen.elements[name] = len(page.query_selector_all(name))
    seen.overflow = page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
    if shots := os.environ.get("ONCOWEAVE_SCREENSHOTS"):
        page.screenshot(path=f"{shots}/{path.stem}-{scheme}-{width}.png", full_page=True)
    context.close()
    return seen
