"""Counts the records of a delimited file and finds the first line of each, aware of quotes; before it is read.

It is the second pair of eyes on DuckDB's CSV reader: it says how many rows the reader must return, which
records are too short or too long, and whether the file is *regular*, that is, written so that no two
readers could differ. Bit masks of 64 bytes a word make it cost a tenth of the reading.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # numpy's threads for matrices, of which there are none here

import numpy as np
import numpy.typing as npt

from oncoweave.errors import DataError

BLOCK = 1 << 20
LONGEST = 1_900_000
LF, CR = 10, 13

Mask = npt.NDArray[np.uint64]
Ints = npt.NDArray[np.int64]
_TOP = np.uint64(63)
_ONE = np.uint64(1)


@dataclass(frozen=True)
class Layout:
    """How the body of a file is written: its dialect, its line end, and where it starts.

    `start` is the byte after the header's line end, `first_line` the 1-based line that starts there.
    """

    delimiter: bytes
    quote: bytes
    line_end: bytes
    columns: int
    start: int
    first_line: int


@dataclass(frozen=True)
class Ragged:
    """A record with the wrong number of fields: its first line, and how many it has."""

    line: int
    fields: int


@dataclass
class Scan:
    """What a scan found.

    Accepted record number `n` (from 1) starts at line `n + offsets[i]` for the last `i` with `firsts[i] <= n`.
    `irregular` says why the file must be read with care (then the counts mean nothing), or is empty.
    """

    rows: int = 0
    ragged: list[Ragged] = field(default_factory=list)
    firsts: list[int] = field(default_factory=list)
    offsets: list[int] = field(default_factory=list)
    irregular: str = ""

    @property
    def records(self) -> int:
        return self.rows + len(self.ragged)


@dataclass
class _Place:
    """Where a scan stands between two blocks: lines, and what it has seen of the record that is not ended."""

    line: int
    record_line: int
    inside: bool = False
    delimiters: int = 0
    size: int = 0
    longest: int = 0
    after_return: bool = False


def scan(path: Path, name: str, layout: Layout, *, check_utf8: bool = True, block_size: int = BLOCK) -> Scan:
    """Scan the body of a file in blocks of 1 MiB; memory grows only with the number of odd records.

    Raises DataError for a byte that is not UTF-8, naming `name`, line and byte offset.
    """
    found = Scan()
    place = _Place(line=layout.first_line, record_line=layout.first_line)
    offset = layout.start
    for block in _blocks(path, layout, block_size):
        if check_utf8:
            refuse_invalid_utf8(block, name, offset, place.line)
        found.irregular = _scan_block(block, layout, place, found)
        if found.irregular:
            return found
        offset += len(block)
    if place.inside:
        found.irregular = "a quoted text is not closed"
    return found


def refuse_invalid_utf8(block: bytes, name: str, offset: int, line: int) -> None:
    """Raise DataError when the block, which starts at byte `offset` and line `line`, is not UTF-8."""
    if block.isascii():
        return
    try:
        block.decode("utf-8")
    except UnicodeDecodeError as error:
        before = block[: error.start]
        raise DataError(
            f"{name}, line {line + count_lines(before)}: byte {offset + error.start + 1} of the file is not UTF-8",
            mend="declare the file's `encoding` in source.yaml, or ask the source for a sound file",
        ) from None


def count_lines(text: bytes) -> int:
    """The number of line ends (LF, CR or both together) in a piece of text."""
    return text.count(b"\n") + text.count(b"\r") - text.count(b"\r\n")


def _blocks(path: Path, layout: Layout, block_size: int) -> Iterator[bytes]:
    """The body in pieces that end with a line end (the last is given one), few much longer than BLOCK.

    It ends early where a line is longer than any record may be, which the scan finds irregular.
    """
    end, rest = layout.line_end, b""
    with path.open("rb") as file:
        file.seek(layout.start)
        while block := file.read(block_size):
            rest += block
            cut = rest.rfind(end) + len(end)
            if cut < len(end):
                if len(rest) > LONGEST:
                    break
                continue
            yield rest[:cut]
            rest = rest[cut:]
    if rest:
        yield rest + end


def _scan_block(block: bytes, layout: Layout, place: _Place, found: Scan) -> str:
    """Adds a block to what was found; returns why the file is irregular, or nothing."""
    text = np.frombuffer(block, np.uint8)
    breaks, line_ends = _ends(text, block, layout)
    if place.after_return and text[0] == LF:
        line_ends = line_ends[1:]
    place.after_return = bool(text[-1] == CR)
    delimiters = _bits(text == layout.delimiter[0])
    inside: Mask | None = None
    if layout.quote and (place.inside or layout.quote in block):
        quotes = _bits(text == layout.quote[0])
        inside = _inside(quotes, place.inside)
        line_signs = text == LF if b"\r" not in block else (text == LF) | (text == CR)
        if _stray(quotes, inside, delimiters | _bits(line_signs)):
            return "a quoting sign stands where none is expected"
        place.inside = bool(_at(inside, np.array([len(block) - 1]))[0])
        delimiters &= ~inside
        breaks = breaks[~_at(inside, breaks)]
    if _foreign_line_end(text, block, layout, inside):
        return "line ends of more than one kind"
    if len(breaks):
        _add_records(breaks, line_ends, _count_until(delimiters, breaks), layout, place, found)
    place.line += len(line_ends)
    place.delimiters += int(np.bitwise_count(delimiters).sum())
    place.size += len(block)
    return "a record is very long" if max(place.longest, place.size) > LONGEST else ""


def _ends(text: npt.NDArray[np.uint8], block: bytes, layout: Layout) -> tuple[Ints, Ints]:
    """The positions of the bytes that end a record when outside quotes, and of all line ends."""
    ends = np.flatnonzero(text == layout.line_end[-1])
    if b"\r" not in block:
        return ends, ends if layout.line_end[-1] == LF else np.flatnonzero(text == LF)
    returns, feeds = text == CR, text == LF
    alone = returns.copy()
    alone[:-1] &= ~feeds[1:]
    return ends, np.flatnonzero(feeds | alone)


def _foreign_line_end(text: npt.NDArray[np.uint8], block: bytes, layout: Layout, inside: Mask | None) -> bool:
    """True when a line end outside quotes is not the file's own kind."""
    if layout.line_end == b"\n" and b"\r" not in block:
        return False
    returns, feeds = (_bits(text == sign) if inside is None else _bits(text == sign) & ~inside for sign in (CR, LF))
    if layout.line_end == b"\n":
        return bool(np.any(returns))
    if layout.line_end == b"\r":
        return bool(np.any(feeds))
    return not np.array_equal(_after(returns), feeds)


def _add_records(breaks: Ints, line_ends: Ints, until: Ints, layout: Layout, place: _Place, found: Scan) -> None:
    """Adds the records that end at `breaks`; `until` counts the delimiters before each.

    Leaves in `place` what to take off the block's own size and delimiters for those behind the last break.
    """
    lines = place.line + 1 + np.searchsorted(line_ends, breaks)
    starts = np.concatenate(([place.record_line], lines[:-1]))
    fields = np.diff(until, prepend=-place.delimiters) + 1
    sizes = np.diff(breaks, prepend=-1 - place.size)
    place.record_line, place.longest = int(lines[-1]), max(place.longest, int(sizes.max()))
    place.delimiters, place.size = -int(until[-1]), -1 - int(breaks[-1])
    if layout.columns > 1:
        filled = sizes != len(layout.line_end)
        starts, fields = starts[filled], fields[filled]
    good = fields == layout.columns
    if not good.all():
        found.ragged += [Ragged(int(s), int(f)) for s, f in zip(starts[~good], fields[~good], strict=True)]
        starts = starts[good]
    _add_offsets(starts - np.arange(found.rows + 1, found.rows + 1 + len(starts)), found)
    found.rows += len(starts)


def _add_offsets(offsets: Ints, found: Scan) -> None:
    before = found.offsets[-1] if found.offsets else -1
    changes = np.flatnonzero(np.diff(offsets, prepend=before))
    found.firsts += (changes + found.rows + 1).tolist()
    found.offsets += offsets[changes].tolist()


def _stray(quotes: Mask, inside: Mask, edges: Mask) -> bool:
    """True when a quote opens elsewhere than at the start of a field, or closes elsewhere than at its end."""
    opening, closing = quotes & inside, quotes & ~inside
    may_open = _after(edges | quotes)
    may_open[0] |= _ONE
    return bool(np.any(opening & ~may_open) or np.any(closing & ~_before(edges | quotes)))


def _bits(mask: npt.NDArray[np.bool_]) -> Mask:
    """A mask of bytes as words of 64 bits, the first byte lowest."""
    packed = np.packbits(mask, bitorder="little")
    words = np.zeros(-(-len(packed) // 8) * 8, np.uint8)
    words[: len(packed)] = packed
    return words.view(np.uint64)


def _inside(quotes: Mask, inside: bool) -> Mask:
    """The bytes from an opening quote up to the one before its closing quote: a running XOR of the quotes."""
    word = quotes.copy()
    for shift in (1, 2, 4, 8, 16, 32):
        word ^= word << np.uint64(shift)
    odd = np.bitwise_xor.accumulate(word >> _TOP)
    before = np.concatenate(([np.uint64(inside)], odd[:-1] ^ np.uint64(inside)))
    flipped: Mask = word ^ (np.uint64(0) - before)
    return flipped


def _after(mask: Mask) -> Mask:
    """The bytes that follow a byte of the mask."""
    moved = mask << _ONE
    moved[1:] |= mask[:-1] >> _TOP
    return moved


def _before(mask: Mask) -> Mask:
    """The bytes that a byte of the mask follows."""
    moved = mask >> _ONE
    moved[:-1] |= mask[1:] << _TOP
    return moved


def _at(mask: Mask, positions: Ints) -> npt.NDArray[np.bool_]:
    """Whether the byte at each position is in the mask."""
    found: npt.NDArray[np.bool_] = (mask[positions // 64] >> (positions % 64).astype(np.uint64) & _ONE).astype(np.bool_)
    return found


def _count_until(mask: Mask, positions: Ints) -> Ints:
    """How many bytes of the mask come before each position."""
    counts = np.cumsum(np.bitwise_count(mask), dtype=np.int64)
    word, bit = positions // 64, (positions % 64).astype(np.uint64)
    below = np.bitwise_count(mask[word] & ((_ONE << bit) - _ONE)).astype(np.int64)
    whole = np.where(word > 0, counts[word - 1], 0)
    return whole + below
