"""The pages speak more than English: no text is written into a template or module but as a message, and a catalogue is whole."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import date
from html.parser import HTMLParser
from typing import Any, get_args

import pytest
from babel import Locale
from babel.messages.pofile import read_po

from docs import messages as catalogues
from oncoweave.errors import UsageError
from oncoweave.project import Project, RunFolder
from oncoweave.report.language import (
    LANGUAGES,
    Language,
    day,
    language_named,
    languages,
    limit,
    number,
    percent,
    speaking,
    spoken,
)
from oncoweave.report.page import render
from oncoweave.report.quality_page import quality_page
from oncoweave.report.write import write_pages
from oncoweave.spec.source import Language as InSourceYaml
from tests.report.test_quality_report import full

SHOWN = ("aria-label", "data-label", "title", "alt")
"""Attributes that people read or hear."""
NAMES = re.compile(r"^oncoweave .*$|Oncoweave|SHA-256|\b[a-z]+(?:[._][a-z0-9]+)+\b", re.MULTILINE)
"""What is the same in every language: products, calls, fields and checks."""


class Pseudo(dict[str, tuple[str, ...]]):
    """Has every message, in brackets."""

    def get(self, text: str, default: Any = None) -> Any:
        return (f"⟦{text}⟧",) * 2


PSEUDO = Language("de", Locale.parse("de"), Pseudo(), lambda count: int(count != 1))


class Read(HTMLParser):
    """What people read or hear of a page: one line a text."""

    def __init__(self) -> None:
        super().__init__()
        self.texts: list[str] = []
        self.silent = 0

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.silent += tag in ("style", "pre")
        self.texts += [value for name, value in attrs if name in SHOWN and value]

    def handle_endtag(self, tag: str) -> None:
        self.silent -= tag in ("style", "pre")

    def handle_data(self, data: str) -> None:
        if not self.silent:
            self.texts.append(data)


def outside(page: str) -> str:
    """What of a page is no message: everything that is not within brackets."""
    read = Read()
    read.feed(page)
    depth, kept = 0, []
    for sign in "\n".join(read.texts):
        depth += (sign == "⟦") - (sign == "⟧")
        if not depth and sign != "⟧":
            kept.append(sign)
    assert depth == 0
    return "".join(kept)


def words(value: object) -> Iterator[str]:
    """Every text within a value."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping):
        for key, one in value.items():
            yield from (*words(key), *words(one))
    elif isinstance(value, list | tuple | set | frozenset):
        for one in value:
            yield from words(one)
    elif hasattr(value, "model_dump"):
        yield from words(value.model_dump())
    elif hasattr(value, "__dataclass_fields__"):
        yield from words([getattr(value, name) for name in value.__dataclass_fields__])


def test_no_text_of_the_report_is_hard_coded() -> None:
    of = replace(full(), title="title of it", holder="holder of it")
    with speaking(PSEUDO):
        page = quality_page(of, [])
    left = NAMES.sub(" ", outside(page))
    for told in sorted({text for text in words(of) if text}, key=len, reverse=True):
        left = re.sub(rf"(?<!\w){re.escape(told)}(?!\w)", " ", left)
    assert re.findall(r"[^\W\d_]{3,}", left) == []


@pytest.mark.parametrize("template", ["overview.html", "source.html", "hub.html", "message.html"])
def test_no_text_of_the_small_pages_is_hard_coded(template: str) -> None:
    values: Mapping[str, object] = {
        "sources": [], "source": "", "runs": [], "current": "", "compared": [], "tables": [], "facts": {}, "title": "", "text": "",
    }  # fmt: skip
    with speaking(PSEUDO):
        left = NAMES.sub(" ", outside(render(template, **values)))
    assert re.findall(r"[^\W\d_]{3,}", left) == []


@pytest.mark.parametrize("code", languages()[1:])
def test_a_catalogue_has_every_message_and_no_other(code: str) -> None:
    with (LANGUAGES / f"{code}.po").open("rb") as file:
        catalogue = read_po(file, locale=code)
    there = {
        message.id if isinstance(message.id, str) else tuple(message.id): message for message in catalogue if message.id
    }
    assert there.keys() == catalogues.messages(), "run `make messages`, and translate what is new"
    for said, message in there.items():
        forms = (message.string,) if isinstance(message.string, str) else tuple(message.string or ())
        assert forms and all(forms), said
        for form in forms:
            assert placeholders(form) == placeholders(said if isinstance(said, str) else said[1]), said


def placeholders(text: str) -> set[str]:
    return set(re.findall(r"%\(\w+\)s|\{\w+\}|<code>[^<]*</code>", text))


def test_source_yaml_offers_the_languages_that_there_are() -> None:
    assert get_args(InSourceYaml) == languages()


def test_numbers_and_dates_are_those_of_the_language() -> None:
    assert (number(1234567), percent(0.1234), day(date(2024, 1, 31))) == ("1,234,567", "12.3 %", "31 Jan 2024")
    with speaking(language_named("de")):
        assert (number(1234567), percent(0.1234), limit(0.005)) == ("1.234.567", "12,3 %", "0,5 %")
        assert day(date(2024, 1, 31)) == "31.01.2024"
    assert spoken().code == "en"


def test_little_is_not_rounded_to_nothing() -> None:
    assert [percent(share) for share in (0, 0.0001, 0.5, 0.9999, 1, 1.5)] == [
        "0 %",
        "0.1 %",
        "50.0 %",
        "99.9 %",
        "100 %",
        "150.0 %",
    ]


def test_the_report_speaks_german() -> None:
    with speaking(language_named("de")):
        page = quality_page(full(), [])
    assert '<html lang="de">' in page
    assert "Nicht bestandene Prüfungen" in page and "3 von 100 beurteilten sind fehlerhaft (3,0 %)" in page
    assert "Checks that failed" not in page


def test_the_language_is_that_of_the_call_else_the_environment_else_source_yaml(
    site: tuple[Project, RunFolder], monkeypatch: pytest.MonkeyPatch
) -> None:
    project, run = site
    page = run.path / "report.html"
    write_pages(run, project, "de")
    assert 'lang="de"' in page.read_text(encoding="utf-8")
    monkeypatch.setenv("ONCOWEAVE_LANGUAGE", "de")
    write_pages(run, project, "en")
    assert 'lang="en"' in page.read_text(encoding="utf-8")
    write_pages(run, project)
    assert 'lang="de"' in page.read_text(encoding="utf-8")
    monkeypatch.setenv("ONCOWEAVE_LANGUAGE", "xx")
    with pytest.raises(UsageError, match="no report in the language `xx`"):
        write_pages(run, project)
    monkeypatch.delenv("ONCOWEAVE_LANGUAGE")
    write_pages(run, project)
    assert 'lang="en"' in page.read_text(encoding="utf-8")
