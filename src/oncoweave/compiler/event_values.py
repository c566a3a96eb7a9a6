"""What a mapped fact puts into each column of the event table, over the columns of the fact select."""

from __future__ import annotations

from dataclasses import dataclass

from sqlglot import exp

from oncoweave.compiler import keys
from oncoweave.compiler.bound import BoundRule, Branch, Choice, Fixed, Looked
from oncoweave.compiler.sql import Node, call, case, coalesce, col, is_not_null, null, number, text
from oncoweave.engine.expressions import Kind
from oncoweave.omop.routing import ROUTED_FACTS, TABLE_OF_FACT, table_of
from oncoweave.spec.source import Source


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
            **self._references(),
            **self._lineage(),
        }

    def _identity(self) -> dict[str, Node]:
        event = keys.xor(col("unit"), keys.event_salt(self.rule.name, self.branch.column))
        if isinstance(self.branch.concept, Looked):
            event = call("xor", event, coalesce(col("salt:concept"), number(0)))
        return {
            "event_id": event,
            "person_id": col("person"),
            "fact": text(self.rule.fact),
            "kind": text(self.branch.kind) if self.branch.kind else null("VARCHAR"),
            "target": self._target(),
            "type_concept_id": number(self.branch.type_concept_id),
        }

    def _target(self) -> Node:
        concept = self.branch.concept
        own = text(TABLE_OF_FACT[self.rule.fact])
        if self.rule.fact not in ROUTED_FACTS or concept is None:
            return own
        return text(table_of(concept.domain)) if isinstance(concept, Fixed) else coalesce(col("target:concept"), own)

    def _concept(self) -> dict[str, Node]:
        concept = self.branch.concept
        if concept is None:
            return {"concept_id": number(0), "source_concept_id": number(0)}
        written = {"source_value": col("source_value")} if "source_value" in self.branch.slots else {}
        if isinstance(concept, Fixed):
            header = text(self.branch.header) if self.branch.header else null("VARCHAR")
            return {
                "concept_id": number(concept.concept_id),
                "source_concept_id": number(0),
                "source_value": header,
                **written,
            }
        return {
            "concept_id": coalesce(col("concept_id:concept"), number(0)),
            "source_concept_id": coalesce(col("source_concept_id:concept"), number(0)),
            "source_vocabulary": text(concept.vocabulary),
            "source_code": col("code:concept"),
            "source_value": self._released_code("concept", concept),
            **written,
        }

    def _released_code(self, name: str, looked: Looked) -> Node:
        """The code as the source has it; nothing where it comes from free text or an identifier."""
        if not looked.code.released:
            return null("VARCHAR")
        return col(f"code@{name}") if looked.code.raw else col(f"code:{name}")

    def _dates(self) -> dict[str, Node]:
        found: dict[str, Node] = {"start_date": col("start"), "start_precision": col("start#")}
        start = self.branch.slots.get("start") or self.branch.slots.get("date")
        if start and start.raw:
            found["start_raw"] = col("start@")
        if "end" in self.branch.slots:
            found |= {"end_date": col("end"), "end_precision": col("end#")}
            found |= {"end_raw": col("end@")} if self.branch.slots["end"].raw else {}
        return found

    def _value(self) -> dict[str, Node]:
        """Number, text and concept of the value; its text as the source has it, where it may leave."""
        slot = self.branch.slots.get("value")
        selected = self._selected_value()
        if slot is None:
            return selected
        number_like = slot.expression.kind in (Kind.NUMBER, Kind.INTEGER)
        shown = col("value@") if slot.raw else call("to_text", col("value"))
        released = shown if slot.released else null("VARCHAR")
        found: dict[str, Node] = {"value_source_value": released}
        if number_like:
            found |= {"value_number": col("value")} | self._unit()
        elif slot.released:
            found["value_text"] = call("to_text", col("value"))
        return found | selected

    def _selected_value(self) -> dict[str, Node]:
        """value_concept_id, by `value_concept` or by a MAPS_TO_VALUE row of the concept's own map."""
        own = self._chosen("value_concept")
        concept = self.branch.concept
        if isinstance(concept, Looked):
            companion = col("value_concept_id:concept")
            own = coalesce(own, companion) if own is not None else companion
        return {"value_concept_id": own} if own is not None else {}

    def _unit(self) -> dict[str, Node]:
        found = {}
        for key in ("unit", "operator"):
            own = self._chosen(key)
            if isinstance(self.branch.concept, Looked):
                companion = col(f"{key}_concept_id:concept")
                own = coalesce(own, companion) if own is not None else companion
            if own is not None:
                found[f"{key}_concept_id"] = own
        unit = self.branch.choices.get("unit")
        if unit is not None:
            found["unit_source_value"] = self._chosen_text("unit", unit)
        for key in ("range_low", "range_high"):
            found |= {key: col(key)} if key in self.branch.slots else {}
        return {k: case([(is_not_null(col("value")), v)], null(_KIND_OF.get(k, "INTEGER"))) for k, v in found.items()}

    def _further(self) -> dict[str, Node]:
        found: dict[str, Node] = {}
        for key in ("status", "qualifier", "route", "cause"):
            choice = self.branch.choices.get(key)
            chosen = self._chosen(key)
            if choice is not None and chosen is not None:
                found |= {f"{key}_concept_id": chosen, f"{key}_source_value": self._chosen_text(key, choice)}
        about = self._chosen("object")
        found |= {"object_concept_id": coalesce(about, number(0))} if about is not None else {}
        for key in ("quantity", "days_supply", "number"):
            found |= {key: col(key)} if key in self.branch.slots else {}
        return found

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
        for key in self.rule.references:
            target = "episode" if key == "parent" else key
            found[target] = col(f"event:{key}")
            found |= {"modifies_target": col("target:modifies")} if key == "modifies" else {}
        return found

    def _lineage(self) -> dict[str, Node]:
        ordinal: Node = number(0)
        if isinstance(self.branch.concept, Looked) and self.rule.fact in ROUTED_FACTS:
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


_KIND_OF = {"unit_source_value": "VARCHAR", "range_low": "DOUBLE", "range_high": "DOUBLE"}
