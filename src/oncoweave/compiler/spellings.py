"""`spellings:` of the mapping as verbs: a function of one text that gives it as another system writes it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from sqlglot import exp

from oncoweave.engine import functions
from oncoweave.engine.expressions import Expression, Kind, KindError, Value, lift, literal, widen
from oncoweave.spec.mapping import Mapping as MappingSpec


@dataclass(frozen=True)
class Spelling:
    """A text in another spelling; one that is not listed stays as it is."""

    name: str
    texts: Mapping[str, str]

    def __call__(self, *arguments: Value, **options: Value) -> Expression:
        """The expression of the argument in the other spelling; blanks around it do not matter.

        Raises KindError for other arguments than one text.
        """
        if len(arguments) != 1 or options:
            raise KindError(f"`{self.name}` is called as {self.name}(text)")
        given = widen(lift(arguments[0]), Kind.TEXT)
        if given.kind is not Kind.TEXT:
            raise KindError(f"`{self.name}` takes a text, not {given.kind}")
        ifs = [
            exp.If(this=functions.equal(functions.trim(given), literal(text)).node, true=literal(other).node)
            for text, other in self.texts.items()
        ]
        return Expression(Kind.TEXT, exp.Case(ifs=ifs, default=given.node))


def spelling_verbs(mapping: MappingSpec) -> dict[str, Callable[..., Expression]]:
    """The spellings of a mapping as functions that its expressions call."""
    return {name: Spelling(name, texts) for name, texts in mapping.spellings.items()}
