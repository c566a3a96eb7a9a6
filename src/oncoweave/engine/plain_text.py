"""Makes a delivered text file plain UTF-8: unpacks gzip, and converts other encodings, without guessing."""

from __future__ import annotations

import codecs
import gzip
import zlib
from pathlib import Path
from typing import BinaryIO

from oncoweave.engine.reading import DeliveredFile
from oncoweave.engine.scan import count_lines
from oncoweave.errors import DataError, SpecError
from oncoweave.files import faults

BLOCK = 1 << 20


def plain_text(file: DeliveredFile, encoding: str, target: Path) -> Path:
    """The file itself when it is UTF-8 and not packed, else `target`, a UTF-8 copy of it.

    UTF-8 is not checked here but by the scan. Raises DataError for a gzip that is cut off, has something
    after its end or a wrong checksum, and for a byte outside the encoding, naming line and byte;
    SpecError for an encoding that Python does not know.
    """
    codec = _codec(encoding)
    packed = is_packed(file)
    if codec == "utf-8" and not packed:
        return file.path
    with faults(target), file.path.open("rb") as raw, target.open("wb") as copy:
        if not packed:
            _convert(raw, copy, codec, file.name)
            return target
        try:
            with gzip.open(raw) as unpacked:
                _convert(unpacked, copy, codec, file.name)  # type: ignore[arg-type]
        except (EOFError, gzip.BadGzipFile, zlib.error):
            raise DataError(
                f"{file.name} is not a whole gzip file: it is cut off, damaged, or something follows its end",
                mend="transfer the file again",
            ) from None
    return target


def is_packed(file: DeliveredFile) -> bool:
    """True when the file's name says that it is a gzip."""
    return file.name.casefold().endswith(".gz")


def _codec(encoding: str) -> str:
    """Python's own name of the encoding, `utf-8` also for UTF-8 with a byte order mark."""
    try:
        found = codecs.lookup(encoding)
        "".encode(encoding)
    except (LookupError, UnicodeError):
        raise SpecError(
            f"encoding `{encoding}` is not known",
            mend="name it as Python does: utf-8, utf-16, cp1252, iso8859-7 …",
        ) from None
    return "utf-8" if found.name in {"utf-8", "utf-8-sig"} else found.name


def _convert(source: BinaryIO, target: BinaryIO, codec: str, name: str) -> None:
    if codec == "utf-8":
        while block := source.read(BLOCK):
            target.write(block)
        return
    decoder = codecs.getincrementaldecoder(codec)("strict")
    offset, line, block = 0, 1, b" "
    while block:
        block = source.read(BLOCK)
        pending = decoder.getstate()[0]
        try:
            text = decoder.decode(block, final=not block).encode()
        except UnicodeError as error:
            start = error.start if isinstance(error, UnicodeDecodeError) else 0
            before = (pending + block)[:start].decode(codec, "ignore").encode()
            raise DataError(
                f"{name}, line {line + count_lines(before)}: byte {offset - len(pending) + start + 1} is not {codec}",
                mend="declare the file's `encoding` in source.yaml, or ask the source for a sound file",
            ) from None
        target.write(text)
        offset += len(block)
        line += count_lines(text)
