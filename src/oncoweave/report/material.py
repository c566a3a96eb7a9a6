"""What the quality report is made of: the records of a run, what its check stage counted, and what came before it."""

from __future__ import annotations

from dataclasses import dataclass, replace

from oncoweave.files import read_record
from oncoweave.project import Project, RunFolder
from oncoweave.quality.evidence import Evidence, read_evidence
from oncoweave.records import CheckRecord, ExtractRecord, MapRecord
from oncoweave.release.signoff import NOT_NEEDED, Standing
from oncoweave.report.banners import Banner, standing_and_banner
from oncoweave.report.earlier import Before, History, history_of, release_before
from oncoweave.run_identity import Identity, read_identity


@dataclass(frozen=True)
class Material:
    """Everything that the report of a run tells; nothing of it is read from data. `release` is empty while there is none."""

    identity: Identity
    extracted: ExtractRecord
    mapped: MapRecord
    checked: CheckRecord
    evidence: Evidence
    signoff: Banner
    standing: Standing = NOT_NEEDED
    title: str = ""
    holder: str = ""
    release: str = ""
    history: History | None = None
    before: Before | None = None

    @property
    def is_accepted(self) -> bool:
        """Whether somebody approved it, or it is published, so that the conventions that fail were accepted."""
        return bool(self.release) or self.standing.state == "approved"


def gather(run: RunFolder, project: Project, release: str) -> Material:
    """The material of a run that has been checked; raises UsageError when it has not."""
    standing, banner = standing_and_banner(run, project)
    alone = material_of(run, read_evidence(run), banner, release)
    return replace(alone, standing=standing, history=history_of(run, project), before=release_before(run, project))


def material_of(run: RunFolder, evidence: Evidence, signoff: Banner, release: str) -> Material:
    """What the run itself says, whatever was before it and wherever it is published."""
    return Material(
        identity=read_identity(run),
        extracted=read_record(run.path / "extract.json", ExtractRecord),
        mapped=read_record(run.path / "map.json", MapRecord),
        checked=read_record(run.path / "check.json", CheckRecord),
        evidence=evidence,
        signoff=signoff,
        title=evidence.source.title,
        holder=evidence.source.holder,
        release=release,
    )
