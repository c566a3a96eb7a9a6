"""Reads a list of checksums as `sha256sum` writes it."""

from __future__ import annotations

import re

from oncoweave.engine.servers.transports import is_inside
from oncoweave.errors import DataError

MOST_BYTES = 4 << 20
_LINE = re.compile(r"([0-9a-fA-F]{64})(?: [ *]?|\t)(?:\./)?(.+)")


def read_checksums(content: bytes, shown: str) -> dict[str, str]:
    """The SHA-256 of each file by its name.

    >>> read_checksums(b"ab" * 32 + b"  ./patients.csv\\n", "SHA256SUMS") == {"patients.csv": "ab" * 32}
    True

    Raises DataError, with the line, for a line of another form, a name that leads out of the folder, or a name given twice.
    """
    found: dict[str, str] = {}
    for number, line in enumerate(content.decode("utf-8-sig", "replace").splitlines(), 1):
        if not line.strip() or line.startswith("#"):
            continue
        match = _LINE.fullmatch(line.rstrip())
        if not match or not is_inside(match[2]) or found.get(match[2], match[1].lower()) != match[1].lower():
            raise DataError(
                f"{shown}, line {number}: this is no checksum of a file of the folder",
                mend="write the file as `sha256sum * > SHA256SUMS` does",
            )
        found[match[2]] = match[1].lower()
    return found
