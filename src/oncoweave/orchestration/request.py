"""What somebody who triggered a pipeline asked for, read from the values of its form."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

from oncoweave.errors import UsageError, nearest
from oncoweave.orchestration.form import harmonise_form
from oncoweave.project import Project
from oncoweave.release.predecessor import NONE
from oncoweave.spec.delivery import FolderDelivery
from oncoweave.spec.load import load_source


@dataclass(frozen=True)
class Request:
    """The delivery to read instead of the declared one and its day, the run that a delta builds on, and whether this is a
    trial, with the first `sample` persons only if it is not 0."""

    delivery: Path | None = None
    day: date | None = None
    base: str = ""
    dry_run: bool = False
    sample: int = 0


def read_request(project: Project, source: str, form: Mapping[str, Any]) -> Request:
    """The request in the values of a form, which fit its JSON Schema.

    Raises UsageError for a field that the form does not have, for a misspelt one would go unnoticed; for a sample that is no
    dry run; for a delivery that is not there, or lies outside of the places of deliveries.
    """
    spec, _ = load_source(project, source)
    known = harmonise_form(spec)
    unknown = next((name for name in form if name not in known), None)
    if unknown is not None:
        raise UsageError(f"the form has no field `{unknown}`", mend=nearest(unknown, known))
    if form.get("sample") and not form.get("dry_run"):
        raise UsageError(
            "a sample of the persons is not for publication", mend="ask for a dry run too, or for all persons"
        )
    named = form.get("delivery")
    delta = spec.delivery.mode == "delta"
    folder = _folder(project, source, spec.delivery, str(named)) if named else None
    return Request(
        delivery=folder,
        day=date.fromisoformat(folder.name) if folder and _is_day(folder.name) else None,
        base=NONE if delta and form.get("mode") == "full" else "",
        dry_run=bool(form.get("dry_run")),
        sample=int(form.get("sample") or 0),
    )


def _folder(project: Project, source: str, declared: object, named: str) -> Path:
    """The folder that is meant: a path, or a day, which is a folder beside the declared delivery.

    Whoever may press a button in a browser may not have any folder of this machine read.
    """
    places = [project.root]
    if isinstance(declared, FolderDelivery):
        places.insert(0, (project.source_folder(source) / declared.path).resolve().parent)
    folder = next((path for place in places if (path := (place / named).resolve()).is_dir()), None)
    if folder is None:
        what = "no delivery of the day" if _is_day(named) else "no delivery folder"
        raise UsageError(f"there is {what} {named}", mend=f"it is looked for in {' and in '.join(map(str, places))}")
    if not any(folder.is_relative_to(place) for place in places):
        raise UsageError(
            f"{named} is not among the deliveries of `{source}`",
            mend=f"put the delivery into {places[0]}, or extract it by hand: oncoweave extract {source} --delivery PATH",
        )
    return folder


def _is_day(text: str) -> bool:
    if not re.fullmatch(r"\d{4}-\d{2}-\d{2}", text):
        return False
    try:
        date.fromisoformat(text)
    except ValueError:
        return False
    return True
