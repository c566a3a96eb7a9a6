"""What is wrong with `arrival:` in source.yaml, beyond the form of its keys."""

from __future__ import annotations

from oncoweave.errors import Problem
from oncoweave.spec.arrival import pattern_fault, take_apart
from oncoweave.spec.document import Document

ON_ARRIVAL = "on arrival"
FOLDERS = "as `../../../deliveries/%Y-%m-%d`"
FILES = "as `../../../inbox/registry_%Y-%m-%d.csv` or `../../../inbox/*.csv`"


def arrival_problems(document: Document) -> list[Problem]:
    """Every problem of the arrivals in a source.yaml."""
    return [*_without_each_other(document), *_bad_patterns(document), *_of_a_wheel(document)]


def _without_each_other(document: Document) -> list[Problem]:
    """`arrival` and `schedule: on arrival` go together."""
    there, schedule = document.get(("arrival",)) is not None, document.get(("schedule",))
    if there and schedule != ON_ARRIVAL:
        message = "`arrival` is for a source that is run when a delivery arrives"
        return [document.problem("keys-disagree", message, ("arrival",), help="write `schedule: on arrival`", at="key")]
    if schedule == ON_ARRIVAL and not there:
        message = "it is not said where deliveries arrive"
        mend = f"for example `arrival: {{folder: ../../../deliveries/%Y-%m-%d, marker: _READY}}`; folders {FOLDERS}, files {FILES}"
        return [document.problem("keys-disagree", message, ("schedule",), help=mend)]
    return []


def _bad_patterns(document: Document) -> list[Problem]:
    problems = []
    for key, mend in (("folder", FOLDERS), ("files", FILES)):
        loc, text = ("arrival", key), document.get(("arrival", key))
        if not isinstance(text, str):
            continue
        fault = pattern_fault(text, dated=key == "folder")
        if fault is None and key == "files" and len(take_apart(text).parts) > 1:
            fault = "the files lie in one folder, whose name has no signs", 0
        if fault:
            problems.append(document.problem("path-pattern", fault[0], loc, help=mend, offset=fault[1]))
    return problems


def _of_a_wheel(document: Document) -> list[Problem]:
    """Deliveries arrive in a folder or in a database, as `delivery` says."""
    by = document.get(("delivery", "by"))
    if document.get(("arrival", "watermark")) is not None and by not in ("database", None):
        message = "a `watermark` is asked of a database, but `delivery` says that the deliveries are files"
        return [
            document.problem(
                "keys-disagree", message, ("arrival", "watermark"), help="give `folder` or `files`", at="key"
            )
        ]
    if document.get(("arrival",)) is None or document.get(("arrival", "watermark")) or by in ("folder", None):
        return []
    if by == "database":
        message, mend = (
            "the tables are read from a database, where nothing lies in a folder",
            "give a `watermark` query",
        )
        return [document.problem("keys-disagree", message, ("arrival",), help=mend, at="key")]
    message = "deliveries arrive in a folder, but `delivery` says that they come in another way"
    return [
        document.problem("keys-disagree", message, ("arrival",), help="write `delivery: {by: folder, …}`", at="key")
    ]
