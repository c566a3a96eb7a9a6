"""Problems are told with their line and a caret, and cannot drive the terminal."""

from __future__ import annotations

from oncoweave.errors import Problem
from oncoweave.spec.render import render

PROBLEM = Problem(
    "mappings/gbsg/mapping.yaml", 38, 7, "unknown-key", "`gendr` is not a key of a person rule",
    "did you mean `gender`?", "      gendr: x",
)  # fmt: skip


def test_a_problem_shows_its_line_with_a_caret_and_the_mend() -> None:
    assert render([PROBLEM]) == (
        "error[unknown-key]: `gendr` is not a key of a person rule\n"
        "  --> mappings/gbsg/mapping.yaml:38:7\n"
        "   |\n"
        "38 |       gendr: x\n"
        "   |       ^\n"
        "   = help: did you mean `gender`?\n"
        "\n"
        "1 error\n"
    )


def test_problems_come_in_the_order_of_the_file_and_are_counted() -> None:
    problems = [Problem("a", 9, 1, "x", "late"), Problem("a", 2, 1, "y", "early", severity="warning"), PROBLEM, PROBLEM]
    told = render(problems)
    assert told.index("early") < told.index("late")
    assert told.endswith("\n3 errors, 1 warning\n")


def test_no_problems_make_no_text() -> None:
    assert render([]) == ""


def test_a_problem_without_a_place_names_the_file_only() -> None:
    assert render([Problem("p.csv", 0, 0, "x", "m")]) == "error[x]: m\n --> p.csv\n\n1 error\n"


def test_control_characters_are_not_written_to_the_terminal() -> None:
    nasty = "a\x1b[31m\u202eb\r\n\x07"
    told = render([Problem(nasty, 1, 1, "x", nasty, nasty, nasty)])
    assert not set(told) & set("\x1b\u202e\r\x07")
    assert len(told.splitlines()) == 8


def test_the_caret_stands_under_its_character_after_tabs_and_wide_signs() -> None:
    lines = render([Problem("a", 1, 5, "x", "m", source="\t日本e\u0301: y")]).splitlines()
    assert lines[4] == "  |       ^"
    assert lines[3].startswith("1 |  日本e")


def test_a_long_line_is_cut_around_the_caret() -> None:
    lines = render([Problem("a", 1, 300, "x", "m", source="a" * 299 + "B" + "c" * 300)]).splitlines()
    assert len(lines[3]) < 130
    assert lines[3][lines[4].index("^")] == "B"


def test_colour_is_only_added() -> None:
    colored = render([PROBLEM], color=True)
    assert "\x1b[1;31merror[unknown-key]\x1b[0m" in colored
