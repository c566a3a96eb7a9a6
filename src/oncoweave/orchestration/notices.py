"""What a notice says: what happened to a source, counts and links. Never a value, nor the text of an error that could hold one.

Of an error a notice gives the kind, the file and line of each fault in a specification, and where to read the rest.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from oncoweave.errors import (
    DataError,
    EnvironmentFault,
    OncoweaveError,
    Problem,
    SourceUnreachable,
    SpecError,
    UsageError,
)
from oncoweave.files import read_record
from oncoweave.project import Project, RunFolder
from oncoweave.quality.failures_since import new_failures
from oncoweave.records import SEVERITIES, CheckRecord, ExtractRecord, MapRecord
from oncoweave.report.banners import failed
from oncoweave.spec.notify import Occasion

PLACES = 20
"""How many faults of a specification a notice lists."""

NAMED = 5
"""How many newly failing checks a notice names."""

_KINDS: tuple[tuple[type[BaseException], str], ...] = (
    (SpecError, "a specification is wrong"),
    (UsageError, "it was asked for something that cannot be done"),
    (DataError, "the data did not pass"),
    (SourceUnreachable, "the source could not be reached"),
    (EnvironmentFault, "disk, permission, a lock, or a file that is not what was written"),
)
_TITLES: Mapping[Occasion, str] = {
    "failure": "{source}: {task} failed",
    "approval": "{source}: a run waits for your approval",
    "rejected": "{source}: a run was not approved",
    "published": "{source}: a new release",
}


@dataclass(frozen=True)
class Occurrence:
    """What happened: in which task of which DAG run, about which run of which project, with which error; `links` are addresses
    by name."""

    occasion: Occasion
    source: str
    task: str = ""
    run: RunFolder | None = None
    error: BaseException | None = None
    links: Mapping[str, str] = field(default_factory=dict)
    project: Project | None = None


@dataclass(frozen=True)
class Notice:
    """A notice: one line of subject, counts and places by name, and addresses by name."""

    occasion: Occasion
    source: str
    subject: str
    facts: Mapping[str, str | int]
    places: tuple[str, ...]
    links: Mapping[str, str]

    @property
    def text(self) -> str:
        """The whole notice as plain text."""
        facts = [
            f"{name}: {value:,}" if isinstance(value, int) else f"{name}: {value}" for name, value in self.facts.items()
        ]
        parts = [[self.subject], facts, list(self.places), [f"{name}: {url}" for name, url in self.links.items()]]
        return "\n\n".join("\n".join(lines) for lines in parts if lines) + "\n"

    @property
    def tree(self) -> dict[str, object]:
        """The notice for a machine; `text` is what chats show."""
        return {
            "text": self.text,
            "occasion": self.occasion,
            "source": self.source,
            "facts": dict(self.facts),
            "places": list(self.places),
            "links": dict(self.links),
        }


def notice_of(happened: Occurrence) -> Notice:
    """The notice of something that happened; what cannot be read of the run is left out."""
    subject = _TITLES[happened.occasion].format(source=happened.source, task=f"task {happened.task}")
    facts: dict[str, str | int] = {}
    places: tuple[str, ...] = ()
    if happened.occasion == "failure":
        known = _ours(happened.error)
        facts["What"] = _kind(happened.error, known)
        places = tuple(_places(known.problems)) if known else ()
    if happened.run is not None:
        facts |= dict(_counts(happened.run, happened.project))
    links = {name: url for name, url in happened.links.items() if url}
    return Notice(happened.occasion, happened.source, _line(subject), facts, places, links)


def _ours(error: BaseException | None) -> OncoweaveError | None:
    """The error of ours in what was raised, also where it was raised again as another."""
    seen: set[int] = set()
    while error is not None and id(error) not in seen:
        if isinstance(error, OncoweaveError):
            return error
        seen.add(id(error))
        error = error.__cause__ or error.__context__
    return None


def _kind(error: BaseException | None, known: OncoweaveError | None) -> str:
    if known is not None:
        words = next((text for kind, text in _KINDS if isinstance(known, kind)), "a fault in Oncoweave")
        return f"{words} ({type(known).__name__})"
    if error is None:
        return "the process ended without a word"
    return type(error).__name__


def _places(problems: tuple[Problem, ...]) -> Iterator[str]:
    """File, line, column and code of the faults; not their text, which may quote what somebody wrote."""
    wrong = [problem for problem in problems if problem.severity == "error"]
    for problem in wrong[:PLACES]:
        yield _line(f"{problem.file}:{problem.line}:{problem.column} [{problem.code}]")
    if len(wrong) > PLACES:
        yield f"and {len(wrong) - PLACES:,} more"


def _counts(run: RunFolder, project: Project | None) -> Iterator[tuple[str, str | int]]:
    """What is known of a run so far, in counts."""
    yield "Run", run.run_id
    try:
        extracted = read_record(run.path / "extract.json", ExtractRecord)
        yield "Delivery", extracted.delivery_date.isoformat()
        yield "Records", sum(table.records for table in extracted.tables)
        mapped = read_record(run.path / "map.json", MapRecord)
        yield "Persons", mapped.persons
        yield "Rule rows quarantined", sum(entry.quarantined for entry in mapped.ledger)
        yield "Rule rows unmapped", sum(entry.unmapped for entry in mapped.ledger)
        checked = read_record(run.path / "check.json", CheckRecord)
        yield "Verdict", checked.verdict
        for severity in SEVERITIES:
            yield f"Checks failed, {severity}", failed(checked.results, severity)
        if checked.waived:
            yield "Of these waived", checked.waived
        if project is not None and (new := new_failures(project, run)):
            yield "New failures", _named(new)
    except OncoweaveError:
        return  # the run has not come further


def _named(checks: Sequence[str]) -> str:
    """How many checks there are, and the first of them by id."""
    more = f" and {len(checks) - NAMED:,} more" if len(checks) > NAMED else ""
    return _line(f"{len(checks):,}: {', '.join(checks[:NAMED])}{more}")


def _line(text: str) -> str:
    """One line of printable text: what stands in a subject must not end it."""
    return re.sub(r"[\x00-\x1f\x7f\u0085\u2028\u2029]+", " ", text)[:300]
