"""A transform is a plain function over the catalogue; what breaks that rule is refused before it runs."""

from __future__ import annotations

from pathlib import Path

import pytest

from oncoweave.compiler.expressions import Scope, parse
from oncoweave.compiler.subset import ExpressionError
from oncoweave.compiler.transforms import load_verbs
from oncoweave.engine.dialect import evaluate
from oncoweave.engine.expressions import literal
from oncoweave.errors import SpecError

STANDARD = sorted((Path(__file__).parents[2] / "transforms").glob("*.py"))
SCOPE = Scope({"size": literal(2.5), "n": literal(3), "text": literal(" x : y ")}, load_verbs(STANDARD))
HEAD = "from oncoweave.engine import functions as f\nfrom oncoweave.engine.expressions import Text\n"
GOOD = HEAD + 'def shout(text: Text) -> Text:\n    """Capitals."""\n    return f.upper(text)\n'


def module(folder: Path, text: str, name: str = "mine") -> Path:
    path = folder / f"{name}.py"
    path.write_text(text, encoding="utf-8")
    return path


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("convert(size, 'cm', 'mm')", 25.0),
        ("convert(size, unit => 'cm', to => 'mm')", 25.0),
        ("convert(n, 'cm', 'mm')", 30.0),
        ("after(text, ':')", "y"),
        ("zero_pad_number(n, 4)", "0003"),
        ("number_of('1.234,5', thousands => '.')", 1234.5),
        ("upper(before(text, ':')) = 'X'", True),
    ],
)
def test_expression_calls_a_transform(text: str, value: object) -> None:
    assert evaluate(parse(text, SCOPE)) == value


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("convert(size, 'cm', 'kg')", "no way from `cm` to `kg`"),
        ("convert(size, 'cm')", "is called as convert(value: number, unit: literal, to: literal)"),
        ("convert(text, 'cm', 'mm')", "`value` of `convert` must be number, not text"),
        ("convert(size, text || 'cm', 'mm')", "`unit` of `convert` takes a literal text"),
        ("convert(size, 'cm', 'mm', sort => 1)", "is called as"),
        ("convert(size, 'cm', to => 7)", "`to` of `convert` takes a literal text"),
        ("convert(value => 7, unit => 'cm', to => 'mm')", "give it without"),
        ("after(text, separator => text)", "the option `separator` takes a literal"),
        ("convrt(size, 'cm', 'mm')", "no function `convrt`"),
        ("date_of(text, '%Q')", "not a part of a date"),
    ],
)
def test_wrong_call_is_explained(text: str, message: str) -> None:
    with pytest.raises(ExpressionError) as caught:
        parse(text, SCOPE)
    assert message in caught.value.message


def test_site_module_becomes_verbs(tmp_path: Path) -> None:
    verbs = load_verbs([module(tmp_path, GOOD)])
    assert evaluate(verbs["shout"](literal("a"))) == "A"
    assert verbs["shout"].doc == "Capitals."


@pytest.mark.parametrize(
    ("text", "message", "line"),
    [
        ("import os\n" + GOOD, "`os`", 1),
        ("from pathlib import Path\n" + GOOD, "`pathlib.Path`", 1),
        ("from oncoweave.engine import connection\n" + GOOD, "`oncoweave.engine.connection`", 1),
        ("from . import text\n" + GOOD, "may not use", 1),
        ("x = open('/etc/passwd')\n" + GOOD, "`open`", 1),
        ("x = eval('1')\n" + GOOD, "`eval`", 1),
        ("x = ().__class__\n" + GOOD, "`__class__`", 1),
        ("import functools\n" + GOOD, "`functools`", 1),
        ("def broken(:\n", "not Python", 1),
        (GOOD.replace("shout", "upper"), "two functions named `upper`", 3),
        (GOOD.replace('    """Capitals."""\n', ""), "no description", 3),
        (GOOD.replace("text: Text", "text"), "`text` of `shout` has no kind", 3),
        (GOOD.replace("-> Text", ""), "does not say what it gives", 3),
    ],
)
def test_module_that_breaks_the_rules_is_refused(tmp_path: Path, text: str, message: str, line: int) -> None:
    with pytest.raises(SpecError) as caught:
        load_verbs([module(tmp_path, text)])
    problem = caught.value.problems[0]
    assert message in problem.message
    assert (problem.file, problem.line) == ("transforms/mine.py", line)


def test_two_modules_may_not_name_the_same_transform(tmp_path: Path) -> None:
    with pytest.raises(SpecError) as caught:
        load_verbs([module(tmp_path, GOOD), module(tmp_path, GOOD, "other")])
    assert [p.file for p in caught.value.problems] == ["transforms/other.py"]


def test_refused_module_does_not_run(tmp_path: Path) -> None:
    with pytest.raises(SpecError):
        load_verbs([module(tmp_path, "import os\nraise RuntimeError\n")])
