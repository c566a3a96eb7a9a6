"""What somebody who reads the report should do, the most pressing thing first."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from oncoweave.report.check_views import CheckView
from oncoweave.report.language import _, ngettext
from oncoweave.report.material import Material


@dataclass(frozen=True)
class Step:
    """A thing to do: what, where on the page more of it stands, and the call of the command line if there is one."""

    text: str
    anchor: str = ""
    command: str = ""


def next_steps(of: Material, checks: Sequence[CheckView]) -> list[Step]:
    """The steps, in the order in which to take them; the last one says what follows when all is done."""
    return [*_for_checks(of, checks), *_for_codes(of), *_for_the_signer(of, checks)]


def _for_checks(of: Material, checks: Sequence[CheckView]) -> Iterator[Step]:
    fatal, convention = (_open(checks, severity) for severity in ("fatal", "convention"))
    if fatal:
        yield Step(
            ngettext(
                "Mend what the {count} fatal check found, in the delivery or the mapping, and run again. It can be neither waived nor signed away.",
                "Mend what the {count} fatal checks found, in the delivery or the mapping, and run again. They can be neither waived nor signed away.",
                fatal,
            ),
            "open",
        )
    if convention and not of.is_accepted:
        yield Step(
            ngettext(
                "Decide on the {count} failing check of a convention: mend it, waive it in waivers.yaml with reason, owner and expiry, or sign off knowing it.",
                "Decide on the {count} failing checks of conventions: mend them, waive them in waivers.yaml with reason, owner and expiry, or sign off knowing them.",
                convention,
            ),
            "open",
        )
    lapsed = sum(1 for waiver in of.checked.idle_waivers if waiver.state != "unused")
    if lapsed:
        yield Step(
            ngettext("{count} waiver has expired or covers too few rows: renew it with a reason, or remove it.",
                     "{count} waivers have expired or cover too few rows: renew them with a reason, or remove them.", lapsed), "waivers",
        )  # fmt: skip
    fresh = sum(1 for check in checks if check.trend.is_new and not check.is_for_information)
    if fresh:
        yield Step(
            ngettext("{count} check fails for the first time: look at it first.",
                     "{count} checks fail for the first time: look at them first.", fresh), "open",
        )  # fmt: skip


def _for_codes(of: Material) -> Iterator[Step]:
    coverage = of.evidence.coverage
    count = len(coverage.unmapped) + coverage.others if coverage else 0
    if count:
        yield Step(
            ngettext(
                "{count} source code has no approved target, so its records carry concept 0: map it, or ignore it with a reason.",
                "{count} source codes have no approved target, so their records carry concept 0: map them, or ignore them with a reason.",
                count,
            ),
            "coverage",
        )


def _for_the_signer(of: Material, checks: Sequence[CheckView]) -> Iterator[Step]:
    source, run = of.extracted.source, of.extracted.run_id[:12]
    if of.release:
        yield Step(_("It is published as release {release}.").format(release=of.release), "changes")
        return
    if _open(checks, "fatal") or not checks:
        return
    if of.standing.asks or (_open(checks, "convention") and not of.is_accepted):
        yield Step(
            _("Whoever may sign decides; rejecting is --reject."),
            command=f"oncoweave signoff {source} {run} --approve --role ROLE --comment …",
        )
    if of.standing.state == "rejected":
        yield Step(_("It was rejected: deliver or map anew, and run again."))
        return
    yield Step(_("Then publish it."), command=f"oncoweave publish {source} --run {run}")


def _open(checks: Sequence[CheckView], severity: str) -> int:
    return sum(1 for check in checks if check.is_open and check.result.severity == severity)
