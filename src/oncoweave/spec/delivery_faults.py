"""What is wrong with a delivery from a server in a source.yaml, beyond the form of its keys."""

from __future__ import annotations

import re
from collections.abc import Iterator
from urllib.parse import urlsplit

from oncoweave.errors import Problem
from oncoweave.spec.document import Document, Loc, Value

LOOPBACK = ("127.0.0.1", "localhost")
PATTERN_SIGNS = re.compile(r"[*?\[]")


def delivery_problems(document: Document) -> list[Problem]:
    """Every problem of how the delivery and the tables of a source.yaml go together."""
    return [
        *_formats(document),
        *_queries_twice(document),
        *_removed_files(document),
        *_reserved_parameter(document),
        *_unencrypted(document),
        *_unlisted(document),
        *_names_outside(document),
    ]


def _formats(document: Document) -> Iterator[Problem]:
    by = document.get(("delivery", "by"))
    for loc, written in document.each("tables", "*", "format"):
        if by == "database" and written in ("csv", "parquet", "excel"):
            message = f"a database gives no {written} files"
            yield document.problem("format", message, loc, help="write `format: sql` with `query` or `table`")
        if by in ("folder", "wheel", "download") and written == "sql":
            message = f"`format: sql` is for a database, and the delivery is `by: {by}`"
            yield document.problem("format", message, loc, help="write `by: database` under `delivery`")


def _queries_twice(document: Document) -> Iterator[Problem]:
    """Two tables of one query could be sorted by different keys, and a row is known by its query and its number."""
    for key in ("query", "table"):
        first: dict[str, Loc] = {}
        for loc, written in document.each("tables", "*", key):
            if isinstance(written, str) and written in first:
                mend = "give each its own, or make one table of them"
                where = document.where(first[written], loc)
                yield document.problem("query", f"another table reads `{written}`, in {where}", loc, help=mend)
            if isinstance(written, str):
                first.setdefault(written, loc)


def _removed_files(document: Document) -> Iterator[Problem]:
    for loc, written in document.each("tables", "*", "removed", "files"):
        if document.get((*loc[:2], "format")) == "sql" and written is not None:
            message = "a database has no files of removed rows"
            yield document.problem(
                "removed", message, loc, help="leave them out in the query, or give `field` and `codes`"
            )


def _reserved_parameter(document: Document) -> Iterator[Problem]:
    loc: Loc = ("delivery", "parameters", "delivery_date")
    if document.get(loc) is not None:
        mend = "leave it out: it is the delivery's `date`"
        yield document.problem("parameter", "`delivery_date` is there by itself", loc, help=mend, at="key")


def _unencrypted(document: Document) -> Iterator[Problem]:
    loc: Loc = ("delivery", "url")
    url = document.get(loc)
    if isinstance(url, str) and url.startswith("http://") and urlsplit(url).hostname not in LOOPBACK:
        message = "patients' data are not fetched without encryption"
        yield document.problem("address", message, loc, help="write https://; http:// is for this machine only")


def _unlisted(document: Document) -> Iterator[Problem]:
    """A web server has no list of its files, so a pattern needs one of checksums."""
    url = document.get(("delivery", "url"))
    listed = document.get(("delivery", "checksums")) or document.get(("delivery", "sha256"))
    if listed or not (isinstance(url, str) and url.startswith("http")):
        return
    for place in (("files",), ("removed", "files")):
        for loc, pattern in document.each("tables", "*", *place):
            if isinstance(pattern, str) and PATTERN_SIGNS.search(pattern):
                message = "a web server does not say which files fit a pattern"
                mend = "name the file, or list the files by `checksums` or `sha256` under `delivery`"
                yield document.problem("files", message, loc, help=mend)


def _names_outside(document: Document) -> Iterator[Problem]:
    named: list[tuple[Loc, Value | int]] = [(("delivery", "checksums"), document.get(("delivery", "checksums")))]
    named += [(loc, loc[-1]) for loc, _ in document.each("delivery", "sha256", "*")]
    for loc, name in named:
        if isinstance(name, str) and (name.startswith("/") or ".." in name.split("/")):
            mend = "name the file as it lies in the folder"
            yield document.problem("path", f"`{name}` leads out of the delivery", loc, help=mend, at="key")
