"""Problems as text for a terminal: what, where with the line and a caret, and how to mend it."""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence

from oncoweave.errors import Problem

WIDEST = 120
COLORS = {"error": "\x1b[1;31m", "warning": "\x1b[1;33m", "place": "\x1b[1;34m"}
RESET = "\x1b[0m"


def render(problems: Sequence[Problem], *, color: bool = False) -> str:
    """The problems in the order of their places, and a closing line that counts them; empty for none."""
    if not problems:
        return ""
    told = [_one(problem, color) for problem in sorted(problems)]
    return "\n\n".join([*told, _count(problems)]) + "\n"


def _one(problem: Problem, color: bool) -> str:
    head = _painted(f"{problem.severity}[{problem.code}]", problem.severity, color)
    number = str(problem.line)
    margin = " " * len(number)
    place = ":".join([_clean(problem.file), *([number, str(problem.column)] if problem.line else [])])
    bar = _painted("|", "place", color)
    lines = [f"{head}: {_clean(problem.message)}", f"{margin}{_painted('-->', 'place', color)} {place}"]
    if problem.source and problem.line:
        shown, caret = _window(problem.source, problem.column)
        pointer = _painted("^", problem.severity, color)
        lines += [f"{margin} {bar}", f"{_painted(number, 'place', color)} {bar} {shown}".rstrip()]
        lines += [f"{margin} {bar} {' ' * caret}{pointer}"]
    if problem.help:
        lines.append(f"{margin} {_painted('=', 'place', color)} help: {_clean(problem.help)}")
    return "\n".join(lines)


def _window(source: str, column: int) -> tuple[str, int]:
    """The part of a line that fits, and how many terminal columns stand before the caret."""
    start = max(0, column - 1 - WIDEST // 2) if len(source) > WIDEST else 0
    end = start + WIDEST
    before = ("…" if start else "") + _clean(source[start : max(start, column - 1)])
    after = _clean(source[max(start, column - 1) : end]) + ("…" if len(source) > end else "")
    return before + after, _width(before)


def _clean(text: str) -> str:
    """The text without anything that moves a terminal's cursor, changes its colours or the writing direction."""
    return "".join(" " if sign == "\t" else "\ufffd" if _is_control(sign) else sign for sign in text)


def _is_control(sign: str) -> bool:
    return unicodedata.category(sign) in ("Cc", "Cf", "Cs", "Zl", "Zp")


def _width(text: str) -> int:
    wide = sum(unicodedata.east_asian_width(sign) in "WF" for sign in text)
    return len(text) + wide - sum(unicodedata.category(sign) in ("Mn", "Me") for sign in text)


def _count(problems: Sequence[Problem]) -> str:
    counts = ((severity, sum(p.severity == severity for p in problems)) for severity in ("error", "warning"))
    return ", ".join(f"{count} {severity}{'s' if count > 1 else ''}" for severity, count in counts if count)


def _painted(text: str, kind: str, color: bool) -> str:
    return f"{COLORS[kind]}{text}{RESET}" if color else text
