"""From specification to plan: `compile_mapping` for a run, `compile_draft` for its problems, `explain` for its text."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from oncoweave.compiler.inputs import Inputs, read_inputs
from oncoweave.compiler.passes import compile_draft
from oncoweave.compiler.plan import Plan
from oncoweave.errors import SpecError, UsageError, nearest
from oncoweave.project import Project

__all__ = ["Inputs", "Plan", "compile_draft", "compile_mapping", "explain", "read_inputs"]


def compile_mapping(
    project: Project, source: str, columns: Mapping[str, Sequence[str]] | None = None
) -> tuple[Plan, Inputs]:
    """The plan of a source's mapping; `columns` are the snapshot's columns by source table.

    Raises SpecError with every problem.
    """
    inputs = read_inputs(project, source)
    draft = compile_draft(inputs, columns)
    if draft.plan is None:
        raise SpecError(f"{source}: the mapping has errors; nothing was run", problems=sorted(draft.problems))
    return draft.plan, inputs


def explain(project: Project, source: str, rule: str | None = None, *, sql: bool = False) -> str:
    """The plan of a source, or of one of its rules, as text.

    Raises UsageError when there is no such rule.
    """
    plan, _ = compile_mapping(project, source)
    names = [p.name for p in plan.rules]
    if rule is not None and rule not in names:
        raise UsageError(f"there is no rule `{rule}` in the mapping of {source}", mend=nearest(rule, names))
    return "\n".join(plan.lines(sql=sql, rule=rule))
