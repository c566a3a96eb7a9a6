"""Loads the specification files of a source: read, validated, every problem at once, each with its place.

What can be told from one file alone is told here; what needs the other files (columns, concept maps,
concept ids) is the compiler's.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import TypeVar

from pydantic import ValidationError

from oncoweave.errors import Problem, SpecError, nearest
from oncoweave.project import Project
from oncoweave.spec import one_file
from oncoweave.spec.corrections import Corrections
from oncoweave.spec.document import Document, Value, read_document
from oncoweave.spec.explain import explain
from oncoweave.spec.language import Spec
from oncoweave.spec.mapping import Mapping
from oncoweave.spec.mapping_files import read_mapping_files
from oncoweave.spec.source import FhirTable, Source, Table
from oncoweave.spec.suite import Suite
from oncoweave.spec.thresholds import Thresholds
from oncoweave.spec.trends import Trends
from oncoweave.spec.view import View
from oncoweave.spec.waivers import Waivers, waiver_problems

__all__ = [
    "load_corrections",
    "load_each",
    "load_mapping",
    "load_source",
    "load_suite",
    "load_thresholds",
    "load_trends",
    "load_view",
    "read_document",
    "validate",
]

Language = TypeVar("Language", bound=Spec)
Check = Callable[[Document], Sequence[Problem]]


def load_source(project: Project, source: str) -> tuple[Source, Document]:
    """The source.yaml of a source, with the views that its tables name; raises SpecError with all problems."""
    document = read_document(project.source_folder(source) / "source.yaml", project.root)
    spec = validate(Source, document, one_file.source_problems(source))
    return _with_views(project, spec, document), document


def load_view(path: Path, root: Path) -> tuple[View, Document]:
    """A view of FHIR resources, in YAML or JSON; raises SpecError with all problems."""
    document = read_document(path, root)
    return validate(View, document), document


def view_file(project: Project, source: str, view: str) -> Path:
    """Where a view of a source is, or would be."""
    folder = project.source_folder(source) / "views"
    written = folder / f"{view}.json"
    return written if written.is_file() else folder / f"{view}.yaml"


def _with_views(project: Project, spec: Source, document: Document) -> Source:
    problems: list[Problem] = []
    tables: dict[str, Table] = {}
    for name, table in spec.tables.items():
        tables[name] = table
        if not isinstance(table, FhirTable):
            continue
        path = view_file(project, spec.source, table.view)
        if not path.is_file():
            there = sorted({found.stem for found in path.parent.glob("*.*")})
            mend = nearest(table.view, there) or f"write it: views/{table.view}.yaml beside source.yaml"
            message = f"there is no view `{table.view}`"
            problems.append(document.problem("no-view", message, ("tables", name, "view"), help=mend))
            continue
        try:
            tables[name] = table.with_definition(load_view(path, project.root)[0])
        except SpecError as error:
            problems += error.problems
    if problems:
        raise SpecError(f"{document.name}: a view is missing or wrong", problems=sorted(set(problems)))
    return spec.model_copy(update={"tables": tables})


def load_mapping(project: Project, source: str) -> tuple[Mapping, Document]:
    """The mapping of a source: mapping.yaml and the files in mapping/ as one; raises SpecError with all problems."""
    document, problems = read_mapping_files(project.source_folder(source), project.root)
    return validate(Mapping, document, one_file.mapping_problems(source), lambda _: problems), document


def load_corrections(project: Project, source: str) -> tuple[Corrections, Document] | None:
    """The corrections.yaml of a source, None when it has none; raises SpecError with all problems."""
    path = project.source_folder(source) / "corrections.yaml"
    if not path.exists():
        return None
    document = read_document(path, project.root)
    return validate(Corrections, document), document


def load_suite(path: Path, root: Path) -> tuple[Suite, Document]:
    """A suite of expectations; raises SpecError with all problems."""
    document = read_document(path, root)
    return validate(Suite, document), document


def load_thresholds(path: Path, root: Path) -> tuple[Thresholds, Document]:
    """A thresholds.yaml; raises SpecError with all problems."""
    document = read_document(path, root)
    return validate(Thresholds, document), document


def load_trends(path: Path, root: Path) -> tuple[Trends, Document]:
    """The checks of a run as a whole; raises SpecError with all problems."""
    document = read_document(path, root)
    return validate(Trends, document), document


def load_waivers(path: Path, root: Path) -> tuple[Waivers, Document]:
    """The waivers of a file; raises SpecError with all problems."""
    document = read_document(path, root)
    return validate(Waivers, document, waiver_problems), document


def load_each(
    paths: Iterable[Path], root: Path, load: Callable[[Path, Path], tuple[Language, Document]]
) -> tuple[list[tuple[Language, Document]], list[Problem]]:
    """The files that can be read, by one of the functions above, and the problems of those that cannot."""
    found: list[tuple[Language, Document]] = []
    problems: list[Problem] = []
    for path in paths:
        try:
            found.append(load(path, root))
        except SpecError as error:
            problems += error.problems
    return found, problems


def validate(language: type[Language], document: Document, *checks: Check) -> Language:
    """The document as a model of that language.

    `checks` look at the written values, so that their problems are told together with the models'. Raises
    SpecError with the problems in the order of the file.
    """
    if not isinstance(document.data, dict):
        raise SpecError(f"{document.name} cannot be read", problems=[_not_a_map(document)])
    found: list[Problem] = [problem for check in checks for problem in check(document)]
    model = None
    try:
        model = language.model_validate(_with_version(document.data))
    except ValidationError as error:
        found += explain(error.errors(include_url=False), language, document)
    if model is None or found:
        problems = sorted(set(found))
        count = f"{len(problems)} problem{'s' if len(problems) != 1 else ''}"
        raise SpecError(f"{count} in {document.name}", problems=problems) from None
    return model


def _with_version(data: dict[str, Value]) -> dict[str, object]:
    """The written values, with the version as the number that the models ask for."""
    return {**data, "version": 1} if data.get("version") == "1" else dict(data)


def _not_a_map(document: Document) -> Problem:
    if document.data is None:
        return document.problem("empty-file", "the file is empty", (), help="start it with `version: 1`")
    return document.problem("wrong-type", "the file must be a map of keys", (), help="start it with `version: 1`")
