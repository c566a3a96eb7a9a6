"""What a mapped fact puts into each column of the event table, over the columns of the fact select."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from sqlglot import exp

from oncoweave.compiler import keys
from oncoweave.compiler.bound import SOURCED, VERBATIM, BoundRule, Branch, Choice, Fixed, Looked, Slot
from oncoweave.compiler.related_facts import related_values
from oncoweave.compiler.sql import (
    Node,
    all_of,
    call,
    case,
    cast,
    coalesce,
    col,
    equals,
    is_not_null,
    is_null,
    null,
    number,
    parameter,
    text,
)  # fmt: skip
from oncoweave.compiler.units import dated, value_before
from oncoweave.engine.expressions import Kind
from oncoweave.engine.signatures import precision_node
from oncoweave.events import TYPES
from oncoweave.omop.routing import ROUTED_FACTS, TABLE_OF_FACT, WITHHELD
from oncoweave.spec.clinical import DeviceRule, DrugRule, SpecimenRule
from oncoweave.spec.notes import NoteRule
from oncoweave.spec.source import Source

EQUALS = 4172703
"""The operator `=`, which the CDM leaves out: a number without an operator is exact."""
UNKNOWN_END = {"administration": 0, "prescription": 29, "mail_order": 89}
"""Days from the first to the last day of a drug of which nothing else is known (Themis, drug_end_date_not_in_data)."""
_KNOWN = {"month": 7, "year": 4}
"""How many characters of 2015-03-01 are known of a partial date."""


PLACE = ("address_1", "address_2", "city", "state", "zip", "county", "latitude", "longitude")
"""What a location tells besides its country."""

_ALSO_OF_A_PLACE = ("source_value", "concept_id", "concept_source_value")


@dataclass(frozen=True)
class EventValues:
    """The values of one branch's events; columns that it does not fill stay NULL."""

    source: Source
    rule: BoundRule
    branch: Branch

    def columns(self) -> dict[str, Node]:
        """The value of each event column that this branch fills, by name."""
        return {
            **self._identity(),
            **self._concept(),
            **self._dates(),
            **self._value(),
            **self._further(),
            **self._note(),
            **self._specimen(),
            **self._unit_of_a_quantity(),
            **self._references(),
            **related_values(self.rule),
            **self._health_system(),
            **self._lineage(),
        }

    def _identity(self) -> dict[str, Node]:
        event = keys.xor(col("unit"), keys.event_salt(self.rule.name, self.branch.column))
        if self._fans_out:
            event = call("xor", event, coalesce(col("salt:concept"), number(0)))
        return {
            "event_id": event,
            "person_id": null("BIGINT") if self.rule.of_nobody else col("person"),
            "fact": text("visit_detail" if self.rule.rolls_up else self.rule.fact),
            "kind": text(self.branch.kind) if self.branch.kind else null("VARCHAR"),
            "target": self._target(),
            "type_concept_id": self._type(),
        }

    def _type(self) -> Node:
        """The type concept: of the record where that tells one, else of the rule."""
        if "type" not in self.branch.choices:
            return number(self.branch.type_concept_id)
        told = col("any_concept_id:type")
        return case([(exp.GT(this=told, expression=number(0)), told.copy())], number(self.branch.type_concept_id))

    def _target(self) -> Node:
        if len(self.branch.targets) == 1:
            return text(min(self.branch.targets))
        return coalesce(self._of_code("target", null("VARCHAR")), text(TABLE_OF_FACT[self.rule.fact]))

    @property
    def _fans_out(self) -> bool:
        """Whether one unit may make several events."""
        concept = self.branch.concept
        return isinstance(concept, Looked) and concept.fans_out and self.rule.fact in ROUTED_FACTS

    def _companion(self, key: str) -> Node | None:
        """A further concept that the concept's own map may bring."""
        concept = self.branch.concept
        brings = isinstance(concept, Looked) and key in concept.companions
        return col(f"{key}_concept_id:concept") if brings else None

    def _concept(self) -> dict[str, Node]:
        concept = self.branch.concept
        if self.rule.of_nobody:
            return self._optional_concept()
        written = {"source_value": col("source_value")} if "source_value" in self.branch.slots else {}
        if concept is None:
            return {"concept_id": number(0), "source_concept_id": self._of_no_vocabulary(written), **written}
        if isinstance(concept, Fixed):
            header = text(self.branch.header) if self.branch.header else null("VARCHAR")
            told = {"source_value": header, **written}
            return {
                "concept_id": number(concept.concept_id),
                "source_concept_id": self._of_no_vocabulary(told if self.branch.header else written),
                **told,
            }
        return {
            "concept_id": coalesce(self._of_code("concept_id", number(0)), number(0)),
            "source_concept_id": self._source_concept() if concept.in_omop else number(0),
            **self._source_code(concept),
            "source_value": self._released_code("concept", concept),
            **written,
        }

    @staticmethod
    def _source_code(concept: Looked) -> dict[str, Node]:
        """The code and its vocabulary; of codings, those of the one that was chosen."""
        if concept.vocabularies:
            return {"source_vocabulary": col("vocabulary:concept"), "source_code": col("told:concept")}
        return {"source_vocabulary": text(concept.vocabulary), "source_code": col("code:concept")}

    @staticmethod
    def _of_no_vocabulary(told: Mapping[str, Node]) -> Node:
        """The source concept of a rule without a code: 0 where the source has a value, NULL where it has nothing (OMOP CDM)."""
        if "source_value" not in told:
            return null("INTEGER")
        return case([(is_not_null(told["source_value"].copy()), number(0))], null("INTEGER"))

    def _of_code(self, column: str, none: Node) -> Node:
        """What a lookup says of the concept: of the code, or of the wider one where the code leads to no concept."""
        own = col(f"{column}:concept")
        if "otherwise" not in self.branch.choices:
            return own
        wider = exp.GT(this=coalesce(col("concept_id:otherwise"), number(0)), expression=number(0))
        lost = equals(coalesce(col("concept_id:concept"), number(0)), number(0))
        return case([(all_of([lost, wider]), col(f"{column}:otherwise"))], coalesce(own, none))

    def _source_concept(self) -> Node:
        """The code's own concept; of the wider code where the vocabulary does not have the code itself."""
        own = coalesce(col("source_concept_id:concept"), number(0))
        if "otherwise" not in self.branch.choices:
            return own
        wider = self._of_code("source_concept_id", number(0))
        return case([(equals(own, number(0)), coalesce(wider, number(0)))], own.copy())

    def _optional_concept(self) -> dict[str, Node]:
        """Country, place of service or specialty: 0 where the source has a code without target, NULL where nothing."""
        found: dict[str, Node] = {}
        concept = self.branch.concept
        if isinstance(concept, Fixed):
            found = {"concept_id": number(concept.concept_id), "concept_source_value": text(concept.code)}
        elif isinstance(concept, Looked):
            chosen = coalesce(self._of_code("concept_id", number(0)), number(0))
            known = [(is_not_null(col("code:concept")), chosen)]
            found = {
                "concept_id": case(known, null("INTEGER")),
                **self._source_code(concept),
                "concept_source_value": self._released_code("concept", concept),
            }
            if concept.in_omop:
                found["source_concept_id"] = case(
                    [(is_not_null(col("code:concept")), self._source_concept())], null("INTEGER")
                )
        return found

    def _health_system(self) -> dict[str, Node]:
        """Address, name and birth of what is of no person, and the id of a place: the keyed hash of what is told of it."""
        if not self.rule.of_nobody:
            return {}
        names = (*PLACE, "care_site_name", "year_of_birth")
        found: dict[str, Node] = {name: col(name) for name in names if name in self.branch.slots}
        found |= {"source_value": col("source_value")} if "source_value" in self.branch.slots else {}
        if self.rule.fact != "location":
            return found
        told = {**found, **self._optional_concept()}
        content = [call("to_text", told[n]) if n in told else null("VARCHAR") for n in (*PLACE, *_ALSO_OF_A_PLACE)]
        return {**found, "location": keys.place_hash(self.source, keys.content_text(content))}

    def _released_code(self, name: str, looked: Looked) -> Node:
        """The code as the source has it; nothing where it comes from free text or an identifier."""
        if looked.vocabularies:  # a code of a coding; the words beside it stay
            return col(f"told:{name}")
        if not looked.code.released:
            return null("VARCHAR")
        return col(f"code@{name}") if looked.code.raw else col(f"code:{name}")

    def _dates(self) -> dict[str, Node]:
        """Dates with their precision, and the text of those that may be partial."""
        found: dict[str, Node] = {}
        for name, slot in dated(self.branch).items():
            precision = precision_node(slot.expression)
            constant = isinstance(precision, exp.Literal)
            found |= {f"{name}_date": col(name), f"{name}_precision": precision if constant else col(f"{name}#")}
            if slot.expression.time is not None:
                since_midnight = call("to_microseconds", col(f"{name}~"))
                time = exp.Add(this=cast(text("00:00:00"), "TIME"), expression=since_midnight)
                found[f"{name}_time"] = case([(is_not_null(col(name)), time)], null("TIME"))
            if slot.raw and slot.expression.precision is not None:
                found[f"{name}_raw"] = col(f"{name}@")
        return found | self._ongoing(found)

    def _ongoing(self, dates: Mapping[str, Node]) -> dict[str, Node]:
        """The end of an inpatient visit that had not ended: the day of the delivery (CDM, visit_end_date)."""
        if self.rule.kinds is None or getattr(self.rule.spec, "without_end", "start") != "ongoing":
            return {}
        inpatient = exp.In(
            this=self._concept()["concept_id"], expressions=[number(i) for i in self.rule.kinds.inpatient]
        )
        ongoing = all_of([is_null(col("end")), inpatient])
        last = call("greatest", col("start"), cast(parameter("delivery"), "DATE"))
        return {
            "end_date": case([(ongoing, last)], dates["end_date"]),
            "end_precision": case([(ongoing.copy(), text("ongoing"))], dates["end_precision"]),
        }

    def _value(self) -> dict[str, Node]:
        """Number, text and concept of the value; its text as the source has it, where it may leave."""
        slot = self.branch.slots.get("value")
        selected = self._selected_value()
        if slot is None:
            choice = self.branch.choices.get("value_concept")
            if isinstance(choice, Looked):
                selected["value_source_value"] = self._released_code("value_concept", choice)
            return selected
        number_like = slot.expression.kind in (Kind.NUMBER, Kind.INTEGER)
        found: dict[str, Node] = {"value_source_value": self._value_text(slot)}
        if number_like:
            found |= {"value_number": col("value")} | self._unit()
        elif slot.released:
            found["value_text"] = self._as_known(slot)
        return found | selected

    def _as_known(self, slot: Slot) -> Node:
        """The value as text; of a partial date no more than the source knows: 2015-03, 2015."""
        whole = call("to_text", col(value_before(self.branch)))
        if slot.expression.kind is not Kind.DATE or slot.expression.precision is None:
            return whole
        parts = [
            (equals(col("value#"), text(p)), call("beginning", whole.copy(), number(n))) for p, n in _KNOWN.items()
        ]
        return case(parts, whole)

    def _value_text(self, slot: Slot) -> Node:
        """The value as the source writes it: the field, else the column's cell that it was worked out from."""
        cell = self.branch.slots.get("cell", slot)
        if not slot.released or not cell.released:
            return null("VARCHAR")
        if slot.raw:
            return col("value@")
        return col("cell@") if cell.raw else self._as_known(slot)

    def _selected_value(self) -> dict[str, Node]:
        """value_concept_id, by `value_concept` or by a MAPS_TO_VALUE row of the concept's own map."""
        nodes = [n for n in (self._chosen("value_concept"), self._companion("value")) if n is not None]
        return {"value_concept_id": coalesce(*nodes) if len(nodes) > 1 else nodes[0]} if nodes else {}

    def _unit(self) -> dict[str, Node]:
        """Unit, operator and range of a number: nothing where there is no number."""
        found: dict[str, Node] = {}
        for key in ("unit", "operator"):
            nodes = [n for n in (self._chosen(key), self._companion(key)) if n is not None]
            chosen = coalesce(*nodes) if len(nodes) > 1 else nodes[0] if nodes else None
            if chosen is not None:
                found[f"{key}_concept_id"] = _unless_exact(chosen) if key == "operator" else self._converted(chosen)
        unit = self.branch.choices.get("unit")
        if unit is not None:
            found["unit_source_value"] = self._chosen_text("unit", unit)
        for key in ("range_low", "range_high"):
            found |= {key: col(key)} if key in self.branch.slots else {}
        if self._always_has_a_value():
            return found
        return {k: case([(is_not_null(col("value")), v)], null(TYPES[k])) for k, v in found.items()}

    def _converted(self, unit: Node) -> Node:
        """The unit of a value that was converted; the source's own of every other."""
        conversion = self.branch.conversion
        if conversion is None:
            return unit
        to = number(conversion.to.concept_id)
        if isinstance(self.branch.choices["unit"], Fixed):
            return to
        named = exp.In(this=col("code:unit"), expressions=[text(code) for code in conversion.units])
        return case([(named, to)], unit)

    def _always_has_a_value(self) -> bool:
        """Whether every fact has a number: an empty cell is excluded, one that does not parse is quarantined."""
        slots = self.branch.slots
        return "cell" in slots and slots["value"].raw is not None and slots["value"].raw == slots["cell"].raw

    def _further(self) -> dict[str, Node]:
        found: dict[str, Node] = {}
        keys = (
            "status",
            "qualifier",
            "route",
            "cause",
            "modifier",
            "anatomic_site",
            "disease_status",
            "admitted_from",
            "discharged_to",
            "gender",
        )
        for key in keys:
            choice = self.branch.choices.get(key)
            chosen = self._chosen(key)
            if choice is not None and chosen is not None:
                found |= {f"{key}_concept_id": chosen, f"{key}_source_value": self._chosen_text(key, choice)}
        for key in sorted(SOURCED):
            found |= self._of_a_person(key)
        about = self._chosen("object")
        found |= {"object_concept_id": coalesce(about, number(0))} if about is not None else {}
        for key in ("quantity", "days_supply", "refills", "number"):
            found |= {key: col(key)} if key in self.branch.slots else {}
        for key in (k for k in VERBATIM if k in self.branch.slots):
            found[VERBATIM[key]] = col(f"{key}@") if self.branch.slots[key].raw else col(key)
        if isinstance(self.rule.spec, DrugRule):
            found["days_otherwise"] = number(UNKNOWN_END[self.rule.spec.recorded_as])
        return found

    def _note(self) -> dict[str, Node]:
        """Title and text of a note as far as the mapping lets them leave; what it does not is not even in the events."""
        if not isinstance(self.rule.spec, NoteRule):
            return {}
        release = self.rule.spec.release
        found: dict[str, Node] = {"text": col("text") if release and release.text else text(WITHHELD)}
        found |= {"title": col("title")} if release and release.title and "title" in self.branch.slots else {}
        chosen = {key: self._chosen(key) for key in ("encoding", "language")}
        return found | {f"{key}_concept_id": node for key, node in chosen.items() if node is not None}

    def _specimen(self) -> dict[str, Node]:
        """The pseudonym of the specimen's own number."""
        if not isinstance(self.rule.spec, SpecimenRule) or not self.rule.spec.source_id:
            return {}
        return {"own_number": col("own_number")}

    def _unit_of_a_quantity(self) -> dict[str, Node]:
        """The unit of an amount of a specimen or a device, where there is one."""
        unit, chosen = self.branch.choices.get("unit"), self._chosen("unit")
        if unit is None or chosen is None or not isinstance(self.rule.spec, DeviceRule | SpecimenRule):
            return {}
        units = {"unit_concept_id": chosen, "unit_source_value": self._chosen_text("unit", unit)}
        return {k: case([(is_not_null(col("quantity")), v)], null(TYPES[k])) for k, v in units.items()}

    def _of_a_person(self, key: str) -> dict[str, Node]:
        """A concept of a person beside the sex: with the code's own concept and the text as the source has it."""
        choice, chosen = self.branch.choices.get(key), self._chosen(key)
        if choice is None or chosen is None:
            return {}
        found = {f"{key}_concept_id": chosen}
        if isinstance(choice, Fixed):
            return found
        own: Node = coalesce(col(f"source_concept_id:{key}"), number(0)) if choice.in_omop else number(0)
        own = case([(is_not_null(col(f"code:{key}")), own)], null("INTEGER"))
        return found | {f"{key}_source_concept_id": own, f"{key}_source_value": self._released_code(key, choice)}

    def _chosen(self, key: str) -> Node | None:
        """A further concept: 0 where the source has a code without target, NULL where it has nothing (OMOP convention)."""
        choice = self.branch.choices.get(key)
        if choice is None:
            return None
        if isinstance(choice, Fixed):
            return number(choice.concept_id)
        ignored = coalesce(col(f"ignored:{key}"), exp.false())
        known = [
            (ignored, null("INTEGER")),
            (is_not_null(col(f"code:{key}")), coalesce(col(f"any_concept_id:{key}"), number(0))),
        ]
        return case(known, null("INTEGER"))

    def _chosen_text(self, key: str, choice: Choice) -> Node:
        return text(choice.code) if isinstance(choice, Fixed) else self._released_code(key, choice)

    def _references(self) -> dict[str, Node]:
        found: dict[str, Node] = {}
        for key, reference in self.rule.references.items():
            there = (is_not_null(col(f"target:{key}")), col(f"event:{key}"))
            if key == "modifies":
                found["modifies"] = col("event:modifies")
                found["modifies_target"] = text(reference.target) if reference.target else col("target:modifies")
            elif key == "episode" or self.rule.fact == "episode":
                found["episode"] = col(f"event:{key}")
            elif self.rule.related:
                continue
            elif key == "location":
                found["location"] = col("location:location")
            else:
                found[key] = case([there], null("BIGINT"))
        if self.rule.provider_from:
            found["provider"] = col(f"provider:{self.rule.provider_from}")
        return found | self._visits(found)

    def _visits(self, found: Mapping[str, Node]) -> dict[str, Node]:
        """The visit and its detail, where what the rule refers to is a part of a visit."""
        told = {k: col(f"visit:{k}") for k, r in self.rule.references.items() if r.tells_visit}
        visits: dict[str, Node] = {}
        if "visit" in told:  # an encounter that was rolled up: the visit's detail, or that which a detail lies within
            within = "parent" if self.rule.fact == "visit_detail" else "visit_detail"
            visits = {within: found.get(within, found["visit"]), "visit": told["visit"]}
        if "visit_detail" in told:
            known = [n for n in (visits.get("visit", found.get("visit")),) if n is not None]
            visits["visit"] = coalesce(*known, told["visit_detail"])
        return visits

    def _lineage(self) -> dict[str, Node]:
        ordinal: Node = number(0)
        if self._fans_out:
            ordinal = coalesce(col("ordinal:concept"), number(0))
        found: dict[str, Node] = {
            "rule": text(self.rule.name),
            "ordinal": ordinal,
            "source_table": text(self.rule.table),
            "source_file": col("file"),
            "source_line": col("line"),
        }
        found |= {"rule_column": text(self.branch.column)} if self.branch.column else {}
        found |= {"source_lines": col("lines")} if self.rule.grouped else {}
        return found


def _unless_exact(operator: Node) -> Node:
    """The operator, NULL where it says no more than that the number is exact."""
    if isinstance(operator, exp.Literal):
        return null("INTEGER") if str(operator.this) == str(EQUALS) else operator
    return case([(exp.NEQ(this=operator, expression=number(EQUALS)), operator.copy())], null("INTEGER"))
