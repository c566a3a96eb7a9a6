"""The approval of a candidate: asks, reads what comes back, and writes the decision; an answer that is none is asked for again.

What a browser or a program sends is believed in nothing: options, comment and person are looked at here, and a fault in
them leaves the question open.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Literal

from oncoweave.decisions import Person, Question, RefusedAnswer
from oncoweave.errors import DataError, EnvironmentFault, UsageError
from oncoweave.project import RunFolder
from oncoweave.release.plain_words import one_line
from oncoweave.release.question import ask, described, is_open, newer_than, refuse, supersede, supersede_older
from oncoweave.release.signoff import (
    LONGEST_COMMENT,
    Answer,
    Chosen,
    hashes,
    how_to_sign,
    note_starter,
    read_signoff,
    sign,
    standing,
    started,
    told,
)
from oncoweave.spec.approval import Approval
from oncoweave.spec.language import span

APPROVE, REJECT = "Approve", "Reject"
COMMENT = "comment"


@dataclass(frozen=True)
class Candidate:
    """A run that waits to be published: when it became a candidate, and who started it where a person did."""

    run: RunFolder
    at: datetime
    triggered_by: str = ""


@dataclass(frozen=True)
class Outcome:
    """What comes next: the run may be published, it may not, it must be asked (again), or it waits on; `told` says why."""

    state: Literal["approved", "stopped", "open", "waiting"]
    told: str


@dataclass(frozen=True)
class Reply:
    """What came back: a decision by somebody, or a `fault` that makes it none."""

    decision: Chosen | None
    by: Person | None = None
    comment: str = ""
    chosen: str = ""
    fault: str = ""


def begin(
    candidates: list[Candidate], approval: Approval, asked_in: str, cleared: int = 0
) -> tuple[Candidate, Outcome]:
    """Ask about the newest of the candidates; the older ones are superseded.

    The outcome is open when an answer is needed; else it has been decided, or cannot be asked.
    """
    *older, newest = candidates
    if newest.triggered_by:
        note_starter(newest.run, newest.triggered_by)
    for candidate in older:
        if candidate.run != newest.run:
            supersede(candidate.run, newest.run, approval)
    newer = newer_than(newest.run, newest.at)
    stands = standing(newest.run, approval)
    if stands.lets_pass:
        return newest, Outcome("approved", f"{stands.why}; it is not asked again")
    if newer:
        return newest, _superseded(newest.run, newer, approval)
    question = ask(newest.run, asked_in, cleared, newest.at, span(approval.within) if approval.within else None)
    if changed := _changed(newest.run, question):
        return newest, Outcome("stopped", changed)
    if not is_open(newest.run, question):  # the task ended before it could tell
        return newest, _stopped(newest.run, approval)
    supersede_older(newest.run, newest.at, approval)
    if left(question) == 0:
        return newest, settle(newest, approval, question, {"error_type": "timeout"})
    return newest, Outcome("open", "")


def left(question: Question) -> float | None:
    """Seconds until the question expires; None where it never does."""
    return max((question.until - datetime.now(UTC)).total_seconds(), 0.0) if question.until else None


def settle(candidate: Candidate, approval: Approval, question: Question, event: Mapping[str, Any]) -> Outcome:
    """Read what came back for `question` and write the decision; where it is none, keep why, and leave the question open."""
    run, reply = candidate.run, read_reply(event)
    if newer := newer_than(run, candidate.at):
        return _superseded(run, newer, approval, question)
    if reply.decision == "expired" and left(question) != 0:
        return Outcome("waiting", "") if is_open(run, question) else _stopped(run, approval)
    if reply.decision == "expired":
        answer = Answer("expired", None, "", f"nobody answered within {approval.within}", "airflow")
        sign(run, answer, approval, unless_since=question.asked_at)
        return _stopped(run, approval)
    if changed := _changed(run, question):
        return Outcome("stopped", changed)
    fault = reply.fault or _triggered(reply, candidate, approval)
    if not fault and reply.decision:
        try:
            answer = Answer(reply.decision, reply.by, approval.role, reply.comment, "airflow")
            sign(run, answer, approval, looked_at=(question.results_sha256, question.tables_sha256))
        except (UsageError, EnvironmentFault) as error:
            fault = error.message
        except DataError as error:
            return Outcome("stopped", error.message)
    if fault:
        return _refused(run, question, reply, fault)
    return _stopped(run, approval)


def read_reply(event: Mapping[str, Any]) -> Reply:
    """What came back from whoever was asked; a fault in it is told, never raised."""
    if event.get("error_type") == "timeout" or event.get("timedout"):
        return Reply("expired")
    by, chosen = _person(event.get("responded_by_user")), event.get("chosen_options")
    shown = _shown(chosen)
    if not isinstance(chosen, list) or chosen not in ([APPROVE], [REJECT]):
        return Reply(None, by, chosen=shown, fault=f"it must be either {APPROVE} or {REJECT}")
    if by is None:
        return Reply(None, chosen=shown, fault="it does not say who answered")
    comment = _comment(event.get("params_input"))
    if isinstance(comment, Reply):
        return Reply(None, by, chosen=shown, fault=comment.fault)
    return Reply("approved" if chosen == [APPROVE] else "rejected", by, comment, shown)


def _comment(form: object) -> str | Reply:
    """The comment in a form; what else is in it says nothing."""
    if form is None:
        return ""
    if not isinstance(form, Mapping):
        return Reply(None, fault="the form is not a map of fields")
    comment = form.get(COMMENT)
    if comment is None:
        return ""
    if not isinstance(comment, str):
        return Reply(None, fault=f"the comment must be a text, and is a {type(comment).__name__}")
    if len(comment) > LONGEST_COMMENT:
        return Reply(None, fault=f"the comment is longer than {LONGEST_COMMENT:,} characters")
    return comment


def _person(user: object) -> Person | None:
    if not isinstance(user, Mapping) or not user.get("id"):
        return None
    try:
        identity = one_line(str(user["id"]), 200, "the name")
        return Person(id=identity, name=one_line(str(user.get("name") or ""), 200, "the name") or identity)
    except UsageError:
        return None


def _shown(chosen: object) -> str:
    """What was chosen, as far as it is fit to be shown."""
    options = chosen if isinstance(chosen, list) else [chosen]
    return ", ".join(str(option)[:40] for option in options[:3])


def _changed(run: RunFolder, question: Question) -> str:
    now = hashes(run)
    if now == (question.results_sha256, question.tables_sha256):
        return ""
    return (
        f"not published: the results of run {run.run_id} have changed since its question was put, whose text cannot be changed\n\n"
        f"  = trigger publish__{run.source} with this run in its form: it asks anew"
    )


def _triggered(reply: Reply, candidate: Candidate, approval: Approval) -> str:
    """Whether the one who approves is the one who, as the candidate says, started the run."""
    known = (candidate.triggered_by,) if candidate.triggered_by else ()
    if approval.four_eyes and reply.decision == "approved" and started(reply.by, known):
        return "the one who approves started the run, and source.yaml asks for four eyes"
    return ""


def _refused(run: RunFolder, question: Question, reply: Reply, fault: str) -> Outcome:
    refused = RefusedAnswer(at=datetime.now(UTC), by=reply.by, chosen=reply.chosen, why=fault)
    refuse(run, question, refused)
    who = f" of {reply.by.name}" if reply.by else ""
    return Outcome("open", f"the answer{who} was not accepted: {fault}")


def _superseded(run: RunFolder, newer: RunFolder, approval: Approval, question: Question | None = None) -> Outcome:
    supersede(run, newer, approval, since=question.asked_at if question else None)
    return Outcome("stopped", f"superseded by {described(newer)}, which waits for an answer or was approved")


def _stopped(run: RunFolder, approval: Approval) -> Outcome:
    """What was decided."""
    stands = standing(run, approval)
    if stands.lets_pass:
        return Outcome("approved", stands.why)
    signed = read_signoff(run)
    why = stands.why or (told(signed) if signed else "nobody has decided")
    return Outcome(
        "stopped", f"not published: {why}\n\n  = {how_to_sign(run, approval, again=stands.state == 'rejected')}"
    )
