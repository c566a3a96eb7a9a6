"""Conversion of units: what a branch's `convert:` makes of its value and range, unit by unit."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from typing import Literal

from sqlglot import exp

from oncoweave.compiler.bound import Choice, Conversion, Fixed, Looked, Slot
from oncoweave.compiler.concepts import ConceptBook
from oncoweave.compiler.expressions import Scope, parse
from oncoweave.compiler.inputs import Inputs
from oncoweave.compiler.subset import ExpressionError
from oncoweave.engine import functions
from oncoweave.engine.expressions import Expression, Kind, column, widen
from oncoweave.errors import Problem, nearest
from oncoweave.spec.conversion import UnitConversion
from oncoweave.spec.document import Loc

CONVERTED = ("value", "range_low", "range_high")
"""The slots that are given in the unit."""

_NUMERIC = (Kind.NUMBER, Kind.INTEGER)
_VALUE = "value"


@dataclass(frozen=True)
class ConversionBinder:
    """Binds the conversions of a mapping's branches, adding to the problems as it goes."""

    inputs: Inputs
    book: ConceptBook
    problems: list[Problem]

    def of_branch(
        self, rule: object, model: object, slots: Mapping[str, Slot], choices: Mapping[str, Choice], loc: Loc
    ) -> Conversion | None:
        """The conversion of a number's unit, by the column's own `convert:` or the rule's; None with a problem told."""
        own: UnitConversion | None = getattr(model, "convert", None)
        written, value = own or getattr(rule, "convert", None), slots.get("value")
        if written is None or value is None or value.expression.kind not in _NUMERIC:
            return None
        return self._bound(written, slots, choices.get("unit"), (*(loc if own else loc[:2]), "convert"))

    def _bound(
        self, spec: UnitConversion, slots: Mapping[str, Slot], unit: Choice | None, loc: Loc
    ) -> Conversion | None:
        if unit is None:
            self._tell("unit", "`convert` goes by the source's unit", loc, "add `unit:`, fixed or looked up", at="key")
            return None
        to = self.book.fixed(spec.to, "unit", partial(self._problem, (*loc, "to")))
        if isinstance(to, Problem):
            self.problems.append(to)
        self._check_codes(spec, unit, (*loc, "units"))
        numbers = {name: slots[name].expression for name in CONVERTED if name in slots}
        found: dict[str, Mapping[str, Expression]] = {}
        for code, written in spec.units.items():
            made = self._converted(written, numbers, (*loc, "units", code))
            found |= {code: made} if made else {}
        return None if isinstance(to, Problem) else Conversion(to, found)

    def _check_codes(self, spec: UnitConversion, unit: Choice, loc: Loc) -> None:
        """Every code is one that the unit may have; else its expression would never be used."""
        if isinstance(unit, Looked) and unit.vocabulary not in self.inputs.maps:
            return
        if isinstance(unit, Fixed):
            known, fault = {unit.code}, f"the unit is always `{unit.code}`, never"
        else:
            known = {row.source_code for row in self.inputs.maps[unit.vocabulary].rows}
            fault = f"the concept map `{unit.vocabulary}` of the units has no"
        for code in spec.units:
            if code not in known:
                self._tell("unit", f"{fault} `{code}`", (*loc, code), nearest(code, known), at="key")

    def _problem(self, loc: Loc, code: str, message: str, *, help: str = "") -> Problem:  # noqa: A002
        return self.inputs.document.problem(code, message, loc, help=help)

    def _tell(
        self, code: str, message: str, loc: Loc, help: str, *, at: Literal["value", "key"] = "value", offset: int = 0  # noqa: A002
    ) -> None:  # fmt: skip
        problem = self.inputs.document.problem(code, message, loc, help=help, at=at, offset=offset)
        if problem not in self.problems:
            self.problems.append(problem)

    def _converted(self, written: str, numbers: Mapping[str, Expression], loc: Loc) -> dict[str, Expression] | None:
        """Each slot in the new unit; not rounded where the number stays as it is."""
        try:
            form = parse(written, Scope(fields={_VALUE: column(_VALUE, Kind.NUMBER)}))
            if form.kind not in _NUMERIC or form.constant is not None or not _mentions_value(form):
                hint = f"write `value * {written}`" if form.constant is not None else "such as `value * 10`"
                raise ExpressionError("a unit is converted by an expression of `value`", hint)
            made = {name: parse(written, Scope(fields={_VALUE: widen(n, Kind.NUMBER)})) for name, n in numbers.items()}
        except ExpressionError as error:
            self._tell("expression", error.message, loc, error.help, offset=error.offset)
            return None
        same = form.node == column(_VALUE, Kind.NUMBER).node
        return made if same else {name: functions.significant(number) for name, number in made.items()}


def _mentions_value(form: Expression) -> bool:
    return form.node.find(exp.Column) is not None
