"""The distributions as bars: persons by year, age, sex and care site, and the records of each table by year."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

from oncoweave.quality.distributions import BEFORE_BIRTH, EARLIER, OTHERS, UNKNOWN, Distributions
from oncoweave.report.language import N_, _

TITLES: Mapping[str, str] = MappingProxyType(
    {
        "year": N_("Persons by year of the first diagnosis"),
        "age": N_("Persons by age at the first diagnosis"),
        "sex": N_("Persons by sex"),
        "care_site": N_("Persons by care site"),
    }
)
OF_RECORDS: Mapping[str, str] = MappingProxyType(
    {"year": N_("Persons by year of their first record"), "age": N_("Persons by age at their first record")}
)
"""The titles for a source without a diagnosis."""
_GROUPS: Mapping[str, str] = MappingProxyType(
    {
        UNKNOWN: N_("not known"),
        OTHERS: N_("smaller care sites"),
        EARLIER: N_("earlier"),
        BEFORE_BIRTH: N_("before birth"),
        "female": N_("female"),
        "male": N_("male"),
        "no matching concept": N_("no matching concept"),
    }
)
WIDTH, HEIGHT = 1000, 120
"""Of the columns of a picture by year, without what is written beneath."""
MOST_ROWS = 25
"""With more groups than that, persons by year are columns rather than bars."""


@dataclass(frozen=True)
class Bar:
    """A group: its count (None where it is left out), and its length in percent of the longest."""

    name: str
    count: int | None
    length: float


@dataclass(frozen=True)
class Column:
    """A column as it is drawn; of a group that is left out, a mark on the line."""

    kind: str
    x: float
    y: float
    width: float
    height: float


@dataclass(frozen=True)
class Chart:
    """A picture and its title; `is_upright` has a column for each year."""

    title: str
    unit: str
    bars: Sequence[Bar]
    is_upright: bool

    @property
    def hidden(self) -> int:
        """How many groups are left out."""
        return sum(1 for bar in self.bars if bar.count is None)

    @property
    def years(self) -> Sequence[Bar]:
        """The groups that are a year, for columns."""
        return [bar for bar in self.bars if bar.name.isdigit()]

    @property
    def columns(self) -> Sequence[Column]:
        """The columns of the groups that have one."""
        width = WIDTH / len(self.years)
        found = []
        for place, bar in enumerate(self.years):
            height = 4 if bar.count is None else bar.length * (HEIGHT - 5) / 100
            kind = "left-out" if bar.count is None else "share"
            if height:
                x = place * width + width / 10
                found.append(
                    Column(kind, round(x, 1), round(HEIGHT - height, 1), round(width * 0.8, 1), round(height, 1))
                )
        return found


@dataclass(frozen=True)
class Pictures:
    """Persons by one thing each, and records by year of each table."""

    persons: Sequence[Chart]
    records: Sequence[Chart]


def pictures_of(counted: Distributions | None) -> Pictures:
    """The pictures; none where nothing was counted."""
    if counted is None:
        return Pictures((), ())
    persons = [
        _chart(
            _title(d.by, counted.since),
            _("persons"),
            [(_group(d.by, g.name), g.persons) for g in d.groups],
            d.by == "year" and len(d.groups) > MOST_ROWS,
        )
        for d in counted.persons_by
        if d.groups
    ]
    records = [
        _chart(
            t.table, _("records"), [(str(t.first + n), count) for n, count in enumerate(t.records)], len(t.records) > 2
        )
        for t in counted.records_by_year
    ]
    return Pictures(persons, records)


def _group(by: str, name: str) -> str:
    """The name of a group for people; the name of a care site is the data's, whatever it says."""
    is_ours = name in _GROUPS and (by != "care_site" or name in (UNKNOWN, OTHERS))
    return _(_GROUPS[name]) if is_ours else name


def _title(by: str, since: str) -> str:
    return _(TITLES[by] if since == "diagnosis" else OF_RECORDS.get(by, TITLES[by]))


def _chart(title: str, unit: str, groups: Sequence[tuple[str, int | None]], is_upright: bool) -> Chart:
    most = max((count or 0 for _name, count in groups), default=0) or 1
    bars = [Bar(name, count, round(100 * (count or 0) / most, 1)) for name, count in groups]
    return Chart(title, unit, bars, is_upright)
