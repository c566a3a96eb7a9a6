"""What is wrong with the keys of source.yaml that the scheduler reads, beyond their form."""

from __future__ import annotations

import re
from zoneinfo import available_timezones

from oncoweave.errors import Problem
from oncoweave.spec.cron import cron_fault
from oncoweave.spec.document import Document
from oncoweave.spec.explain import closest

LONGEST_NAME = 200
"""Characters of a source's name; Airflow has room for 250 in the name of a pipeline."""
NOWHERE = {"localtime", "Factory", "posixrules"}
"""Time zones that mean another time on another machine."""


def schedule_problems(document: Document) -> list[Problem]:
    """Every problem of the schedule in a source.yaml."""
    return [*_bad_cron(document), *_bad_timezone(document), *_bad_asset(document), *_long_name(document)]


def _bad_cron(document: Document) -> list[Problem]:
    text = document.get(("schedule", "cron"))
    fault = cron_fault(text) if isinstance(text, str) else None
    if fault is None:
        return []
    message, offset = fault
    mend = 'minute, hour, day of the month, month, day of the week: "0 6 * * 1" is every Monday at six'
    return [document.problem("cron", message, ("schedule", "cron"), help=mend, offset=offset)]


def _bad_timezone(document: Document) -> list[Problem]:
    name = document.get(("schedule", "timezone"))
    known = available_timezones() - NOWHERE if isinstance(name, str) else set()
    if not isinstance(name, str) or name in known or (not known and re.fullmatch(r"[A-Za-z]+(/[A-Za-z_]+)*", name)):
        return []
    near = closest(name, known)
    mend = f"did you mean `{near}`?" if near else "names as Europe/Lisbon, Europe/Berlin, UTC"
    return [document.problem("timezone", "there is no such time zone", ("schedule", "timezone"), help=mend)]


def _bad_asset(document: Document) -> list[Problem]:
    name = document.get(("schedule", "asset"))
    own = f"oncoweave://release/{document.get(('source',))}"
    if not isinstance(name, str):
        return []
    if name in (own, own.replace("release", "candidate")):
        message, mend = "a source cannot wait for what it makes itself", "name the release of another source"
    elif not name.strip() or name in ("self", "context"):
        message, mend = "this cannot be the name of an asset", "such as `oncoweave://release/<source>`"
    else:
        return []
    return [document.problem("asset", message, ("schedule", "asset"), help=mend)]


def _long_name(document: Document) -> list[Problem]:
    name = document.get(("source",))
    if not isinstance(name, str) or len(name) <= LONGEST_NAME:
        return []
    return [document.problem("source-name", f"the name is longer than {LONGEST_NAME} characters", ("source",))]
