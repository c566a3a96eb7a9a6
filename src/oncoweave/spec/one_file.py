"""What the models cannot say about a file but the file alone can tell: names given twice, patterns, ranges.

The checks look at the written values and pass over whatever the models refuse, so both tell together.
"""

from __future__ import annotations

import codecs
import fnmatch
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from types import MappingProxyType

from oncoweave.errors import Problem, nearest
from oncoweave.spec.arrival_faults import arrival_problems
from oncoweave.spec.delivery_faults import delivery_problems
from oncoweave.spec.document import Document, Loc, Value
from oncoweave.spec.explain import is_day, wrong_type
from oncoweave.spec.schedule_faults import schedule_problems

DIRECTIVES = "dmYyjb"
TIMES = "HMSfz"
ISO = "ISO 8601"
"""The pattern that stands for many: days and moments as ISO 8601, Java and SQL write them."""
DAY = "a date written YYYY-MM-DD"


def source_problems(source: str) -> Callable[[Document], Sequence[Problem]]:
    """The check of source.yaml in the folder of that name."""

    def check(document: Document) -> list[Problem]:
        return [
            *_other_name(document, source),
            *_not_days(document),
            *_bad_patterns(document),
            *_bad_encodings(document),
            *_outside(document),
            *_removals(document),
            *_same_headers(document),
            *_fields_twice(document),
            *_empty_keys(document),
            *delivery_problems(document),
            *schedule_problems(document),
            *arrival_problems(document),
        ]

    return check


def mapping_problems(source: str) -> Callable[[Document], Sequence[Problem]]:
    """The check of mapping.yaml in the folder of that name."""

    def check(document: Document) -> list[Problem]:
        return [
            *_other_name(document, source),
            *_twice(document, document.each("rules", "*", "name"), "duplicate-rule", "another rule is named `{}`"),
            *_ranges(document),
        ]

    return check


def pattern_fault(pattern: str) -> tuple[str, int] | None:
    """What is wrong with a date pattern, and at which character; None when nothing is."""
    if pattern == ISO:
        return None
    if not pattern.strip():
        return "a date pattern is empty", 0
    found = [(match[1], match.start()) for match in re.finditer(r"%(.?)", pattern, re.DOTALL)]
    for directive, start in found:
        if directive not in DIRECTIVES + TIMES or not directive:
            return f"`%{directive}` is not a part of a date pattern", start
    found = [(directive, start) for directive, start in found if directive in DIRECTIVES]
    return _clash([directive for directive, _ in found], [start for _, start in found])


def _clash(parts: list[str], starts: list[int]) -> tuple[str, int] | None:
    slots = [
        "year" if part in "Yy" else "month" if part in "mb" else {"d": "day", "j": "day of the year"}[part]
        for part in parts
    ]
    for number, slot in enumerate(slots):
        if slot in slots[:number]:
            return f"the {slot} is given twice", starts[number]
    if "year" not in slots:
        return "the pattern has no year", 0
    if "day of the year" in slots and len(slots) > 2:
        return "`%j` is the day of the year and goes with the year alone", starts[slots.index("day of the year")]
    if "day" in slots and "month" not in slots:
        return "the pattern has a day but no month", starts[slots.index("day")]
    return None


def _other_name(document: Document, source: str) -> list[Problem]:
    written = document.get(("source",))
    if not isinstance(written, str) or written == source:
        return []
    message = f"`source` is `{written}`, but the folder is named `{source}`"
    return [
        document.problem("source-name", message, ("source",), help=f"write `source: {source}`, or rename the folder")
    ]


_MEANT = MappingProxyType(
    {
        "approval": "write `approval: {role: QA reviewer}`, or remove the key if nobody has to approve",
        "notify": "write `notify: {email: [qa@registry.example]}`, or remove the key if nobody is told",
    }
)


def _empty_keys(document: Document) -> Iterator[Problem]:
    """`approval:` or `notify:` with nothing behind it: somebody who wrote it does not mean that nobody is asked or told."""
    written = document.data if isinstance(document.data, dict) else {}
    for key, mend in _MEANT.items():
        if key in written and document.get((key,)) is None:
            yield document.problem("empty-value", f"`{key}` is empty", (key,), help=mend, at="key")


def _not_days(document: Document) -> list[Problem]:
    places: tuple[Loc, ...] = (("delivery", "date"), ("origin", "date"))
    written = ((loc, document.get(loc)) for loc in places)
    return [wrong_type(document, loc, DAY) for loc, value in written if isinstance(value, str) and not is_day(value)]


def _bad_patterns(document: Document) -> list[Problem]:
    problems = []
    for loc, value in document.each("tables", "*", "fields", "*", "formats", "*"):
        fault = pattern_fault(value) if isinstance(value, str) else None
        if fault:
            message, offset = fault
            mend = (
                "parts: %d day, %m month, %b its English name (Jan), %Y year, %y two digits of it, %j day of the year; "
                f"of a time %H %M %S %f %z; or `{ISO}` alone"
            )
            problems.append(document.problem("date-pattern", message, loc, help=mend, offset=offset))
    return problems


def _bad_encodings(document: Document) -> list[Problem]:
    problems = []
    for loc, value in document.each("tables", "*", "encoding"):
        if isinstance(value, str) and not _is_encoding(value):
            mend = "names as Python has them: utf-8, utf-16, latin-1, cp1252, iso8859-7 …"
            problems.append(document.problem("unknown-encoding", f"`{value}` is not an encoding", loc, help=mend))
    return problems


def _outside(document: Document) -> list[Problem]:
    """Patterns that cannot match: a file's name is relative to its delivery and stays inside."""
    places = (*document.each("tables", "*", "files"), *document.each("tables", "*", "removed", "files"))
    written = ((loc, value) for loc, value in places if isinstance(value, str))
    return [
        document.problem(
            "path", "`files` leads out of the delivery", loc, help="name the file as it lies in the delivery"
        )
        for loc, value in written
        if value.startswith("/") or ".." in value.split("/")
    ]


def _removals(document: Document) -> list[Problem]:
    """A mark of removed rows is a field of a table with a key; files of removed rows are not those of the table."""
    problems = []
    for loc, name in document.each("tables", "*", "removed", "field"):
        fields = document.get((*loc[:2], "fields"))
        if isinstance(name, str) and isinstance(fields, dict) and name not in fields:
            message = f"`{name}` is not a declared field of `{loc[1]}`"
            problems.append(document.problem("field", message, loc, help=nearest(name, fields)))
        if document.get((*loc[:2], "row", "content")) == "true":
            message = "a table without a key cannot mark its removed rows: the mark would be part of their content"
            mend = "give `files` with the rows that are gone, or give the table a key"
            problems.append(document.problem("removed", message, loc, help=mend))
    for loc, pattern in document.each("tables", "*", "removed", "files"):
        own = document.get((*loc[:2], "files"))
        if isinstance(own, str) and isinstance(pattern, str) and fnmatch.fnmatchcase(own, pattern):
            message = "the table's own files have such names too, and would be read as removed rows"
            mend = "name the files of removed rows apart, as `removed_*.csv`"
            problems.append(document.problem("removed", message, loc, help=mend))
    return problems


def _is_encoding(name: str) -> bool:
    try:
        return codecs.lookup(name)._is_text_encoding
    except (LookupError, ValueError):
        return False


def _same_headers(document: Document) -> list[Problem]:
    problems: list[Problem] = []
    for loc, _ in document.each("tables", "*", "fields"):
        headers = document.each(*loc, "*", "header")
        problems += _twice(document, headers, "duplicate-header", "another field has the header `{}`")
    return problems


def _fields_twice(document: Document) -> list[Problem]:
    problems: list[Problem] = []
    for pattern in (("row", "fields"), ("person",)):
        for loc, _ in document.each("tables", "*", *pattern):
            problems += _twice(document, document.each(*loc, "*"), "duplicate-field", "`{}` is named twice")
    return problems


def _ranges(document: Document) -> list[Problem]:
    problems = []
    for pattern in (("rules", "*", "between"), ("rules", "*", "columns", "*", "between")):
        for loc, value in document.each(*pattern):
            if _is_reversed(value):
                problems.append(
                    document.problem("range", "the lowest value is above the highest", loc, help="turn them round")
                )
    return problems


def _is_reversed(value: Value) -> bool:
    try:
        low, high = (float(str(text)) for text in value or ())
    except ValueError:
        return False
    return not low <= high


def _twice(document: Document, values: Iterable[tuple[Loc, Value]], code: str, message: str) -> list[Problem]:
    first: dict[str, Loc] = {}
    problems = []
    for loc, value in values:
        if not isinstance(value, str):
            continue
        if value in first:
            mend = f"the first is in {document.where(first[value], loc)}"
            problems.append(document.problem(code, message.format(value), loc, help=mend))
        first.setdefault(value, loc)
    return problems
