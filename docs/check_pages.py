"""Writes docs/checks/: a page for each check that a suite may name and for each kind of the Data Quality Dashboard, and an index.

`make reference` runs it; a test fails when a page is not what the code says, or a check has no description.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path

from oncoweave import content
from oncoweave.project import Project
from oncoweave.quality.chronology import CHRONOLOGY
from oncoweave.quality.compilation import Check, checks
from oncoweave.quality.concepts import CONCEPTS
from oncoweave.quality.definitions import MODEL
from oncoweave.quality.dqd.catalogue import Kind, catalogue, kinds
from oncoweave.quality.expectation import Definition, Parameter
from oncoweave.quality.explanations import Explanation, explanations
from oncoweave.quality.gx_catalogue import GREAT_EXPECTATIONS, REFUSED
from oncoweave.quality.links import REFERENCES, RELATIONSHIPS
from oncoweave.quality.run_checks.catalogue import RUN_CHECKS
from oncoweave.quality.run_checks.ranges import MEASURES
from oncoweave.quality.tumours import TUMOURS

FOLDER = Path(__file__).parent / "checks"
GROUPS: Mapping[str, tuple[Definition, ...]] = {
    "Form and links": (MODEL, *REFERENCES, *RELATIONSHIPS),
    "Concepts": CONCEPTS,
    "Dates, lives and places": CHRONOLOGY,
    "Oncology": TUMOURS,
    "Great Expectations' own": GREAT_EXPECTATIONS,
}
MADE = "<!-- Written by `make reference` from the code; do not edit it. -->\n"
KINDS = {
    "column": "field of the table", "columns": "list of fields", "table": "table", "table_name": "table", "field": "field of that table",
    "text": "text", "texts": "list of texts", "integer": "whole number", "number": "number", "flag": "`true` or `false`",
    "bound": "value of the field's type", "values": "list of values of the field's type", "condition": "expression",
    "pattern": "regular expression", "patterns": "list of regular expressions",
}  # fmt: skip
HEAD = """# Checks

A page for each check: what it means, what is counted, its parameters, an example, and what to do when it fails.

A suite (`expectations/*.yaml`) names the checks below; an entry of one has the keys that
[the reference](../mapping-language.md#expectationspec) lists. `where` narrows a check to some rows, `mostly` says what share of
them must meet it. A check with nothing to judge is neither passed nor failed, and is told as not applicable. The checks of the
[Data Quality Dashboard](#data-quality-dashboard) run by themselves.
"""

RUN_PAGE = "of_a_run.md"
ORIGINS = {
    "source": "The delivery",
    "mapping": "The mapping",
    "trend": "The release against the one before",
}
RUN_HEAD = """# Checks of a run as a whole

`expectations/trends.yaml` names them, each with the share that is tolerated (`at_most`), severity, reason and owner;
[quality](../quality.md#more-than-the-tables) tells how. The id of a result is origin, check (or its `id:`) and place:
`source.records_dropped.patients`, `mapping.rows_held_back.findings.size_mm`, `trend.rows_dropped.measurement`.
Without an earlier delivery, and where there is less than `fewest` to judge, a check is not applicable and says why.
"""
RANGES_HEAD = """`values_implausible` and `units_unexpected` know these measurements by their concepts, by the clinical role `tumour_size` or
`node_count`, or by the unit. The ranges are wide: only a wrong unit, a code read as a number or a slip of the pen lies outside.
"""


def main() -> int:
    """Write the pages, and take away those of checks that are gone."""
    FOLDER.mkdir(exist_ok=True)
    written = pages()
    for path in FOLDER.glob("*.md"):
        if path.name not in written:
            path.unlink()
    for name, text in written.items():
        (FOLDER / name).write_text(text, encoding="utf-8")
    return 0


def pages() -> dict[str, str]:
    """Every page by the name of its file."""
    found = {"README.md": index()}
    for definitions in GROUPS.values():
        found |= {f"{d.name}.md": expectation_page(d, explanations()[d.name]) for d in definitions}
    found |= {f"{k.name}.md": kind_page(k, explanations()[k.name]) for k in kinds().values()}
    return found | {RUN_PAGE: run_page()}


def index() -> str:
    """All checks, by group."""
    lines = [MADE, HEAD]
    for title, definitions in GROUPS.items():
        lines += [f"## {title}\n", "| check | means |", "|---|---|"]
        lines += [f"| [{d.name}]({d.name}.md) | {cell(d.doc)} |" for d in definitions] + [""]
    lines += ["Not to be used, though Great Expectations has them:\n", "| check | why not |", "|---|---|"]
    lines += [f"| `{name}` | {cell(why)} |" for name, why in REFUSED.items()]
    lines += [
        "",
        f"[Checks of a run as a whole]({RUN_PAGE}), named in `expectations/trends.yaml`: {len(RUN_CHECKS)} of delivery, mapping and trend.",
    ]
    lines += ["", "## Data Quality Dashboard\n", "| check | level | means |", "|---|---|---|"]
    lines += [f"| [{k.name}]({k.name}.md) | {k.level.lower()} | {cell(k.in_general)} |" for k in kinds().values()]
    return "\n".join(lines) + "\n"


def run_page() -> str:
    """The checks that trends.yaml may name, by origin, and the ranges of measurements."""
    lines = [MADE, RUN_HEAD]
    for origin, title in ORIGINS.items():
        lines += [f"## {title}\n", "| check | of each | means | judged | wrong |", "|---|---|---|---|---|"]
        of_origin = [c for c in RUN_CHECKS.values() if c.origin == origin]
        lines += [f"| `{c.name}` | {c.of} | {cell(c.doc)} | {' | '.join(map(cell, c.counts))} |" for c in of_origin] + [
            ""
        ]
    lines += [
        "## Ranges of measurements\n",
        RANGES_HEAD,
        "| measurement | unit | lowest | highest | source |",
        "|---|---|---|---|---|",
    ]
    for measure in MEASURES:
        for r in measure.ranges:
            lines.append(f"| {measure.name} | {r.unit or 'any'} | {r.low:g} | {r.high:g} | {cell(measure.source)} |")
    return "\n".join(lines) + "\n"


def expectation_page(definition: Definition, told: Explanation) -> str:
    """The page of one expectation."""
    lines = [MADE, f"# {definition.name}\n", f"{definition.doc}\n"]
    if definition in GREAT_EXPECTATIONS:
        lines.append("An expectation of Great Expectations' own.\n")
    lines += [
        "| counted | |",
        "|---|---|",
        f"| judged | {cell(told.judged)} |",
        f"| failing | {cell(told.fails)} |",
        "",
    ]
    if definition.tells_value:
        lines.append(
            "Refused for fields that hold patients' values, since its result is one: it takes concept ids only.\n"
        )
    lines += [
        *parameters(definition),
        "## Example\n",
        "```yaml",
        example(definition, told),
        "```\n",
        *others(definition),
    ]
    return "\n".join([*lines, f"## When it fails\n\n{told.mend}\n"])


def parameters(definition: Definition) -> Iterator[str]:
    """The table of an expectation's parameters, and which keys it does without."""
    yield "## Parameters\n"
    if definition.parameters:
        yield from ("| parameter | value | meaning |", "|---|---|---|")
        yield from (parameter_row(name, parameter) for name, parameter in definition.parameters.items())
    else:
        yield "None."
    yield ""
    without = [f"`{key}`" for key, has in (("mostly", definition.mostly), ("where", definition.where)) if not has]
    if without:
        yield f"It takes no {' and no '.join(without)}: it holds for the table as a whole, or does not.\n"


def parameter_row(name: str, parameter: Parameter) -> str:
    """One parameter."""
    value = ", ".join(f"`{choice}`" for choice in parameter.choices) or KINDS[parameter.kind]
    return f"| `{name}` | {value}{' **required**' if parameter.required else ''} | {cell(parameter.doc)} |"


def example(definition: Definition, told: Explanation) -> str:
    """An entry of the standard suites, the one with most to see; or the one that is told."""
    used = users(definition.name)
    if used:
        check = max(used, key=lambda c: (bool(c.spec.where), len(c.spec.parameters)))
        table, keys = check.table.name, dict(check.spec.parameters)
        rest = [f"    where: {quoted(check.spec.where)}"] if check.spec.where else []
        rest += [f"    mostly: {check.spec.mostly:g}"] if check.spec.mostly is not None else []
        rest += [
            f"    severity: {check.spec.severity}",
            f"    category: {check.spec.category}",
            f"    why: {quoted(check.spec.why)}",
        ]
    else:
        table, keys = str(told.example["table"]), told.example["parameters"]  # type: ignore[assignment]
        rest = [
            "    severity: characterization",
            "    category: plausibility",
            "    why: Say here what it would mean if it failed.",
        ]
    inner = ", ".join(f"{name}: {written(value)}" for name, value in keys.items())
    given = [f"    parameters: {{{inner}}}"] if keys else []
    return "\n".join([f"table: {table}", "expectations:", f"  - expect: {definition.name}", *given, *rest])


def written(value: object) -> str:
    """A parameter as YAML writes it in a line."""
    if isinstance(value, list | tuple):
        return f"[{', '.join(written(one) for one in value)}]"
    return quoted(str(value), inside=True)


def quoted(text: str, *, inside: bool = False) -> str:
    """A text of YAML, in quotes where it needs them."""
    signs = "[]{},#:'\"?*&!|>%@`\\" if inside else "#'\"[]{}&*!|>%@`"
    plain = bool(text) and not any(sign in text for sign in signs) and ": " not in text and text.strip() == text
    return text if plain else "'" + text.replace("'", "''") + "'"


def others(definition: Definition) -> Iterator[str]:
    """Where the standard suites have it."""
    suites = sorted({check.suite for check in users(definition.name)})
    if suites:
        yield f"In the standard suites: {', '.join(f'`{suite}`' for suite in suites)}.\n"


def users(name: str) -> list[Check]:
    """The checks of the standard suites that use an expectation."""
    return [check for check in standard() if check.spec.expect == name]


@cache
def standard() -> tuple[Check, ...]:
    """Every check of the standard suites."""
    return tuple(checks(Project.at(content.standard()), "no source"))


def kind_page(kind: Kind, told: Explanation) -> str:
    """The page of one kind of check of the Data Quality Dashboard."""
    number = sum(check.name == kind.name for check in catalogue())
    threshold = "none" if kind.threshold is None else f"{kind.threshold:g} %, where a check has none of its own"
    facts = {
        "level": kind.level.lower(), "severity": kind.severity, "category": kind.category + (f", {kind.subcategory}" if kind.subcategory else ""),
        "context": kind.context, "tolerated": threshold, "checks": f"{number:,}", "judged": cell(told.judged), "failing": cell(kind.in_general),
    }  # fmt: skip
    rows = [f"| {name} | {value} |" for name, value in facts.items()]
    lines = [
        MADE,
        f"# {kind.name}\n",
        f"{kind.in_general}\n",
        "A kind of check of OHDSI's Data Quality Dashboard; nothing has to be written for it.\n",
    ]
    if kind.deprecated:
        lines.append("The Dashboard has replaced it, but has it in its tables still.\n")
    lines += ["| | |", "|---|---|", *rows, "", f"## When it fails\n\n{told.mend}\n"]
    example_id = next(check.id for check in catalogue() if check.name == kind.name)
    return "\n".join(
        [
            *lines,
            f"A site that tolerates another share says so in `thresholds.yaml`, by the check's id (`{example_id}`).\n",
        ]
    )


def cell(text: str) -> str:
    """Text that may stand in a cell of a table."""
    return text.replace("|", "\\|").replace("\n", " ")


if __name__ == "__main__":
    sys.exit(main())
