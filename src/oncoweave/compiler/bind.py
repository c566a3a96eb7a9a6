"""The binding pass: every name, expression and concept of the rules is settled, or told as a problem.

Works on all rules whatever is wrong with one of them, so that an author sees all problems at once.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import partial

from oncoweave.compiler import keys
from oncoweave.compiler.bound import OF_A_PERSON, VERBATIM, BoundRule, Branch, Choice, Looked, Slot
from oncoweave.compiler.concepts import ConceptBook
from oncoweave.compiler.conversion import ConversionBinder
from oncoweave.compiler.expressions import Scope, fields_of, only_fields_of, parse, parse_template
from oncoweave.compiler.inputs import Inputs
from oncoweave.compiler.leaving import identifies, released, told
from oncoweave.compiler.lookups import map_lookup_name
from oncoweave.compiler.staging import staged_field
from oncoweave.compiler.subset import ExpressionError
from oncoweave.engine import functions
from oncoweave.engine.expressions import Expression, Kind
from oncoweave.errors import Problem, nearest
from oncoweave.omop.routing import ROUTED_FACTS, TABLE_OF_FACT, table_of
from oncoweave.spec.document import Loc
from oncoweave.spec.health_system import ProviderRule
from oncoweave.spec.mapping import Rule
from oncoweave.spec.person import Birth, PersonRule
from oncoweave.spec.rule import CodeRef, Concept, MapRef, PersonConcept
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

CHOICES: Mapping[str, str] = {
    "value_concept": "value", "unit": "unit", "operator": "operator", "status": "status", "qualifier": "qualifier",
    "route": "route", "object": "object", "cause": "cause", "modifier": "modifier", "anatomic_site": "anatomic_site",
    "disease_status": "disease_status", "encoding": "encoding", "language": "language",
    "admitted_from": "place", "discharged_to": "place",
}  # fmt: skip
"""The keys that hold a further concept, with the role that `concepts.DOMAINS` knows."""

OTHERWISE = "otherwise"
"""The choice that a fact's own concept falls back to."""

MAIN: Mapping[str, str] = {"location": "country", "care_site": "place_of_service", "provider": "specialty"}
"""The key that holds the concept of a fact of the health system; every other fact has `concept`."""

_LEAVING = frozenset(
    {"source_value", "address_1", "address_2", "city", "state", "zip", "county", "care_site_name"}
)  # fmt: skip
"""The keys whose text goes into the release as it is."""

NUMERIC = ("between", "unit", "convert", "operator", "range_low", "range_high")
"""The keys that say more of a numeric value."""

_COMPANIONS = {"MAPS_TO_VALUE": "value", "MAPS_TO_UNIT": "unit", "MAPS_TO_OPERATOR": "operator"}


@dataclass
class Binder:
    """Binds the rules of one mapping, collecting problems as it goes."""

    inputs: Inputs
    book: ConceptBook
    problems: list[Problem] = field(default_factory=list)

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
        where = self._slot("where", rule.where, scope, table, (*loc, "where"), frozenset({Kind.BOOLEAN}), grouped=False)
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
        plain = _fields(table)
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
        slots = dict(self._slots(rule, table, scope, rule_loc))
        slots |= self._slots(model, table, scope, loc)
        if column is not None:
            cell = self._slot("cell", column, scope, table, loc, None)
            slots |= {"cell": cell} if cell else {}
            if "value" not in slots and cell:
                slots["value"] = Slot("value", cell.expression, cell.fields, cell.only, cell.raw, cell.released)
        choices: dict[str, Choice] = {}
        for owner, at in ((rule, rule_loc), (model, loc)) if column else ((rule, rule_loc),):
            for key, role in CHOICES.items():
                choice = self._choice(getattr(owner, key, None), role, column, table, scope, (*at, key))
                choices |= {key: choice} if choice else {}
        concept = self._main_concept(rule, model, column, table, scope, loc)
        wider = self._wider(getattr(model, "concept", None), rule, table, scope, (*loc, "concept"))
        choices |= {OTHERWISE: wider} if wider else {}
        if isinstance(rule, PersonRule):
            slots |= self._birth(rule.birth, scope, table, (*loc, "birth"))
            found = {k: self._of_a_person(k, getattr(rule, k), table, scope, (*loc, k)) for k in OF_A_PERSON}
            concept = found.pop("gender")
            choices |= {key: choice for key, choice in found.items() if choice}
        if isinstance(rule, ProviderRule):
            gender = self._of_a_person("gender", rule.gender, table, scope, (*loc, "gender"))
            choices |= {"gender": gender} if gender else {}
        kind = getattr(model, "kind", None) or getattr(rule, "kind", None)
        self._check_numeric(model, slots.get("quantity" if rule.fact in ("specimen", "device") else "value"), loc)
        between = getattr(model, "between", None) or getattr(rule, "between", None)
        header = (table.fields[column].header or column) if column else None
        type_ = self._type(rule, rule_loc)
        targets, converted = self._targets(rule, concept), self._conversions.of_branch(rule, model, slots, choices, loc)
        return Branch(column, header, concept, slots, choices, between, kind, type_, targets, converted)

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
        if rule.fact not in ROUTED_FACTS or concept is None:
            return own
        if not isinstance(concept, Looked):
            return frozenset({table_of(concept.domain)})
        if concept.vocabulary not in self.inputs.maps:
            return frozenset(TABLE_OF_FACT[fact] for fact in ROUTED_FACTS)
        rows = self.inputs.maps[concept.vocabulary].rows
        mapped = {r.concept_id for r in rows if r.status == "APPROVED" and r.mapping_type == "MAPS_TO"}
        return own | {table_of(self.book.known[i].domain_id) for i in mapped if i in self.book.known}

    def _slots(self, model: object, table: Table, scope: Scope, loc: Loc) -> dict[str, Slot]:
        found: dict[str, Slot] = {}
        for name, kinds in SLOTS.items():
            written = getattr(model, name, None)
            if isinstance(written, str):
                slot = self._slot(name, written, scope, table, (*loc, name), kinds)
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

    def _birth(self, birth: Birth, scope: Scope, table: Table, loc: Loc) -> dict[str, Slot]:
        kinds = {"date": Kind.DATE, "year": Kind.INTEGER, "month": Kind.INTEGER, "day": Kind.INTEGER}
        found: dict[str, Slot] = {}
        for part, kind in kinds.items():
            slot = self._slot(f"birth_{part}", getattr(birth, part), scope, table, (*loc, part), frozenset({kind}))
            found |= {f"birth_{part}": slot} if slot else {}
        return found

    # Expressions

    def _slot(
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
        if written is None:
            return None
        if scope.grouped and not grouped:
            scope = replace(scope, fields=_fields(table), grouped=False, by=frozenset(), order=())
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

    # Concepts

    def _main_concept(
        self, rule: Rule, model: object, column: str | None, table: Table, scope: Scope, loc: Loc
    ) -> Choice | None:
        key = MAIN.get(rule.fact, "concept")
        role = rule.fact if rule.fact in ("episode", "visit", "visit_detail") else key
        choice = self._choice(getattr(model, key, None), role, column, table, scope, (*loc, key))
        if choice is None or isinstance(choice, Looked) or rule.fact not in ROUTED_FACTS:
            return choice
        if table_of(choice.domain) != TABLE_OF_FACT[rule.fact] and choice.domain != "Observation":
            right = next((f for f in ROUTED_FACTS if TABLE_OF_FACT[f] == table_of(choice.domain)), "observation")
            message = f"concept {choice.concept_id} is of the domain {choice.domain}, not a {rule.fact}"
            self._tell("concept", message, (*loc, "concept"), f"write `fact: {right}`, or choose another concept")
        return choice

    def _of_a_person(
        self, key: str, written: PersonConcept | None, table: Table, scope: Scope, loc: Loc
    ) -> Choice | None:
        if written is None:
            return None
        if isinstance(written.concept, str) and not written.why:
            what = f"{'an' if key == 'ethnicity' else 'a'} {OF_A_PERSON[key]} that does not come from the data needs a reason"
            self._tell(key, what, loc, "add `why:`", at="key")
        return self._choice(written.concept, key, None, table, scope, (*loc, "concept"))

    def _wider(self, written: object, rule: Rule, table: Table, scope: Scope, loc: Loc) -> Looked | None:
        """What `otherwise` looks up: the first target of a wider code."""
        if not isinstance(written, CodeRef) or written.otherwise is None:
            return None
        if rule.fact not in ROUTED_FACTS:
            self._tell(
                "concept", f"`otherwise` is not for a {rule.fact}", (*loc, "otherwise"), "leave it out", at="key"
            )
            return None
        wider = CodeRef(vocabulary=written.vocabulary, code=written.otherwise)
        return self._coded(wider, "concept", table, scope, loc, key="otherwise")

    def _choice(
        self, written: Concept | None, role: str, column: str | None, table: Table, scope: Scope, loc: Loc
    ) -> Choice | None:
        if written is None:
            return None
        if isinstance(written, MapRef):
            return self._mapped(written, role, column, table, scope, loc)
        if isinstance(written, CodeRef):
            if written.otherwise is not None and loc[-1] != "concept":
                message = "`otherwise` is for a fact's own concept"
                self._tell("concept", message, (*loc, "otherwise"), "leave it out", at="key")
            return self._coded(written, role, table, scope, loc)
        fixed = self.book.fixed(written, role, partial(self._problem, loc))
        if isinstance(fixed, Problem):
            self.problems.append(fixed)
            return None
        return fixed

    def _mapped(
        self, ref: MapRef, role: str, column: str | None, table: Table, scope: Scope, loc: Loc
    ) -> Looked | None:
        if ref.value is None and column is None:
            self._tell(
                "concept", "a concept map needs a value to look up", loc, "add `value:`, the field that holds the code"
            )
            return None
        at: Loc = (*loc, "value") if ref.value else loc
        code = self._slot("code", ref.value or column, scope, table, at, frozenset({Kind.TEXT, Kind.INTEGER}))
        if code is None:
            return None
        self.problems += self.book.map_problems(self.inputs.maps[ref.map], role)
        rows = self.inputs.maps[ref.map].rows
        targets = Counter(r.source_code for r in rows if r.status == "APPROVED" and r.mapping_type == "MAPS_TO")
        companions = {_COMPANIONS[r.mapping_type] for r in rows if r.mapping_type in _COMPANIONS}
        return Looked(
            map_lookup_name(ref.map), ref.map, code,
            fans_out=max(targets.values(), default=0) > 1, ignores=any(r.status == "IGNORED" for r in rows),
            companions=frozenset(companions), in_omop=False,
        )  # fmt: skip

    def _coded(
        self, ref: CodeRef, role: str, table: Table, scope: Scope, loc: Loc, *, key: str = "code"
    ) -> Looked | None:
        try:
            code, parts = parse_template(ref.code, scope)
        except ExpressionError as error:
            self.problems.append(
                self.inputs.document.problem(
                    "expression", error.message, (*loc, key), help=error.help, offset=error.offset
                )
            )
            return None
        if not self.book.bundle.has_vocabulary(ref.vocabulary):
            known = self.book.bundle.vocabularies()
            message = f"the vocabulary release {self.book.bundle.release} has no `{ref.vocabulary}`"
            self._tell("vocabulary", message, (*loc, "vocabulary"), nearest(ref.vocabulary, known))
            return None
        fields, only = fields_of(code), only_fields_of(code)
        slot = Slot("code", code, fields, only, None, released(told(code.node), table))
        name = "lookup:" + ":".join(str(step) for step in (*loc[1:], *([] if key == "code" else [key])))
        return Looked(name, ref.vocabulary, slot, tuple(parts), role=role)

    def _type(self, rule: Rule, loc: Loc) -> int:
        written, at = (
            (rule.type, (*loc, "type")) if rule.type else (self.inputs.mapping.defaults.type, ("defaults", "type"))
        )
        fixed = self.book.fixed(written, "type", partial(self._problem, at))
        if isinstance(fixed, Problem):
            self.problems += [fixed] if fixed not in self.problems else []
            return 0
        return fixed.concept_id

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


def _fields(table: Table) -> dict[str, Expression]:
    """The declared fields of a table as expressions see them."""
    return {name: staged_field(name, spec) for name, spec in table.fields.items()}


def _mend_kind(written: str, wanted: str, table: Table) -> str:
    name = written.strip()
    if name in table.fields and wanted == "date":
        return f"declare `{name}` in source.yaml as {{type: date, formats: [...]}}"
    if name in table.fields:
        return f"declare `{name}` in source.yaml as {wanted}"
    return ""
