"""waivers.yaml: a failing check is accepted for a while, by name, up to a bound, and never a fatal one."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import pytest

from oncoweave.errors import SpecError
from oncoweave.project import Project
from oncoweave.quality.judge import accepted, judge
from oncoweave.quality.waivers import FiledWaiver, lint_waivers, waivers
from oncoweave.records import CheckRecord, ExpectationResult, IdleWaiver, Severity
from oncoweave.spec.waivers import Waiver

TODAY = date(2026, 11, 24)
BIRTH = "person.year_of_birth.be_between"
DEATH = "death.death_date.dates_not_before_birth"


def fact(
    check: str = DEATH, severity: Severity = "convention", unexpected: int | None = 4, error: str | None = None
) -> ExpectationResult:
    table, _, rest = check.partition(".")
    return ExpectationResult(
        check=check, suite=table, table=table, expectation="e", column=rest.split(".")[0], severity=severity,
        category="plausibility", why="w", success=False, evaluated=None if unexpected is None else 100, unexpected=unexpected,
        error=error,
    )  # fmt: skip


def waiver(check: str = DEATH, at_most: str | None = "5 rows", scope: str = "", until: date = TODAY) -> FiledWaiver:
    entry = {"check": check, "at_most": at_most, "reason": "they are asked for", "owner": "QA", "expires": until}
    return FiledWaiver(Waiver.model_validate(entry | ({"scope": scope} if scope else {})), "waivers.yaml")


def judged(*entries: FiledWaiver, facts: tuple[ExpectationResult, ...] = (fact(),), today: date = TODAY) -> CheckRecord:
    return judge(facts, (), entries, today)


def test_a_waived_convention_still_fails_and_stops_nothing() -> None:
    record = judged(waiver())
    (result,) = record.results
    assert (record.verdict, record.open["convention"], record.waived, record.idle_waivers) == ("pass", 0, 1, ())
    assert not result.success and result.waiver is not None
    assert (result.waiver.owner, result.waiver.expires, result.waiver.at_most) == ("QA", TODAY, "5 rows")
    assert judged().verdict == "fail"


def test_a_waiver_counts_on_its_last_day_and_on_none_after_and_the_result_says_so() -> None:
    assert judged(waiver(until=TODAY)).verdict == "pass"
    record = judged(waiver(until=date(2026, 11, 23)))
    assert record.verdict == "fail"
    assert record.results[0].lapsed == "the waiver of QA expired on 2026-11-23"
    assert [(idle.state, idle.told) for idle in record.idle_waivers] == [("expired", record.results[0].lapsed)]


@pytest.mark.parametrize(
    ("at_most", "told"),
    [
        ("4 rows", ""),
        ("4 %", ""),
        ("1,000 rows", ""),
        ("3 rows", "4 rows fail, and the waiver lets at most 3 rows pass"),
        ("3.9 %", "4 % of the rows fail, and the waiver lets at most 3.9 % pass"),
        (None, "4 rows fail, and the waiver has no `at_most`"),
    ],
)
def test_more_rows_than_a_waiver_names_are_not_let_pass(at_most: str | None, told: str) -> None:
    record = judged(waiver(at_most=at_most))
    assert (record.results[0].lapsed, record.verdict) == (told, "fail" if told else "pass")
    assert [idle.state for idle in record.idle_waivers] == (["exceeded"] if told else [])


@pytest.mark.parametrize("error", [None, "BinderException"])
def test_a_check_that_counted_no_rows_is_waived_without_a_bound_only(error: str | None) -> None:
    facts = (fact(unexpected=None, error=error),)
    assert judged(waiver(at_most=None), facts=facts).verdict == "pass"
    bounded = judged(waiver(), facts=facts)
    assert bounded.verdict == "fail" and "leave out `at_most`" in bounded.results[0].lapsed


@pytest.mark.parametrize(
    ("check", "scope", "covered"),
    [
        (DEATH, "", True), ("death.*", "", True), ("*.dates_not_before_birth", "", True), ("death.*.dates*", "", True),
        ("death", "", False), ("death.death_date", "", False), (DEATH, "death", True), (DEATH, "death.death_date", True),
        (DEATH, "person", False), ("death.*", "death.cause_concept_id", False),
    ],
)  # fmt: skip
def test_which_checks_an_entry_names(check: str, scope: str, covered: bool) -> None:
    record = judged(waiver(check, scope=scope))
    assert (record.verdict == "pass") is covered
    assert [idle.told for idle in record.idle_waivers] == ([] if covered else ["this run has no such check"])


def test_nothing_waives_a_fatal_check() -> None:
    record = judged(waiver("*th*"), facts=(fact(severity="fatal"),))
    assert (record.verdict, record.open["fatal"], record.waived) == ("fail", 1, 0)
    assert [idle.told for idle in record.idle_waivers] == ["what fails of it is fatal, and cannot be waived"]


def test_a_waiver_that_waives_nothing_is_told() -> None:
    record = judged(waiver(), facts=(fact(unexpected=0),))
    assert record.verdict == "pass"
    (idle,) = record.idle_waivers
    assert isinstance(idle, IdleWaiver)
    assert (idle.state, idle.told) == ("unused", "nothing of what it waives fails: remove it")


def test_of_several_waivers_one_that_counts_is_enough() -> None:
    record = judged(waiver("death.*", until=date(2026, 1, 1)), waiver(at_most="2 rows"), waiver(at_most="5 %"))
    assert record.verdict == "pass" and record.results[0].lapsed == ""
    assert {idle.state for idle in record.idle_waivers} == {"expired", "exceeded"}


def test_judging_a_record_again_takes_back_what_was_judged_before() -> None:
    waived = judged(waiver())
    assert judged(facts=waived.results) == judged()
    assert judged(waiver(until=date(2026, 1, 1)), facts=waived.results).verdict == "fail"
    assert judged(waiver(), facts=judged(waiver(until=date(2026, 1, 1))).results) == waived


def test_an_approval_accepts_open_and_waived_conventions_by_name() -> None:
    facts = (fact(), fact(BIRTH), fact("person.x", "characterization"), fact("person.y", "fatal"))
    names = [
        (one.check, one.unexpected, one.evaluated, one.waived)
        for one in accepted(judged(waiver(), facts=facts).results)
    ]
    assert names == [(DEATH, 4, 100, True), (BIRTH, 4, 100, False)]


@pytest.fixture
def site(tmp_path: Path) -> Project:
    """A project of one source, with the standard suites."""
    folder = tmp_path / "mappings" / "sources" / "one"
    folder.mkdir(parents=True)
    (folder / "source.yaml").touch()
    (tmp_path / "expectations").mkdir()
    return Project.at(tmp_path)


def write(site: Project, *checks: str, name: str = "mappings/sources/one/waivers.yaml") -> None:
    rest = "at_most: 1 row, reason: r, owner: o, expires: 2027-01-01}"
    lines = [f'  - {{check: "{check}", {rest}\n' for check in checks]
    (site.root / name).write_text("version: 1\nwaivers:\n" + "".join(lines))


def test_the_source_s_own_waivers_come_before_the_site_s(site: Project) -> None:
    write(site, DEATH)
    write(site, BIRTH, name="expectations/waivers.yaml")
    assert [(w.entry.check, w.file) for w in waivers(site, "one")] == [
        (DEATH, "mappings/sources/one/waivers.yaml"),
        (BIRTH, "expectations/waivers.yaml"),
    ]


def test_the_problems_of_all_files_are_told(site: Project) -> None:
    write(site, "a b")
    write(site, "*", name="expectations/waivers.yaml")
    with pytest.raises(SpecError) as caught:
        waivers(site, "one")
    assert [(p.file, p.line) for p in caught.value.problems] == [
        ("expectations/waivers.yaml", 3),
        ("mappings/sources/one/waivers.yaml", 3),
    ]


@pytest.mark.parametrize(
    ("check", "told"),
    [
        (DEATH, ""),
        ("field_isrequired_*", "is fatal: it cannot be waived"),
        ("death.death_date.dates_not_before_brith", f"did you mean `{DEATH}`?"),
        ("source.records_dropped.*", ""),
        ("mapping.*", ""),
        ("source.record_dropped.patients", "did you mean `source.records_dropped`?"),
        ("zz*", "there is no check `zz*`"),
        ("person.person_id.be_unique", "is fatal: it cannot be waived"),
    ],
)
def test_what_lint_tells_of_an_entry(check: str, told: str, site: Project) -> None:
    write(site, check)
    problems = lint_waivers(site, "one")
    assert [(p.line, p.severity) for p in problems] == ([(3, "error")] if told else [])
    assert told in "".join(f"{p.message} {p.help}" for p in problems)
