"""Reads trends.yaml and finds what is wrong with it, with file and line, before any data is read."""

from __future__ import annotations

from collections.abc import Iterator

from oncoweave.content import trends
from oncoweave.errors import Problem, SpecError, nearest
from oncoweave.project import Project
from oncoweave.quality.run_checks.catalogue import RUN_CHECKS
from oncoweave.spec.document import Document
from oncoweave.spec.load import load_trends
from oncoweave.spec.trends import Trends


def run_check_specs(project: Project, source: str) -> Trends:
    """The checks of trends.yaml for `source`; raises SpecError with all problems."""
    spec, document = load_trends(trends(project, source), project.root)
    problems = list(_problems(spec, document))
    if problems:
        raise SpecError(f"{document.name} is wrong", problems=problems)
    return spec


def lint_run_checks(project: Project, source: str) -> list[Problem]:
    """Every problem of trends.yaml."""
    try:
        run_check_specs(project, source)
    except SpecError as error:
        return list(error.problems)
    return []


def _problems(spec: Trends, document: Document) -> Iterator[Problem]:
    taken: dict[str, int] = {}
    for number, check in enumerate(spec.checks):
        place = ("checks", number)
        if check.check not in RUN_CHECKS:
            message = f"there is no check `{check.check}` of a run"
            yield document.problem("check", message, (*place, "check"), help=nearest(check.check, RUN_CHECKS))
            continue
        name = f"{RUN_CHECKS[check.check].origin}.{check.id or check.check}"
        if name in taken:
            message = f"the check `{name}` is there already, on {document.where(('checks', taken[name]), place)}"
            mend = "give it an `id:` of its own; waivers and the history tell checks apart by it"
            key = "id" if check.id else "check"
            yield document.problem("duplicate check", message, (*place, key), help=mend)
        taken[name] = number
        if check.fewest is not None and not RUN_CHECKS[check.check].of_share:
            message = f"`{check.check}` is judged however little there is: it takes no `fewest`"
            yield document.problem("check", message, (*place, "fewest"), help="leave it out")
