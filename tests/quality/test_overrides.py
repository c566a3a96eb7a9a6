"""thresholds.yaml: what a site tolerates, with a reason and an end; never a way round a fatal check."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import pytest

from oncoweave.errors import SpecError
from oncoweave.quality.overrides import lint_thresholds, overridden, overrides
from oncoweave.records import ExpectationResult, Severity
from tests.quality.small_cdm import Cdm

DOMAIN = "field_fkdomain_measurement_unit_concept_id"
REQUIRED = "field_isrequired_person_year_of_birth"
TODAY = date(2026, 11, 24)
REST = "    reason: the unit is known to be odd\n    owner: qa\n    expires: 2027-01-31\n"


def write(cdm: Cdm, entry: str, *, name: str = "expectations/thresholds.yaml") -> Path:
    path = cdm.project.root / name
    path.parent.mkdir(parents=True, exist_ok=True)
    text = path.read_text() if path.exists() else "version: 1\nthresholds:\n"
    path.write_text(text + f"  - {entry}\n" + REST)
    return path


@pytest.fixture(autouse=True)
def own(cdm: Cdm) -> str:
    """The thresholds.yaml of the source, whose folder is made."""
    folder = cdm.project.root / "mappings" / "sources" / cdm.run.source
    folder.mkdir(parents=True)
    (folder / "source.yaml").touch()
    return f"mappings/sources/{cdm.run.source}/thresholds.yaml"


def fact(check: str = DOMAIN, severity: Severity = "convention") -> ExpectationResult:
    return ExpectationResult(
        check=check, origin="dqd", suite="dqd", table="measurement", expectation="fkDomain", column="unit_concept_id",
        severity=severity, category="conformance", why="w", success=False, evaluated=100, unexpected=4, mostly=1.0,
    )  # fmt: skip


def judged(cdm: Cdm, one: ExpectationResult, today: date = TODAY) -> ExpectationResult:
    (result,) = overridden([one], overrides(cdm.project, cdm.run.source), today)
    return result


def test_a_threshold_of_the_site_is_what_the_counts_are_judged_by(cdm: Cdm) -> None:
    write(cdm, f"check: {DOMAIN}\n    threshold: 5")
    result = judged(cdm, fact())
    assert result.mostly == pytest.approx(0.95)
    assert (result.severity, result.unexpected, result.evaluated) == ("convention", 4, 100)
    assert result.override is not None
    assert (result.override.reason, result.override.owner) == ("the unit is known to be odd", "qa")
    assert (result.override.file, result.override.own.mostly) == ("expectations/thresholds.yaml", 1.0)


def test_a_severity_of_the_site_counts_and_the_threshold_stays(cdm: Cdm) -> None:
    write(cdm, f"check: {DOMAIN}\n    severity: characterization")
    result = judged(cdm, fact())
    assert (result.severity, result.mostly) == ("characterization", 1.0)


def test_a_check_that_is_off_is_not_judged_and_says_why(cdm: Cdm) -> None:
    write(cdm, f"check: {DOMAIN}\n    threshold: off")
    result = judged(cdm, fact())
    assert result.success
    assert "the unit is known to be odd" in result.not_applicable
    assert (result.unexpected, result.evaluated) == (4, 100)


@pytest.mark.parametrize("threshold", ["5", "off"])
def test_an_expired_entry_sets_nothing_and_says_that_it_has_expired(cdm: Cdm, threshold: str) -> None:
    write(cdm, f"check: {DOMAIN}\n    threshold: {threshold}")
    assert judged(cdm, fact(), date(2027, 1, 31)).override.expired is False  # type: ignore[union-attr]
    result = judged(cdm, fact(), date(2027, 2, 1))
    assert result.override is not None
    assert result.override.expired
    assert result.model_copy(update={"override": None}) == fact()


def test_judging_again_starts_from_what_the_check_itself_asks(cdm: Cdm) -> None:
    path = write(cdm, f"check: {DOMAIN}\n    threshold: off\n    severity: characterization")
    off = judged(cdm, fact())
    path.unlink()
    assert judged(cdm, off) == fact()
    write(cdm, f"check: {DOMAIN}\n    threshold: 2")
    assert judged(cdm, off) == judged(cdm, fact())


def test_an_entry_for_one_check_wins_over_a_pattern_and_the_source_s_over_the_site_s(cdm: Cdm, own: str) -> None:
    write(cdm, "check: field_fkdomain_*\n    threshold: 10")
    assert judged(cdm, fact()).mostly == pytest.approx(0.9)
    write(cdm, f"check: {DOMAIN}\n    threshold: 5")
    write(cdm, "check: field_fkdomain_*\n    threshold: 20")
    assert judged(cdm, fact()).mostly == pytest.approx(0.95)
    assert judged(cdm, fact("field_fkdomain_measurement_operator_concept_id")).mostly == pytest.approx(0.8)
    write(cdm, f"check: {DOMAIN}\n    threshold: 1", name=own)
    result = judged(cdm, fact())
    assert result.mostly == pytest.approx(0.99)
    assert result.override.file == own  # type: ignore[union-attr]


def test_a_pattern_leaves_alone_what_is_neither_of_a_suite_nor_of_the_dashboard(cdm: Cdm) -> None:
    write(cdm, "check: field_fkdomain_*\n    threshold: 10")
    of_the_delivery = fact().model_copy(update={"origin": "source"})
    assert judged(cdm, of_the_delivery) == of_the_delivery


def test_a_check_of_a_suite_is_named_by_its_id(cdm: Cdm) -> None:
    write(cdm, "check: death.death_date.dates_not_before_birth\n    threshold: 1")
    assert lint_thresholds(cdm.project, cdm.run.source) == []
    one = fact("death.death_date.dates_not_before_birth").model_copy(update={"origin": "suite", "suite": "death"})
    assert judged(cdm, one).mostly == pytest.approx(0.99)


@pytest.mark.parametrize(
    ("entry", "line", "code", "words"),
    [
        (
            "check: field_fkdomain_measurment_unit_concept_id\n    threshold: 1",
            3, "unknown-check", f"did you mean `{DOMAIN}`?",
        ),
        ("check: nothing_like_it\n    threshold: 1", 3, "unknown-check", "oncoweave check --json"),
        ("check: field_fkdomian_*\n    threshold: 1", 3, "unknown-check", "no check has an id like"),
        (f"check: {REQUIRED}\n    threshold: 1", 4, "loosened-fatal", "is fatal"),
        (f"check: {REQUIRED}\n    threshold: off", 4, "loosened-fatal", "is fatal"),
        (f"check: {REQUIRED}\n    severity: convention", 4, "loosened-fatal", "is fatal"),
        ("check: field_is*\n    threshold: 1", 4, "loosened-fatal", "more is fatal"),
        ("check: person.columns_of_the_model\n    threshold: 1", 4, "loosened-fatal", "is fatal"),
    ],
)  # fmt: skip
def test_a_wrong_entry_is_told_with_its_line(cdm: Cdm, entry: str, line: int, code: str, words: str) -> None:
    write(cdm, entry)
    problems = lint_thresholds(cdm.project, cdm.run.source)
    assert [(p.file, p.line, p.code) for p in problems][:1] == [("expectations/thresholds.yaml", line, code)]
    assert words in f"{problems[0].message} {problems[0].help}"
    with pytest.raises(SpecError) as error:
        overrides(cdm.project, cdm.run.source)
    assert list(error.value.problems) == problems


def test_a_fatal_check_may_be_made_stricter_and_another_one_fatal(cdm: Cdm) -> None:
    write(cdm, f"check: {REQUIRED}\n    threshold: 0")
    write(cdm, f"check: {DOMAIN}\n    threshold: 0\n    severity: fatal")
    assert lint_thresholds(cdm.project, cdm.run.source) == []
    assert judged(cdm, fact()).severity == "fatal"


def test_an_expired_entry_is_a_warning_of_lint_only(cdm: Cdm) -> None:
    write(cdm, f"check: {DOMAIN}\n    threshold: 5")
    (problem,) = lint_thresholds(cdm.project, cdm.run.source, date(2027, 2, 1))
    assert (problem.severity, problem.line, problem.code) == ("warning", 7, "expired")
    assert lint_thresholds(cdm.project, cdm.run.source, date(2027, 1, 31)) == []
    assert len(overrides(cdm.project, cdm.run.source)) == 1


def test_a_fault_of_one_file_does_not_hide_that_of_the_other(cdm: Cdm, own: str) -> None:
    write(cdm, f"check: {DOMAIN}")
    write(cdm, "check: nothing\n    threshold: 1", name=own)
    assert [p.code for p in lint_thresholds(cdm.project, cdm.run.source)] == ["keys-disagree", "unknown-check"]
    with pytest.raises(SpecError):
        overrides(cdm.project, cdm.run.source)
