"""The pass over corrections.yaml: conditions on the delivered text, and the new texts."""

from __future__ import annotations

from dataclasses import replace

from sqlglot import exp

from oncoweave.compiler.draft import Draft
from oncoweave.compiler.expressions import Scope, parse
from oncoweave.compiler.staging import Amendment, parsed, raw_text
from oncoweave.compiler.subset import ExpressionError
from oncoweave.engine.expressions import Expression, Kind
from oncoweave.errors import nearest
from oncoweave.spec.source import Table


def compile_corrections(draft: Draft) -> Draft:
    """corrections.yaml: conditions over the delivered text, and new texts."""
    corrections, document = draft.inputs.corrections, draft.inputs.corrections_document
    if corrections is None or document is None:
        return draft
    made, found = [], []
    for i, item in enumerate(corrections.corrections):
        spec = draft.inputs.source.tables.get(item.table)
        loc = ("corrections", i)
        if spec is None:
            found.append(
                document.problem(
                    "table",
                    f"there is no source table `{item.table}`",
                    (*loc, "table"),
                    help=nearest(item.table, draft.inputs.source.tables),
                )
            )
            continue
        found += [
            document.problem(
                "field",
                f"`{f}` is not a field of `{item.table}`",
                (*loc, "set", f),
                help=nearest(f, spec.fields),
                at="key",
            )
            for f in item.set
            if f not in spec.fields
        ]
        try:
            condition = parse(item.where, Scope(fields=_delivered(spec), verbs=draft.inputs.verbs))
        except ExpressionError as error:
            found.append(
                document.problem("expression", error.message, (*loc, "where"), help=error.help, offset=error.offset)
            )
            continue
        if condition.kind is not Kind.BOOLEAN:
            message, mend = f"`where` must be a boolean, and this is a {condition.kind}", "compare it with a value"
            found.append(document.problem("expression", message, (*loc, "where"), help=mend))
            continue
        made.append(Amendment(item.table, i + 1, condition.node, dict(item.set), item.rows))
    return replace(draft, amendments=tuple(made)).with_problems(found)


def _delivered(spec: Table) -> dict[str, Expression]:
    """Fields as a correction's condition sees them: parsed straight from the snapshot."""
    return {
        name: parsed(field_, Expression(Kind.TEXT, exp.Paren(this=raw_text(name, field_, spec.missing))))
        for name, field_ in spec.fields.items()
    }
