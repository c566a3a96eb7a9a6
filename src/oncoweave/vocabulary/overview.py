"""What the command line shows of releases and concepts: which there are, and all about a code or an id."""

from __future__ import annotations

import csv
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from oncoweave import content
from oncoweave.errors import OncoweaveError, UsageError, nearest
from oncoweave.project import Project
from oncoweave.spec.load import load_mapping
from oncoweave.vocabulary.bundle import Bundle, ConceptRow, open_listed, open_release
from oncoweave.vocabulary.shelf import STARTER, record_of


@dataclass(frozen=True)
class Release:
    """A release that mappings can name: its own version, rows of CONCEPT and size where it was loaded, who names it."""

    release: str
    version: str
    concepts: int | None
    bytes: int | None
    sources: tuple[str, ...]


@dataclass(frozen=True)
class ConceptView:
    """A concept with the standard concepts it maps to, their values, and the codes that map to it (the first few)."""

    concept: ConceptRow
    valid_start_date: str
    valid_end_date: str
    maps_to: tuple[ConceptRow, ...]
    values: tuple[ConceptRow, ...]
    mapped_from: tuple[ConceptRow, ...]


MOST = 20
"""How many of the codes that map to a concept are shown."""


def pinned(project: Project) -> dict[str, str]:
    """The release that each source's mapping names; a source whose mapping cannot be read is left out."""
    found: dict[str, str] = {}
    for source in project.sources():
        try:
            found[source] = load_mapping(project, source)[0].vocabulary
        except OncoweaveError:
            continue
    return found


def releases(project: Project) -> list[Release]:
    """Every release that a mapping of the project can name, by name."""
    named = pinned(project)
    found = []
    for name, folder in sorted(content.vocabulary_folders(project).items()):
        record = record_of(folder)
        users = tuple(source for source, release in named.items() if release == name or _is_starter(name, release))
        size = sum(file.bytes for file in record.files) if record else None
        version = record.version if record else _written_version(folder)
        found.append(Release(name, version, record.rows("CONCEPT") if record else None, size, users))
    return found


def chosen(project: Project, release: str = "") -> Bundle:
    """The release of that name; without a name the one that most mappings use, else the only one.

    Raises UsageError when there is none to choose, or several.
    """
    if release:
        return open_listed(project, release)
    used = Counter(pinned(project).values())
    known = [name for name in content.vocabulary_folders(project) if name != STARTER]
    if not used and len(known) != 1:
        mend = nearest("", known) or "load one with `oncoweave vocab load`"
        raise UsageError("say which release with --release", mend=mend)
    return open_release(project, used.most_common(1)[0][0] if used else known[0])


def view(bundle: Bundle, asked: str) -> list[ConceptView]:
    """All about the concepts with this id or code, by id; the code in any of the spellings of its vocabulary.

    Raises UsageError when there is none.
    """
    concepts = bundle.find(asked)
    if not concepts:
        mend = "give a concept_id, or a code as its vocabulary or your source spells it"
        raise UsageError(f"the release {bundle.release} has no concept `{asked}`", mend=mend)
    ids = [concept.concept_id for concept in concepts]
    targets, values = bundle.targets(ids), bundle.targets(ids, "Maps to value")
    origins, days = bundle.origins(ids, MOST + 1), bundle.validity(ids)
    return [
        ConceptView(
            concept, *days[concept.concept_id], tuple(targets.get(concept.concept_id, ())),
            tuple(values.get(concept.concept_id, ())), _others(concept, origins.get(concept.concept_id, ())),
        )
        for concept in concepts
    ]  # fmt: skip


def _others(concept: ConceptRow, origins: Sequence[ConceptRow]) -> tuple[ConceptRow, ...]:
    return tuple(origin for origin in origins if origin.concept_id != concept.concept_id)[:MOST]


def _written_version(folder: Path) -> str:
    """What a release that people wrote as CSV calls itself; empty for one of Parquet."""
    path = folder / "VOCABULARY.csv"
    if not path.is_file():
        return ""
    rows = csv.DictReader(path.read_text(encoding="utf-8").splitlines())
    return next((row["vocabulary_version"] for row in rows if row.get("vocabulary_id") == "None"), "")


def _is_starter(name: str, release: str) -> bool:
    return name == STARTER and release.startswith(f"{STARTER}-")
