"""Matches the headers of a delivered file with the fields that source.yaml declares."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from types import MappingProxyType

from oncoweave.errors import DataError
from oncoweave.spec.source import SqlTable, TableSpec

RESERVED = ("_file", "_line")
SIGNS = MappingProxyType({";": "semicolons", ",": "commas", "\t": "tabs", "|": "upright strokes"})
"""The signs that a header may be separated by, in words."""


@dataclass(frozen=True)
class Columns:
    """The columns of a file in its order, under their names in the snapshot, and which are not declared.

    `absent` are the optional fields that the file has no column of.
    """

    names: tuple[str, ...]
    undeclared: tuple[str, ...]
    absent: tuple[str, ...] = ()


def match(headers: Sequence[str], table: TableSpec, file: str) -> Columns:
    """Names each column: the field's name where its header is declared, else the header.

    Raises DataError, naming `file`, for a declared column that is missing, and for headers that are blank,
    repeated, or clash with another name; an optional column may be missing. A header that is not declared is never shown: in a file without
    a header line it would be a patient's value.
    """
    declared = {spec.header or name: name for name, spec in table.fields.items()}
    absent = tuple(
        name for name, spec in table.fields.items() if spec.optional and (spec.header or name) not in headers
    )
    _refuse_missing(headers, declared, absent, file, isinstance(table, SqlTable))
    _refuse_blank(headers, file)
    names = tuple(declared.get(header, header) for header in headers)
    _refuse_clashes(names, file, isinstance(table, SqlTable))
    _refuse_taken(names, absent, file)
    return Columns(names, tuple(header for header in headers if header not in declared), absent)


def _refuse_missing(
    headers: Sequence[str], declared: dict[str, str], absent: Sequence[str], file: str, asked: bool
) -> None:
    """`asked` says that the columns are those of a query."""
    missing = [header for header in declared if header not in headers]
    if not missing:
        return
    signs = [name for sign, name in SIGNS.items() if sign in headers[0]] if len(headers) == 1 else []
    if signs and len(declared) > 1:
        mend = f"is `delimiter` in source.yaml right? the header holds {' and '.join(signs)}"
        raise DataError(f"{file}: the header is one column alone, so there is no column `{missing[0]}`", mend=mend)
    missing = [header for header in missing if declared[header] not in absent]
    if not missing:
        return
    told = []
    for header in missing:
        close = get_close_matches(header, [h for h in headers if h], n=1, cutoff=0.7)
        there = f" (there is `{close[0]}`)" if close else ""
        told.append(f"`{header}`, declared as fields.{declared[header]}{there}")
    mend = "correct `header`, `delimiter` or `skip_lines` in source.yaml, or ask the source for the column"
    mend = "correct `header` in source.yaml, or the query" if asked else mend
    raise DataError(
        f"{file}: the {'server gives' if asked else 'file has'} no column {'; no column '.join(told)}", mend=mend
    )


def _refuse_blank(headers: Sequence[str], file: str) -> None:
    blank = [str(place) for place, header in enumerate(headers, 1) if not header.strip()]
    if blank:
        raise DataError(f"{file}: blank header in column {', '.join(blank)}", mend="ask the source to name the column")


def _refuse_taken(names: Sequence[str], absent: Sequence[str], file: str) -> None:
    """An optional field that is absent has a name of its own: else a column that is not declared would be read as it."""
    taken = {name.casefold() for name in names}
    for name in absent:
        if name.casefold() in taken:
            raise DataError(
                f"{file}: there is no column of the optional field `{name}`, but a column of that name, up to case",
                mend=f"correct `header` of fields.{name} in source.yaml",
            )


def _refuse_clashes(names: Sequence[str], file: str, asked: bool) -> None:
    """Names differ when they differ by more than case, for the engine knows no case; `asked` as in `_refuse_missing`."""
    mend = "ask the source for a file with a header of its own for each column"
    if asked:
        mend = "name the columns in a query under sql/, each once and with a name of its own (AS)"
    seen: dict[str, int] = dict.fromkeys(RESERVED, 0)
    for place, name in enumerate(names, 1):
        first = seen.setdefault(name.casefold(), place)
        if first == 0:
            raise DataError(f"{file}: column {place} is called `{name}`, a name that extract uses itself")
        if first != place:
            raise DataError(
                f"{file}: columns {first} and {place} have the same header, or headers that differ only in case",
                mend=mend,
            )
