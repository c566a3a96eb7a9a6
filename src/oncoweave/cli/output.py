"""How results look: plain columns for people, JSON with stable keys for machines."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import asdict, is_dataclass
from datetime import date
from pathlib import Path

import click

Cell = str | int | None


def print_json(tree: object) -> None:
    """Print a tree of plain values, dates, paths, dataclasses and records."""
    click.echo(json.dumps(tree, default=_plain, indent=2, ensure_ascii=False))


def columns(head: Sequence[str], rows: Iterable[Sequence[Cell]], indent: str = "  ") -> list[str]:
    """Lines of aligned columns, numbers to the right with thousands signs; `head` is the first line."""
    body = [list(row) for row in rows]
    numeric = [any(isinstance(row[i], int) for row in body) for i in range(len(head))]
    text = [list(head), *([_cell(value) for value in row] for row in body)]
    widths = [max(len(row[i]) for row in text) for i in range(len(head))]
    lines = []
    for row in text:
        cells = [
            cell.rjust(width) if right else cell.ljust(width)
            for cell, width, right in zip(row, widths, numeric, strict=True)
        ]
        lines.append((indent + "  ".join(cells)).rstrip())
    return lines


def table(title: str, head: Sequence[str], rows: Iterable[Sequence[Cell]]) -> None:
    """Print a titled table; nothing when it has no row."""
    lines = columns(head, rows)
    if len(lines) > 1:
        click.secho(title, bold=True)
        click.secho(lines[0], dim=True)
        click.echo("\n".join([*lines[1:], ""]))


def shown(path: Path) -> str:
    """A path as short as it can be: relative to the current folder where it lies below it."""
    here = Path.cwd()
    return str(path.relative_to(here)) if path.is_relative_to(here) else str(path)


def _cell(value: Cell) -> str:
    if value is None:
        return "-"
    return f"{value:,}" if isinstance(value, int) else value


def _plain(value: object) -> object:
    if isinstance(value, (date, Path)):
        return str(value)
    if is_dataclass(value) and not isinstance(value, type):
        return asdict(value)
    if hasattr(value, "model_dump"):
        return value.model_dump(mode="json")
    raise TypeError(f"{type(value).__name__} has no JSON form")
