"""The quality report: what the checks found, what it means, what to do, and what the tables are made of. A reviewer signs it."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby

from oncoweave.privacy.small_cells import suppressed
from oncoweave.records import ALL_FACTS, FhirRecord, LedgerEntry, events_by_fact
from oncoweave.report import matrix
from oncoweave.report.banners import of_the_verdict
from oncoweave.report.changes import changes_of, mapped_share, rows_of
from oncoweave.report.check_views import ORIGINS, CheckView, name_of, query_of, rank, reference_of, view
from oncoweave.report.earlier import NO_TREND
from oncoweave.report.flow import flow_of
from oncoweave.report.language import _
from oncoweave.report.material import Material
from oncoweave.report.next_steps import next_steps
from oncoweave.report.page import render
from oncoweave.report.pictures import pictures_of


@dataclass(frozen=True)
class Kind:
    """The checks of one kind in a group: their places by outcome."""

    name: str
    meaning: str
    tally: matrix.Tally
    passed: Sequence[str]
    idle: Sequence[str]
    bad: Sequence[CheckView]


@dataclass(frozen=True)
class Group:
    """A suite, or the checks of one origin: what came out, and its checks by kind."""

    name: str
    origin: str
    tally: matrix.Tally
    kinds: Sequence[Kind]


@dataclass(frozen=True)
class Covered:
    """Of some records (and codes, where they are counted) how many have a standard concept; None where that is not told."""

    name: str
    records: int
    mapped: int | None
    codes: int = 0
    codes_mapped: int = 0

    @property
    def share(self) -> float | None:
        """Mapped of all."""
        return None if self.mapped is None else self.mapped / self.records


def quality_page(of: Material, pages: Sequence[Mapping[str, object]], *, shared: bool = False) -> str:
    """The page; no clock and no path in it.

    What is `shared` with a hub tells no count of failing rows or unmapped records that is small, not how to go on at the site,
    and nothing of earlier runs; where the rows went, the page of the release says.
    """
    smallest = of.evidence.source.small_cells if shared else 0
    checks = sorted(views(of, smallest), key=rank)
    bad = [check for check in checks if check.is_bad]
    informing = [check for check in bad if check.is_open and check.is_for_information]
    references = _references(bad)
    contents = _contents(shared, fhir=of.evidence.fhir is not None)
    return render(
        "quality.html",
        of=of,
        pages=pages,
        source=of.extracted.source,
        run_id=of.extracted.run_id,
        verdict=of_the_verdict(of.checked, accepted=of.is_accepted),
        shared=shared,
        steps=[] if shared else next_steps(of, checks),
        total=matrix.tally(checks),
        matrix=matrix.by_category_and_context(checks),
        contexts=matrix.CONTEXTS,
        severities=matrix.by_severity(checks),
        origins=matrix.by_origin(checks),
        stopping=[check for check in bad if check.is_open and not check.is_for_information],
        informing=_by_kind(informing),
        informed=len(informing),
        waived=[check for check in bad if check.outcome == "waived"],
        idle_waivers=of.checked.idle_waivers,
        overridden=[check for check in checks if check.result.override],
        references=references,
        referenced={name for name, _text in references},
        groups=list(_groups(checks)),
        flow=flow_of(of.mapped.ledger),
        coverage=of.evidence.coverage,
        covered=mapped_share(of.mapped.ledger),
        facts=_facts(of.mapped.ledger, smallest),
        maps=_maps(of, smallest),
        pictures=pictures_of(of.evidence.distributions),
        distributions=of.evidence.distributions,
        rows=rows_of(of),
        changes=changes_of(of),
        provenance=_provenance(of),
        fhir_difference=sum(abs(kind.difference) for kind in of.evidence.fhir.kinds) if of.evidence.fhir else 0,
        claims=_claims(of.mapped.fhir),
        contents=contents,
        anchors={**dict(contents), "open": _("those checks")},
    )


def _claims(written: FhirRecord | None) -> list[tuple[str, int, list[tuple[str, int]]]]:
    """Each profile by its last name: how many resources claim it, and by reason how many that could have do not."""
    claims = written.claims if written else ()
    met = {claim.profile: claim.resources for claim in claims if not claim.reason}
    profiles = sorted({claim.profile for claim in claims})
    return [
        (
            profile.rsplit("/", 1)[-1],
            met.get(profile, 0),
            [(claim.reason, claim.resources) for claim in claims if claim.reason and claim.profile == profile],
        )
        for profile in profiles
    ]


def views(of: Material, hidden_below: int = 0) -> Iterator[CheckView]:
    """Every result in words; counts of failing rows from 1 to `hidden_below` - 1 are not told."""
    for result in of.checked.results:
        trend = of.history.of(result.check) if of.history and not result.success else NO_TREND
        asked = query_of(result, of.evidence.queries) if result.unexpected or result.error else ""
        yield view(result, trend, asked, hidden_below)


def _contents(shared: bool, *, fhir: bool) -> list[tuple[str, str]]:
    """The sections of the page by their anchors."""
    absent = {*(("flow", "changes") if shared else ()), *(() if fhir else ("fhir",))}
    return [(anchor, title) for anchor, title in _sections() if anchor not in absent]


def _sections() -> list[tuple[str, str]]:
    return [
        ("matrix", _("At a glance")),
        ("failing", _("Checks that failed")),
        ("waivers", _("Waivers")),
        ("flow", _("Where the rows went")),
        ("coverage", _("What is mapped")),
        ("fhir", _("OMOP and FHIR")),
        ("distributions", _("Distributions")),
        ("changes", _("What changed")),
        ("all", _("All checks")),
        ("run-facts", _("Delivery and run")),
    ]


def _by_kind(checks: Iterable[CheckView]) -> list[tuple[str, str, list[CheckView]]]:
    """Checks by the kind of check, the kinds with the most first: name, reference text, checks."""
    kinds: dict[str, list[CheckView]] = defaultdict(list)
    for check in checks:
        kinds[check.result.expectation].append(check)
    ordered = sorted(kinds.items(), key=lambda kind: (-len(kind[1]), kind[0]))
    return [(name, reference_of(name), found) for name, found in ordered]


def _references(checks: Iterable[CheckView]) -> list[tuple[str, str]]:
    """The reference text of every kind of check that failed."""
    names = sorted({check.result.expectation for check in checks})
    return [(name, text) for name in names if (text := reference_of(name))]


def _groups(checks: Iterable[CheckView]) -> Iterator[Group]:
    """All checks: a group for each suite, and one for what was generated of each origin."""
    origins = list(ORIGINS)

    def place(check: CheckView) -> tuple[int, str]:
        return origins.index(check.result.origin), check.result.suite if check.result.origin == "suite" else ""

    for (origin, suite), found in groupby(sorted(checks, key=place), key=place):
        of_group = list(found)
        name = suite or _(ORIGINS[origins[origin]])
        yield Group(name, origins[origin], matrix.tally(of_group), list(_kinds(of_group)))


def _kinds(checks: Sequence[CheckView]) -> Iterator[Kind]:
    by_name: dict[str, list[CheckView]] = defaultdict(list)
    for check in checks:
        by_name[check.result.expectation].append(check)
    for name, found in sorted(by_name.items()):
        found.sort(key=lambda check: name_of(check.result))
        yield Kind(
            name=name,
            meaning=reference_of(name),
            tally=matrix.tally(found),
            passed=[_short(check) for check in found if check.outcome == "passed"],
            idle=[_short(check) for check in found if check.outcome == "not applicable"],
            bad=[check for check in found if check.is_bad],
        )


def _short(check: CheckView) -> str:
    """The place of a check, in few signs: a page names thousands."""
    concept = "" if check.result.concept is None else f" {check.result.concept}"
    return f"{check.place}{concept}{f' {check.result.unit}' if check.result.unit else ''}"


def _facts(ledger: Iterable[LedgerEntry], smallest: int) -> list[Covered]:
    """The coverage of each kind of fact, by the ledger."""
    return [
        Covered(fact, events, _mapped(events, unmapped, smallest))
        for fact, (events, unmapped) in sorted(events_by_fact(ledger).items())
        if events and fact != ALL_FACTS
    ]


def _maps(of: Material, smallest: int) -> list[Covered]:
    """The coverage of each concept map."""
    return [
        Covered(
            m.concept_map,
            m.records,
            _mapped(m.records, m.records - m.records_mapped, smallest),
            m.codes,
            m.codes_mapped,
        )
        for m in (of.evidence.coverage.maps if of.evidence.coverage else ())
    ]


def _mapped(records: int, unmapped: int, smallest: int) -> int | None:
    """How many are mapped; None where that, or how many are not, is small."""
    return suppressed({"mapped": records - unmapped, "unmapped": unmapped}, smallest)["mapped"]


def _provenance(of: Material) -> list[tuple[str, str]]:
    return [
        (_("Run"), of.extracted.run_id),
        (_("Software"), of.identity.software),
        (_("Vocabulary"), of.mapped.vocabulary),
        (_("Code, SHA-256"), of.identity.code_sha256),
        (_("Mapping, SHA-256"), of.identity.mapping_sha256),
        (_("Plan, SHA-256"), of.mapped.plan_sha256),
        (_("Pseudonymisation domain"), of.identity.domain),
        (_("Key id"), of.identity.key_id),
    ]
