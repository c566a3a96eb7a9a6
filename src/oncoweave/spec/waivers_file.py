"""Writes one entry into a waivers.yaml; comments, order and layout of what is there stay as they are."""

from __future__ import annotations

from io import StringIO
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML

from oncoweave.errors import EnvironmentFault, SpecError
from oncoweave.spec.document import Document, parse_document, read_text
from oncoweave.spec.load import load_waivers, validate
from oncoweave.spec.waivers import Waiver, Waivers, waiver_problems

EMPTY = "version: 1\nwaivers:\n"
_DASH = 2
"""Columns before the dash of an entry, in a file without entries."""


def with_waiver(path: Path, root: Path, entry: Waiver) -> str:
    """The text of the file with the entry at its end, or in the place of the one for the same check and scope.

    Raises SpecError when the file, or the entry, is wrong; EnvironmentFault when the file cannot be written that way.
    """
    known: tuple[Waiver, ...] = ()
    text, dash = EMPTY, _DASH
    if path.exists():
        spec, document = load_waivers(path, root)
        known, text, dash = spec.waivers, read_text(path, root), _dash(document)
    places = [n for n, other in enumerate(known) if (other.check, other.scope) == (entry.check, entry.scope)]
    place = places[0] if places else len(known)
    wanted = (*known[:place], entry, *known[place + 1 :])
    ways = [_rewritten] if places else [_appended, _rewritten]
    for way in ways:
        written = way(text, dash, place, _keys(entry))
        if _holds(written, path, root, wanted):
            return written
    raise EnvironmentFault(f"{path} is written in a way that cannot be kept", mend="add the waiver by hand")


def _holds(text: str, path: Path, root: Path, wanted: tuple[Waiver, ...]) -> bool:
    try:
        return validate(Waivers, parse_document(text, path, root), waiver_problems).waivers == wanted
    except SpecError:
        return False


def _keys(entry: Waiver) -> dict[str, object]:
    return {name: value for name, value in entry.model_dump().items() if value not in (None, "")}


def _appended(text: str, dash: int, _place: int, keys: dict[str, object]) -> str:
    """The text with the entry below all else, which stays to the letter."""
    out = StringIO()
    _yaml(dash).dump([keys], out)
    before = text if text.endswith("\n") or not text else text + "\n"
    return before + out.getvalue()


def _rewritten(text: str, dash: int, place: int, keys: dict[str, object]) -> str:
    """The text read and written again with the entry in its place; comments and quotes stay."""
    yaml = _yaml(dash)
    tree: Any = yaml.load(text)
    if not tree.get("waivers"):
        tree["waivers"] = []
    if place < len(tree["waivers"]):
        there = tree["waivers"][place]
        for name in [name for name in there if name not in keys]:
            del there[name]
        there.update(keys)
    else:
        tree["waivers"].append(keys)
    out = StringIO()
    yaml.dump(tree, out)
    return out.getvalue()


def _yaml(dash: int) -> YAML:
    yaml = YAML()
    yaml.preserve_quotes = True
    yaml.width = 10_000
    yaml.indent(mapping=2, sequence=dash + 2, offset=dash)
    return yaml


def _dash(document: Document) -> int:
    """How far in the dash of the first entry stands."""
    column = document.place(("waivers", 0))[1]
    return max(column - 3, 0) if isinstance(document.data, dict) and document.data.get("waivers") else _DASH
