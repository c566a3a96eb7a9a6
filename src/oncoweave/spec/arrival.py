"""The key `arrival:` of source.yaml: where deliveries arrive, and how one tells that a delivery is whole."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import date
from pathlib import PurePosixPath
from typing import Annotated, Self

from pydantic import Field, StringConstraints, model_validator

from oncoweave.spec.delivery import QueryFile
from oncoweave.spec.language import Day, Span, Spec, span

MARKER = r"^[^/\x00-\x1f\x7f*?\[\]%]{1,100}$"
Marker = Annotated[str, StringConstraints(pattern=MARKER)]
"""The name of a file, without folders and signs of a pattern."""
SETTLE = "60s"
DIRECTIVES = {"%Y": "[0-9]{4}", "%m": "[0-9]{2}", "%d": "[0-9]{2}"}
_PIECE = re.compile(r"%.?|\*|\?|[^%*?]+", re.DOTALL)


class Arrival(Spec):
    """Where deliveries arrive, and when one is whole; Airflow looks there and runs the source."""

    folder: str | None = Field(
        default=None,
        description="Deliveries come as folders named by their day: `../../../deliveries/%Y-%m-%d`, from the source's own folder or absolute. %Y year, %m month, %d day, `*` any text. The day is the delivery's date.",
    )
    files: str | None = Field(
        default=None,
        description="Deliveries come as files in one folder: `../../../inbox/registry_%Y-%m-%d*.csv`, the files of a day being one delivery; without a day in their names, as `../../../inbox/*.csv`, whatever is new or changed there is the next, dated by its newest file.",
    )
    watermark: QueryFile | None = Field(
        default=None,
        description="Deliveries come as changes of a database (`delivery: {by: database}`): a query such as `SELECT max(changed) FROM tumours`; whenever its first value is another one, the tables are read anew.",
    )
    marker: Marker | None = Field(
        default=None,
        description="Name of a file, such as `_READY`, that the sender puts into the delivery last of all: without it the delivery is not taken.",
    )
    settle: Span | None = Field(
        default=None,
        description="A delivery is taken when nothing in it has grown, appeared or changed for so long; 60s if there is no `marker` either.",
    )
    every: Span = Field(default="1m", description="How often to look.")
    since: Day | None = Field(
        default=None, description="Deliveries before this day are left alone: those that were taken in another way."
    )

    @model_validator(mode="after")
    def _one_place(self) -> Self:
        if sum(key is not None for key in (self.folder, self.files, self.watermark)) != 1:
            raise ValueError("give either `folder` or `files`, or the `watermark` of a database")
        if self.watermark is not None and self.marker is not None:
            raise ValueError("`marker` is a file; what a `watermark` counts is whole in itself")
        return self

    @property
    def pattern(self) -> Pattern:
        """The pattern of the folders or files, taken apart."""
        return take_apart(self.folder or self.files or "")

    @property
    def still(self) -> float:
        """For how many seconds a delivery must have been still; 0 where the marker alone tells."""
        return span(self.settle or SETTLE).total_seconds() if self.settle or not self.marker else 0.0

    def counts(self, name: str, day: date) -> bool:
        """Whether the file of that name is part of the delivery of that day; its marker and the files of other days are not."""
        if name == self.marker:
            return False
        return self.folder is not None or not self.pattern.dated or self.pattern.day_of(name) == day


@dataclass(frozen=True)
class Pattern:
    """A pattern of paths: the folder that is watched, and what the parts of a path below it look like."""

    root: str
    parts: tuple[str, ...]

    @property
    def dated(self) -> bool:
        """Whether the pattern holds a day."""
        return any("%" in part for part in self.parts)

    def fits(self, parts: tuple[str, ...]) -> bool:
        """Whether the first parts of a path below the folder are as the pattern's, whatever day they name."""
        return all(re.fullmatch(_expression(p), part) for p, part in zip(self.parts, parts, strict=False))

    def day_of(self, name: str) -> date | None:
        """The day that a path below the folder names; None when it is not of the pattern, or names no day."""
        parts = PurePosixPath(name).parts
        if len(parts) != len(self.parts) or not self.fits(parts):
            return None
        found: dict[str, str] = {}
        for pattern, part in zip(self.parts, parts, strict=True):
            match = re.fullmatch(_expression(pattern), part)
            found |= match.groupdict() if match else {}
        try:
            return date(int(found["Y"]), int(found["m"]), int(found["d"]))
        except (KeyError, ValueError):
            return None


def take_apart(text: str) -> Pattern:
    """The pattern that a text means: its leading parts without signs are the folder."""
    path = PurePosixPath(text)
    fixed = 0
    while fixed < len(path.parts) - 1 and not re.search(r"[%*?]", path.parts[fixed]):
        fixed += 1
    root = PurePosixPath(*path.parts[:fixed]).as_posix() if fixed else "."
    return Pattern(root, path.parts[fixed:])


def pattern_fault(text: str, *, dated: bool) -> tuple[str, int] | None:
    """What is wrong with a pattern of paths, and at which character; None when nothing is. `dated`: it needs a day."""
    signs = [(match[0], match.start()) for match in re.finditer(r"%.?", text, re.DOTALL)]
    for number, (sign, start) in enumerate(signs):
        if sign not in DIRECTIVES:
            return f"`{sign}` is no part of a day", start
        if sign in (earlier for earlier, _ in signs[:number]):
            return f"`{sign}` is given twice", start
    missing = [sign for sign in DIRECTIVES if sign not in (found for found, _ in signs)]
    if missing and (dated or signs):
        return f"the pattern lacks `{missing[0]}`: a delivery is known by its day", 0
    if not text.strip() or "**" in text:
        return "the pattern is empty" if not text.strip() else "`**` is not known; `*` stays within one name", 0
    parts = PurePosixPath(text).parts
    if ".." in take_apart(text).parts or parts[-1] in ("..", "/"):
        return "the pattern leads out of its folder", text.rfind("..") if ".." in text else 0
    return None


def _expression(part: str) -> str:
    pieces = (match[0] for match in _PIECE.finditer(part))
    signs = {"*": "[^/]*", "?": "[^/]"} | {sign: f"(?P<{sign[1]}>{form})" for sign, form in DIRECTIVES.items()}
    return "".join(signs.get(piece, re.escape(piece)) for piece in pieces)
