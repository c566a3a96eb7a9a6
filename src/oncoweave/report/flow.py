"""The ledger as a picture: bands from the source tables over what became of their rows to facts and reasons (Sankey), as SVG.

The unit is the ledger's: a row, once for each rule that reads it. Nothing is drawn that the table beneath does not say.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

from oncoweave.records import LedgerEntry
from oncoweave.report.language import N_, _, number

WIDTH, NODE, SLOT, GAP = 1000, 14, 19, 9
"""Of the picture: its width, the width of a node, and the least height of a node with its label, and what is between two."""
DRAWN = 260
"""The height of all rows together, without gaps."""
MOST = 9
"""How many source tables, facts or reasons are drawn apart; the smaller ones are one."""
LONGEST = (20, 20, 38)
"""Characters of a label in the picture, by column; the table has the whole text."""
OUTCOMES: Mapping[str, str] = MappingProxyType(
    {"mapped": N_("Mapped"), "excluded": N_("Excluded"), "quarantined": N_("Quarantined")}
)
_COLUMNS = (190, 410, 620)


@dataclass(frozen=True)
class Stream:
    """So many rows of the ledger from one node to the next, and which share of all rows that is."""

    origin: str
    target: str
    rows: int
    share: float


@dataclass(frozen=True)
class Node:
    """A node as it is drawn, with its label."""

    x: int
    y: float
    height: float
    kind: str
    label: str
    label_x: int
    middle: float
    anchor: str


@dataclass(frozen=True)
class Band:
    """A band as it is drawn: the outline between two nodes."""

    path: str
    kind: str


@dataclass(frozen=True)
class Flow:
    """The picture, and the same as streams."""

    rows: int
    mapped: int
    excluded: int
    quarantined: int
    height: int
    nodes: Sequence[Node]
    bands: Sequence[Band]
    streams: Sequence[Stream]


@dataclass(frozen=True)
class _Key:
    """A node: its column, its outcome (empty for a source table) and its name (empty for an outcome)."""

    column: int
    outcome: str
    name: str

    @property
    def told(self) -> str:
        return _(OUTCOMES[self.outcome]) if self.column == 1 else self.name


_Links = dict[tuple[_Key, _Key], int]


def flow_of(ledger: Iterable[LedgerEntry]) -> Flow:
    """The flow of the rows of a ledger."""
    links = _links(ledger)
    total = sum(rows for (origin, _target), rows in links.items() if origin.column == 0)
    columns = [_ordered(links, column) for column in range(len(_COLUMNS))]
    heights = {key: max(DRAWN * _size(links, key) / total, 1) for column in columns for key in column} if total else {}
    tall = [sum(max(heights[key], SLOT) + GAP for key in column) for column in columns if total]
    tops = {key: top for column in columns for key, top in _stacked(column, heights, max(tall, default=0))}
    order = {key: place for column in columns for place, key in enumerate(column)}
    drawn = sorted(links, key=lambda link: (link[0].column, order[link[0]], order[link[1]]))
    of_outcome = {
        outcome: sum(links[a, b] for a, b in links if a.column == 0 and b.outcome == outcome) for outcome in OUTCOMES
    }
    return Flow(
        rows=total,
        **of_outcome,
        height=round(max(tall, default=0)),
        nodes=[_node(key, tops[key], heights[key], _size(links, key)) for column in columns for key in column],
        bands=list(_bands(drawn, links, tops, heights)),
        streams=[Stream(a.told, b.told, links[a, b], links[a, b] / total) for a, b in drawn],
    )


def _links(ledger: Iterable[LedgerEntry]) -> _Links:
    """The rows between two nodes; the small tables, facts and reasons of each column are one."""
    first: dict[tuple[str, str], int] = defaultdict(int)
    second: dict[tuple[str, str], int] = defaultdict(int)
    for entry in ledger:
        for outcome in OUTCOMES:
            first[entry.table, outcome] += getattr(entry, outcome)
        second[entry.fact, "mapped"] += entry.mapped
        for outcome, reason, rows in entry.reasons:
            second[reason, outcome] += rows
    links: _Links = defaultdict(int)
    tables = _kept((table, rows) for (table, _outcome), rows in first.items())
    for (table, outcome), rows in first.items():
        name = table if table in tables else _("other source tables")
        links[_Key(0, "", name), _Key(1, outcome, "")] += rows
    for outcome in OUTCOMES:
        of_outcome = {name: rows for (name, kind), rows in second.items() if kind == outcome}
        kept = _kept(of_outcome.items())
        for name, rows in of_outcome.items():
            shown = name if name in kept else _("other facts") if outcome == "mapped" else _("other reasons")
            links[_Key(1, outcome, ""), _Key(2, outcome, shown)] += rows
    return {link: rows for link, rows in links.items() if rows}


def _kept(counted: Iterable[tuple[str, int]]) -> set[str]:
    """The names that are drawn apart: the largest ones."""
    sizes: dict[str, int] = defaultdict(int)
    for name, rows in counted:
        sizes[name] += rows
    return set(sorted(sizes, key=lambda name: (-sizes[name], name))[:MOST])


def _size(links: _Links, key: _Key) -> int:
    """The rows of a node."""
    end = 0 if key.column == 0 else 1
    return sum(rows for link, rows in links.items() if link[end] == key)


def _ordered(links: _Links, column: int) -> list[_Key]:
    """The nodes of a column from top to bottom: by outcome, then by rows."""
    outcomes = ["", *OUTCOMES]
    keys = {key for link in links for key in link if key.column == column}
    return sorted(keys, key=lambda key: (outcomes.index(key.outcome), -_size(links, key), key.name))


def _stacked(column: Sequence[_Key], heights: Mapping[_Key, float], tallest: float) -> Iterator[tuple[_Key, float]]:
    """The top of each node, the column in the middle of the picture."""
    top = (tallest - sum(max(heights[key], SLOT) + GAP for key in column)) / 2
    for key in column:
        slot = max(heights[key], SLOT)
        yield key, top + (slot - heights[key]) / 2
        top += slot + GAP


def _node(key: _Key, top: float, height: float, rows: int) -> Node:
    x, is_left = _COLUMNS[key.column], key.column == 0
    longest = LONGEST[key.column]
    name = key.told if len(key.told) <= longest else f"{key.told[:longest]}…"
    return Node(
        x=x,
        y=round(top, 1),
        height=round(height, 1),
        kind=key.outcome or "source",
        label=f"{name} {number(rows)}",
        label_x=x - 8 if is_left else x + NODE + 8,
        middle=round(top + height / 2, 1),
        anchor="end" if is_left else "start",
    )


def _bands(
    drawn: Sequence[tuple[_Key, _Key]], links: _Links, tops: Mapping[_Key, float], heights: Mapping[_Key, float]
) -> Iterator[Band]:
    """The bands, each beginning and ending where the one above it did."""
    leaving, coming = dict(tops), dict(tops)
    for a, b in drawn:
        out = heights[a] * links[a, b] / sum(rows for link, rows in links.items() if link[0] == a)
        into = heights[b] * links[a, b] / _size(links, b)
        left, right = _COLUMNS[a.column] + NODE, _COLUMNS[b.column]
        half, y, z = (left + right) / 2, leaving[a], coming[b]
        leaving[a], coming[b] = y + out, z + into
        path = (
            f"M{left} {y:.1f}C{half:g} {y:.1f} {half:g} {z:.1f} {right} {z:.1f}V{z + into:.1f}"
            f"C{half:g} {z + into:.1f} {half:g} {y + out:.1f} {left} {y + out:.1f}Z"
        )
        yield Band(path, b.outcome)
