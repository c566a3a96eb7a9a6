"""Text of an expression to a parsed tree of harmless size, which knows only the words of the mapping language.

SQLGlot parses, with a dialect that has no comments, no quoted names, no built-in functions and no other keywords;
`compiler.expressions` then admits the tree node by node.
"""

from __future__ import annotations

import re
from types import MappingProxyType
from typing import Any, ClassVar

from sqlglot import exp, parser, tokens
from sqlglot.dialects.dialect import Dialect
from sqlglot.errors import SqlglotError
from sqlglot.tokenizer_core import Token, TokenType

_LONGEST, _MOST_TOKENS, _DEEPEST = 10_000, 2_000, 40
_WORDS = {"AND", "OR", "NOT", "IS", "NULL", "TRUE", "FALSE", "IN", "BETWEEN", "CASE", "WHEN", "THEN", "ELSE", "END"}
_SIGNS = {"||", "<>", "!=", ">=", "<=", "=>"}
_TOKENS = {TokenType[name] for name in _WORDS} | {
    TokenType[name]
    for name in (
        "VAR", "STRING", "NUMBER", "L_PAREN", "R_PAREN", "COMMA", "DOT", "PLUS", "DASH", "STAR", "SLASH", "DPIPE",
        "EQ", "NEQ", "LT", "LTE", "GT", "GTE", "FARROW",
    )
}  # fmt: skip
_NUMBER = re.compile(r"(?a:\d+(\.\d*)?|\.\d+)(?a:[eE][+-]?\d+)?")


class ExpressionError(Exception):
    """What is wrong with an expression, how to mend it, and where: characters into its text."""

    def __init__(self, message: str, hint: str = "", offset: int = 0) -> None:
        super().__init__(message)
        self.message = message
        self.help = hint
        self.offset = offset


class _Subset(Dialect):
    """The words and signs of the mapping language; every other word is a name."""

    class Tokenizer(tokens.Tokenizer):
        """Without comments, quoted names, and all keywords but ours."""

        KEYWORDS: ClassVar[dict[str, TokenType]] = {
            k: v for k, v in tokens.Tokenizer.KEYWORDS.items() if k in _WORDS | _SIGNS
        }
        COMMENTS: ClassVar[list[str | tuple[str, str]]] = []

    class Parser(parser.Parser):
        """Without built-in functions: every call is by name."""

        FUNCTIONS: ClassVar[dict[str, Any]] = {}
        FUNCTION_PARSERS: ClassVar[dict[str, Any]] = {}
        NO_PAREN_FUNCTIONS: ClassVar[dict[TokenType, Any]] = {}
        NO_PAREN_FUNCTION_PARSERS: ClassVar[dict[str, Any]] = {"CASE": parser.Parser.NO_PAREN_FUNCTION_PARSERS["CASE"]}


HINTS = MappingProxyType(
    {
        "=": "two values are compared by a single `=`",
        "&": "write `and`",
        "|": "write `or`; `||` joins texts",
        "!": "write `not`, or `<>` for a difference",
        "%": "write remainder(…, …)",
        "if": "write case when … then … else … end",
        "ifelse": "write case when … then … else … end",
        "iff": "write case when … then … else … end",
    }
)
"""What an author probably meant by a sign or word that expressions do not have."""


def tree_of(text: str) -> exp.Expression:
    """The parsed tree, of harmless size."""
    words = _tokens(text)
    try:
        trees = _Subset().parser().parse(words, text)
    except (SqlglotError, RecursionError) as error:
        raise _syntax_error(error, words) from None
    tree = trees[0] if len(trees) == 1 else None
    if not isinstance(tree, exp.Expression):
        raise ExpressionError("the expression is empty")
    if _depth(tree) > _DEEPEST:
        raise ExpressionError("the expression is nested too deeply", "split it, or write a transform")
    return tree


def offset_of(node: exp.Expression) -> int:
    """Where the node's text begins: the first place that SQLGlot noted in it."""
    return min((n.meta["start"] for n in node.walk() if "start" in n.meta), default=0)


def shown(text: str) -> str:
    """A word of the expression for a message, cut when long."""
    return text if len(text) <= 40 else text[:37] + "…"


def _tokens(text: str) -> list[Token]:
    if len(text) > _LONGEST:
        raise ExpressionError(
            f"an expression may have at most {_LONGEST} characters", "use a concept map for long lists"
        )
    try:
        tokens = _Subset().tokenize(text)
    except (SqlglotError, RecursionError):
        raise ExpressionError(
            "a text is not closed", "every ' needs its partner; inside a text it is doubled", _open_quote(text)
        ) from None
    depth = 0
    for token in tokens:
        depth += (token.token_type is TokenType.L_PAREN) - (token.token_type is TokenType.R_PAREN)
        odd = token.token_type is TokenType.NUMBER and not _NUMBER.fullmatch(token.text)
        if odd or token.token_type not in _TOKENS or token.comments:
            raise ExpressionError(f"`{shown(token.text)}` cannot stand in an expression", _hint(token), token.start)
        if depth > _DEEPEST or len(tokens) > _MOST_TOKENS:
            raise ExpressionError("the expression is too long or nested too deeply", "split it", token.start)
    return tokens


def _open_quote(text: str) -> int:
    """Where the quote opens that is not closed: behind all texts that are."""
    closed = re.match(r"(?:[^']|'(?:[^']|'')*'(?!'))*", text)
    return closed.end() if closed and closed.end() < len(text) else 0


def _hint(token: Token) -> str:
    if token.token_type is TokenType.IDENTIFIER:
        return "write a text as 'text', and a field by its plain name from source.yaml"
    return HINTS.get(token.text, "")


def _syntax_error(error: Exception, tokens: list[Token]) -> ExpressionError:
    places = getattr(error, "errors", None) or [{}]
    line, column = places[0].get("line"), places[0].get("col")
    at = next((t for t in tokens if (t.line, t.col) == (line, column)), tokens[-1] if tokens else None)
    if at is None:
        return ExpressionError("the expression is empty")
    message = f"the expression breaks off or goes wrong at `{shown(at.text)}`"
    return ExpressionError(message, HINTS.get(at.text, ""), at.start)


def _depth(tree: exp.Expr) -> int:
    """Levels of the tree; a chain of and/or counts once."""
    deepest, todo = 0, [(tree, 1)]
    while todo:
        node, depth = todo.pop()
        deepest = max(deepest, depth)
        for child in node.iter_expressions():
            chained = isinstance(node, exp.Connector) and type(child) is type(node)
            todo.append((child, depth if chained else depth + 1))
    return deepest
