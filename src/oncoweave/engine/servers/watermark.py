"""Whether a database has something new: the value of a query, known by a keyed hash, never by itself."""

from __future__ import annotations

import hashlib
import hmac

from oncoweave.engine.arrived import Entry, Lying
from oncoweave.engine.servers.connections import address
from oncoweave.engine.servers.database import EXAMPLE, ask
from oncoweave.project import Project
from oncoweave.spec.delivery import DatabaseDelivery
from oncoweave.spec.source import Source
from oncoweave.spec.source_queries import queries_of

NAME = "watermark"


def watermark(project: Project, source: Source) -> Lying:
    """What the database says now, as a delivery that is known by it.

    The hash is keyed with the address of the database, which is secret: a day or a number could be found by trying.
    Raises SpecError for a query that is none, SourceUnreachable when the database does not answer.
    """
    delivery, query = source.delivery, queries_of(project, source).watermark
    assert isinstance(delivery, DatabaseDelivery)
    assert query is not None
    value = ask(project, source, query)
    place = project.source_folder(source.source)
    if value is None:
        return Lying(NAME, place, None, fault=f"{query.shown} gives no value: there is nothing yet")
    key = address(delivery.connection, EXAMPLE).encode()
    digest = hmac.new(key, value.encode(), hashlib.sha256).hexdigest()
    return Lying(NAME, place, None, (Entry(digest, 0, 0, 0),))
