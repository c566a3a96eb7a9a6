"""The binding pass: every name, expression and concept of the rules is settled, or told as a problem.

Works on all rules whatever is wrong with one of them, so that an author sees all problems at once.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from oncoweave.compiler import keys
from oncoweave.compiler.bound import OF_A_PERSON, BoundRule, Branch, Choice, Looked, Slot
from oncoweave.compiler.concept_choices import CHOICES, OTHERWISE, ConceptBinder
from oncoweave.compiler.concepts import ConceptBook
from oncoweave.compiler.conversion import ConversionBinder
from oncoweave.compiler.expressions import Scope
from oncoweave.compiler.inputs import Inputs
from oncoweave.compiler.slots import SlotBinder, plain_fields
from oncoweave.engine import functions
from oncoweave.engine.expressions import Kind
from oncoweave.errors import Problem, nearest
from oncoweave.omop.routing import ROUTED_FACTS, TABLE_OF_FACT, table_of
from oncoweave.spec.document import Loc
from oncoweave.spec.health_system import ProviderRule
from oncoweave.spec.mapping import Rule
from oncoweave.spec.person import Birth, PersonRule
from oncoweave.spec.rule import MapRef
from oncoweave.spec.source import Table

NUMERIC = ("between", "unit", "convert", "operator", "range_low", "range_high")
"""The keys that say more of a numeric value."""


@dataclass
class Binder:
    """Binds the rules of one mapping, collecting problems as it goes."""

    inputs: Inputs
    book: ConceptBook
    problems: list[Problem] = field(default_factory=list)

    @property
    def _slots(self) -> SlotBinder:
        return SlotBinder(self.inputs, self.problems)

    @property
    def _concepts(self) -> ConceptBinder:
        return ConceptBinder(self.inputs, self.book, self.problems)

    @property
    def _conversions(self) -> ConversionBinder:
        return ConversionBinder(self.inputs, self.book, self.problems)

    def rules(self) -> list[BoundRule]:
        """The rules that could be bound, in the order of the file."""
        bound = [self._rule(i, rule) for i, rule in enumerate(self.inputs.mapping.rules)]
        return list({b.name: b for b in bound if b is not None}.values())

    def _rule(self, number: int, rule: Rule) -> BoundRule | None:
        loc: Loc = ("rules", number)
        table = self.inputs.source.tables.get(rule.from_)
        if table is None:
            self._tell(
                "table",
                f"there is no source table `{rule.from_}`",
                (*loc, "from"),
                nearest(rule.from_, self.inputs.source.tables),
            )
            return None
        scope = self._scope(rule, table, loc)
        before = len(self.problems)
        where = self._slots.slot(
            "where", rule.where, scope, table, (*loc, "where"), frozenset({Kind.BOOLEAN}), grouped=False
        )
        branches = self._branches(rule, table, scope, loc)
        self._check_unit(rule, table, loc)
        self._check_number(rule, table, loc)
        if len(self.problems) > before:
            return None
        unit = tuple(rule.group) or table.row.fields or None
        return BoundRule(rule, rule.from_, unit, where, tuple(branches), order=rule.order)

    # Scope

    def _scope(self, rule: Rule, table: Table, loc: Loc) -> Scope:
        for key, names in (("group", rule.group), ("order", rule.order)):
            for i, name in enumerate(names):
                if name not in table.fields:
                    self._tell(
                        "field",
                        f"`{name}` is not a field of `{rule.from_}`",
                        (*loc, key, i),
                        nearest(name, table.fields),
                    )
        plain = plain_fields(table)
        fields = plain | {name: functions.minimum(plain[name]) for name in rule.group if name in plain}
        origin = self.inputs.source.origin
        return Scope(
            fields=fields,
            verbs=self.inputs.verbs,
            grouped=bool(rule.group),
            by=frozenset(rule.group),
            order=tuple(plain[f] for f in rule.order if f in plain),
            origin=origin.date if origin else None,
        )

    # Branches

    def _branches(self, rule: Rule, table: Table, scope: Scope, loc: Loc) -> list[Branch]:
        columns = getattr(rule, "columns", {})
        if not columns:
            return [self._branch(rule, rule, None, table, scope, loc)]
        for name in columns:
            if name not in table.fields:
                at: Loc = (*loc, "columns", name)
                self._tell(
                    "field", f"`{name}` is not a field of `{rule.from_}`", at, nearest(name, table.fields), at="key"
                )
        known = {n: c for n, c in columns.items() if n in table.fields}
        return [self._branch(rule, c, n, table, scope, (*loc, "columns", n)) for n, c in known.items()]

    def _branch(self, rule: Rule, model: object, column: str | None, table: Table, scope: Scope, loc: Loc) -> Branch:
        """One column (`model` is its Column) or the rule itself (`model` is the rule)."""
        rule_loc = loc[:2]
        slots = dict(self._slots.slots(rule, table, scope, rule_loc))
        slots |= self._slots.slots(model, table, scope, loc)
        if column is not None:
            cell = self._slots.slot("cell", column, scope, table, loc, None)
            slots |= {"cell": cell} if cell else {}
            if "value" not in slots and cell:
                slots["value"] = Slot("value", cell.expression, cell.fields, cell.only, cell.raw, cell.released)
        choices: dict[str, Choice] = {}
        for owner, at in ((rule, rule_loc), (model, loc)) if column else ((rule, rule_loc),):
            for key, role in CHOICES.items():
                choice = self._concepts.choice(getattr(owner, key, None), role, column, table, scope, (*at, key))
                choices |= {key: choice} if choice else {}
        choices |= self._type_by_record(rule, column, table, scope, rule_loc)
        concept = self._concepts.main(rule, model, column, table, scope, loc)
        wider = self._concepts.wider(getattr(model, "concept", None), rule, table, scope, (*loc, "concept"))
        choices |= {OTHERWISE: wider} if wider else {}
        if isinstance(rule, PersonRule):
            slots |= self._birth(rule.birth, scope, table, (*loc, "birth"))
            found = {k: self._concepts.of_a_person(k, getattr(rule, k), table, scope, (*loc, k)) for k in OF_A_PERSON}
            concept = found.pop("gender")
            choices |= {key: choice for key, choice in found.items() if choice}
        if isinstance(rule, ProviderRule):
            gender = self._concepts.of_a_person("gender", rule.gender, table, scope, (*loc, "gender"))
            choices |= {"gender": gender} if gender else {}
        kind = getattr(model, "kind", None) or getattr(rule, "kind", None)
        self._check_numeric(model, slots.get("quantity" if rule.fact in ("specimen", "device") else "value"), loc)
        between = getattr(model, "between", None) or getattr(rule, "between", None)
        header = (table.fields[column].header or column) if column else None
        type_ = self._concepts.type_of(rule, rule_loc)
        targets, converted = self._targets(rule, concept), self._conversions.of_branch(rule, model, slots, choices, loc)
        return Branch(column, header, concept, slots, choices, between, kind, type_, targets, converted)

    def _type_by_record(
        self, rule: Rule, column: str | None, table: Table, scope: Scope, loc: Loc
    ) -> dict[str, Choice]:
        """The type concept that a record itself tells, where the rule looks it up."""
        if not isinstance(rule.type, MapRef):
            return {}
        choice = self._concepts.choice(rule.type, "type", column, table, scope, (*loc, "type"))
        return {"type": choice} if choice else {}

    def _check_numeric(self, model: object, value: Slot | None, loc: Loc) -> None:
        """What goes with a number needs one."""
        if value is not None and value.expression.kind in (Kind.NUMBER, Kind.INTEGER):
            return
        for key in (k for k in NUMERIC if getattr(model, k, None) is not None and not getattr(model, "columns", {})):
            what = f"`{value.raw or 'value'}` is {value.expression.kind}" if value else "there is no `value`"
            mend = (
                f"declare `{value.raw}` as a number in source.yaml" if value and value.raw else "give a numeric `value`"
            )
            self._tell("expression", f"`{key}` goes with a number, and {what}", (*loc, key), mend, at="key")

    def _targets(self, rule: Rule, concept: Choice | None) -> frozenset[str]:
        """The CDM tables that a rule's events may go to, by the domains of its concepts."""
        own = frozenset({"visit_detail" if getattr(rule, "roll_up", False) else TABLE_OF_FACT[rule.fact]})
        if rule.fact not in ROUTED_FACTS or concept is None or not getattr(rule, "routed", True):
            return own
        if not isinstance(concept, Looked):
            return frozenset({table_of(concept.domain)})
        if concept.vocabulary not in self.inputs.maps:
            return frozenset(TABLE_OF_FACT[fact] for fact in ROUTED_FACTS)
        rows = self.inputs.maps[concept.vocabulary].rows
        mapped = {r.concept_id for r in rows if r.status == "APPROVED" and r.mapping_type == "MAPS_TO"}
        return own | {table_of(self.book.known[i].domain_id) for i in mapped if i in self.book.known}

    def _birth(self, birth: Birth, scope: Scope, table: Table, loc: Loc) -> dict[str, Slot]:
        kinds = {"date": Kind.DATE, "year": Kind.INTEGER, "month": Kind.INTEGER, "day": Kind.INTEGER}
        found: dict[str, Slot] = {}
        for part, kind in kinds.items():
            slot = self._slots.slot(
                f"birth_{part}", getattr(birth, part), scope, table, (*loc, part), frozenset({kind})
            )
            found |= {f"birth_{part}": slot} if slot else {}
        return found

    # Units

    def _check_unit(self, rule: Rule, table: Table, loc: Loc) -> None:
        """A person or a death is one fact a person: the rule must read one row, or one group, a person."""
        if rule.order and not rule.group:
            self._tell(
                "group", "`order` is for groups", (*loc, "order"), "add `group:`, or leave `order` out", at="key"
            )
        if rule.fact not in ("person", "death") or not set(rule.group) <= set(table.fields):
            return
        unit = tuple(rule.group) or table.row.fields or None
        if not keys.is_one_a_person(unit, table):
            by = ", ".join(keys.person_fields(table) or ())
            self._tell(
                "group",
                f"several rows of `{rule.from_}` may tell of one person, and a {rule.fact} is one a person",
                (*loc, "fact"),
                f"add `group: [{by}]`",
            )

    def _check_number(self, rule: Rule, table: Table, loc: Loc) -> None:
        """The field with a specimen's own number is there, and is one in a group."""
        name = getattr(rule, "source_id", None)
        if name is None:
            return
        if name not in table.fields:
            message = f"`{name}` is not a field of `{rule.from_}`"
            self._tell("field", message, (*loc, "source_id"), nearest(name, table.fields))
        elif rule.group and name not in rule.group:
            message = f"rows of a group may differ in `{name}`"
            self._tell("group", message, (*loc, "source_id"), f"add `{name}` to `group:`")

    # Problems

    def _tell(self, code: str, message: str, loc: Loc, help: str = "", at: str = "value") -> None:  # noqa: A002
        self.problems.append(self._problem(loc, code, message, help=help, at=at))

    def _problem(self, loc: Loc, code: str, message: str, *, help: str = "", at: str = "value") -> Problem:  # noqa: A002
        return self.inputs.document.problem(code, message, loc, help=help, at=at)  # type: ignore[arg-type]
