"""A specification file is read as text with places; what is hostile is refused at once."""

from __future__ import annotations

import time
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from oncoweave.errors import SpecError
from oncoweave.spec.document import Document, parse_document, read_document

HERE = Path("/project")
UNTIMED = settings(deadline=None)  # a busy machine is no failure
PLAIN = st.from_regex(r"[A-Za-z0-9.+_][A-Za-z0-9.+_/-]{0,20}", fullmatch=True).filter(lambda text: text != "null")


def document(text: str) -> Document:
    return parse_document(text, HERE / "mapping.yaml", HERE)


def double_quoted(text: str) -> str:
    plain = "".join(c if c.isascii() and c.isprintable() and c not in '"\\' else f"\\U{ord(c):08X}" for c in text)
    return f'"{plain}"'


@UNTIMED
@given(st.text(alphabet=st.characters(exclude_categories=["Cs"])))
def test_any_quoted_text_survives_verbatim(text: str) -> None:
    read = document(f"a: {double_quoted(text)}\nb: [{double_quoted(text)}]\n").data
    assert read == {"a": text, "b": [text]}


@UNTIMED
@given(PLAIN)
def test_any_plain_word_survives_verbatim(word: str) -> None:
    assert document(f"a: {word}\nb: [x, {word}]\nc: {{{word}: x}}\n").data == {
        "a": word,
        "b": ["x", word],
        "c": {word: "x"},
    }


@UNTIMED
@given(st.text(alphabet=st.characters(categories=["L", "N", "P", "S"]), min_size=1))
def test_any_single_quoted_text_survives_verbatim(text: str) -> None:
    quoted = text.replace("'", "''")
    assert document(f"a: '{quoted}'\n").data == {"a": text}


@pytest.mark.parametrize(
    "written",
    [
        "007",
        "NO",
        "yes",
        "True",
        "1e5",
        "0x1F",
        "0o17",
        "1_000",
        "2001-01-01",
        "12:30:00",
        ".5",
        "NULL",
        "nan",
        "=",
        "<<",
        "1.10",
    ],
)
def test_what_yaml_would_convert_stays_as_written(written: str) -> None:
    assert document(f"a: {written}").data == {"a": written}


@pytest.mark.parametrize("written", ["", "~", "null"])
def test_nothing_is_none_unless_quoted(written: str) -> None:
    assert document(f"a: {written}\nb: '{written}'").data == {"a": None, "b": written}


def test_a_file_of_comments_is_none() -> None:
    assert document("# nothing\n").data is None


TEXT = """\
a:
  - {b: 'it''s x', c: "a\\u0041\\nb"}
  -
    d: x y z
e:
f: |
  first
  second
"""


@pytest.mark.parametrize(
    ("loc", "value", "key"),
    [
        ((), (1, 1), (1, 1)),
        (("a",), (2, 3), (1, 1)),
        (("a", 0), (2, 5), (2, 5)),
        (("a", 0, "b"), (2, 9), (2, 6)),
        (("a", 1, "d"), (4, 8), (4, 5)),
        (("e",), (5, 1), (5, 1)),
        (("f",), (6, 4), (6, 1)),
        (("a", 0, "missing"), (2, 5), (2, 5)),
        (("a", 1, "d", "deeper"), (4, 5), (4, 5)),
        (("a", 7), (1, 1), (1, 1)),
        (("e", "missing"), (5, 1), (5, 1)),
        (("missing", "too"), (1, 1), (1, 1)),
    ],
)
def test_places_are_of_the_value_or_of_the_key_that_should_hold_it(
    loc: tuple[str | int, ...], value: tuple[int, int], key: tuple[int, int]
) -> None:
    assert (document(TEXT).place(loc), document(TEXT).place_of_key(loc)) == (value, key)


@pytest.mark.parametrize(
    ("loc", "offset", "column"),
    [
        (("a", 1, "d"), 0, 8),
        (("a", 1, "d"), 2, 10),
        (("a", 0, "b"), 2, 12),
        (("a", 0, "b"), 5, 16),
        (("a", 0, "c"), 2, 31),
        (("f",), 3, 4),
    ],
)
def test_an_offset_counts_characters_of_the_value_as_it_is_written(
    loc: tuple[str | int, ...], offset: int, column: int
) -> None:
    assert document(TEXT).problem("x", "m", loc, offset=offset).column == column


def test_values_are_found_by_pattern() -> None:
    found = list(document("t: {p: {fields: [a, b]}, q: {fields: [c]}, r: x}").each("t", "*", "fields", "*"))
    assert found == [(("t", "p", "fields", 0), "a"), (("t", "p", "fields", 1), "b"), (("t", "q", "fields", 0), "c")]


BOMB = "a: &a [x, x]\n" + "".join(
    f"{chr(98 + n)}: &{chr(98 + n)} [*{chr(97 + n)}, *{chr(97 + n)}]\n" for n in range(24)
)


@pytest.mark.parametrize(
    ("text", "code"),
    [
        pytest.param(BOMB, "yaml-anchor", id="alias bomb"),
        pytest.param("a: *b\n", "yaml-alias", id="alias"),
        pytest.param("a: !!python/object/apply:os.system ['ls']\n", "yaml-tag", id="python object"),
        pytest.param("!local {a: b}\n", "yaml-tag", id="local tag"),
        pytest.param("[" * 20_000, "yaml-depth", id="deep flow"),
        pytest.param("- " * 20_000, "yaml-depth", id="deep block"),
        pytest.param("a: " + "x" * 10_000_000, "too-large", id="10 MB"),
        pytest.param("a: \x00\n", "yaml-character", id="null byte"),
        pytest.param("a: \x1b[31m\n", "yaml-character", id="escape sequence"),
        pytest.param("? [a, b]\n: c\n", "yaml-key", id="a list as key"),
        pytest.param(": c\n", "yaml-key", id="no key"),
    ],
)
def test_hostile_yaml_is_refused_within_a_second(text: str, code: str, tmp_path: Path) -> None:
    file = tmp_path / "mapping.yaml"
    file.write_text(text, encoding="utf-8")
    start = time.process_time()
    with pytest.raises(SpecError) as caught:
        read_document(file, tmp_path)
    assert time.process_time() - start < 1
    assert [p.code for p in caught.value.problems] == [code]


@pytest.mark.parametrize(
    ("raw", "place", "phrase"),
    [
        (b"a: b\nc: \xe9\n", (2, 4), "this character is not UTF-8"),
        ("a: b\n".encode("utf-16"), (1, 1), "the file is UTF-16"),
    ],
)
def test_a_file_that_is_not_utf8_is_refused_at_its_first_wrong_byte(
    raw: bytes, place: tuple[int, int], phrase: str, tmp_path: Path
) -> None:
    (tmp_path / "a.yaml").write_bytes(raw)
    with pytest.raises(SpecError) as caught:
        read_document(tmp_path / "a.yaml", tmp_path)
    problem = caught.value.problems[0]
    assert ((problem.line, problem.column), problem.code) == (place, "not-utf8")
    assert phrase in problem.message


def test_a_byte_order_mark_and_windows_line_ends_do_not_matter(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_bytes(b"\xef\xbb\xbfa: b\r\nc: d\r\n")
    read = read_document(tmp_path / "a.yaml", tmp_path)
    assert (read.data, read.place(("c",)), read.line(2)) == ({"a": "b", "c": "d"}, (2, 4), "c: d")


def test_a_missing_file_is_named_from_the_project(tmp_path: Path) -> None:
    with pytest.raises(SpecError) as caught:
        read_document(tmp_path / "mappings" / "mapping.yaml", tmp_path)
    problem = caught.value.problems[0]
    assert (problem.file, problem.code) == ("mappings/mapping.yaml", "no-file")


def test_all_duplicate_keys_are_told() -> None:
    with pytest.raises(SpecError) as caught:
        document("a: 1\na: 2\nb: {c: 1, c: 2}\n")
    assert [(p.line, p.column) for p in caught.value.problems] == [(2, 1), (3, 11)]
