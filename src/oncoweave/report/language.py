"""The language of a page: its messages, numbers and dates. English is the key of every message; a catalogue translates it.

Everything of `report/` that people read goes through `_` or `ngettext`. The language holds for a block (`speaking`), so that
a text is made where its facts are known and no function has to hand the language on. Catalogues are languages/<code>.po.
"""

from __future__ import annotations

import gettext as plurals
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from datetime import date
from functools import cache
from pathlib import Path

from babel import Locale
from babel.dates import format_date
from babel.messages.pofile import read_po
from babel.numbers import format_decimal

LANGUAGES = Path(__file__).parent / "languages"
ENGLISH = "en"
_LOCALES = {ENGLISH: "en_150"}
"""English as it is written in Europe: 1 January 1990."""


@dataclass(frozen=True)
class Language:
    """A language: its code, how it writes numbers and dates, and its messages by their English text."""

    code: str
    locale: Locale
    messages: Mapping[str, tuple[str, ...]]
    plural: Callable[[int], int]

    def one(self, text: str) -> str:
        """The message in this language; as it is where the catalogue lacks it."""
        return self.messages.get(text, (text,))[0]

    def many(self, one: str, many: str, count: int) -> str:
        """The message for so many."""
        forms = self.messages.get(one)
        return (one if count == 1 else many) if forms is None else forms[self.plural(count)]


def language_named(code: str) -> Language:
    """The language with this code.

    Raises KeyError when there is no catalogue for it.
    """
    if code not in languages():
        raise KeyError(code)
    return _read(code)


@cache
def languages() -> tuple[str, ...]:
    """The codes of the languages that a report can be written in."""
    return (ENGLISH, *sorted(path.stem for path in LANGUAGES.glob("*.po")))


@cache
def _read(code: str) -> Language:
    locale = Locale.parse(_LOCALES.get(code, code))
    if code == ENGLISH:
        return Language(code, locale, {}, lambda count: int(count != 1))
    with (LANGUAGES / f"{code}.po").open("rb") as file:
        catalogue = read_po(file, locale=code)
    messages: dict[str, tuple[str, ...]] = {}
    for message in catalogue:
        first, *_others = [message.id] if isinstance(message.id, str) else message.id
        forms = (message.string or "",) if isinstance(message.string, str | None) else tuple(message.string)
        if first and all(forms) and not message.fuzzy:
            messages[first] = forms
    return Language(code, locale, messages, plurals.c2py(catalogue.plural_expr))


_SPOKEN: ContextVar[Language | None] = ContextVar("language", default=None)


@contextmanager
def speaking(language: Language) -> Iterator[None]:
    """Let the texts that are made in the block be in `language`."""
    before = _SPOKEN.set(language)
    try:
        yield
    finally:
        _SPOKEN.reset(before)


def spoken() -> Language:
    """The language in which texts are made now; English unless something else was said."""
    return _SPOKEN.get() or _read(ENGLISH)


def _(text: str) -> str:
    """The message in the language that is spoken."""
    return spoken().one(text)


def ngettext(one: str, many: str, count: int) -> str:
    """The message for so many; `{count}` in it is the number, as the language writes it."""
    return spoken().many(one, many, count).replace("{count}", number(count))


def N_(text: str) -> str:  # noqa: N802  the name by which gettext's tools know it
    """Mark a message that is translated where it is shown."""
    return text


def number(value: float | None) -> str:
    """A count as the language writes it; a dash where there is none."""
    return "–" if value is None else str(format_decimal(value, locale=spoken().locale))


def percent(share: float) -> str:
    """A share (0–1) in percent; what is little is not rounded to nothing, nor nearly all to all."""
    if share in (0, 1):
        return f"{share * 100:.0f} %"
    shown = min(max(share * 100, 0.1), 99.9) if 0 < share < 1 else share * 100
    return f"{format_decimal(round(shown, 1), format='0.0', locale=spoken().locale)} %"


def limit(share: float) -> str:
    """A threshold (0–1) in percent, with no more digits than it has."""
    return f"{format_decimal(float(f'{share * 100:.4g}'), locale=spoken().locale)} %"


def day(when: date) -> str:
    """A day as the language writes it."""
    return str(format_date(when, format="medium", locale=spoken().locale))


def month(when: date) -> str:
    """The month of a day, as the language writes it."""
    return str(format_date(when, format="MMM y", locale=spoken().locale))
