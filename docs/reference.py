"""Writes docs/mapping-language.md from the specification models, the function catalogue and the transforms.

`make reference` runs it; a test fails when the page is not what the code says.
"""

from __future__ import annotations

import ast
import inspect
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import get_args

from oncoweave import content
from oncoweave.compiler.transforms import load_verbs
from oncoweave.engine.functions import CATALOGUE
from oncoweave.engine.signatures import Function
from oncoweave.spec.corrections import Corrections
from oncoweave.spec.language import Spec
from oncoweave.spec.mapping import Mapping
from oncoweave.spec.rule import Kind
from oncoweave.spec.source import Source
from oncoweave.spec.suite import Suite
from oncoweave.spec.thresholds import Thresholds
from oncoweave.spec.trends import Trends
from oncoweave.spec.waivers import Waivers

PAGE = Path(__file__).parent / "mapping-language.md"
LANGUAGES: dict[str, tuple[type[Spec], str]] = {
    "source.yaml": (Source, "What a delivery holds and how to read it. The data steward edits it."),
    "mapping.yaml": (
        Mapping,
        "Which clinical fact each source row tells. The mapping author edits it. It may go on in further files, mapping/*.yaml "
        "beside it, which hold `concepts`, `ignored`, `spellings`, `joins`, `rules` and `examples` and are read in the order of their names.",
    ),
    "corrections.yaml": (Corrections, "Known errors of the source, mended before the rules read it."),
    "expectations/*.yaml": (Suite, "What must hold for a table of the release. The QA reviewer edits it."),
    "waivers.yaml": (
        Waivers,
        "The failing checks that are accepted for a while: of all sources in `expectations/`, of one beside its source.yaml. "
        "The QA reviewer edits it, by hand or by `oncoweave waive`.",
    ),
    "thresholds.yaml": (
        Thresholds,
        "Checks that are judged otherwise than they ask: of all sources in `expectations/`, of one beside its source.yaml. "
        "The QA reviewer edits it.",
    ),
    "expectations/trends.yaml": (
        Trends,
        "What must hold of a run as a whole: its delivery, its mapping, and how the release changed; a source may have its own, "
        "expectations/sources/<source>/trends.yaml. The QA reviewer edits it; `docs/quality.md` lists the checks.",
    ),
}
WORDS = {
    "str": "text", "int": "whole number", "float": "number", "FiniteFloat": "number", "bool": "`true` or `false`", "date": "date", "Day": "date",
    "Name": "name", "Label": "text", "Marker": "name of a file", "Span": "span of time (`30s`, `5m`, `8h`, `2d`)", "Expr": "expression", "Concept": "concept", "ConceptText": "concept", "Cell": "text",
    "ParameterText": "text", "Share": "number", "RunCheckId": "name", "Checks": "id of a check, or a pattern with `*`", "Percent": "percentage or `off`", "Mailbox": "e-mail address", "Variable": "name of an environment variable", "Kind": "[clinical role](#clinical-roles)",
}  # fmt: skip
HEAD = """# The mapping language

This page is written by `make reference` from the code; do not edit it. An editor shows the same lines while you
type (`oncoweave schema`).

Every scalar is read as text, so `007`, `NO` and dates stay what they are. Unknown keys are errors. A *name* is made
of small letters, digits and `_`. A *concept* is a name from `concepts:`, `"OMOP:id |label|"`, `{map: …}` or
`{vocabulary: …, code: …}`. An *expression* is described [below](#expressions).
"""
EXPRESSIONS = """## Expressions

A documented subset of SQL: field names, texts in single quotes, numbers, `and or not`, `= <> < <= > >=`, `is null`,
`in (…)`, `between … and …`, `+ - * /`, `||`, `case when … then … else … end`, and calls of the functions and
transforms below. Logic is three-valued: a comparison with a missing value is neither true nor false. Kinds are text,
integer, number, date and boolean; comparing a text with a number is an error that says how to mend it. An option of
a transform is written `name => literal`. `origin()` is the synthetic day zero of source.yaml.

In a rule with `group:`, fields that are not in `group` stand inside an aggregate.
"""


def main() -> int:
    """Write the page."""
    PAGE.write_text(page(), encoding="utf-8")
    return 0


def page() -> str:
    """The whole page."""
    parts = [HEAD]
    for file, (model, what) in LANGUAGES.items():
        parts.append(f"## `{file}`\n\n{what}\n")
        parts += [section(part) for part in reachable(model)]
    roles = ", ".join(f"`{role}`" for role in get_args(Kind))
    parts += [f"## Clinical roles\n\n{roles}\n", EXPRESSIONS, functions(), transforms()]
    return "\n".join(parts)


def reachable(model: type[Spec]) -> list[type[Spec]]:
    """The model, then every model that its keys lead to, each after the one that names it first."""
    found: list[type[Spec]] = []
    waiting = [model]
    while waiting:
        part = waiting.pop(0)
        if part not in found:
            found.append(part)
            waiting = [*ancestors(part), *models_of(part), *waiting]
    return found


def ancestors(model: type[Spec]) -> list[type[Spec]]:
    """The models whose keys this one has too."""
    return [base for base in model.__mro__[1:] if issubclass(base, Spec) and base is not Spec]


def models_of(model: type[Spec]) -> Iterator[type[Spec]]:
    """The models that the model's own keys lead to."""
    for annotation in model.__annotations__.values():
        for word in re.findall(r"\w+", str(annotation)):
            yield from named(word, model)


def named(word: str, model: type[Spec]) -> list[type[Spec]]:
    """The models that a name in an annotation of a model stands for: one, those of a union, or none."""
    value = getattr(sys.modules[model.__module__], word, None)
    if isinstance(value, type) and issubclass(value, Spec):
        return [value]
    if value is None or isinstance(value, ModuleType):
        return []
    return [part for part in unwrapped(value) if isinstance(part, type) and issubclass(part, Spec)]


def unwrapped(annotation: object) -> Iterator[object]:
    """What a union or an annotated type is made of."""
    inner = get_args(annotation)
    if not inner:
        yield annotation
    for part in inner:
        yield from unwrapped(part)


def section(model: type[Spec]) -> str:
    """The table of a model's own keys."""
    rows = [row(model, name) for name in model.__annotations__ if name in model.model_fields]
    also = [f"[{base.__name__}](#{base.__name__.lower()})" for base in ancestors(model)]
    lines = [f"### {model.__name__}", "", inspect.getdoc(model) or ""]
    lines += ["", f"It has the keys of {' and '.join(also)}, and:"] if also else []
    lines += ["", "| key | value | meaning |", "|---|---|---|", *rows, ""]
    return "\n".join(lines)


def row(model: type[Spec], name: str) -> str:
    """A key, what it takes, and what it means."""
    info = model.model_fields[name]
    shape = shape_of(ast.parse(str(model.__annotations__[name]), mode="eval").body, model)
    required = " **required**" if info.is_required() else ""
    default = info.get_default()
    unset = f" Default: `{default}`." if isinstance(default, (str, int)) and default not in ("", False, None) else ""
    return f"| `{info.alias or name}` | {shape}{required} | {escaped(info.description or '')}{unset} |"


def shape_of(node: ast.expr, model: type[Spec]) -> str:
    """What an annotation takes, in words."""
    if isinstance(node, ast.BinOp):
        sides = [node.left, node.right]
        return " or ".join(shape_of(s, model) for s in sides if not (isinstance(s, ast.Constant) and s.value is None))
    if isinstance(node, ast.Subscript):
        return shape_of_generic(ast.unparse(node.value), node.slice, model)
    word = ast.unparse(node)
    if word in WORDS:
        return WORDS[word]
    return " or ".join(f"[{m.__name__}](#{m.__name__.lower()})" for m in named(word, model)) or word


def shape_of_generic(outer: str, inner: ast.expr, model: type[Spec]) -> str:
    """What a list, a mapping or a choice takes."""
    parts = inner.elts if isinstance(inner, ast.Tuple) else [inner]
    if outer == "Literal":
        return ", ".join(f"`{str(ast.literal_eval(part)) or 'nothing'}`".replace("|", "\\|") for part in parts)
    if outer == "dict":
        return f"{shape_of(parts[1], model)}, each by its {shape_of(parts[0], model)}"
    if outer == "tuple" and isinstance(parts[-1], ast.Constant) and parts[-1].value is ...:
        return f"list of {shape_of(parts[0], model)}"
    if outer == "tuple":
        return f"list of {len(parts)}: {', '.join(shape_of(part, model) for part in parts)}"
    return shape_of(parts[0], model)


def functions() -> str:
    """The function catalogue."""
    shown = sorted((f for f in CATALOGUE.values() if not f.internal), key=lambda f: (f.aggregate, f.name))
    lines = ["## Functions", "", "| function | gives | meaning | example |", "|---|---|---|---|"]
    return "\n".join([*lines, *(function_row(f) for f in shown), ""])


def function_row(function: Function) -> str:
    """A function with its first example."""
    example = ""
    if function.examples:
        arguments, result = function.examples[0]
        example = f"`{function.name}({', '.join(literal(a) for a in arguments)})` → `{literal(result)}`"
    kind = "aggregate: " if function.aggregate else ""
    given = str(getattr(function.result, "name", function.result)).lower()
    return f"| `{function.usage}` | {given} | {kind}{escaped(function.doc)} | {escaped(example)} |"


def literal(value: object) -> str:
    """A value as an expression writes it."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return str(value).lower()
    return str(value) if isinstance(value, (int, float)) else f"'{value}'"


def transforms() -> str:
    """The standard transforms, module by module."""
    lines = ["## Transforms", "", "Plain functions in `transforms/`; a site's own project folder may hold more.", ""]
    for path in sorted((content.standard() / "transforms").glob("[!_]*.py")):
        lines += [f"### transforms/{path.name}", ""]
        for verb in load_verbs([path]).values():
            lines += [f"#### `{verb.usage}`", "", *documented(verb.doc), ""]
    return "\n".join(lines)


def documented(doc: str) -> list[str]:
    """A docstring as Markdown: its examples become a block of code."""
    text, mark, example = doc.partition(">>>")
    block = ["", "```python", f"{mark}{example}".rstrip(), "```"] if mark else []
    return [text.rstrip(), *block]


def escaped(text: str) -> str:
    """Text that may stand in a cell of a table."""
    return text.replace("|", "\\|").replace("\n", " ")


if __name__ == "__main__":
    sys.exit(main())
