"""A mapping in several files: mapping.yaml and, in the order of their names, those of the folder mapping/ beside it.

Together they are one mapping: the lists and maps of the further files are put behind those of mapping.yaml, and every
problem is told in the file in which it stands.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from oncoweave.errors import Problem, SpecError
from oncoweave.spec.document import Document, Loc, Value, read_document, shown_name
from oncoweave.spec.explain import wrong_type

LISTS, MAPS = ("joins", "rules", "examples"), ("concepts", "ignored", "spellings")
"""What a further file may hold."""

Homes = dict[Loc, tuple[Document, Loc]]


def mapping_files(folder: Path) -> list[Path]:
    """The files of the mapping in a source's folder: mapping.yaml, then those of mapping/ by name."""
    return [folder / "mapping.yaml", *sorted((folder / "mapping").glob("*.yaml"))]


def read_mapping_files(folder: Path, root: Path) -> tuple[Document, list[Problem]]:
    """The files of a mapping as one document, and the problems that keep some of them out.

    Raises SpecError when mapping.yaml cannot be read.
    """
    first, *others = mapping_files(folder)
    main = read_document(first, root)
    problems = _not_read(folder, root)
    further = []
    for path in others:
        try:
            further.append(read_document(path, root))
        except SpecError as error:
            problems += error.problems
    if not isinstance(main.data, dict) or not further:
        return replace(main, files=(main, *further)), problems
    return _together(main, main.data, further, problems), problems


def _together(main: Document, own: dict[str, Value], further: Sequence[Document], problems: list[Problem]) -> Document:
    data: dict[str, Value] = {
        key: list(value) if isinstance(value, list) else dict(value) if isinstance(value, dict) else value
        for key, value in own.items()
    }
    whole = replace(main, files=(main, *further))
    homes: Homes = {}
    for part in further:
        for key, value in _sections(part, problems).items():
            if isinstance(value, list):
                _append(data, homes, part, key, value)
            elif isinstance(value, dict):
                _merge(replace(whole, homes=homes), data, homes, part, key, value, problems)
    return replace(whole, data=data, homes=homes)


def _sections(part: Document, problems: list[Problem]) -> dict[str, list[Value] | dict[str, Value]]:
    """What a further file brings to the mapping; everything else in it is a problem."""
    if not isinstance(part.data, dict):
        message = "a further file of the mapping must be a map of keys"
        problems.append(part.problem("wrong-type", message, (), help=f"it holds {_LISTED}"))
        return {}
    found: dict[str, list[Value] | dict[str, Value]] = {}
    for key, value in part.data.items():
        if key not in (*LISTS, *MAPS):
            message, mend = f"`{key}` cannot stand in a further file of the mapping", f"here stand {_LISTED}"
            problems.append(
                part.problem("unknown-key", message, (key,), help=f"{mend}; the rest is in mapping.yaml", at="key")
            )
        elif isinstance(value, list if key in LISTS else dict):
            found[key] = value
        elif value is not None:
            problems.append(wrong_type(part, (key,), "a list" if key in LISTS else "a map of keys"))
    return found


def _append(data: dict[str, Value], homes: Homes, part: Document, key: str, items: list[Value]) -> None:
    there = data.get(key)
    if there is None:
        there = data[key] = []
    if isinstance(there, list):  # else mapping.yaml has a problem of its own there
        homes |= {(key, len(there) + number): (part, (key, number)) for number in range(len(items))}
        there += items


def _merge(
    so_far: Document, data: dict[str, Value], homes: Homes, part: Document, key: str, items: dict[str, Value], problems: list[Problem]
) -> None:  # fmt: skip
    there = data.get(key)
    if there is None:
        there = data[key] = {}
    if not isinstance(there, dict):
        return
    for name, value in items.items():
        if name in there:
            document, at = so_far.home((key, name))
            line = document.place_of_key(at)[0]
            message, mend = f"`{name}` is named twice under `{key}`", f"the first is in line {line} of {document.name}"
            problems.append(part.problem("duplicate-key", message, (key, name), help=mend, at="key"))
            continue
        there[name] = value
        homes[key, name] = (part, (key, name))


def _not_read(folder: Path, root: Path) -> list[Problem]:
    """Files of mapping/ that would be passed over because of how they are named."""
    message = "this file is not read: the files of a mapping end in .yaml"
    found = sorted((folder / "mapping").glob("*.yml"))
    return [Problem(shown_name(path, root), 1, 1, "file-name", message, f"name it {path.stem}.yaml") for path in found]


_LISTED = ", ".join(f"`{key}`" for key in (*MAPS, *LISTS))
