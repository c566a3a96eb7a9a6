"""The documentation of a pipeline in Markdown, and what is wrong with a source as text."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Iterator

from oncoweave.errors import OncoweaveError
from oncoweave.spec.delivery import DatabaseDelivery, DownloadDelivery, FolderDelivery, WheelDelivery
from oncoweave.spec.render import render
from oncoweave.spec.schedule import AssetSchedule, CronSchedule, Scheduling
from oncoweave.spec.source import Source

WIDTH = 54
"""Characters in a line of code on the page that shows a pipeline's documentation."""


def documentation(folder: str, spec: Source | None, fault: str) -> str:
    """What the pipeline of the source in `folder` is for, and what is wrong with it where something is."""
    parts = [*_fault(folder, fault)] if fault else []
    parts += [*_about(folder, spec)] if spec else []
    return "\n\n".join(parts) + "\n"


def fault_text(error: OncoweaveError) -> str:
    """All that an error says: its message, every problem with file, line, column and mend, and how to go on."""
    told = [error.message, render(error.problems).rstrip(), error.mend and f"  = {error.mend}"]
    return "\n\n".join(part for part in told if part)


def in_words(scheduling: Scheduling) -> str:
    """When the source is harmonised."""
    schedule = scheduling.schedule
    if isinstance(schedule, CronSchedule):
        return f"by the clock: `{schedule.cron}` ({schedule.timezone})"
    if isinstance(schedule, AssetSchedule):
        return f"whenever {_plain(schedule.asset)} is there anew"
    return "when a delivery has arrived" if schedule == "on arrival" else "when somebody triggers it"


def _fault(folder: str, fault: str) -> Iterator[str]:
    yield "# This source cannot be run"
    yield (
        f"The specification in `mappings/sources/{_code(folder)}` is broken. Mend it as told here; within a minute this page "
        "and the pipeline are as they should be. All other sources go on."
    )
    fence = "`" * max(3, 1 + max(map(len, re.findall("`+", fault)), default=0))
    yield f"{fence}text\n{_wrapped(fault)}\n{fence}"


def _wrapped(text: str) -> str:
    """The text in lines that fit the page of the documentation; what is quoted of a file is left as it is."""
    lines = text.splitlines()
    quoted = re.compile(r"\s*\d*\s*\|")
    return "\n".join(
        line if quoted.match(line) else textwrap.fill(line, WIDTH, subsequent_indent="    ", break_on_hyphens=False)
        for line in lines
    )


def _about(folder: str, spec: Source) -> Iterator[str]:
    yield f"# {_plain(spec.title)}"
    if spec.description:
        yield _plain(spec.description)
    delivery = spec.delivery
    match delivery:
        case WheelDelivery():
            origin = f"the package {_plain(delivery.package)} {_plain(delivery.version)}"
        case DatabaseDelivery():
            origin = f"the {delivery.server} connection {_plain(delivery.connection)}"
        case DownloadDelivery():
            origin = f"{_plain(delivery.url)}, {'in full' if delivery.mode == 'full' else 'changes only'}"
        case FolderDelivery():
            origin = f"the folder {_plain(delivery.path)}, {'in full' if delivery.mode == 'full' else 'changes only'}"
    rows = [
        ("Held by", _plain(spec.holder)),
        ("Kind", spec.kind),
        ("Delivered in", origin),
        ("Harmonised", in_words(spec)),
        ("Owner", _plain(spec.owner)),
        ("Tables", ", ".join(f"{name} ({_plain(table.place)})" for name, table in spec.tables.items())),
        ("Specification", f"`mappings/sources/{folder}/source.yaml`, `mapping.yaml`"),
    ]
    rows += [("Reference", _linked(spec.reference))] if spec.reference else []
    yield "\n".join(["| | |", "|---|---|", *(f"| {what} | {text} |" for what, text in rows)])
    yield (
        "**extract** copies the delivery into a snapshot, **map** makes OMOP tables of it, **check** tells whether they may be "
        f"published. What passes is a candidate for [publish\\_\\_{_plain(folder)}](/dags/publish__{folder}), {_approval(spec)}. "
        f"By hand the same is done by `oncoweave extract {folder}`, `oncoweave map {folder}`, `oncoweave check {folder}`, "
        f"{f'`oncoweave signoff {folder}`, ' if spec.airflow_approval else ''}`oncoweave publish {folder}`."
    )


def _approval(spec: Source) -> str:
    """Who looks at a candidate, and until when."""
    approval = spec.airflow_approval
    if approval is None:
        return "which publishes it at once, for source.yaml says `approval: {needed: false}`"
    who = f" ({', '.join(map(_plain, approval.by))})" if approval.by else ""
    within = f"; without an answer in {approval.within} it is not published" if approval.within else ""
    eyes = "; who started the run may not approve it" if approval.four_eyes else ""
    return f"where a {_plain(approval.role)}{who} approves or rejects it{within}{eyes}"


def _linked(reference: str) -> str:
    return f"<{reference}>" if re.fullmatch(r"https?://[^\s<>]+", reference) else _plain(reference)


def _plain(text: str) -> str:
    """The text as Markdown that shows it to the letter, on one line."""
    return re.sub(r"([\\`*_{}\[\]()<>#+!|~&$-])", r"\\\1", " ".join(text.split()))


def _code(text: str) -> str:
    return text.replace("`", "'")
