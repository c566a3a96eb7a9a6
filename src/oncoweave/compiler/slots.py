"""Slots: the typed expressions that the keys of a rule or column hold, and that nothing leaks through them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from oncoweave.compiler.bound import VERBATIM, Slot
from oncoweave.compiler.expressions import Scope, fields_of, only_fields_of, parse
from oncoweave.compiler.inputs import Inputs
from oncoweave.compiler.leaving import identifies, released, told
from oncoweave.compiler.staging import staged_field
from oncoweave.compiler.subset import ExpressionError
from oncoweave.engine.expressions import Expression, Kind
from oncoweave.errors import Problem
from oncoweave.spec.document import Loc
from oncoweave.spec.source import Table

SLOTS: Mapping[str, frozenset[Kind] | None] = {
    "start": frozenset({Kind.DATE}),
    "date": frozenset({Kind.DATE}),
    "end": frozenset({Kind.DATE}),
    "value": None,
    "source_value": frozenset({Kind.TEXT}),
    "range_low": frozenset({Kind.NUMBER, Kind.INTEGER}),
    "range_high": frozenset({Kind.NUMBER, Kind.INTEGER}),
    "quantity": frozenset({Kind.NUMBER, Kind.INTEGER}),
    "days_supply": frozenset({Kind.INTEGER}),
    "number": frozenset({Kind.INTEGER}),
    "refills": frozenset({Kind.INTEGER}),
    **{name: frozenset({Kind.TEXT}) for name in VERBATIM},
    "title": frozenset({Kind.TEXT}),
    "text": frozenset({Kind.TEXT}),
    **dict.fromkeys(("address_1", "address_2", "city", "state", "zip", "county"), frozenset({Kind.TEXT})),
    **dict.fromkeys(("latitude", "longitude"), frozenset({Kind.NUMBER, Kind.INTEGER})),
    "care_site_name": frozenset({Kind.TEXT}),
    "year_of_birth": frozenset({Kind.INTEGER}),
}
"""The keys of a rule or column that hold an expression, and the kinds it may have (None: any)."""

_LEAVING = frozenset(
    {"source_value", "address_1", "address_2", "city", "state", "zip", "county", "care_site_name"}
)  # fmt: skip
"""The keys whose text goes into the release as it is."""


@dataclass
class SlotBinder:
    """Binds the expressions of one mapping, adding to the problems."""

    inputs: Inputs
    problems: list[Problem] = field(default_factory=list)

    def slots(self, model: object, table: Table, scope: Scope, loc: Loc) -> dict[str, Slot]:
        """The slots of a rule or column, by key."""
        found: dict[str, Slot] = {}
        for name, kinds in SLOTS.items():
            written = getattr(model, name, None)
            if isinstance(written, str):
                slot = self.slot(name, written, scope, table, (*loc, name), kinds)
                found |= {name: slot} if slot else {}
        self._tell_leaks(found, table, loc)
        return found

    def _tell_leaks(self, slots: Mapping[str, Slot], table: Table, loc: Loc) -> None:
        """Free text as a source value, and a number made of an identifier: they would leave the site as they are."""
        for name, slot in slots.items():
            number_like = slot.expression.kind in (Kind.NUMBER, Kind.INTEGER)
            of = told(slot.expression.node)
            if name in ("title", "text"):
                held = [f for f in of if identifies(f, table)]
            elif name in _LEAVING or name in VERBATIM:
                held = [f for f in of if not released({f}, table)]
            else:
                held = [f for f in of if number_like and identifies(f, table)]
            if held:
                message = f"free text and identifiers may not leave the site: {', '.join(sorted(held))}"
                mend = "leave it out, or declare the field in source.yaml as the code or number that it is"
                self._tell("privacy", message, (*loc, name), mend)

    def slot(
        self,
        name: str,
        written: str | None,
        scope: Scope,
        table: Table,
        loc: Loc,
        kinds: frozenset[Kind] | None,
        *,
        grouped: bool = True,
    ) -> Slot | None:
        """One expression as a slot; None where there is none, or with a problem told."""
        if written is None:
            return None
        if scope.grouped and not grouped:
            scope = replace(scope, fields=plain_fields(table), grouped=False, by=frozenset(), order=())
        try:
            expression = parse(written, scope)
        except ExpressionError as error:
            self.problems.append(
                self.inputs.document.problem("expression", error.message, loc, help=error.help, offset=error.offset)
            )
            return None
        if kinds and expression.kind not in kinds and not expression.is_null:
            wanted = " or ".join(sorted(kinds))
            self._tell(
                "expression",
                f"`{name}` must be a {wanted}, and this is a {expression.kind}",
                loc,
                _mend_kind(written, wanted, table),
            )
            return None
        raw = written.strip() if written.strip() in table.fields else None
        fields, only = fields_of(expression), only_fields_of(expression)
        return Slot(name, expression, fields, only, raw, released(told(expression.node), table))

    def _tell(self, code: str, message: str, loc: Loc, help: str = "", at: str = "value") -> None:  # noqa: A002
        self.problems.append(self._problem(loc, code, message, help=help, at=at))

    def _problem(self, loc: Loc, code: str, message: str, *, help: str = "", at: str = "value") -> Problem:  # noqa: A002
        return self.inputs.document.problem(code, message, loc, help=help, at=at)  # type: ignore[arg-type]


def plain_fields(table: Table) -> dict[str, Expression]:
    """The declared fields of a table as expressions see them."""
    return {name: staged_field(name, spec) for name, spec in table.fields.items()}


def _mend_kind(written: str, wanted: str, table: Table) -> str:
    name = written.strip()
    if name in table.fields and wanted == "date":
        return f"declare `{name}` in source.yaml as {{type: date, formats: [...]}}"
    if name in table.fields:
        return f"declare `{name}` in source.yaml as {wanted}"
    return ""
