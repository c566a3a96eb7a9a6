"""Signs off a run: who let its results be published, or did not; publish asks here before it makes a release.

A decision is bound to the results (check.json) and to the tables (map.json states their hashes), so that what was approved
is what is published. A later decision counts; the earlier ones stay in the history.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime
from typing import Literal

from oncoweave.decisions import Decision, Person, ReleaseSignOff, SignOff, Starters
from oncoweave.errors import DataError, EnvironmentFault, UsageError
from oncoweave.files import patient_lock, read_record, sha256_of, write_json
from oncoweave.project import RunFolder
from oncoweave.quality.judge import accepted, expired_since, may_be_accepted, open_failures
from oncoweave.records import CheckRecord
from oncoweave.release.plain_words import one_line, words
from oncoweave.spec.approval import Approval
from oncoweave.spec.source import Source

LONGEST_COMMENT = 2_000
LONGEST_ROLE = 100
LONGEST_NAME = 200
_PATIENCE = 10.0
"""Seconds to wait for another decision on the same run to be written."""

Chosen = Literal["approved", "auto-approved", "rejected", "expired", "superseded"]
How = Literal["command line", "airflow", "demo: nobody looked"]
State = Literal[
    "not needed", "open failures", "waiting", "approved", "auto-approved", "rejected", "expired", "superseded", "void",
    "not accepted",
]  # fmt: skip


@dataclass(frozen=True)
class Answer:
    """What somebody (or nobody) decided, before it is checked and written down."""

    decision: Chosen
    by: Person | None
    role: str
    comment: str
    how: How


@dataclass(frozen=True)
class Standing:
    """How a run stands with those who sign: the state, why, and the decision it follows from.

    `open failures`: source.yaml asks for nobody, but conventions fail that are neither waived nor accepted by a person.
    `void`: the results or tables are no longer those that were looked at. `not accepted`: source.yaml asks for more than
    the decision has, as another signer.
    """

    state: State
    why: str = ""
    signoff: SignOff | None = None

    @property
    def lets_pass(self) -> bool:
        """Whether the run may be published."""
        return self.state in ("not needed", "approved", "auto-approved")

    @property
    def asks(self) -> bool:
        """Whether somebody has yet to decide."""
        return not self.lets_pass and self.state != "rejected"


NOT_NEEDED = Standing("not needed")


def sign(
    run: RunFolder,
    answer: Answer,
    approval: Approval | None,
    *,
    looked_at: tuple[str, str] | None = None,
    unless_since: datetime | None = None,
) -> SignOff:
    """Write a decision about `run` into its signoff.json (0600); what was decided before goes into the history.

    `looked_at` are the hashes of what was looked at; what there is now, if unset. Nothing is written when something was
    decided at `unless_since` or later; that decision is returned.

    Raises UsageError when the answer is not acceptable (nobody who may sign, the one who started the run where four eyes
    are asked for, a text too long); DataError for the approval of a run that did not pass.
    """
    checked = _refuse_unchecked(run, answer.decision)
    results, tables = looked_at or hashes(run)
    people = starters(run)
    decision = Decision(
        decision=answer.decision,
        by=_person(answer.by),
        role=one_line(answer.role, LONGEST_ROLE, "the role"),
        at=datetime.now(UTC),
        comment=words(answer.comment, LONGEST_COMMENT, "the comment"),
        how=answer.how,
        started_by=people,
        four_eyes=_four_eyes(answer.by, people),
        results_sha256=results,
        tables_sha256=tables,
        accepts=accepted(checked.results) if answer.decision == "approved" else (),
    )
    refuse_unfit(decision, approval)
    with one_at_a_time(run):
        before = read_signoff(run)
        if before is not None and unless_since is not None and before.at >= unless_since:
            return before
        history = () if before is None else (*before.history, decision_of(before))
        signed = SignOff(source=run.source, run_id=run.run_id, history=history, **dict(decision))
        write_json(run.path / "signoff.json", signed)
    return signed


def read_signoff(run: RunFolder) -> SignOff | None:
    """The decision about `run` with its history; None when nobody has decided.

    Raises EnvironmentFault when signoff.json cannot be read or is of another run.
    """
    path = run.path / "signoff.json"
    if not path.is_file():
        return None
    signed = read_record(path, SignOff)
    if (signed.source, signed.run_id) != (run.source, run.run_id):
        raise EnvironmentFault(f"{path} is the sign-off of another run", mend="remove it, and sign again")
    return signed


def standing(run: RunFolder, approval: Approval | None, *, demo: bool = False) -> Standing:
    """How a checked run stands, by what source.yaml asks for; `demo`: its data are public, so that nobody needs to look.

    A rejection stops a run also where source.yaml asks for nothing.
    """
    signed, failing = read_signoff(run), _open_conventions(run)
    if signed is None:
        if not approval:
            return _without_decision(failing, NOT_NEEDED)
        return Standing("waiting", f"{failing}; nobody has decided" if failing else "")
    if (signed.results_sha256, signed.tables_sha256) != hashes(run):
        stands = Standing("void", f"since then the results have changed: {told(signed)}", signed)
        return stands if approval else _without_decision(failing, stands)
    if signed.decision == "rejected":
        return Standing("rejected", told(signed), signed)
    if signed.decision in ("expired", "superseded"):
        stands = Standing(signed.decision, told(signed), signed)
        return stands if approval else _without_decision(failing, stands)
    if lacks := _lacks(signed, approval) or _beyond_auto(signed, failing, demo=demo):
        return Standing("not accepted", f"{told(signed)}; that does not count, for {lacks}", signed)
    return Standing(signed.decision, told(signed), signed)


def standing_by(run: RunFolder, spec: Source) -> Standing:
    """How a checked run stands by its source.yaml; the data of a source that comes from the package index are public."""
    return standing(run, spec.required_approval, demo=spec.delivery.by == "wheel")


def refuse_unfit(decision: Decision, approval: Approval | None) -> None:
    """Raise UsageError when source.yaml asks for more than a decision has."""
    if decision.decision in ("approved", "rejected") and (lacks := _lacks(decision, approval)):
        raise UsageError(f"this cannot be signed, for {lacks}", mend=_who_may(approval))


def note_starter(run: RunFolder, person: str) -> None:
    """Keep that `person` (a log-in id) started `run`; for four eyes, nobody who did may approve it."""
    name = one_line(person[:LONGEST_NAME], LONGEST_NAME, "the name")
    if name and name not in starters(run):
        with one_at_a_time(run):
            write_json(run.path / "starters.json", Starters(people=(*starters(run), name)))


def starters(run: RunFolder) -> tuple[str, ...]:
    """The ids of the people who started `run`; empty where only the schedule did."""
    path = run.path / "starters.json"
    return read_record(path, Starters).people if path.is_file() else ()


def started(person: Person | None, people: tuple[str, ...]) -> bool:
    """Whether `person` is one of the people, by id or by name."""
    names = {name.casefold() for name in people}
    return person is not None and bool(names & {person.id.strip().casefold(), person.name.strip().casefold()})


def for_release(signed: SignOff | ReleaseSignOff | None) -> ReleaseSignOff | None:
    """The decision as the manifest of a release carries it."""
    if signed is None:
        return None
    decision = decision_of(signed)
    without = None if decision.accepts else {"accepts"}  # of older releases, which do not know it
    digest = hashlib.sha256(decision.model_dump_json(exclude=without).encode()).hexdigest()
    return ReleaseSignOff(sha256=digest, **dict(decision))


def decision_of(signed: SignOff | ReleaseSignOff) -> Decision:
    """The decision alone, without what is around it."""
    return Decision(**{name: getattr(signed, name) for name in Decision.model_fields})


def told(decision: Decision, *, longest: int = 300) -> str:
    """A decision in one line: what, who, in which role, when, and why."""
    if decision.decision == "auto-approved":
        return f"auto-approved on {decision.at:%Y-%m-%d %H:%M} UTC: nobody looked at it"
    who = f" by {_named(decision.by)}" if decision.by else ""
    role = f", {decision.role}," if decision.role and decision.by else ""
    comment = " ".join(decision.comment.split())
    comment = comment if len(comment) <= longest else comment[:longest] + "…"
    why = f": {comment}" if comment else ""
    unwaived = sum(1 for one in decision.accepts if not one.waived)
    knowing = f", accepting {unwaived:,} failing convention check{'s' if unwaived > 1 else ''}" if unwaived else ""
    return f"{decision.decision}{who}{role} on {decision.at:%Y-%m-%d %H:%M} UTC{knowing}{why}"


def how_to_sign(run: RunFolder, approval: Approval | None, *, again: bool = False) -> str:
    """The call by which a run is approved; `again`, after it was rejected."""
    role = "" if approval else " --role ROLE"
    call = f"oncoweave signoff {run.source} {run.run_id[:12]} --approve{role} --comment …"
    if again:
        return f"deliver or map anew; who changes their mind calls `{call}`, and publishes again"
    return f"look at the run, then `{call}` (or --reject), and publish again"


def _named(person: Person) -> str:
    return person.id if person.name in ("", person.id) else f"{person.name} ({person.id})"


def _lacks(decision: Decision, approval: Approval | None) -> str:
    """What a decision of a person lacks of what source.yaml asks for; empty when nothing."""
    if approval is None or decision.decision == "auto-approved":
        return ""
    if approval.by and (decision.by is None or decision.by.id not in approval.by):
        return f"`{decision.by.id if decision.by else 'nobody'}` is not in `approval.by` of source.yaml"
    if approval.four_eyes and not decision.four_eyes and decision.decision == "approved":
        return "the one who approves started the run, and source.yaml asks for four eyes"
    return ""


def _who_may(approval: Approval | None) -> str:
    if approval is None or not approval.by:
        return "let somebody else look at it, who did not start the run"
    names = ", ".join(f"`{name}`" for name in approval.by)
    return f"these may sign: {names}" + ("; but not who started the run" if approval.four_eyes else "")


def _without_decision(failing: str, stands: Standing) -> Standing:
    """How a run stands that nobody has to look at unless conventions fail, and that nobody accepted as it is."""
    return (
        replace(stands, state="open failures", why="; ".join(filter(None, (failing, stands.why))))
        if failing
        else NOT_NEEDED
    )


def _beyond_auto(signed: SignOff, failing: str, *, demo: bool) -> str:
    """What an auto-approval cannot let pass; empty for a person's."""
    if signed.decision != "auto-approved":
        return ""
    return failing if demo else "it is not of the demo"


def _open_conventions(run: RunFolder) -> str:
    """How many conventions of a checked run fail without a waiver, in words; empty when none."""
    return open_conventions(read_record(run.path / "check.json", CheckRecord))


def open_conventions(checked: CheckRecord) -> str:
    """How many conventions fail without a waiver, in words; empty when none."""
    count = len(open_failures(checked.results, "convention"))
    return f"{count:,} convention check{'s fail' if count > 1 else ' fails'} without a waiver" if count else ""


def _person(by: Person | None) -> Person | None:
    if by is None:
        return None
    name = one_line(by.id, LONGEST_NAME, "the name")
    if not name:
        raise UsageError("nobody is named who signs", mend="say who with --by")
    return Person(id=name, name=one_line(by.name, LONGEST_NAME, "the name") or name)


def _four_eyes(by: Person | None, people: tuple[str, ...]) -> bool:
    return by is not None and not started(by, people)


def _refuse_unchecked(run: RunFolder, decision: Chosen) -> CheckRecord:
    """The results that are decided on; raises DataError when there are none, or what fails cannot be accepted."""
    path = run.path / "check.json"
    if not path.is_file():
        raise DataError(
            f"run {run.run_id} of `{run.source}` has not been checked: there is nothing to sign",
            mend=f"run `oncoweave check {run.source}` first",
        )
    checked = read_record(path, CheckRecord)
    lists = f"`oncoweave check {run.source} --run {run.run_id[:12]}` lists what failed"
    if decision in ("approved", "auto-approved") and not may_be_accepted(checked):
        raise DataError(f"run {run.run_id} of `{run.source}` did not pass: it cannot be approved", mend=lists)
    if decision == "auto-approved" and (failing := open_conventions(checked)):
        raise DataError(f"run {run.run_id} of `{run.source}` is not approved by itself: {failing}", mend=lists)
    if decision in ("approved", "auto-approved"):
        refuse_expired(run, checked)
    return checked


def refuse_expired(run: RunFolder, checked: CheckRecord) -> None:
    """Raise DataError when a waiver by which a run passed has expired since it was judged."""
    if expired := expired_since(checked.results, date.today()):
        names = ", ".join(f"`{result.check}`" for result in expired[:5])
        raise DataError(
            f"run {run.run_id} of `{run.source}` was judged by waivers that have expired since: {names}",
            mend=f"`oncoweave check {run.source} --run {run.run_id[:12]}` judges it again",
        )


def hashes(run: RunFolder) -> tuple[str, str]:
    """The SHA-256 of the results and of what states the tables, to which a decision is bound."""
    return sha256_of(run.path / "check.json"), sha256_of(run.path / "map.json")


@contextmanager
def one_at_a_time(run: RunFolder) -> Iterator[None]:
    """The lock on what is signed of a run; another decision that is being written is waited for."""
    path = run.path / ".signoff.lock"
    with patient_lock(path, f"signoff {run.source}", run.run_id, patience=_PATIENCE, pause=0.05):
        yield
