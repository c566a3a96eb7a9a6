"""What of the source may leave the site: the fields that an expression tells, and whether their text is released."""

from __future__ import annotations

from collections.abc import Iterable

from sqlglot import exp

from oncoweave.compiler import keys
from oncoweave.compiler.joins import JoinedField
from oncoweave.engine import functions
from oncoweave.engine.expressions import Kind
from oncoweave.engine.functions import CATALOGUE
from oncoweave.spec.source import Table


def told(node: exp.Expression) -> set[str]:
    """The fields whose content an expression's result tells; not those that it only compares, counts or orders by."""
    if isinstance(node, exp.Column):
        return {node.name.rstrip("$#~")}
    function = CATALOGUE.get(str(node.this)) if isinstance(node, exp.Anonymous) else None
    if function is not None and (function.result is Kind.BOOLEAN or function is functions.count):
        return set()
    parts = list(node.iter_expressions())
    if isinstance(node, exp.Case):
        parts = [i.args["true"] for i in node.args["ifs"]] + (
            [node.args["default"]] if node.args.get("default") else []
        )
    elif function in (functions.first, functions.last):
        parts = parts[:1]
    return set().union(*(told(part) for part in parts))


def released(fields: Iterable[str], table: Table) -> bool:
    """Whether text that tells these fields may leave the site."""
    return not any(table.fields[f].type == "text" or identifies(f, table) for f in fields)


def identifies(name: str, table: Table) -> bool:
    """Whether a field is an identifier: declared as one, or a part of the person's key, here or in its own table."""
    spec = table.fields[name]
    of_person = isinstance(spec, JoinedField) and spec.identifies
    return of_person or spec.type == "identifier" or name in (keys.person_fields(table) or ())
