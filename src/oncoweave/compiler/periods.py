"""The pass that checks `observation_periods:`, and the type concept that it chooses."""

from __future__ import annotations

from oncoweave.compiler.bound import Fixed
from oncoweave.compiler.draft import Draft
from oncoweave.errors import Problem, nearest
from oncoweave.omop.routing import UNSEEN_FACTS


def check_periods(draft: Draft) -> Draft:
    """The rules left out are rules that make events, some remain, and the options belong to the rule chosen."""
    options, document = draft.inputs.mapping.observation_periods, draft.inputs.document
    facts = {rule.name: rule.fact for rule in draft.inputs.mapping.rules}
    dated = [name for name, fact in facts.items() if fact not in UNSEEN_FACTS]
    found: list[Problem] = []
    for number, name in enumerate(options.without):
        loc = ("observation_periods", "without", number)
        if name not in facts:
            found.append(document.problem("period", f"there is no rule `{name}`", loc, help=nearest(name, dated)))
        elif name not in dated:
            message = f"the rule `{name}` makes no events, so that none can be left out"
            found.append(document.problem("period", message, loc, help="take it out of the list"))
    if options.without and set(dated) <= set(options.without):
        message = "every rule is left out, so that nobody would be observed"
        help_ = "leave out only rules whose dates tell of no observation"
        found.append(document.problem("period", message, ("observation_periods", "without"), help=help_, at="key"))
    if options.system_start and options.rule != "ehr":
        message = "`system_start` belongs to the rule `ehr`"
        help_ = "write `rule: ehr`, or take it out"
        found.append(document.problem("period", message, ("observation_periods", "system_start"), help=help_, at="key"))
    return draft.with_problems([*found, *_type_problems(draft)])


def period_type(draft: Draft) -> int:
    """The type concept of derived periods: the one chosen, else that of the persons."""
    chosen = _type(draft)
    if isinstance(chosen, Fixed):
        return chosen.concept_id
    return next(r for r in draft.rules if r.fact == "person").branches[0].type_concept_id


def _type_problems(draft: Draft) -> list[Problem]:
    chosen = _type(draft)
    return [chosen] if isinstance(chosen, Problem) else []


def _type(draft: Draft) -> Fixed | Problem | None:
    written = draft.inputs.mapping.observation_periods.type
    if written is None or draft.book is None:
        return None

    def tell(code: str, message: str, *, help: str = "") -> Problem:  # noqa: A002  the name of the problem's field
        return draft.inputs.document.problem(code, message, ("observation_periods", "type"), help=help)

    return draft.book.fixed(written, "type", tell)
