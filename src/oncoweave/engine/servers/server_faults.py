"""Tells what a database said in our words: whether a retry may help, and where to mend; no address, password or value.

A server's message may hold a patient's value ("invalid input for integer: …"). It is repeated only where it speaks of the
query's own text: of names that are not there, and of syntax.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from oncoweave.errors import DataError, EnvironmentFault, OncoweaveError, SourceUnreachable, SpecError, UsageError
from oncoweave.spec.queries import Query

_AGAIN = "look whether the server runs and lets this user in, then try again"
_TRANSIENT = {
    "08": "the connection was lost",
    "28": "it does not accept the user or the password",
    "3D": "it has no such database now",
    "40": "it gave up the snapshot, because of other sessions",
    "53": "it has no room for another session, or no memory or disk",
    "55": "another session has locked a table",
    "57": "it was stopped, or it ended the session",
    "58": "its disk failed",
}
_SAID_AT_CONNECT = {
    "refused": "nothing listens there",
    "could not translate host name|resolve|getaddrinfo|Name or service": "its name is not known",
    "timeout|timed out": "it does not answer",
    "authentication failed|no pg_hba|role .* does not exist|no password|Access denied": _TRANSIENT["28"],
    "certificate|SSL|TLS": "the encrypted connection failed",
    "starting up|shutting down|recovery": "it is starting or stopping",
    "too many": _TRANSIENT["53"],
    "unable to open database file|Cannot open file|does not exist": "it has no such database now",
    "locked": _TRANSIENT["55"],
}
_NAMES = re.compile(
    r"no such (?:table|column|function): \S+|near \"[^\"]*\": syntax error|Table with name \S+ does not exist"
    r"|Referenced column \"[^\"]*\" not found|attempt to write a readonly database"
)
"""What SQLite and DuckDB say of a query's own names."""

_WRONG_OPTION = re.compile(r"invalid (?:URI query parameter|connection option|\w+ value)", re.IGNORECASE)
"""What PostgreSQL's driver says of an option in the URL, before it looks for the server."""


@dataclass(frozen=True)
class Asking:
    """What is being asked: the connection's name, the kind of server, the query, and how much stands before its text."""

    connection: str
    server: str
    query: Query | None = None
    front: int = 0
    timeout: int = 0

    @property
    def about(self) -> str:
        """The server in words."""
        return f"the {self.server} server of the connection `{self.connection}`"


@contextmanager
def told(asking: Asking) -> Iterator[None]:
    """Turns what SQLAlchemy and the drivers raise in the block into ours."""
    import sqlalchemy.exc

    drivers: tuple[type[BaseException], ...] = (sqlalchemy.exc.SQLAlchemyError,)
    try:
        import psycopg
    except ImportError:
        pass
    else:
        drivers = (*drivers, psycopg.Error)
    try:
        yield
    except ModuleNotFoundError as error:
        raise _no_driver(asking, str(error.name)) from None
    except drivers as error:
        raise _ours(error, asking) from None


def unreadable(asking: Asking) -> UsageError:
    """That the URL is none; it is not shown."""
    return UsageError(
        f"the URL of the connection `{asking.connection}` cannot be read, or names an unknown driver or option",
        mend=f"write it as {asking.server}://user:password@host/database; signs such as @ and / in a password as %40, %2F",
    )


def _no_driver(asking: Asking, module: str) -> OncoweaveError:
    extra = "install oncoweave[postgres]" if module.startswith("psycopg") else f"install {module}"
    return EnvironmentFault(f"the driver `{module}` for {asking.about} is not installed", mend=extra)


def _ours(error: BaseException, asking: Asking) -> OncoweaveError:
    import sqlalchemy.exc

    if isinstance(error, (sqlalchemy.exc.ArgumentError, sqlalchemy.exc.NoSuchModuleError)):
        return unreadable(asking)
    original = getattr(error, "orig", None) or error
    state = getattr(original, "sqlstate", None)
    if state:
        return _by_state(str(state), original, asking)
    return _by_class(error, original, asking)


def _by_state(state: str, error: BaseException, asking: Asking) -> OncoweaveError:
    if state == "57014" and asking.query:
        return SourceUnreachable(
            f"{asking.query.shown}: the server took longer than {asking.timeout} seconds",
            mend="make the query cheaper, raise `timeout` in source.yaml, or try again when the server is idle",
        )
    if state[:2] in _TRANSIENT:
        return SourceUnreachable(f"{asking.about}: {_TRANSIENT[state[:2]]}", mend=_AGAIN)
    if state == "42501" and asking.query:
        return _at(asking, 0, f"the server refuses: {_first_line(error)}", "ask for the right to SELECT from it")
    if state == "25006" and asking.query:
        return _at(asking, 0, "the query writes, which the server refuses in this session", "a query may only read")
    if state[:2] in ("42", "0A") and asking.query:
        diagnosed = getattr(error, "diag", None)
        position = int(getattr(diagnosed, "statement_position", None) or 0)
        hint = str(getattr(diagnosed, "message_hint", None) or "")
        start = asking.query.place_of(position - 1 - asking.front) if position else 0
        return _at(asking, start, f"the server says: {_first_line(error)}", hint)
    kind = re.sub(r"(?<!^)(?=[A-Z])", " ", type(error).__name__).lower()
    if asking.query is None:
        return _no_session(asking, f"{kind}, {state}")
    return DataError(
        f"{asking.query.shown}: the server cannot answer on its data ({kind}, {state})",
        mend="look for the rows that the query cannot be computed on; the server's log names the value",
    )


def _by_class(error: BaseException, original: BaseException, asking: Asking) -> OncoweaveError:
    """For drivers that give no SQLSTATE."""
    import sqlalchemy.exc

    said = _NAMES.search(str(original))
    if said and asking.query:
        return _at(asking, 0, f"the server says: {said[0]}")
    if isinstance(error, sqlalchemy.exc.ProgrammingError) and asking.query:
        return _at(asking, 0, f"the server does not take the query ({type(original).__name__})")
    if asking.query is None and _WRONG_OPTION.search(str(original)):
        return unreadable(asking)
    lost = (sqlalchemy.exc.OperationalError, sqlalchemy.exc.InterfaceError, sqlalchemy.exc.TimeoutError)
    is_lost = isinstance(error, lost) or type(error).__module__.startswith("psycopg")
    if is_lost and "decode to UTF-8" not in str(original):
        reason = next((words for said, words in _SAID_AT_CONNECT.items() if re.search(said, str(original), re.I)), "")
        return SourceUnreachable(f"{asking.about} cannot be read: {reason or 'the connection was lost'}", mend=_AGAIN)
    if asking.query is None:
        return _no_session(asking, type(original).__name__)
    return DataError(
        f"{asking.query.shown}: the server cannot answer on its data ({type(original).__name__})",
        mend="look for the rows that the query cannot be computed on",
    )


def _no_session(asking: Asking, kind: str) -> UsageError:
    return UsageError(
        f"{asking.about} does not open a read-only session ({kind})",
        mend="is `server` in source.yaml right? the server's log tells more",
    )


def _at(asking: Asking, start: int, message: str, mend: str = "") -> SpecError:
    assert asking.query
    if not asking.query.is_file:
        return SpecError(f"table `{asking.query.name}`: {message}", mend=mend or "correct `table` in source.yaml")
    mend = mend or "correct the query"
    return SpecError(f"{asking.query.shown}: {message}", problems=[asking.query.problem(message, start, mend)])


def _first_line(error: BaseException) -> str:
    diagnosed = getattr(error, "diag", None)
    text = getattr(diagnosed, "message_primary", None) or str(error)
    return str(text).splitlines()[0]
