"""Evaluates FHIRPath; the only module that knows the library. Slow and exact: what the compiled paths are held to.

Two functions are added that SQL on FHIR asks for, getResourceKey and getReferenceKey; `join` gives an empty text for
nothing, as its suite expects; and `where` takes an element that is false for false, which the library takes for true.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import cache
from typing import Any, Protocol

from antlr4 import CommonTokenStream, InputStream
from antlr4.error.ErrorListener import ErrorListener
from fhirpathpy.engine import do_eval
from fhirpathpy.engine.invocations import invocation_registry
from fhirpathpy.engine.invocations.constants import constants
from fhirpathpy.engine.nodes import FP_Type, ResourceNode, TypeInfo
from fhirpathpy.engine.util import get_data, process_user_invocation_table
from fhirpathpy.parser import parse
from fhirpathpy.parser.generated.FHIRPathLexer import FHIRPathLexer
from fhirpathpy.parser.generated.FHIRPathParser import FHIRPathParser

from oncoweave.engine.fhir.model import MODEL

TypeInfo.model = MODEL
_UCUM = "http://unitsofmeasure.org"

Node = Any
"""An element of a resource as the library sees it, or a value."""


class PathError(ValueError):
    """A path that is none, or that cannot be followed; its text names no value."""


class Evaluate(Protocol):
    """A path, ready to be followed from an element; `variables` are those that it may name with %."""

    def __call__(self, node: Node, variables: Mapping[str, Any]) -> list[Node]: ...


Tree = Mapping[str, Any]
"""A part of a parsed path: its `type`, `text`, `terminalNodeText` and `children`."""


@cache
def tree_of(path: str) -> Tree:
    """The path, parsed; raises PathError when it is no FHIRPath."""
    _refuse_broken(path)
    tree: Tree = parse(path)["children"][0]
    return tree


@cache
def evaluated(path: str) -> Evaluate:
    """The path, parsed once.

    Raises PathError when it is no FHIRPath; the returned function raises it when a path cannot be followed.
    """
    tree = tree_of(path)

    def evaluate(node: Node, variables: Mapping[str, Any]) -> list[Node]:
        constants.reset()
        root = [node]
        context = {
            "dataRoot": root,
            "vars": {"context": node, "ucum": _UCUM, **variables},
            "model": MODEL,
            "userInvocationTable": _FUNCTIONS,
            "$this": node,
        }
        try:
            found: list[Node] = do_eval(context, root, tree)
        except RecursionError:
            raise
        except Exception:
            raise PathError(f"`{path}` cannot be followed here") from None
        return [one for one in found if not _only_extended(one)]

    return evaluate


def literal_of(tree: Tree) -> Any:
    """The value of a part that is a literal: a text, a number or a truth."""
    return do_eval({}, [], tree)[0]


def is_of_type(path: str, specifier: Tree) -> bool:
    """Whether an element that stands at `path` of the model (or is of that type) is of the type named."""
    names = str(specifier["text"]).replace("`", "").split(".")
    namespace = names[0] if len(names) == 2 else None
    return bool(ResourceNode({}, path).get_type_info().is_(TypeInfo(names[-1], namespace)))


def node_at(data: Any, path: str) -> Node:
    """The element `data`, which stands at `path` of the model, as the library sees it."""
    return ResourceNode.create_node(data, path)


def _refuse_broken(path: str) -> None:
    """Raise PathError for what the library would read as less than is written, and for a function that it lacks."""
    strict = _Strict()
    lexer = FHIRPathLexer(InputStream(path))
    parser = FHIRPathParser(CommonTokenStream(lexer))
    for part in (lexer, parser):
        part.removeErrorListeners()
        part.addErrorListener(strict)
    tree = parser.entireExpression()
    if strict.at is not None:
        raise PathError(f"`{path}` is no FHIRPath from its sign {strict.at + 1} on")
    for name in _called(tree):
        if name not in _KNOWN:
            raise PathError(f"`{path}` calls `{name}()`, which is not known here")


class _Strict(ErrorListener):  # type: ignore[misc]  # antlr4 has no types
    """Remembers where the first error of a path is."""

    at: int | None = None

    def syntaxError(  # noqa: N802 - antlr4's own name and arguments
        self, recognizer: Any, symbol: Any, line: int, column: int, message: str, error: Any
    ) -> None:
        self.at = column if self.at is None else self.at


def _called(tree: Any) -> Iterator[str]:
    """The names of the functions that a parsed path calls."""
    if isinstance(tree, FHIRPathParser.FunctnContext):
        yield tree.getChild(0).getText().strip("`")
    for number in range(tree.getChildCount()):
        yield from _called(tree.getChild(number))


def value_of(node: Node) -> Any:
    """The plain value of an element: text, number, truth, or a part of the resource."""
    data = get_data(node)
    return str(data) if isinstance(data, FP_Type) else data


def _only_extended(node: Node) -> bool:
    """Whether an element has no value, only extensions: a primitive whose value is absent."""
    return isinstance(node, ResourceNode) and isinstance(node.data, dict) and list(node.data) == ["extension"]


def _join(values: Sequence[Any], separator: str = "") -> list[str]:
    return [separator.join(str(value) for value in values)]


def resource_key(resources: Sequence[Any]) -> list[str]:
    """The keys of resources: type and id."""
    return [f"{one['resourceType']}/{one['id']}" for one in resources if isinstance(one, dict) and "id" in one]


def reference_key(references: Sequence[Any], kind: Any = None) -> list[str]:
    """The key of the resource that each reference names, where it is of the type `kind`; none for any other reference."""
    wanted = getattr(kind, "name", kind)
    found = []
    for reference in references:
        text = reference.get("reference") if isinstance(reference, dict) else None
        parts = str(text).split("/") if text else []
        if len(parts) > 1 and wanted in (None, parts[-2]):
            found.append("/".join(parts[-2:]))
    return found


def _table(functions: Mapping[str, tuple[Callable[..., list[Any]], str]]) -> Any:
    table = {
        name: {"fn": function, "arity": {0: [], **({1: [argument]} if argument else {})}}
        for name, (function, argument) in functions.items()
    }
    return process_user_invocation_table(table)


def _where(context: Any, elements: Any, criterion: Callable[[Any], list[Any]]) -> list[Any]:
    kept = []
    for index, element in enumerate(elements):
        context["$index"] = index
        if _is_met(criterion(element)):
            kept.append(element)
    return kept


def _is_met(found: Sequence[Any]) -> bool:
    """Whether what a criterion finds is true; one element that is no truth at all counts as true (FHIRPath, 4.5)."""
    if len(found) > 1:
        raise PathError("a criterion that finds several elements")
    return bool(found) and get_data(found[0]) is not False


def _exists(context: Any, elements: Any, criterion: Callable[[Any], list[Any]] | None = None) -> bool:
    return bool(elements if criterion is None else _where(context, elements, criterion))


_FUNCTIONS = {
    **_table(
        {
            "join": (_join, "String"),
            "getResourceKey": (resource_key, ""),
            "getReferenceKey": (reference_key, "TypeSpecifier"),
        }
    ),
    "where": {"fn": _where, "arity": {1: ["Expr"]}},
    "exists": {"fn": _exists, "arity": {0: [], 1: ["Expr"]}},
}
_KNOWN = frozenset({*invocation_registry, *_FUNCTIONS})
