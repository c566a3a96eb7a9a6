"""The language of suites: what may be named, what is refused and why, and the rows that a check is about."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from oncoweave.engine.dialect import pattern_fault
from oncoweave.quality.compilation import checks, lint_suites
from oncoweave.quality.conditions import keys_query
from oncoweave.quality.definitions import CATALOGUE
from oncoweave.quality.faults import _pattern_fault
from oncoweave.quality.gx_catalogue import GREAT_EXPECTATIONS, REFUSED
from oncoweave.records import ExpectationResult
from oncoweave.stages.check import check_tables
from tests.quality.small_cdm import DELIVERY, Cdm

REST = "severity: convention, category: plausibility, why: Because."


def write(cdm: Cdm, entries: str, table: str = "measurement", head: str = "") -> None:
    """A suite of the site with these entries."""
    path = cdm.project.root / "expectations" / "site.yaml"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"version: 1\nsuite: site\ntable: {table}\n{head}expectations:\n{entries}\n", encoding="utf-8")


def entry(expect: str, parameters: str = "", more: str = "") -> str:
    """One entry on one line."""
    return f"  - {{expect: {expect}, parameters: {{{parameters}}}, {more}{REST}}}"


def results(cdm: Cdm) -> list[ExpectationResult]:
    """The results of the site's suite."""
    cdm.write()
    planned = [check for check in checks(cdm.project, cdm.run.source) if check.suite == "site"]
    return check_tables(cdm.run, planned, cdm.concepts, DELIVERY)


def problem(cdm: Cdm) -> tuple[str, str, int, int]:
    """The one problem of the site's suite."""
    (found,) = lint_suites(cdm.project, cdm.run.source)
    return found.message, found.help, found.line, found.column


@pytest.mark.parametrize("name", sorted(REFUSED))
def test_what_great_expectations_has_and_we_refuse_is_told_with_the_reason(cdm: Cdm, name: str) -> None:
    write(cdm, entry(name))
    message, _, line, _ = problem(cdm)
    assert REFUSED[name] in message
    assert line == 5


def test_every_expectation_of_great_expectations_is_taken_or_refused() -> None:
    from oncoweave.quality import validation

    expectation_class, gxe = validation.expectation_class, vars(validation)["gxe"]
    taken = {expectation_class(d.name).__name__.lower() for d in GREAT_EXPECTATIONS}
    refused = {name.replace("_", "") for name in REFUSED}
    theirs = {name.lower() for name in dir(gxe) if name.startswith(("Expect", "Unexpected"))}
    assert theirs == taken | refused | {"expectation"}
    assert not taken & refused


VALUES = [d.name for d in CATALOGUE.values() if d.tells_value]


@pytest.mark.parametrize("name", VALUES)
def test_what_would_tell_a_patient_s_value_is_refused_for_fields_that_hold_them(cdm: Cdm, name: str) -> None:
    needed = "value_set: [1]" if "value_set" in CATALOGUE[name].parameters else "max_value: 9"
    write(cdm, entry(name, f"column: value_as_number, {needed}"))
    message, mend, _, _ = problem(cdm)
    assert "would put a value of a patient into the results" in message
    assert "counts rows" in mend
    write(cdm, entry(name, f"column: unit_concept_id, {needed}"))
    assert lint_suites(cdm.project, cdm.run.source) == []


@pytest.mark.parametrize(
    ("text", "message", "mend"),
    [
        (entry("expect_rows_to_meet", "condition: value > 0"), "there is no field `value`", ""),
        (entry("expect_rows_to_meet", "condition: value_as_number + 1"), "this gives number", "compare it"),
        (entry("expect_rows_to_meet", "condition: value_as_number > '1'"), "is number", "without quotes"),
        (entry("expect_rows_to_meet", "condition: \"read_text('/etc/passwd') = ''\""), "read_text", ""),
        (entry("expect_rows_to_meet", "condition: person_id in (select 1)"), "", ""),
        (entry("expect_columns_of_the_model", "", "where: person_id = 1, "), "takes no `where`", "leave it out"),
        (entry("expect_concepts_to_exist", "column: unit_concept_id", "where: nonsense, "), "`nonsense`", ""),
        (entry("expect_column_values_to_match_regex", "column: unit_source_value, regex: '('"), "no regular expr", "RE2"),
        (entry("expect_column_values_to_match_regex_list", "column: unit_source_value, regex_list: [a], match_on: some"), "any, all", ""),
        (entry("expect_column_values_to_be_in_set", "column: unit_concept_id, value_set: []"), "the list is empty", ""),
        (entry("expect_column_values_to_be_between", "column: value_as_number, max_value: nan"), "not a value of DOUBLE", ""),
        (entry("expect_column_values_to_be_between", "column: person_id, max_value: 1_000"), "not a value of BIGINT", ""),
        (entry("expect_table_row_count_to_equal", "value: 1", "since: yesterday, "), "YYYY-MM-DD", ""),
        (entry("expect_table_row_count_to_equal", "value: 1", "context: outside, "), "", "validation"),
    ],
)  # fmt: skip
def test_a_fault_is_told_where_it_is_with_the_mend(cdm: Cdm, text: str, message: str, mend: str) -> None:
    write(cdm, text)
    told = lint_suites(cdm.project, cdm.run.source)
    assert [p.line for p in told] == [5]
    assert message in told[0].message
    assert mend in told[0].help + told[0].message


def test_a_fault_in_a_condition_is_told_at_its_character(cdm: Cdm) -> None:
    text = "  - expect: expect_rows_to_meet\n    parameters:\n      condition: value_as_number > 0 and valu = 1\n    "
    write(cdm, text + REST.replace(", ", "\n    "))
    _, mend, line, column = problem(cdm)
    assert (line, column) == (7, 42)
    assert "`value_as_number`" in mend or mend


def test_the_rows_that_do_not_meet_where_are_as_if_they_were_not_there(cdm: Cdm) -> None:
    """For ours and for Great Expectations' own, in counts and in the keys that are kept."""
    cdm.plant("UPDATE measurement SET value_as_number = 900, measurement_source_value = 'size'")
    where = "where: measurement_concept_id = 36768664 and person_id = 1, "
    write(
        cdm,
        "\n".join(
            [
                entry("expect_column_values_to_be_between", "column: value_as_number, max_value: 300", where),
                entry("expect_rows_to_meet", "condition: value_as_number <= 300", where),
                entry("expect_column_values_to_be_unique", "column: measurement_source_value", where),
                entry("expect_table_row_count_to_equal", "value: 1", where),
                entry("expect_column_values_to_be_unique", "column: measurement_source_value"),
            ]
        ),
    )
    found = results(cdm)
    assert [(r.evaluated, r.unexpected, r.success) for r in found] == [
        (1, 1, False), (1, 1, False), (1, 0, True), (1, None, True), (3, 3, False)
    ]  # fmt: skip
    (between,) = [c for c in checks(cdm.project, "registry") if c.id == "site.value_as_number.be_between"]
    assert "36768664" in str(keys_query(between))


def test_a_condition_on_a_field_that_is_not_there_fails_its_checks_and_no_others(cdm: Cdm) -> None:
    where = "where: range_low is null, "
    cdm.plant("ALTER TABLE measurement DROP range_low")
    entries = [entry("expect_column_values_to_be_unique", "column: measurement_id", more) for more in (where, "")]
    write(cdm, "\n".join(entries))
    assert [(r.success, r.error, r.evaluated) for r in results(cdm)] == [
        (False, "not evaluated", None),
        (True, None, 3),
    ]


def test_owner_and_since_of_a_suite_hold_for_the_entries_that_say_nothing(cdm: Cdm) -> None:
    head = "owners: {fatal: author, convention: steward, characterization: reviewer}\nsince: 0.2.0\n"
    own = entry("expect_table_row_count_to_equal", "value: 3", "owner: Dr A, since: 2026-01-31, ")
    write(cdm, entry("expect_table_row_count_to_equal", "value: 3") + "\n" + own, head=head)
    assert [(r.owner, r.since) for r in results(cdm)] == [("steward", "0.2.0"), ("Dr A", "2026-01-31")]


def test_every_check_of_the_standard_suites_has_an_owner_and_a_version(cdm: Cdm) -> None:
    for check in checks(cdm.project, cdm.run.source):
        assert check.spec.owner, check.id
        assert check.spec.since, check.id


_SIGNS = [
    "a",
    "C",
    "[0-9]",
    "(",
    "(?:",
    ")",
    "|",
    "*",
    "+",
    "?",
    "^",
    "$",
    "[",
    "]",
    "{2}",
    "{,3}",
    "(?i)",
    "-",
    "\\d",
    "(?=",
    "{",
]


@settings(deadline=None)
@given(st.lists(st.sampled_from(_SIGNS), max_size=6).map("".join))
def test_a_pattern_is_right_or_wrong_as_the_engine_says(pattern: str) -> None:
    """Most are judged without asking it."""
    assert bool(_pattern_fault(pattern)) == bool(pattern_fault(pattern))
