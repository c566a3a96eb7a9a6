"""Leaves small counts out, and as many others as it takes that no sum tells them: what leaves a site may not single out a person."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import TypeVar

Count = int | None
"""A count of persons or of their records; None where it is small, or would let a small one be worked out."""
Group = TypeVar("Group")


def told_count(count: int, smallest: int) -> Count:
    """The count, or None where it is too small to be told; 0 is told.

    >>> [told_count(count, 5) for count in (0, 1, 4, 5)]
    [0, None, None, 5]
    """
    return None if 0 < count < smallest else count


def suppressed(counts: Mapping[Group, int], smallest: int, small: Collection[Group] = ()) -> dict[Group, Count]:
    """Counts that add up to a total which is told: the small ones are left out, and of the others the least, one by one, until
    two are left out at least and they come to more than `smallest`; else the total would tell them, or nearly.

    `small` names groups of few persons whose count is of something else, as records.

    >>> suppressed({"female": 683, "male": 3}, 5)
    {'female': None, 'male': None}
    >>> suppressed({"a": 90, "b": 7, "c": 2}, 5)
    {'a': 90, 'b': None, 'c': None}
    >>> suppressed({"a": 90, "b": 1, "c": 1}, 5)
    {'a': None, 'b': None, 'c': None}
    >>> suppressed({"a": 90, "b": 7}, 5)
    {'a': 90, 'b': 7}
    """
    hidden = {
        name for name, count in counts.items() if told_count(count, smallest) is None or (name in small and count)
    }
    others = [name for name, count in counts.items() if name not in hidden and count]
    others.sort(key=lambda name: (counts[name], str(name)))
    while hidden and others and (len(hidden) == 1 or sum(counts[name] for name in hidden) <= smallest):
        hidden.add(others.pop(0))
    return {name: None if name in hidden else count for name, count in counts.items()}
