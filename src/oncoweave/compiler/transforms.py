"""Turns the public functions of the transform modules into the verbs that an expression can call.

A transform is a plain function from typed expressions to a typed expression. Parameters of a kind (`Text`, `Number`
…) take expressions; the others are options, written as literals. Its module may import the function catalogue only.
"""

from __future__ import annotations

import ast
import importlib.util
import inspect
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import FunctionType, ModuleType
from typing import get_type_hints

from oncoweave.engine.expressions import Expression, Kind, KindError, Value, widen
from oncoweave.engine.functions import CATALOGUE
from oncoweave.errors import Problem, SpecError

_ENGINE = {f"oncoweave.engine.{name}" for name in ("functions", "expressions", "date_patterns", "numerals")}
_ALLOWED = {"__future__", "typing"} | _ENGINE
_CLOSED = {"__import__", "eval", "exec", "compile", "open", "globals", "getattr", "setattr", "__builtins__"}


@dataclass(frozen=True)
class Verb:
    """A transform as an expression calls it: arguments are checked against the function's signature (KindError)."""

    name: str
    function: FunctionType
    signature: inspect.Signature
    kinds: dict[str, Kind]
    options: dict[str, type]

    @property
    def usage(self) -> str:
        """How the transform is called, for messages and the reference page."""
        texts = [self._parameter(p) for p in self.signature.parameters.values()]
        return f"{self.name}({', '.join(texts)})"

    @property
    def doc(self) -> str:
        """The reference page."""
        return inspect.getdoc(self.function) or ""

    @property
    def line(self) -> int:
        """Where it is defined in its module."""
        return self.function.__code__.co_firstlineno

    def __call__(self, *args: Value, **options: Value) -> Expression:
        """The expression that the transform makes of its arguments."""
        try:
            bound = self.signature.bind(*args, **options)
        except TypeError:
            raise KindError(f"`{self.name}` is called as {self.usage}") from None
        for name, given in bound.arguments.items():
            many = isinstance(given, tuple)
            checked = tuple(self._checked(name, g) for g in (given if many else (given,)))
            bound.arguments[name] = checked if many else checked[0]
        result: Expression = self.function(*bound.args, **bound.kwargs)
        return result

    def _parameter(self, parameter: inspect.Parameter) -> str:
        kind = self.kinds.get(parameter.name)
        stars = "…" if parameter.kind is parameter.VAR_POSITIONAL else ""
        if kind:
            return f"{parameter.name}: {kind}{stars}"
        return (
            f"{parameter.name}: literal"
            if parameter.default is parameter.empty
            else f"{parameter.name} => {parameter.default!r}"
        )

    def _checked(self, name: str, given: Value) -> Value:
        kind = self.kinds.get(name)
        if kind is None:
            return self._option(name, given)
        if not isinstance(given, Expression):
            raise KindError(f"`{name}` of `{self.name}` is {kind}: give it without `=>`")
        fitted = widen(given, kind)
        if fitted.kind is not kind:
            raise KindError(f"`{name}` of `{self.name}` must be {kind}, not {given.kind}")
        return fitted

    def _option(self, name: str, given: Value) -> Value:
        wanted = self.options[name]
        value = given.constant if isinstance(given, Expression) else given
        if type(value) is not wanted:
            raise KindError(f"`{name}` of `{self.name}` takes a literal {_WORDS.get(wanted, wanted.__name__)}")
        return value


_WORDS: dict[type, str] = {str: "text", int: "whole number", float: "number", bool: "true or false"}


def load_verbs(modules: Sequence[Path]) -> dict[str, Verb]:
    """The verbs of the modules by name; SpecError names every module that breaks the rules, and every clash."""
    problems: list[Problem] = []
    verbs: dict[str, Verb] = {}
    for path in modules:
        found = _faults(path)
        problems += found
        for verb in [] if found else _verbs(_load(path)):
            problems += [_problem(path, verb.line, *fault) for fault in _complaints(verb, verbs)]
            verbs[verb.name] = verb
    if problems:
        raise SpecError("the transforms cannot be used", problems=problems)
    return verbs


def _complaints(verb: Verb, others: Mapping[str, Verb]) -> list[tuple[str, str]]:
    """What is wrong with a transform's name, description or signature, each with its mend."""
    complaints = []
    if verb.name in CATALOGUE or verb.name in others:
        complaints.append((f"there are two functions named `{verb.name}`", "rename one of them"))
    if not verb.doc:
        complaints.append((f"`{verb.name}` has no description", "its docstring is its reference page"))
    for name in verb.signature.parameters:
        if verb.options.get(name, str) not in _WORDS and name not in verb.kinds:
            complaints.append((f"the option `{name}` of `{verb.name}` must be str, int, float or bool", ""))
        if name not in verb.options and name not in verb.kinds:
            complaints.append(
                (f"`{name}` of `{verb.name}` has no kind", "annotate it as Text, Integer, Number, Date or Boolean")
            )
    if verb.signature.return_annotation is inspect.Signature.empty:
        complaints.append((f"`{verb.name}` does not say what it gives", "annotate its result"))
    return complaints


def _faults(path: Path) -> list[Problem]:
    """What a transform module may not do, found without running it."""
    try:
        tree = ast.parse(path.read_text(encoding="utf-8"))
    except SyntaxError as error:
        return [_problem(path, error.lineno or 1, f"this is not Python: {error.msg}", "")]
    mend = "a transform is composed of oncoweave.engine.functions"
    return [
        _problem(path, getattr(node, "lineno", 1), f"a transform may not use `{name}`", mend)
        for node in ast.walk(tree)
        for name in _reached(node)
    ]


def _reached(node: ast.AST) -> list[str]:
    """The names outside the catalogue that a piece of code reaches for."""
    if isinstance(node, ast.Import):
        return [a.name for a in node.names if a.name not in _ALLOWED]
    if isinstance(node, ast.ImportFrom):
        whole = [f"{node.module}.{a.name}" for a in node.names]
        return [] if node.module in _ALLOWED else [n for n in whole if n not in _ALLOWED]
    if isinstance(node, ast.Name) and node.id in _CLOSED:
        return [node.id]
    if isinstance(node, ast.Attribute) and node.attr.startswith("__"):
        return [node.attr]
    return []


def _load(path: Path) -> ModuleType:
    spec = importlib.util.spec_from_file_location(f"oncoweave_transforms.{path.stem}", path)
    if spec is None or spec.loader is None:
        raise SpecError(f"the transforms in {path.name} cannot be loaded")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def _verbs(module: ModuleType) -> list[Verb]:
    functions = [f for _, f in inspect.getmembers(module, inspect.isfunction) if f.__module__ == module.__name__]
    return [_verb(f) for f in functions if not f.__name__.startswith("_")]


def _verb(function: FunctionType) -> Verb:
    plain, full = get_type_hints(function), get_type_hints(function, include_extras=True)
    kinds = {n: h.__metadata__[0] for n, h in full.items() if hasattr(h, "__metadata__") and n != "return"}
    options = {n: h for n, h in plain.items() if n not in kinds and n != "return"}
    return Verb(function.__name__, function, inspect.signature(function), kinds, options)


def _problem(path: Path, line: int, message: str, mend: str) -> Problem:
    return Problem(f"transforms/{path.name}", line, 1, "transform", message, mend)
