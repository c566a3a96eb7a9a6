"""What became of some concepts from one release to another: domain, standard flag, validity, targets, name."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from oncoweave.vocabulary.bundle import Bundle, ConceptRow

FIELDS = (
    ("domain", "domain_id"),
    ("standard", "standard_concept"),
    ("validity", "invalid_reason"),
    ("name", "concept_name"),
    ("code", "concept_code"),
)
"""What is compared, and the column it is in; besides, whether the concept is there, its targets and its values."""
ABSENT = "absent"


@dataclass(frozen=True)
class Change:
    """One thing about a concept that differs: what (see FIELDS, and presence, target, value), before and after."""

    concept_id: int
    concept_name: str
    vocabulary_id: str
    concept_code: str
    what: str
    before: str
    after: str


@dataclass(frozen=True)
class _Release:
    """What one release says of the concepts."""

    concepts: dict[int, ConceptRow]
    targets: dict[int, list[ConceptRow]]
    values: dict[int, list[ConceptRow]]

    @classmethod
    def of(cls, bundle: Bundle, ids: list[int]) -> _Release:
        return cls(bundle.concepts(ids), bundle.targets(ids), bundle.targets(ids, "Maps to value"))


def changes(before: Bundle, after: Bundle, ids: Iterable[int]) -> list[Change]:
    """The changes of the concepts with these ids, by id; a concept that neither release has is left out."""
    wanted = sorted(set(ids))
    old, new = _Release.of(before, wanted), _Release.of(after, wanted)
    return [change for concept_id in wanted for change in _changes(concept_id, old, new)]


def _changes(concept_id: int, old: _Release, new: _Release) -> Iterator[Change]:
    was, now = old.concepts.get(concept_id), new.concepts.get(concept_id)
    known = now or was
    if known is None:
        return
    for what, first, second in _differences(concept_id, old, new):
        yield Change(concept_id, known.concept_name, known.vocabulary_id, known.concept_code, what, first, second)


def _differences(concept_id: int, old: _Release, new: _Release) -> Iterator[tuple[str, str, str]]:
    was, now = old.concepts.get(concept_id), new.concepts.get(concept_id)
    if was is None or now is None:
        yield "presence", "present" if was else ABSENT, "present" if now else ABSENT
        return
    pairs = [(what, str(getattr(was, column)), str(getattr(now, column))) for what, column in FIELDS]
    yield from (pair for pair in pairs if pair[1] != pair[2])
    for what, first, second in (("target", old.targets, new.targets), ("value", old.values, new.values)):
        if _ids(first, concept_id) != _ids(second, concept_id):
            yield what, _named(first.get(concept_id, [])), _named(second.get(concept_id, []))


def _ids(targets: dict[int, list[ConceptRow]], concept_id: int) -> list[int]:
    return [target.concept_id for target in targets.get(concept_id, [])]


def _named(targets: list[ConceptRow]) -> str:
    return ", ".join(f"{target.concept_id} |{target.concept_name}|" for target in targets)
