"""Material of a report that no run made: results of every kind, hostile texts, and thousands of checks."""

from __future__ import annotations

from datetime import date
from typing import Any

from oncoweave.quality.coverage import Coverage, MapCoverage, UnmappedCode
from oncoweave.quality.distributions import Distribution, Distributions, Group, YearRecords
from oncoweave.quality.evidence import Evidence
from oncoweave.quality.history import HistoryRow, Series
from oncoweave.records import AppliedWaiver, CheckRecord, ExpectationResult, ExtractRecord, LedgerEntry, MapRecord
from oncoweave.release_records import ReleaseManifest
from oncoweave.report.banners import Banner
from oncoweave.report.earlier import Before, History
from oncoweave.report.material import Material
from oncoweave.run_identity import Identity
from tests.report.conftest import HOSTILE

RUN = "0123456789abcdef0123"
WAIVER = AppliedWaiver(
    reason="known to be rare", owner="registry", expires=date(2027, 1, 31), at_most="5 %", file="waivers.yaml"
)


def result(**given: Any) -> ExpectationResult:
    """A result; what is not given is that of a check that passed."""
    return ExpectationResult(
        **{
            "check": "person.unique", "suite": "person", "table": "person", "column": "person_id", "severity": "fatal",
            "expectation": "expect_column_values_to_be_unique", "category": "conformance", "why": "a key is unique",
            "success": True, "evaluated": 100, "unexpected": 0, **given,
        }
    )  # fmt: skip


def material(results: Any, **given: Any) -> Material:
    """Material of a run with these results, and little else."""
    empty = {"imputed": {}, "truncated": {}, "corrections": 0, "events": {}, "tables": (), "unmapped": ()}
    mapped = MapRecord(
        vocabulary="starter-1", unconfirmed_concepts=(), synthetic_origin=None, plan_sha256="0" * 64, persons=100,
        ledger=(), **empty,
    )  # fmt: skip
    values: dict[str, Any] = {
        "identity": Identity(
            software="oncoweave 0", code_sha256="1" * 64, mapping_sha256="2" * 64, vocabulary="starter-1", key_id="k",
            domain="one", files={},
        ),
        "extracted": ExtractRecord(source="one", run_id=RUN, delivery_date=date(2024, 1, 31), tables=()),
        "mapped": mapped,
        "checked": CheckRecord(verdict="pass", results=tuple(results)),
        "evidence": Evidence(),
        "signoff": Banner("calm", "Not signed off", ""),
    }  # fmt: skip
    return Material(**values | given)


def entry(**given: Any) -> LedgerEntry:
    """A line of a ledger that balances."""
    values: dict[str, Any] = {
        "rule": "diagnosis", "column": None, "table": "patients", "fact": "condition", "mapped": 0, "quarantined": 0,
        "excluded": 0, "unmapped": 0, **given,
    }  # fmt: skip
    read = values["mapped"] + values["quarantined"] + values["excluded"]
    return LedgerEntry(**{"read": read, "events": values["mapped"], **values})


def distributions(names: tuple[str, ...] = ("north", "south")) -> Distributions:
    """Distributions of every kind, with groups that are left out."""
    ages = (
        Group(name="0–9", persons=0),
        Group(name="40–49", persons=60),
        Group(name="50–59", persons=None),
        Group(name="60–69", persons=None),
    )
    years = tuple(Group(name=str(1980 + n), persons=n if n > 4 or not n else None) for n in range(40))
    sites = tuple(Group(name=name, persons=9 + n) for n, name in enumerate(names))
    return Distributions(
        smallest=5, persons=100, since="diagnosis",
        persons_by=(
            Distribution(by="year", groups=years), Distribution(by="age", groups=ages),
            Distribution(by="sex", groups=(Group(name="female", persons=60), Group(name="male", persons=40))),
            Distribution(by="care_site", groups=sites),
        ),
        records_by_year=(YearRecords(table="measurement", first=2001, records=(7, None, None, 0, 20)),),
    )  # fmt: skip


def history(check: str, shares: tuple[tuple[int, bool], ...]) -> History:
    """A history of runs, the last one this run's: how many of 100 failed, and whether that was a success."""
    runs = [*(f"{n:020x}" for n in range(len(shares) - 1)), RUN]
    rows = tuple(
        HistoryRow(run, date(2023, 1 + n, 1), "check", check, "fatal", 100, bad, None, passed, False, False, False)
        for n, (run, (bad, passed)) in enumerate(zip(runs, shares, strict=True))
    )
    return History(runs, Series({"check": {check: rows}}))


def hostile_material(
    identity: Identity, extracted: ExtractRecord, mapped: MapRecord, checked: CheckRecord, manifest: ReleaseManifest
) -> Material:
    """Material whose every text is hostile."""
    codes = tuple(
        UnmappedCode(rule=text, column=text, concept_map=text, code=text, label=text, events=9, persons=9)
        for text in HOSTILE
    )
    maps = tuple(
        MapCoverage(concept_map=text, codes=2, codes_mapped=1, records=9, records_mapped=4) for text in HOSTILE
    )
    ids = [result.check for result in checked.results]
    queries = {name: HOSTILE[n % len(HOSTILE)] for n, name in enumerate(ids)}
    before = manifest.model_copy(update={"expectations": checked.results, "software": HOSTILE[2]})
    return Material(
        identity=identity,
        extracted=extracted,
        mapped=mapped,
        checked=checked,
        evidence=Evidence(
            coverage=Coverage(smallest=5, maps=maps, unmapped=codes, others=3),
            distributions=distributions(HOSTILE),
            queries=queries,
        ),
        signoff=Banner("warn", HOSTILE[0], " ".join(HOSTILE)),
        title=HOSTILE[3],
        holder=HOSTILE[4],
        release="2024-01-31-0123",
        history=history(ids[0], ((3, False), (5, False))),
        before=Before(before, identity.model_copy(update={"files": dict.fromkeys(HOSTILE, "0")})),
    )
