"""Brings the message catalogues of the pages in step with the code: what is new is added without a translation, what is gone is removed.

`make messages` runs it; a test fails when a catalogue lacks a message or has one that nothing says.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

from babel.messages.catalog import Catalog
from babel.messages.extract import extract_from_file
from babel.messages.pofile import read_po, write_po

from oncoweave.report.language import LANGUAGES

REPORT = LANGUAGES.parent
KEYWORDS = {"_": None, "gettext": None, "ngettext": (1, 2), "N_": None}
Message = str | tuple[str, str]
_NO_CLOCK = datetime(2026, 1, 1, tzinfo=UTC)
"""A catalogue says no time, so that the same messages give the same bytes; the format asks for one."""


def messages() -> set[Message]:
    """Every message that the templates and modules of the pages say; of a plural, both of its English forms."""
    return set(_extracted())


def update(path: Path) -> Catalog:
    """The catalogue in a file with exactly the messages that are said."""
    with path.open("rb") as file:
        before = read_po(file, locale=path.stem)
    after = Catalog(
        locale=path.stem, header_comment=before.header_comment, project="oncoweave", version="pages", fuzzy=False,
        msgid_bugs_address="", last_translator="", language_team="", creation_date=_NO_CLOCK, revision_date=_NO_CLOCK,
    )  # fmt: skip
    for message in sorted(messages(), key=str):
        first = message if isinstance(message, str) else message[0]
        known = before.get(first)
        is_the_same = known is not None and known.id == message
        after.add(message, string=known.string if known is not None and is_the_same else None)
    return after


def main() -> None:
    """Write every catalogue anew."""
    for path in sorted(LANGUAGES.glob("*.po")):
        catalogue = update(path)
        with path.open("wb") as file:
            write_po(file, catalogue, width=0, omit_header=False, sort_output=True)


def _extracted() -> Iterator[Message]:
    python = sorted(REPORT.glob("*.py"))
    for path in (*python, *sorted((REPORT / "templates").rglob("*.html"))):
        method, options = ("python", {}) if path in python else (
            "jinja2.ext:babel_extract", {"trimmed": "true", "newstyle_gettext": "true"}
        )  # fmt: skip
        for _line, message, _comments, _context in extract_from_file(
            method, str(path), keywords=KEYWORDS, options=options
        ):
            yield message if isinstance(message, str) else (message[0], message[1])


if __name__ == "__main__":
    main()
