"""Finds the address of a server by the name that source.yaml gives it; no address and no password is in a project."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from oncoweave.errors import UsageError

PREFIX = "ONCOWEAVE_CONNECTION_"


def variable(connection: str) -> str:
    """The environment variable that holds the URL of a connection.

    >>> variable("tumour_registry")
    'ONCOWEAVE_CONNECTION_TUMOUR_REGISTRY'
    """
    return PREFIX + connection.upper()


def address(connection: str, example: str) -> str:
    """The URL of a connection; raises UsageError, with an `example` of one, when nobody has given it."""
    url = os.environ.get(variable(connection), "").strip()
    if not url:
        raise UsageError(
            f"nobody has said where the connection `{connection}` leads",
            mend=f"set {variable(connection)}, as {example}; under Airflow, make a connection `{connection}`",
        )
    return url


@contextmanager
def addresses(urls: Mapping[str, str]) -> Iterator[None]:
    """Give the URLs of connections by their names for the time of the block; what the environment says already wins."""
    given = {variable(name): url for name, url in urls.items() if not os.environ.get(variable(name))}
    os.environ.update(given)
    try:
        yield
    finally:
        for name in given:
            os.environ.pop(name, None)
