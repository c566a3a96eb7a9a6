"""What is decided about a run, and what somebody is asked: the records of its sign-off. They hold names, and no patient's value."""

from __future__ import annotations

from datetime import datetime
from typing import Literal

from oncoweave.record import Record


class Accepted(Record):
    """A failing convention that an approval accepts: its check, how many rows fail of how many, and whether it was waived."""

    check: str
    unexpected: int | None = None
    evaluated: int | None = None
    waived: bool = False


class Person(Record):
    """Somebody who works with Oncoweave: the id by which they log in, and their name for people."""

    id: str
    name: str


class Decision(Record):
    """What was decided about the results of a run: by whom, in which role, when (UTC), how, and why.

    It is bound to the SHA-256 of check.json (`results_sha256`) and of map.json, which states the tables
    (`tables_sha256`). `by` is None where nobody decided. `started_by` are the people who started the run, as far as it is
    known; `four_eyes` says whether the one who decided is none of them.
    """

    decision: Literal["approved", "auto-approved", "rejected", "expired", "superseded"]
    by: Person | None
    role: str
    at: datetime
    comment: str
    how: Literal["command line", "airflow", "demo: nobody looked"]
    started_by: tuple[str, ...]
    four_eyes: bool
    results_sha256: str
    tables_sha256: str
    accepts: tuple[Accepted, ...] = ()


class SignOff(Decision):
    """signoff.json of a run: the decision that holds, and the earlier ones, the first one first."""

    source: str
    run_id: str
    history: tuple[Decision, ...] = ()


class Starters(Record):
    """starters.json of a run: the ids of the people who started it; empty where only the schedule did."""

    people: tuple[str, ...]


class RefusedAnswer(Record):
    """An answer to an approval that was not accepted: when and by whom it was given, what was chosen, and why not."""

    at: datetime
    by: Person | None
    chosen: str
    why: str


class Question(Record):
    """question.json of a run: that Airflow asks for its approval; since when, until when, and what was not accepted.

    `asked_in` names the Airflow run, `cleared` is how often it was cleared; `candidate_at` is when the run became a
    candidate. The hashes are those of what was shown, as in a decision: Airflow keeps the text of a question as it was first
    shown. `asked_as` is Airflow's id of the attempt that asks.
    """

    asked_in: str
    cleared: int
    candidate_at: datetime
    asked_at: datetime
    until: datetime | None
    results_sha256: str
    tables_sha256: str
    asked_as: str = ""
    refused: tuple[RefusedAnswer, ...] = ()


class ReleaseSignOff(Decision):
    """The sign-off in a release: the decision by which it was published, and the SHA-256 of what signoff.json says of it."""

    sha256: str
