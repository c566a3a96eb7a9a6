"""The pass over rules of relationships: what `relationship` and `reverse` name, by the vocabulary's RELATIONSHIP.

The concepts of relationships need not be in CONCEPT: RELATIONSHIP alone names them, each with its reverse.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from oncoweave.compiler.bound import BoundRule, Related
from oncoweave.compiler.draft import Draft
from oncoweave.errors import Problem, nearest
from oncoweave.spec.document import Loc
from oncoweave.spec.relationship import RelationshipRule
from oncoweave.vocabulary.bundle import RelationshipRow

_CONCEPT = re.compile(r"^OMOP:(?P<id>[0-9]+)(?: \|(?P<label>.+)\|)?$")


def find_relationships(draft: Draft) -> Draft:
    """The rules of relationships with the concepts of both directions, or what is wrong with them."""
    if not any(isinstance(rule.spec, RelationshipRule) for rule in draft.rules):
        return draft
    finder = _Finder(draft, draft.inputs.bundle.relationships())
    rules = tuple(finder.with_concepts(rule) for rule in draft.rules)
    return replace(draft, rules=rules).with_problems(finder.problems)


@dataclass
class _Finder:
    """Finds the relationships of rules among those that the release `knows`, by id, collecting problems as it goes."""

    draft: Draft
    known: Mapping[str, RelationshipRow]
    problems: list[Problem] = field(default_factory=list)

    def with_concepts(self, rule: BoundRule) -> BoundRule:
        """The rule with its relationship."""
        spec = rule.spec
        if not isinstance(spec, RelationshipRule):
            return rule
        loc: Loc = ("rules", self.draft.inputs.mapping.rules.index(spec))
        self._check_ends(rule, (*loc, "second"))
        if not self.known:
            release = self.draft.inputs.bundle.release
            message = f"the vocabulary {release} has no RELATIONSHIP, so it knows no relationship of facts"
            mend = "load a download of Athena, which has it: oncoweave vocab load ATHENA.zip"
            return self._refuse(rule, "vocabulary", message, (*loc, "relationship"), mend)
        told = self._found(spec.relationship, (*loc, "relationship"))
        given = None if spec.reverse is None else self._found(spec.reverse, (*loc, "reverse"))
        if told is None:
            return rule
        back = self.known.get(told.reverse_id)
        if back is None:
            message = f"the vocabulary does not say what the reverse of `{told.relationship_id}` is"
            return self._refuse(rule, "relationship", message, (*loc, "relationship"), "choose another relationship")
        if given not in (None, back):
            message = f"the reverse of `{told.relationship_id}` is `{back.relationship_id}`"
            mend = f"write `reverse: {back.relationship_id}`, or leave it out"
            return self._refuse(rule, "relationship", message, (*loc, "reverse"), mend)
        ids = (told.relationship_id, told.concept_id, back.relationship_id, back.concept_id)
        return replace(rule, related=Related(*ids))

    def _check_ends(self, rule: BoundRule, loc: Loc) -> None:
        """A fact is not related to itself: of one rule, the row must name two facts by different fields."""
        first, second = (rule.references.get(key) for key in ("first", "second"))
        if first is not None and first == second:
            message = f"`first` and `second` name the same fact of `{first.rule}`"
            mend = f"name another rule, or the fields of the row that tell the other fact: {{rule: {first.rule}, by: {{…}}}}"
            self._refuse(rule, "rule", message, loc, mend)

    def _found(self, written: str, loc: Loc) -> RelationshipRow | None:
        """The relationship that a text names, by its id or by its concept; None with the problem told."""
        match = _CONCEPT.match(written)
        if match is None:
            row = self.known.get(written)
            fault = (f"the vocabulary has no relationship `{written}`", nearest(written, self.known))
        else:
            row = next((r for r in self.known.values() if r.concept_id == int(match["id"])), None)
            fault = (f"the vocabulary has no relationship with concept {match['id']}", _HOW_TO_WRITE)
        if row is not None and match is not None and match["label"] not in (row.relationship_id, row.name):
            fault = (
                f"the relationship with concept {row.concept_id} is not called `{match['label'] or ''}`",
                f"it is `OMOP:{row.concept_id} |{row.relationship_id}|`",
            )
            row = None
        if row is None:
            self.problems.append(self.draft.inputs.document.problem("relationship", fault[0], loc, help=fault[1]))
        return row

    def _refuse(self, rule: BoundRule, code: str, message: str, loc: Loc, mend: str) -> BoundRule:
        """The rule as it is, with the problem told."""
        self.problems.append(self.draft.inputs.document.problem(code, message, loc, help=mend))
        return rule


_HOW_TO_WRITE = 'write its relationship_id, such as "Has specimen"'
