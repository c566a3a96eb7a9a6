"""Reads the resources of a FHIR file with the line at which each starts: NDJSON, a Bundle, or one resource.

What breaks a rule of FHIR's JSON is a reject with its line and reason, and never with its content. Memory is bounded: by
the longest line that is read, and by the largest file that is one piece of JSON.
"""

from __future__ import annotations

import gzip
import zlib
from collections.abc import Callable, Container, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import IO, Any, cast

from oncoweave.engine.fhir.bundles import Frame, frame_of, keys_of, point, refuse_kind, resource_of
from oncoweave.engine.fhir.model import RESOURCES
from oncoweave.engine.fhir.strict_json import NotFhir, decoded, modifiers_of
from oncoweave.errors import DataError

LONGEST_LINE = 32_000_000
"""Bytes of the longest line of NDJSON that is read."""
LARGEST_FILE = 256_000_000
"""Bytes of the largest file that is read as one piece of JSON."""
MOST_PACKED = 100
"""Text packs ten to one; above this a file is taken for a bomb."""
SMALL = 10_000_000
"""Bytes up to which a file may be packed as it likes."""
_MARK = b"\xef\xbb\xbf"
_CHUNK = 1 << 20
_AGAIN = "transfer the file again"


@dataclass(frozen=True)
class Found:
    """A resource with its type and the line at which it starts, or why there is none at that line.

    `resource` is None too for a type that was not asked for. `modifiers` are the addresses of its modifier extensions.
    """

    line: int
    resource: dict[str, Any] | None
    reason: str = ""
    type: str = ""
    modifiers: Sequence[str] = ()


def resources_of(path: Path, name: str, types: Container[str] = RESOURCES) -> Iterator[Found]:
    """The resources of a file in its order; of a Bundle, those of its entries. Of other `types` only the type is told.

    A name ending in .gz is unpacked. Raises DataError for a file that is not UTF-8 or unpacks to too much, and for one
    piece of JSON that is too large, or neither a Bundle nor a resource.
    """
    packed = name.endswith(".gz")
    plain = name.removesuffix(".gz")
    limit = max(path.stat().st_size * MOST_PACKED, SMALL) if packed else 0
    with gzip.open(path, "rb") if packed else path.open("rb") as opened:
        file = cast("IO[bytes]", opened)
        try:
            if plain.endswith((".ndjson", ".jsonl")):
                yield from _Lines(name, types, limit).read(file)
            else:
                yield from _whole(_content(file, name, limit), name, types)
        except (EOFError, gzip.BadGzipFile, zlib.error):
            raise DataError(f"{name} is cut off, or is no gzip file", mend=_AGAIN) from None


@dataclass
class _Lines:
    """The lines of NDJSON; `limit` is how many bytes a packed file may have, 0 for one that is not packed."""

    name: str
    types: Container[str]
    limit: int

    def read(self, file: IO[bytes]) -> Iterator[Found]:
        number = total = 0
        is_empty = True
        while raw := file.readline(LONGEST_LINE + 1):
            number += 1
            total += len(raw)
            if len(raw) > LONGEST_LINE:
                is_empty = False
                yield Found(number, None, f"longer than {LONGEST_LINE // 1_000_000} MB")
                total += self._pass_over(file, raw)
            elif raw.strip():
                is_empty = False
                text = _text(raw.removeprefix(_MARK) if number == 1 else raw, self.name, number)
                yield from _resources(number, partial(decoded, text.strip()), self.types)
            if self.limit and total > self.limit:
                raise _bomb(self.name)
        if is_empty:
            raise _empty(self.name)

    def _pass_over(self, file: IO[bytes], raw: bytes) -> int:
        """Go to the end of a line that is too long; how many bytes more it has."""
        passed = 0
        while not raw.endswith(b"\n") and (raw := file.readline(_CHUNK)):
            passed += len(raw)
            if self.limit and passed > self.limit:
                raise _bomb(self.name)
        return passed


def _empty(name: str) -> DataError:
    return DataError(f"{name} is empty", mend=f"{_AGAIN}, or deliver no file of what there is nothing of")


def _bomb(name: str) -> DataError:
    return DataError(
        f"{name} unpacks to more than {MOST_PACKED} times its size: refused",
        mend="look at where it comes from; if it is right, deliver it unpacked",
    )


def _content(file: IO[bytes], name: str, limit: int) -> str:
    """The text of a file that is one piece of JSON."""
    most = min(limit, LARGEST_FILE) if limit else LARGEST_FILE
    raw = file.read(most + 1)
    if len(raw) > LARGEST_FILE:
        raise DataError(
            f"{name} is one piece of JSON of more than {LARGEST_FILE // 1_000_000} MB",
            mend="ask for NDJSON, one resource a line (.ndjson), or for a Bundle a patient",
        )
    if len(raw) > most:
        raise _bomb(name)
    text = _text(raw.removeprefix(_MARK), name)
    if not text.strip():
        raise _empty(name)
    return text


def _text(raw: bytes, name: str, line: int = 0) -> str:
    try:
        return raw.decode()
    except UnicodeDecodeError as error:
        line = line or raw.count(b"\n", 0, error.start) + 1
        raise DataError(f"{name}, line {line}: not UTF-8, which FHIR's JSON always is", mend=_AGAIN) from None


def _whole(text: str, name: str, types: Container[str]) -> Iterator[Found]:
    """The entries of a Bundle, or the one resource that the file is."""
    try:
        frame = frame_of(text)
        is_bundle = frame.members.get("resourceType") == "Bundle"
        if is_bundle:
            refuse_kind(frame.members)
    except NotFhir as fault:
        mend = f"{_AGAIN}; one resource a line is named .ndjson"
        raise DataError(f"{name} is no JSON of FHIR that can be read: {fault}", mend=mend) from None
    if is_bundle:
        yield from _of_file(frame, types)
    else:
        yield from _resources(1, partial(decoded, text.strip()), types)


def _of_file(frame: Frame, types: Container[str]) -> Iterator[Found]:
    line, counted = 1, 0
    for start, entry in frame.entries():
        line, counted = line + frame.text.count("\n", counted, start), start
        for found in _resources(line, partial(resource_of, entry), types):
            if found.resource is not None and frame.keys:
                point(found.resource, frame.keys)
            yield found


def _resources(line: int, read: Callable[[], Any], types: Container[str]) -> Iterator[Found]:
    """The resource that `read` gives, or those of its entries where it is a Bundle in its turn."""
    kind, modifiers = "", list[str]()
    try:
        resource = read()
        kind = _type_of(resource)
        if kind == "Bundle":
            refuse_kind(resource)
        elif kind in types:
            modifiers = modifiers_of(resource)
    except NotFhir as fault:
        yield Found(line, None, str(fault), kind)
        return
    if kind != "Bundle":
        yield Found(line, resource if kind in types else None, "", kind, modifiers)
        return
    keys = keys_of(resource.get("entry", ()))
    for entry in resource.get("entry", ()):
        for found in _resources(line, partial(resource_of, entry), types):
            if found.resource is not None and keys:
                point(found.resource, keys)
            yield found


def _type_of(resource: Any) -> str:
    kind = resource.get("resourceType") if isinstance(resource, dict) else None
    if not isinstance(kind, str):
        raise NotFhir("no resource: it has no resourceType")
    if kind not in RESOURCES:
        raise NotFhir("no resource: its resourceType is none of FHIR R4")
    return kind
