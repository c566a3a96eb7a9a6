"""The draft: what the compiler's passes hand from one to the next."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from oncoweave.compiler.bound import BoundRule
from oncoweave.compiler.concepts import ConceptBook
from oncoweave.compiler.inputs import Inputs
from oncoweave.compiler.joins import BoundJoin
from oncoweave.compiler.plan import Plan
from oncoweave.compiler.staging import Amendment
from oncoweave.errors import Problem
from oncoweave.spec.source import Source


@dataclass(frozen=True)
class Draft:
    """What the passes hand on: the inputs, what has been made of them so far, and the problems found.

    `readable` is the source with all that rules may read: each table with the fields that its joins find.
    """

    inputs: Inputs
    columns: Mapping[str, Sequence[str]]
    joins: tuple[BoundJoin, ...] = ()
    readable: Source | None = None
    book: ConceptBook | None = None
    rules: tuple[BoundRule, ...] = ()
    amendments: tuple[Amendment, ...] = ()
    plan: Plan | None = None
    problems: tuple[Problem, ...] = field(default=())

    @property
    def reading(self) -> Inputs:
        """The inputs as rules read them: with the fields of joined tables."""
        return replace(self.inputs, source=self.readable or self.inputs.source)

    def with_problems(self, found: Sequence[Problem]) -> Draft:
        """The draft with further problems."""
        return replace(self, problems=(*self.problems, *found))
