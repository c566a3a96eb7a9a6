"""Reads a source table from FHIR: the rows that a view makes of the resources of a file, every value as text."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from decimal import Decimal
from pathlib import Path
from typing import Any

from oncoweave.engine import headers
from oncoweave.engine.fhir.paths import PathError
from oncoweave.engine.fhir.resources import resources_of
from oncoweave.engine.fhir.views import path_faults, rows_of
from oncoweave.engine.reading import DeliveredFile, Reading, Reject
from oncoweave.engine.text_copy import TextCopy
from oncoweave.errors import UsageError
from oncoweave.spec.source import FhirTable


def read_fhir(file: DeliveredFile, table: FhirTable, work: Path, tag: str) -> Reading:
    """The reading of a file by the table's view; `_line` is the line at which the row's resource starts.

    A record is a row of the view, or a resource (or a line) that is rejected: what is not whole, what breaks a rule of
    FHIR's JSON, what carries a modifier extension that source.yaml does not name (it may turn the meaning round), and what
    the view cannot be made of. Resources of other types are not this table's.

    Raises UsageError for a path of the view that is none, DataError for a file that cannot be read at all, and for a
    declared field that the view does not make.
    """
    view = table.definition
    for fault in path_faults(view):
        raise UsageError(f"view `{table.view}`: {fault}", mend="correct it; `oncoweave lint` tells its line")
    columns = headers.match(view.columns, table, file.name)
    rejects = []
    with TextCopy(work / f"{tag}.fhir") as copy:
        for found in resources_of(file.path, file.name):
            if found.resource is None:
                rejects.append(Reject(file.name, found.line, found.reason))
            elif found.resource["resourceType"] == view.resource:
                reason = _modified(found.resource, table)
                if not reason:
                    try:
                        rows = rows_of(view, found.resource)
                    except PathError as error:
                        reason = str(error)
                if reason:
                    rejects.append(Reject(file.name, found.line, reason))
                    continue
                for row in rows:
                    copy.add(found.line, [text(row[name]) for name in view.columns])
    return copy.reading(file, columns, rejects).tagged(tag)


def text(value: Any) -> str:
    """A value as the text a person would write for it; a part of a resource as JSON.

    >>> text(True), text(None), text(Decimal("1.50")), text(["a", "b"])
    ('true', '', '1.50', '["a","b"]')
    """
    match value:
        case None:
            return ""
        case bool():
            return "true" if value else "false"
        case str():
            return value
        case int():
            return str(value)
        case float() | Decimal():
            return format(value if isinstance(value, Decimal) else Decimal(repr(value)), "f")
        case _:
            return json.dumps(value, ensure_ascii=False, separators=(",", ":"), default=text, sort_keys=True)


def _modified(resource: Mapping[str, Any], table: FhirTable) -> str:
    known = set(table.modifier_extensions)
    if all(url in known for url in _modifiers(resource)):
        return ""
    return "a modifier extension that source.yaml does not name"


def _modifiers(value: Any) -> Iterator[str]:
    """The addresses of all modifier extensions anywhere in a resource."""
    if isinstance(value, Mapping):
        for name, member in value.items():
            if name == "modifierExtension" and isinstance(member, list):
                yield from (str(one.get("url")) if isinstance(one, Mapping) else "" for one in member)
            yield from _modifiers(member)
    elif isinstance(value, list):
        for one in value:
            yield from _modifiers(one)
