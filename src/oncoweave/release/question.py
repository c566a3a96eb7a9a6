"""The question whether a candidate may be published, while it waits for an answer: since when, until when, and what was no answer.

Of several candidates of a source the newest counts: the older ones that nobody has decided on are superseded, and told so.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from oncoweave.decisions import Question, RefusedAnswer
from oncoweave.errors import EnvironmentFault
from oncoweave.files import read_record, write_json
from oncoweave.project import RunFolder
from oncoweave.records import ExtractRecord
from oncoweave.release.signoff import Answer, hashes, read_signoff, sign
from oncoweave.spec.approval import Approval

MOST_REFUSED = 20
"""How many refused answers are kept, the last ones."""


def ask(run: RunFolder, asked_in: str, cleared: int, candidate_at: datetime, within: timedelta | None) -> Question:
    """The question about `run` in `asked_in`; asked there before, it keeps its time, what was refused, and what was shown.

    When that Airflow run was cleared since, the time begins anew.
    """
    before = read_question(run)
    same = before is not None and before.asked_in == asked_in
    if before is not None and same and before.cleared == cleared:
        return before
    now = datetime.now(UTC)
    shown = (before.results_sha256, before.tables_sha256) if before is not None and same else hashes(run)
    question = Question(
        asked_in=asked_in,
        cleared=cleared,
        candidate_at=candidate_at,
        asked_at=now,
        until=now + within if within else None,
        results_sha256=shown[0],
        tables_sha256=shown[1],
    )
    write_json(run.path / "question.json", question)
    return question


def asked_by(run: RunFolder, question: Question, attempt: str) -> Question:
    """The question, with the attempt of Airflow's that asks it."""
    asked = question.model_copy(update={"asked_as": attempt})
    write_json(run.path / "question.json", asked)
    return asked


def refuse(run: RunFolder, question: Question, refused: RefusedAnswer) -> Question:
    """Keep an answer that was not accepted, with those before it; the question stays open."""
    before = read_question(run)
    earlier = before.refused if before and before.asked_in == question.asked_in else ()
    kept = (*earlier, refused)[-MOST_REFUSED:]
    asked = question.model_copy(update={"refused": kept})
    write_json(run.path / "question.json", asked)
    return asked


def read_question(run: RunFolder) -> Question | None:
    """The question about `run` that was asked last; None when Airflow never asked, or it cannot be read: it is asked anew."""
    path = run.path / "question.json"
    try:
        return read_record(path, Question) if path.is_file() else None
    except EnvironmentFault:
        return None


def is_open(run: RunFolder, question: Question) -> bool:
    """Whether nobody has decided since the question was asked."""
    signed = read_signoff(run)
    return signed is None or signed.at < question.asked_at


def newer_than(run: RunFolder, candidate_at: datetime) -> RunFolder | None:
    """The run of the same source by which `run` is superseded: of a newer candidate that waits or is approved."""
    newer = [
        (question.candidate_at, other)
        for other, question in _questions(run)
        if question.candidate_at > candidate_at and _counts(other, question)
    ]
    return max(newer, key=lambda found: found[0])[1] if newer else None


def supersede_older(run: RunFolder, candidate_at: datetime, approval: Approval) -> list[RunFolder]:
    """Mark every older candidate of the source that waits for an answer as superseded by `run`; returns these."""
    older = [
        (other, question)
        for other, question in _questions(run)
        if question.candidate_at < candidate_at and is_open(other, question)
    ]
    for other, question in older:
        supersede(other, run, approval, since=question.asked_at)
    return [other for other, _ in older]


def supersede(run: RunFolder, newer: RunFolder, approval: Approval, since: datetime | None = None) -> None:
    """Mark `run` as superseded by `newer`, unless somebody decided about it (after `since`, where it is given)."""
    answer = Answer("superseded", None, "", f"by {described(newer)}", "airflow")
    sign(run, answer, approval, unless_since=since or datetime.min.replace(tzinfo=UTC))


def described(run: RunFolder) -> str:
    """A run in words: its delivery and its id."""
    day = read_record(run.path / "extract.json", ExtractRecord).delivery_date
    return f"the delivery of {day} (run {run.run_id[:12]})"


def _questions(run: RunFolder) -> list[tuple[RunFolder, Question]]:
    """The questions about the other runs of the same source, by run."""
    others = sorted(path.parent for path in run.path.parent.glob("*/question.json") if path.parent != run.path)
    found = ((RunFolder(path), read_question(RunFolder(path))) for path in others)
    return [(other, question) for other, question in found if question]


def _counts(run: RunFolder, question: Question) -> bool:
    """Whether a candidate waits still, or was approved."""
    if is_open(run, question):
        return question.until is None or datetime.now(UTC) < question.until
    signed = read_signoff(run)
    return signed is not None and signed.decision == "approved"
