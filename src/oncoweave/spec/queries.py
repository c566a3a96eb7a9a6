"""Reads the query files of a source (sql/*.sql), and refuses whatever is not one SELECT that only reads.

The server is asked inside a read-only transaction as well; this is the first of two bolts, and the one that can name the
line.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

import sqlglot
from sqlglot import exp
from sqlglot.errors import ParseError, TokenError
from sqlglot.tokenizer_core import Token, TokenType

from oncoweave.errors import Problem, SpecError, nearest
from oncoweave.spec.document import LINE_BREAK, line_of, read_text, shown_name

MOST_BYTES = 200_000
DIALECTS = MappingProxyType({
    "postgresql": "postgres", "mysql": "mysql", "mariadb": "mysql", "mssql": "tsql", "oracle": "oracle",
    "sqlite": "sqlite", "duckdb": "duckdb",
})  # fmt: skip
"""How SQLGlot calls the SQL of each kind of server."""
_STARTS = (TokenType.SELECT, TokenType.WITH, TokenType.L_PAREN)
_BEFORE_SLICE = (TokenType.NUMBER, TokenType.VAR, TokenType.R_BRACKET, TokenType.R_PAREN)
_WRITES = (exp.DML, exp.DDL, exp.Into, exp.Lock, exp.Command, exp.Set)
_MEND = "a query may only read: write one SELECT, with its steps in WITH"
_REFUSED = re.compile(
    r"pg_(read|ls|stat_file|terminate|cancel|reload|rotate|promote|switch|advisory|try_advisory|create|drop|logical|sleep)\w*"
    r"|lo_\w+|dblink\w*|set_config|query_to_xml\w*|load_extension|writefile|readfile|read_\w+|parquet_\w+|sniff_csv|glob"
    r"|xp_\w+|openrowset|openquery|load_file|sleep|benchmark|utl_\w+|dbms_\w+",
    re.IGNORECASE,
)
"""Functions that reach beyond the database, or hold or change something in the server."""


@dataclass(frozen=True)
class Query:
    """A SELECT of a source: how source.yaml and messages name it, its text, and where its parameters stand in it.

    The text starts where its file does, so that a line of it is a line of the file, and has no semicolon at its end.
    """

    name: str
    shown: str
    text: str
    parameters: tuple[tuple[str, int, int], ...] = ()
    is_file: bool = True

    def problem(self, message: str, start: int, mend: str = "", code: str = "query") -> Problem:
        """A problem at the character `start` of the text."""
        before = LINE_BREAK.split(self.text[:start])
        source = line_of(LINE_BREAK.split(self.text), len(before))
        return Problem(self.shown, len(before), len(before[-1]) + 1, code, message, mend, source)

    def place_of(self, sent: int) -> int:
        """Where a character stands of which the server says that it is the `sent`; it was sent $1 for the first parameter."""
        numbers: dict[str, int] = {}
        shorter = 0
        for name, start, end in self.parameters:
            number = f"${numbers.setdefault(name, len(numbers) + 1)}"
            if sent + shorter < start:
                break
            if sent + shorter < start + len(number):
                return start
            shorter += end - start - len(number)
        return min(max(0, sent + shorter), len(self.text))

    def with_parameters(self, written: str, escape: str = "", escaped: str = "") -> str:
        """The text with each parameter as `written` formats its name, and `escape` outside of them as `escaped`."""
        parts, at = [], 0
        for name, start, end in self.parameters:
            parts += [self.text[at:start].replace(escape, escaped) if escape else self.text[at:start]]
            parts += [written.format(name)]
            at = end
        rest = self.text[at:]
        return "".join([*parts, rest.replace(escape, escaped) if escape else rest])


def read_query(folder: Path, root: Path, name: str, server: str, parameters: Collection[str]) -> Query:
    """The query in the file `name` of a source's folder, in the SQL of `server`; `parameters` are the names it may use.

    Raises SpecError, each problem with its line, for a file that is not there, that cannot be parsed, that has no or several
    statements, that writes or locks, or that calls a function which reaches beyond the database.
    """
    path = folder / name
    if not path.resolve().is_relative_to((folder / "sql").resolve()):
        message = f"`{name}` leads out of the folder sql/ of the source"
        raise SpecError(message, problems=[Problem(shown_name(path, root), 1, 1, "query", message, "move the file")])
    text = read_text(path, root, MOST_BYTES)
    query = Query(name, shown_name(path, root), text)
    try:
        tokens = sqlglot.tokenize(text, read=DIALECTS[server])
    except TokenError:
        raise _refused(query, [_unclosed(query)]) from None
    tokens = _without_semicolon(tokens)
    problems = _problems_of_form(query, tokens)
    if problems:
        raise _refused(query, problems)
    query = Query(name, query.shown, text[: tokens[-1].end + 1], tuple(_parameters(tokens)))
    tree = _parsed(query, server)
    problems = [
        *_writes(query, tree, tokens),
        *_functions(query, tree, tokens),
        *_without_value(query, tree, parameters),
    ]
    if problems:
        raise _refused(query, problems)
    return query


def whole_table(name: str, server: str) -> Query:
    """The query of all columns and rows of the table `name`, which may have its schema before it."""
    table = exp.Table(**dict(zip(("this", "db", "catalog"), map(_quoted, reversed(name.split("."))), strict=False)))
    return Query(name, name, exp.select("*").from_(table).sql(dialect=DIALECTS[server]), is_file=False)


def _quoted(name: str) -> exp.Identifier:
    return exp.to_identifier(name, quoted=True)


def _refused(query: Query, problems: list[Problem]) -> SpecError:
    return SpecError(f"{query.shown} is not a query that can be asked", problems=sorted(set(problems)))


def _without_semicolon(tokens: list[Token]) -> list[Token]:
    while tokens and tokens[-1].token_type is TokenType.SEMICOLON:
        tokens = tokens[:-1]
    return tokens


def _unclosed(query: Query) -> Problem:
    """The problem of a text that is not closed: SQLGlot does not say where it begins, so the last line that could is named."""
    starts = [match.start() for match in re.finditer(r"['\"`]|/\*|\$\w*\$", query.text)]
    message = "a text in quotes, or a comment, is not closed"
    return query.problem(message, starts[-1] if starts else 0, "close it, or double a quote inside a text")


def _problems_of_form(query: Query, tokens: list[Token]) -> list[Problem]:
    if not tokens:
        return [query.problem("the file holds no query", 0, "write one SELECT")]
    second = next((number for number, token in enumerate(tokens) if token.token_type is TokenType.SEMICOLON), None)
    if second is not None:
        start = tokens[second + 1].start if second + 1 < len(tokens) else tokens[second].start
        return [query.problem("a second statement begins here", start, "write one SELECT in a file")]
    if tokens[0].token_type not in _STARTS:
        return [query.problem(f"`{tokens[0].text.upper()}` is not a query", tokens[0].start, _MEND)]
    return []


def _parsed(query: Query, server: str) -> exp.Query | exp.DML:
    try:
        tree = sqlglot.parse_one(query.text, read=DIALECTS[server])
    except ParseError as error:
        at = error.errors[0]
        lines = query.text.split("\n")
        line = int(at["line"] or 1)
        column = max(1, int(at["col"] or 1) - len(at["highlight"] or "") + 1)
        start = sum(len(text) + 1 for text in lines[: line - 1]) + column - 1
        said = str(at["description"]).rstrip(".").replace("Invalid expression / Unexpected token", "not expected here")
        mend = f"this is read as the SQL of {server}: is `server` in source.yaml right?"
        raise _refused(query, [query.problem(f"`{at['highlight']}`: {said}", start, mend)]) from None
    if not isinstance(tree, (exp.Query, exp.DML)):
        raise _refused(query, [query.problem("this is not a query", 0, _MEND)])
    return tree


def _writes(query: Query, tree: exp.Query | exp.DML, tokens: list[Token]) -> Iterator[Problem]:
    """Every part of the tree that writes or locks, at the word that says so."""
    words: dict[type, str] = {exp.Into: "INTO", exp.Lock: "FOR", exp.Set: "SET"}
    for node in tree.walk():
        if isinstance(node, _WRITES):
            word = words.get(type(node), type(node).__name__.upper())
            what = "locks rows" if isinstance(node, exp.Lock) else "writes"
            yield query.problem(f"`{word}` {what}", _place(word, tokens), _MEND)


def _functions(query: Query, tree: exp.Query | exp.DML, tokens: list[Token]) -> Iterator[Problem]:
    for node in tree.find_all(exp.Func):
        name = node.name if isinstance(node, exp.Anonymous) else node.sql_name()
        if _REFUSED.fullmatch(name):
            message = f"`{name}` reaches beyond the tables, or holds or changes something in the server"
            yield query.problem(message, _place(name, tokens), "read tables and views only")


def _place(word: str, tokens: list[Token]) -> int:
    return next((token.start for token in tokens if token.text.casefold() == word.casefold()), 0)


def _parameters(tokens: list[Token]) -> Iterator[tuple[str, int, int]]:
    """Each `:name` with where it starts and ends: a sign that the name follows at once, and that is not of a slice."""
    for before, sign, name in zip([None, *tokens], tokens, tokens[1:], strict=False):
        is_slice = before is not None and before.end + 1 == sign.start and before.token_type in _BEFORE_SLICE
        named = sign.token_type is TokenType.COLON and sign.end + 1 == name.start and name.text.isidentifier()
        if named and not is_slice:
            yield name.text, sign.start, name.end + 1


def _without_value(query: Query, tree: exp.Query | exp.DML, known: Collection[str]) -> Iterator[Problem]:
    """Every parameter that nothing is known of, also where it has no name."""
    for name, start, _ in query.parameters:
        if name not in known:
            yield query.problem(f"there is no parameter `{name}`", start, nearest(name, known) or "write the value out")
    named = {name for name, _, _ in query.parameters}
    if any(node.name not in named for node in tree.find_all(exp.Placeholder, exp.Parameter)):
        yield query.problem("a parameter has no name", 0, "name it, as :delivery_date, and give it under `parameters`")
