"""What is different from the release before: rows, checks, coverage, and what the run rests on."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from oncoweave.records import ALL_FACTS, ExpectationResult, LedgerEntry, events_by_fact
from oncoweave.report.check_views import name_of
from oncoweave.report.earlier import Before
from oncoweave.report.language import _
from oncoweave.report.material import Material


@dataclass(frozen=True)
class RowChange:
    """The rows of a table before and now; None where it was not there."""

    table: str
    before: int | None
    now: int

    @property
    def more(self) -> int:
        """How many more there are now."""
        return self.now - (self.before or 0)

    @property
    def share(self) -> float | None:
        """The same as a share of those before; None where there were none."""
        return self.more / self.before if self.before else None


@dataclass(frozen=True)
class Changes:
    """What is different from the release before."""

    release: str
    rows: Sequence[RowChange]
    broken: Sequence[str]
    mended: Sequence[str]
    added: int
    removed: int
    coverage: tuple[float | None, float | None]
    versions: Sequence[tuple[str, str, str]]
    files: Sequence[tuple[str, str]]
    known: bool


def rows_of(of: Material) -> list[RowChange]:
    """The rows of each table, with those of the release before where there is one."""
    before = {file.name.removeprefix("omop/"): file.rows for file in of.before.release.tables} if of.before else {}
    return [
        RowChange(file.name.removesuffix(".parquet"), before.get(file.name), file.rows or 0)
        for file in of.mapped.tables
        if file.rows or before.get(file.name)
    ]


def changes_of(of: Material) -> Changes | None:
    """The changes; None for the first release of a source."""
    if of.before is None:
        return None
    now = _by_name(of.checked.results)
    then = _unlisted(of.before, now) | _by_name(of.before.release.expectations)
    both = then.keys() & now.keys()
    return Changes(
        release=of.before.release.release_id,
        rows=rows_of(of),
        broken=sorted(name for name in both if then[name].success and not now[name].success),
        mended=sorted(name for name in both if not then[name].success and now[name].success),
        added=len(now.keys() - both),
        removed=len(then.keys() - both),
        coverage=(mapped_share(of.before.release.ledger), mapped_share(of.mapped.ledger)),
        versions=[version for version in _versions(of, of.before) if version[1] != version[2]],
        files=list(_files(of, of.before)),
        known=of.before.identity is not None,
    )


def mapped_share(ledger: Iterable[LedgerEntry]) -> float | None:
    """Which share of the events has a standard concept; None where there are none."""
    events, unmapped = events_by_fact(ledger).get(ALL_FACTS, (0, 0))
    return (events - unmapped) / events if events else None


def _by_name(results: Iterable[ExpectationResult]) -> dict[str, ExpectationResult]:
    return {name_of(result): result for result in results}


def _unlisted(before: Before, now: Mapping[str, ExpectationResult]) -> dict[str, ExpectationResult]:
    """The checks of DQD that a manifest does not list, since it lists those alone that failed: they did not."""
    if before.release.dqd is None:
        return {}
    return {name: one.model_copy(update={"success": True}) for name, one in now.items() if one.origin == "dqd"}


def _versions(of: Material, before: Before) -> list[tuple[str, str, str]]:
    then = before.release
    return [
        (_("Vocabulary"), then.vocabulary, of.mapped.vocabulary),
        (_("Software"), then.software, of.identity.software),
        (_("Key id"), then.key_id, of.identity.key_id),
    ]


def _files(of: Material, before: Before) -> Iterable[tuple[str, str]]:
    """The specifications, concept maps, suites and vocabulary files that are not as they were; code is one entry."""
    if before.identity is None:
        return
    then, now = before.identity.files, of.identity.files
    if before.identity.code_sha256 != of.identity.code_sha256:
        yield _("the code of Oncoweave"), _("changed")
    for name in sorted(then.keys() | now.keys()):
        if name.startswith("code/") or then.get(name) == now.get(name):
            continue
        yield name, _("changed") if name in then and name in now else _("new") if name in now else _("removed")
