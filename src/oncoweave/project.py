"""Where things lie: a project's folders, and the folders of one run. Knows paths, opens nothing."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from pathlib import Path

from oncoweave.errors import UsageError, nearest

SOURCE_NAME = re.compile(r"[a-z][a-z0-9_]{0,199}")
"""What the name of a source that goes anywhere from here (a DAG, a page, a hub) looks like."""
RUN_ID = re.compile(r"[0-9a-f]{20}")
"""What the id of a run looks like."""
SAMPLES = ".samples"
"""The folder among the runs in which samples lie."""
HOW_A_SOURCE = "a source is a folder mappings/sources/<name> with a source.yaml"


@dataclass(frozen=True)
class Project:
    """A site's project: its mappings, and where runs, releases and restricted files go.

    Every folder can be moved by environment: ONCOWEAVE_PROJECT, ONCOWEAVE_RUNS, ONCOWEAVE_RELEASES,
    ONCOWEAVE_RESTRICTED, ONCOWEAVE_VOCABULARIES.
    """

    root: Path
    runs: Path
    releases: Path
    restricted: Path

    @classmethod
    def at(cls, root: Path | None = None) -> Project:
        """The project in `root`, else in ONCOWEAVE_PROJECT, else in the current folder."""
        home = (root or Path(os.environ.get("ONCOWEAVE_PROJECT") or ".")).resolve()

        def place(variable: str, folder: str) -> Path:
            return Path(os.environ.get(variable) or home / folder).resolve()

        return cls(
            root=home,
            runs=place("ONCOWEAVE_RUNS", "runs"),
            releases=place("ONCOWEAVE_RELEASES", "releases"),
            restricted=place("ONCOWEAVE_RESTRICTED", "restricted"),
        )

    @property
    def vocabularies(self) -> Path:
        """The vocabulary releases that were loaded, one folder a release; several projects may share them."""
        return Path(os.environ.get("ONCOWEAVE_VOCABULARIES") or self.root / "vocabularies").resolve()

    def sources(self) -> list[str]:
        """The names of the project's sources: every folder under mappings/sources with a source.yaml."""
        return sorted(p.parent.name for p in (self.root / "mappings" / "sources").glob("*/source.yaml"))

    def source_folder(self, source: str) -> Path:
        """The folder of a source.

        Raises UsageError when there is no such source.
        """
        folder = self.root / "mappings" / "sources" / source
        if "/" in source or source in ("", ".", "..") or not os.path.exists(folder / "source.yaml"):  # noqa: PTH110 - never raises
            raise UsageError(
                f"there is no source `{source}` in {self.root}", mend=nearest(source, self.sources()) or HOW_A_SOURCE
            )
        return folder


@dataclass(frozen=True)
class RunFolder:
    """The folder of one run (0700): runs/<source>/<run_id>/. Stages meet only here.

    Each stage writes into a temporary folder beside its own and renames it in when whole; then it writes
    its record, `<stage>.json`, by which the next stage knows that it is done.
    """

    path: Path

    @property
    def source(self) -> str:
        return self.path.parent.name

    @property
    def run_id(self) -> str:
        return self.path.name

    @property
    def is_sample(self) -> bool:
        """Whether it holds a sample of the persons, for a trial; such a run is never published."""
        return self.path.parent.parent.name == SAMPLES

    @property
    def snapshot(self) -> Path:
        """One Parquet file a source table: every field as text, `_file`, `_line`."""
        return self.path / "snapshot"

    @property
    def events(self) -> Path:
        """One Parquet file a rule, and _concepts.parquet."""
        return self.path / "events"

    @property
    def tables(self) -> Path:
        """One Parquet file a CDM table."""
        return self.path / "tables"

    @property
    def fhir(self) -> Path:
        """FHIR R4 resources, <Type>.<nnn>.ndjson, where the mapping asks for them."""
        return self.path / "fhir"

    @property
    def quarantine(self) -> Path:
        """extract.parquet and map.parquet (0600): file, line, rule, column, reason."""
        return self.path / "quarantine"

    @property
    def results(self) -> Path:
        """Validation results of the check stage."""
        return self.path / "results"
