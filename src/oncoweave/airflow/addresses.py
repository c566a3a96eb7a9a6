"""Where the API server has the pages of a run."""

from __future__ import annotations

from urllib.parse import quote, urlsplit

from airflow.configuration import conf

from oncoweave.project import RunFolder

PREFIX = "/oncoweave"
"""Where the API server has the pages."""


def address_of(run: RunFolder, page: str) -> str:
    """The address of a page of a run, on the server that shows it."""
    root = urlsplit(conf.get("api", "base_url", fallback="/") or "/").path.rstrip("/")
    return f"{root}{PREFIX}/sources/{quote(run.source, safe='')}/{quote(run.run_id, safe='')}/{page}"
