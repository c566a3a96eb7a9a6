"""The quality report: what it counts, what it says to do, and that everybody can read it."""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe

from oncoweave.quality.coverage import Coverage, MapCoverage, UnmappedCode
from oncoweave.quality.dqd.catalogue import catalogue
from oncoweave.quality.evidence import Evidence
from oncoweave.quality.fhir.reconciliation import JudgedType, ReconciledKind, Reconciliation
from oncoweave.records import CheckRecord, ExpectationResult, FhirClaim, FhirRecord, IdleWaiver
from oncoweave.report.check_views import view
from oncoweave.report.flow import flow_of
from oncoweave.report.material import Material
from oncoweave.report.matrix import by_category_and_context, by_severity, tally
from oncoweave.report.next_steps import next_steps
from oncoweave.report.quality_page import quality_page, views
from tests.report.made_up import WAIVER, distributions, entry, history, material, result

LEDGER = (
    entry(mapped=90, quarantined=6, excluded=4, unmapped=9,
          reasons=(("quarantined", "no day of diagnosis", 6), ("excluded", "ignored code", 4))),
    entry(rule="sex", table="people", fact="person", mapped=40, excluded=2, reasons=(("excluded", "empty", 2),)),
)  # fmt: skip
RESULTS = (
    result(),
    result(check="person.sex", column="gender_concept_id", success=False, unexpected=3, expectation="expect_concepts_to_be_mapped"),
    result(check="death.day", table="death", suite="death", severity="convention", success=False, unexpected=2, mostly=0.99),
    result(check="death.waived", table="death", suite="death", severity="convention", success=False, unexpected=2, waiver=WAIVER),
    result(check="person.broken", severity="characterization", success=False, error="BinderException", evaluated=None,
           unexpected=None, category="plausibility", context="validation"),
    result(check="visit.idle", table="visit_occurrence", severity="convention", evaluated=0, not_applicable="no row to judge",
           category="completeness"),
)  # fmt: skip

FHIR = Reconciliation(
    profiles="mcode",
    types=(
        JudgedType(type="Patient", resources=40, validated=40, refused=0),
        JudgedType(type="MedicationAdministration", resources=1234567, validated=400, refused=2),
    ),
    kinds=(
        ReconciledKind(table="drug_exposure", fact="drug", rows=1234600, told=1234567, resources=1234567, unmapped=9, uncoded=9,
                       left_out=(("it names no drug", 30),)),
        ReconciledKind(table="person", fact="person", rows=40, told=40, resources=40, unmapped=0, uncoded=0),
    ),
)  # fmt: skip


CLAIMS = (
    FhirClaim(profile="grade", resources=1_000),
    FhirClaim(profile="stage", reason="no standard concept", resources=20),
    FhirClaim(profile="stage", reason="no day", resources=3),
)


def full() -> Material:
    """Material in which every section of the report has something to say."""
    of = material(RESULTS)
    codes = (UnmappedCode(rule="r", column="c", concept_map="m", code="X1", label="a label", events=30, persons=9),)
    coverage = Coverage(
        smallest=5, unmapped=codes, others=2, maps=(MapCoverage(concept_map="m", codes=9, codes_mapped=6, records=90, records_mapped=60),)
    )  # fmt: skip
    idle = IdleWaiver(
        check="death.*", state="expired", told="the waiver expired", owner="QA", expires=date(2024, 1, 1), file="w.yaml"
    )
    return replace(
        of,
        mapped=of.mapped.model_copy(update={"ledger": LEDGER, "fhir": FhirRecord(profiles="mcode", claims=CLAIMS)}),
        checked=CheckRecord(verdict="fail", results=RESULTS, idle_waivers=(idle,)),
        evidence=Evidence(coverage=coverage, distributions=distributions(), queries={"person.sex": "SELECT 1 AS evaluated"}, fhir=FHIR),
        history=history("person.sex", ((1, True), (2, False), (3, False))),
    )  # fmt: skip


@pytest.fixture(scope="module")
def opened(browser: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """The full report in Chromium."""
    path = tmp_path_factory.mktemp("report") / "report.html"
    path.write_text(quality_page(full(), []), encoding="utf-8")
    page = browser.new_page(viewport={"width": 1280, "height": 900})
    page.goto(path.as_uri())
    yield page
    page.close()


def test_omop_and_fhir_are_told_side_by_side_where_there_is_fhir(opened: Any) -> None:
    section = opened.locator("section[aria-labelledby=fhir]")
    assert "3 facts are not the same in both" in section.inner_text()
    rows = section.locator("table").first.locator("tbody tr").all_inner_texts()
    assert [row.split() for row in rows[:2]] == [
        ["drug", "drug_exposure", "1,234,600", "1,234,567", "1,234,567", "30", "3"],
        ["30", "left", "out:", "it", "names", "no", "drug"],
    ]
    assert opened.locator("nav a[href='#fhir']").count() == 1
    same = Evidence(fhir=FHIR.model_copy(update={"kinds": FHIR.kinds[1:]}))
    assert "The two tell the same" in quality_page(replace(full(), evidence=same), [])
    assert 'id="fhir"' not in quality_page(replace(full(), evidence=Evidence()), [])


def test_profiles_that_are_not_met_are_told_with_the_reason_at_the_site_only(opened: Any) -> None:
    rows = opened.locator("section[aria-labelledby=fhir] table").last.locator("tbody tr").all_inner_texts()
    assert [row.split() for row in rows[:2]] == [["grade", "1,000", "0"], ["stage", "0", "23"]]
    assert rows[2].splitlines() == ["20 not met: no standard concept", "3 not met: no day"]
    assert "not met" not in quality_page(full(), [], shared=True)


def test_what_is_not_applicable_is_in_no_denominator() -> None:
    checks = [view(one) for one in RESULTS]
    whole = tally(checks)
    assert (whole.judged, whole.of("passed"), whole.of("not applicable")) == (5, 1, 1)
    assert whole.share == 0.2
    assert [(outcome, count) for outcome, _, count in whole.told] == [
        ("failed", 2), ("could not run", 1), ("waived", 1), ("not applicable", 1)
    ]  # fmt: skip


def test_the_matrix_adds_up_to_its_margins() -> None:
    rows = by_category_and_context([view(one) for one in RESULTS])
    *categories, whole = rows
    assert [row.name for row in rows] == ["conformance", "completeness", "plausibility", ""]
    for place in range(3):
        assert sum(sum(row.cells[place].counts.values()) for row in categories) == sum(
            whole.cells[place].counts.values()
        )
    assert [row.cells[2].judged for row in rows] == [4, 0, 1, 5]
    assert [row.cells[0].judged for row in by_severity([view(one) for one in RESULTS])] == [2, 2, 1]


def test_a_fatal_check_is_never_shown_as_waived() -> None:
    assert view(result(success=False, unexpected=1, waiver=WAIVER)).outcome == "failed"
    assert view(result(success=False, unexpected=1, waiver=WAIVER, severity="convention")).outcome == "waived"


def test_counts_that_may_not_be_told_are_not() -> None:
    told = view(result(success=False, unexpected=3), hidden_below=5).found
    assert told == "fewer than 5 rows fail"
    assert view(result(success=False, unexpected=7), hidden_below=5).found == "7 of 100 judged fail (7.0 %)"


def test_the_flow_holds_every_row_of_the_ledger() -> None:
    flow = flow_of(LEDGER)
    assert (flow.rows, flow.mapped, flow.excluded, flow.quarantined) == (142, 130, 6, 6)
    firsts = [s for s in flow.streams if s.origin in ("patients", "people")]
    assert sum(s.rows for s in firsts) == sum(s.rows for s in flow.streams if s not in firsts) == 142
    assert {(s.origin, s.target, s.rows) for s in flow.streams} >= {
        ("Quarantined", "no day of diagnosis", 6), ("Excluded", "empty", 2), ("Mapped", "person", 40)
    }  # fmt: skip


def test_the_flow_of_many_reasons_keeps_the_largest_apart() -> None:
    reasons = tuple(("excluded", f"reason {n:02}", n + 1) for n in range(30))
    flow = flow_of((entry(excluded=sum(n for _, _, n in reasons), reasons=reasons),))
    named = {s.target: s.rows for s in flow.streams if s.origin == "Excluded"}
    assert len(named) == 10
    assert named["reason 29"] == 30 and named["other reasons"] == sum(range(1, 22))
    assert all(0 <= node.y <= flow.height for node in flow.nodes)


def test_the_flow_of_nothing_is_empty() -> None:
    assert (flow_of(()).rows, flow_of(()).streams) == (0, [])
    assert "No row was read." in quality_page(material(()), [])


def steps(*results: ExpectationResult, **given: Any) -> list[str]:
    of = material(results, **given)
    return [f"{step.text} {step.command}".strip() for step in next_steps(of, list(views(of)))]


def test_the_steps_follow_from_what_failed() -> None:
    fatal, convention = RESULTS[1], RESULTS[2]
    assert "neither waived nor signed away" in steps(fatal)[0]
    assert not any("oncoweave publish" in step for step in steps(fatal))
    assert "waive it" in steps(convention)[0]
    assert any("oncoweave signoff one 0123456789ab --approve" in step for step in steps(convention))
    assert steps(RESULTS[0]) == ["Then publish it. oncoweave publish one --run 0123456789ab"]
    assert steps(RESULTS[0], release="2024-01-31-0123456789ab") == [
        "It is published as release 2024-01-31-0123456789ab."
    ]


def test_a_failing_check_tells_since_when_and_how_it_was_asked(opened: Any) -> None:
    card = opened.locator("details.check", has_text="gender_concept_id").first
    text = card.inner_text()
    assert "3 of 100 judged fail (3.0 %)" in text and "none may fail" in text
    assert "the delivery of 1 Feb 2023" in text
    assert "oncoweave failing one person.sex --rows" in text
    card.locator(".query summary").click()
    assert "SELECT 1 AS evaluated" in card.inner_text()
    label = card.locator("svg.spark").get_attribute("aria-label")
    assert label == "Failing share from delivery to delivery: 1.0 %, 2.0 %, 3.0 %"


@pytest.mark.parametrize(("width", "scheme"), [(1280, "light"), (390, "light"), (1280, "dark")])
def test_axe_finds_nothing_against_wcag(opened: Any, width: int, scheme: str) -> None:
    opened.set_viewport_size({"width": width, "height": 900})
    opened.emulate_media(color_scheme=scheme)
    opened.evaluate("document.querySelectorAll('details').forEach(one => { one.open = true })")
    tags = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]
    found = Axe().run(opened, options={"runOnly": {"type": "tag", "values": tags}})
    opened.set_viewport_size({"width": 1280, "height": 900})
    opened.emulate_media(color_scheme="light")
    assert len(found.response["passes"]) > 30
    assert {one["id"]: [node["html"] for node in one["nodes"]][:3] for one in found.response["violations"]} == {}


def test_every_detail_opens_by_the_keyboard_in_the_order_of_the_page(opened: Any) -> None:
    opened.reload()
    stops = opened.locator("a[href]:visible, summary:visible, pre[tabindex]:visible").count()
    tops = []
    for _ in range(stops):
        opened.keyboard.press("Tab")
        tops.append(round(opened.evaluate("document.activeElement.getBoundingClientRect().top + scrollY")))
    assert opened.evaluate("document.activeElement.tagName") in ("A", "SUMMARY", "PRE")
    assert len(tops) > 20 and tops[1:] == sorted(tops[1:])  # the first one leads past the header
    opened.locator("details:not([open]) > summary:visible").first.focus()
    opened.keyboard.press("Enter")
    assert opened.evaluate("document.activeElement.parentElement.open")


def test_headings_are_in_order_and_every_section_is_named(opened: Any) -> None:
    levels = opened.evaluate("[...document.querySelectorAll('h1,h2,h3,h4')].map(one => +one.tagName[1])")
    assert levels[0] == 1 and levels.count(1) == 1
    assert all(after <= before + 1 for before, after in itertools.pairwise(levels))
    anchors = opened.evaluate("[...document.querySelectorAll('a[href^=\"#\"]')].map(one => one.hash.slice(1))")
    ids = opened.evaluate("[...document.querySelectorAll('[id]')].map(one => one.id)")
    assert set(anchors) <= set(ids)
    assert len(ids) == len(set(ids))


def test_it_prints_with_everything_opened(opened: Any, tmp_path: Path) -> None:
    path = tmp_path / "report.pdf"
    opened.emulate_media(media="print")
    opened.evaluate("document.querySelectorAll('details').forEach(one => { one.open = false })")
    shown = opened.locator("text=SELECT 1 AS evaluated").first.bounding_box()
    opened.pdf(path=str(path), format="A4")
    opened.emulate_media(media="screen")
    assert shown and shown["height"] > 0
    assert path.read_bytes().startswith(b"%PDF") and path.stat().st_size > 20_000


def thousands() -> tuple[ExpectationResult, ...]:
    """All checks of DQD, a tenth of them failing, and 700 of suites."""
    generated = [
        result(check=check.id, origin="dqd", suite="dqd", table=check.table, column=check.field or None,
               expectation=check.name, concept=check.concepts[0] if check.concepts else None,
               unit=str(check.unit_concept_id or ""), severity="characterization", category=check.category.lower(),
               context=check.context.lower(), why=check.description, success=n % 10 != 0, unexpected=0 if n % 10 else 3)
        for n, check in enumerate(catalogue())
    ]  # fmt: skip
    own = [result(check=f"person.check_{n}", column=f"field_{n}", suite=f"suite_{n % 25}") for n in range(700)]
    return (*generated, *own)


def test_thousands_of_checks_stay_below_a_megabyte() -> None:
    of = replace(full(), checked=CheckRecord(verdict="pass", results=thousands()))
    page = quality_page(of, [])
    assert len(page.encode()) < 1_000_000
    assert page.count('<details class="check') == sum(1 for one in thousands() if not one.success)
    named = re.sub(r"<[^>]+>", "", page)
    assert all(f"field_{n}" in named for n in range(700))


def test_what_is_shared_tells_no_small_count_and_nothing_of_the_site() -> None:
    of = full()
    page = quality_page(of, [], shared=True)
    read = re.sub(r"<[^>]+>", " ", page)
    assert "fewer than 5 rows fail" in read and "3 of 100 judged fail" not in read
    assert "oncoweave failing" not in page.split("<footer")[0]
    assert 'id="flow"' not in page and 'id="changes"' not in page and "no day of diagnosis" not in page
    assert "the waiver expired" not in page
    assert "SELECT 1 AS evaluated" in page
    assert page == quality_page(replace(of, before=None), [], shared=True)


def test_shared_coverage_leaves_out_what_would_tell_few_unmapped_records() -> None:
    few = (entry(mapped=90, unmapped=2), entry(rule="sex", fact="person", mapped=40))
    of = material(RESULTS)
    of = replace(of, mapped=of.mapped.model_copy(update={"ledger": few}))
    shared, ours = (re.sub(r"<[^>]+>", " ", quality_page(of, [], shared=is_shared)) for is_shared in (True, False))
    assert "88" in ours and "97.8 %" in ours
    assert "88" not in shared and "left out" in shared


def test_a_release_says_that_failing_conventions_were_accepted() -> None:
    checked = CheckRecord(verdict="fail", results=(RESULTS[0], RESULTS[2]))
    page = quality_page(replace(material(()), checked=checked, release="2024-01-31-0123456789ab"), [], shared=True)
    assert "Accepted, though conventions fail" in page and "Nothing is published" not in page.split('id="matrix"')[0]
    assert "Did not pass" in quality_page(replace(material(()), checked=checked), [])
    fatal = CheckRecord(verdict="fail", results=RESULTS[:2])
    assert "Did not pass" in quality_page(replace(material(()), checked=fatal, release="r"), [])
