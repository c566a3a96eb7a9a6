"""What runs side by side does not need each other: each statement reads only what tasks before it have made."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from sqlglot import exp

from oncoweave.compiler import compile_mapping
from oncoweave.compiler.execute import Execution
from oncoweave.compiler.facts import ACTIVITY
from oncoweave.compiler.plan import Plan
from oncoweave.engine.connection import connect
from oncoweave.privacy.pseudonym import Key
from oncoweave.project import Project
from tests.map.workshop import SOURCE, Workshop

PROJECTS = Path(__file__).resolve().parents[1] / "projects"
RULES = """
- {fact: visit, name: stays, from: stays, concept: {map: kinds, value: code}, start: seen, end: left}
- {fact: condition, name: cancer, from: tumours, concept: breast_cancer, start: seen, visit: {rule: stays, by: date}}
- {fact: measurement, name: sizes, from: tumours, date: seen, concept: size, value: size, modifies: cancer}
- {fact: death, name: deaths, from: patients, date: left}
"""
TABLES: dict[str, Any] = {
    "patients": "id,born,left\n1,1950,2020", "tumours": "id,tumour,seen,size\n1,1,2015,5",
    "stays": "stay,id,code,seen,left\ns1,1,in,10.01.2015,14.01.2015",
}  # fmt: skip


def reads(plan: Plan) -> Iterator[tuple[str, set[str]]]:
    """Each task with the tables and views that its statements read."""
    for stage in plan.stages:
        yield f"stage {stage.table}", _tables(stage.select)
    for rule in plan.rules:
        selects = [rule.before] if rule.before else []
        selects += [select for branch in rule.branches for select in (branch.events, branch.held)]
        yield f"map {rule.name}", set().union(*map(_tables, selects))


def _tables(select: exp.Select) -> set[str]:
    return {table.name for table in select.find_all(exp.Table)}


def maker(plan: Plan, table: str) -> str | None:
    """The task that makes a table or a view; None for what is there before, and what a rule makes for itself."""
    makers = {f"stage_{stage.table}": f"stage {stage.table}" for stage in plan.stages}
    makers |= {"persons": f"stage {plan.stages[0].table}"}
    makers |= {f"{kind}{rule.name}": f"map {rule.name}" for rule in plan.rules for kind in ("events_", "days:")}
    return makers.get(table) or makers.get("events_" + table.removeprefix("held:").split(":")[0])


def check(plan: Plan, folder: Path) -> None:
    with connect(work=folder, allow=[]) as connection:
        execution = Execution(connection, plan, None, Key(b"k" * 32), {}, folder, date(2024, 1, 31))  # type: ignore[arg-type]
        tasks = {task.name: task for task in execution.tasks()}
    before: dict[str, set[str]] = {}
    for name, task in tasks.items():
        before[name] = set(task.after).union(*(before[needed] for needed in task.after))
    for name, tables in reads(plan):
        made_by = {maker(plan, table) for table in tables} - {None, name}
        assert made_by <= before[name], name
        for dropped in (task for task in tasks.values() if task.name.startswith("drop ")):
            if f"stage_{dropped.name.removeprefix('drop ')}" in tables:
                assert name in before[dropped.name], (dropped.name, name)
        if ACTIVITY in tables:
            assert before[name] >= {f"map {rule.name}" for rule in plan.rules if rule.rule.fact != "death"}


@pytest.mark.parametrize(("project", "source"), [("tiny", "tiny"), ("ward", "courses")])
def test_every_task_of_a_project_comes_after_what_it_reads(project: str, source: str, tmp_path: Path) -> None:
    check(compile_mapping(Project.at(PROJECTS / project), source)[0], tmp_path)


def test_every_task_of_visits_modifiers_and_deaths_comes_after_what_it_reads(
    workshop: Workshop, tmp_path: Path
) -> None:
    workshop.concept_map("kinds", ("in", 9201))
    workshop.write(RULES, **TABLES)
    check(compile_mapping(workshop.project, SOURCE)[0], tmp_path)
