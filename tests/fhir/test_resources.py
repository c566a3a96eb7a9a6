"""Files of FHIR: each resource with its line, and whatever breaks the rules of FHIR's JSON told by line, never shown."""

from __future__ import annotations

import gzip
import json
import tracemalloc
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from oncoweave.engine.fhir import bundles, resources
from oncoweave.engine.fhir.resources import LONGEST_LINE, Found, resources_of
from oncoweave.errors import DataError

ONE = '{"resourceType": "Patient", "id": "a"}'
SECRET = "Zebra-4711"


def read(folder: Path, name: str, text: str) -> list[Found]:
    path = folder / name
    path.write_text(text, encoding="utf-8", newline="")
    return list(resources_of(path, name))


def told(found: list[Found]) -> list[tuple[int, str]]:
    """Line, and the id or the reason why there is none."""
    return [(one.line, one.resource["id"] if one.resource else one.reason) for one in found]


def test_ndjson_with_blank_lines_a_mark_and_windows_line_ends(tmp_path: Path) -> None:
    other = ONE.replace('"a"', '"b"')
    assert told(read(tmp_path, "p.ndjson", f"\ufeff{ONE}\r\n\n{other}\n")) == [(1, "a"), (3, "b")]


def test_a_packed_file_is_unpacked(tmp_path: Path) -> None:
    path = tmp_path / "p.ndjson.gz"
    path.write_bytes(gzip.compress(f"{ONE}\n".encode()))
    assert told(list(resources_of(path, path.name))) == [(1, "a")]


@pytest.mark.parametrize("kind", ["document", "collection", "searchset", "transaction"])
def test_the_entries_of_a_bundle_have_the_lines_at_which_they_start(tmp_path: Path, kind: str) -> None:
    entries = [{"fullUrl": "urn:uuid:1", "resource": {"resourceType": "Patient", "id": str(n)}} for n in range(3)]
    bundle = json.dumps({"resourceType": "Bundle", "type": kind, "entry": entries}, indent=1)
    lines = bundle.splitlines()
    starts = [n for n, line in enumerate(lines, 1) if line == "  {"]
    assert told(read(tmp_path, "b.json", bundle)) == list(zip(starts, ["0", "1", "2"], strict=True))


def test_a_bundle_without_entries_has_no_resource(tmp_path: Path) -> None:
    assert read(tmp_path, "b.json", '{"resourceType": "Bundle", "type": "searchset", "total": 0}') == []


def test_a_file_of_one_resource(tmp_path: Path) -> None:
    assert told(read(tmp_path, "p.json", ONE)) == [(1, "a")]


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ('{"resourceType": "Patient", "id": "' + SECRET, "not whole JSON"),
        ('{"resourceType": "Patient", "id": "a"} ' + SECRET, "not whole JSON"),
        ('{"id": "' + SECRET + '"}', "no resource: it has no resourceType"),
        ('["' + SECRET + '"]', "no resource: it has no resourceType"),
        ('{"resourceType": "Patient", "gender": null}', "a member that is null or empty"),
        ('{"resourceType": "Patient", "name": []}', "a member that is null or empty"),
        ('{"resourceType": "Patient", "name": [null]}', "a list with a null in it"),
        ('{"resourceType": "Patient", "id": "a", "id": "' + SECRET + '"}', "a member that is there twice"),
        ('{"resourceType": "Patient", "multipleBirthInteger": NaN}', "a number that JSON does not have"),
        ('{"resourceType": "Patiant", "id": "' + SECRET + '"}', "no resource: its resourceType is none of FHIR R4"),
        ('{"resourceType": null}', "no resource: it has no resourceType"),
        ("null", "no resource: it has no resourceType"),
        ("7", "no resource: it has no resourceType"),
        ('{"resourceType": "Patient", "a": [[1]]}', "a list in a list"),
        ('{"resourceType": "Patient", "a": [{}]}', "a list with something empty in it"),
        ('{"resourceType": "Patient", "a": [""]}', "a list with something empty in it"),
        ('{"resourceType": "Patient", "a": ""}', "a member that is null or empty"),
        ('{"resourceType": "Patient", "a": {"resourceType": "Patient"}}', "a resource where none can be"),
        (
            '{"resourceType": "Patient", "contained": [{"resourceType": "System.x"}]}',
            "a resource in it of no type of FHIR R4",
        ),
        ('{"resourceType": "Patient", "modifierExtension": {"url": "u"}}', "a `modifierExtension` that is no list"),
        ('{"resourceType": "Patient", "a": 1' + "0" * 5_000 + "}", "a number that is too long"),
        ('{"resourceType": "Patient", "a": 1e999999999}', "a number that is too long"),
        ('{"resourceType": "Patient", "a": 1e' + "9" * 30 + "}", "a number that is too long"),
        ('{"resourceType": "Patient", "a": 0.' + "1" * 500 + "}", "a number that is too long"),
        ('{"resourceType": "Patient", "id": "\\ud800"}', "a text with a control character or half a character"),
        ('{"resourceType": "Patient", "\\udfff": "a"}', "a text with a control character or half a character"),
        ('{"resourceType": "Patient", "id": "\\u0000"}', "a text with a control character or half a character"),
        ('{"resourceType": "Patient", "id": "\x00"}', "not whole JSON"),
        ('{"resourceType": "Bundle", "type": "batch-response"}', "a Bundle of no type that holds resources"),
        ('{"resourceType": "Bundle", "type": "batch", "entry": {}}', "a Bundle whose `entry` is no list"),
        ('{"resourceType": "Patient", "a": ' + '{"a": ' * 200 + "1" + "}" * 201, "nested too deeply"),
        ('{"resourceType": "Patient", "a": ' + "[" * 100_000 + "]" * 100_000 + "}", "nested too deeply"),
    ],
)
def test_what_breaks_the_rules_is_told_by_line_and_the_rest_is_read(tmp_path: Path, line: str, reason: str) -> None:
    found = read(tmp_path, "p.ndjson", f"{ONE}\n{line}\n{ONE}")
    assert told(found) == [(1, "a"), (2, reason), (3, "a")]
    assert SECRET not in str([one.reason for one in found])


def test_a_null_beside_its_partner_is_fhir(tmp_path: Path) -> None:
    name = '{"given": ["A", null], "_given": [null, {"extension": [{"url": "u", "valueCode": "unknown"}]}]}'
    assert told(read(tmp_path, "p.ndjson", f'{{"resourceType": "Patient", "id": "a", "name": [{name}]}}')) == [(1, "a")]


def test_a_line_of_fifty_megabytes_is_told_and_never_held(tmp_path: Path) -> None:
    path = tmp_path / "p.ndjson"
    long = json.dumps({"resourceType": "Binary", "id": "b", "data": "A" * 50_000_000})
    path.write_text(f"{ONE}\n{long}\n{ONE}", encoding="utf-8")
    del long
    tracemalloc.start()
    assert told(list(resources_of(path, path.name))) == [(1, "a"), (2, "longer than 32 MB"), (3, "a")]
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert most < 2.5 * LONGEST_LINE


def test_a_line_of_twenty_megabytes_is_read(tmp_path: Path) -> None:
    long = json.dumps({"resourceType": "Binary", "id": "b", "data": "A" * 20_000_000})
    assert told(read(tmp_path, "p.ndjson", f"{long}\n{ONE}")) == [(1, "b"), (2, "a")]


@pytest.mark.parametrize("name", ["p.ndjson.gz", "b.json.gz"])
def test_a_bomb_is_told(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    path.write_bytes(gzip.compress(b" " * 60_000_000))
    with pytest.raises(DataError, match="unpacks to more than 100 times its size"):
        list(resources_of(path, name))


def test_a_piece_of_json_that_is_too_large_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(resources, "LARGEST_FILE", 1_000)
    with pytest.raises(DataError, match="one piece of JSON of more than"):
        read(tmp_path, "b.json", " " * 1_000 + ONE)


def test_the_entries_of_a_large_bundle_are_not_held(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    refers = {"resourceType": "Condition", "id": "c", "subject": {"reference": "urn:uuid:1"}}
    entries = [{"resource": refers}, {"fullUrl": "urn:uuid:1", "resource": {"resourceType": "Patient", "id": "a"}}]
    text = json.dumps({"resourceType": "Bundle", "type": "collection", "entry": entries})
    held = read(tmp_path, "b.json", text)
    monkeypatch.setattr(bundles, "HELD", 10)
    assert read(tmp_path, "b.json", text) == held
    assert (held[0].resource or {})["subject"] == {"reference": "Patient/a"}


@pytest.mark.parametrize(
    ("name", "content", "says"),
    [
        ("p.ndjson", ONE.replace("a", "é").encode("latin-1"), "not UTF-8"),
        ("b.json", b'{"resourceType": "Bundle", "type": "collection", "entry": [{"resource": {', "not whole JSON"),
        ("b.json", b'{"resourceType": "Bundle", "type": "transaction-response"}', "no type that holds resources"),
        ("b.json", b'{"resourceType": "Bundle", "type": ["batch"]}', "no type that holds resources"),
        ("b.json", b'{"resourceType": "Bundle", "type": "batch", "entry": {}}', "`entry` is no list"),
        ("b.json", b'{"resourceType": "Bundle", "type": "batch", "entry": null}', "`entry` is no list"),
        ("b.json", b'{"resourceType": "Bundle", "type": "batch", "entry": 7}', "`entry` is no list"),
        ("b.json", b'{"resourceType": "Bundle", "type": "batch", "entry": [],  "entry": []}', "there twice"),
        ("b.json", b'{"resourceType": "Bundle", "type": "batch", "type": "batch"}', "there twice"),
        ("b.json", b'{"resourceType": "Bundle", "type": "batch", "entry": [{},]}', "not whole JSON"),
        ("b.json", b'{"resourceType": "Bundle", "type": "batch", "entry": [{} {}]}', "not whole JSON"),
        ("b.json", b'{"resourceType": "Bundle", "type": "batch", "entry": [' + b"[" * 100_000, "nested too deeply"),
        ("b.json", b'{"resourceType": "Bundle", "total": 1' + b"0" * 5_000 + b"}", "too long"),
        ("b.json", f"{ONE}{ONE}".encode(), "something behind the object"),
        ("b.json", f"[{ONE}]".encode(), "not whole JSON"),
        ("b.json", b"", "is empty"),
        ("b.json", b"\xef\xbb\xbf \n", "is empty"),
        ("p.ndjson", b"", "is empty"),
        ("p.ndjson", b"\r\n\n", "is empty"),
        ("p.ndjson", ONE.encode("utf-16"), "line 1: not UTF-8"),
        ("p.ndjson", f"{ONE}\n".encode() + b"\xff", "line 2: not UTF-8"),
        ("b.json", b'{"resourceType":\n"Patient", "id": "\xff"}', "line 2: not UTF-8"),
        ("p.ndjson.gz", gzip.compress(f"{ONE}\n".encode(), mtime=0)[:-8] + b"12345678", "cut off, or is no gzip"),
        ("p.ndjson.gz", gzip.compress(f"{ONE}\n".encode(), mtime=0)[:20], "cut off"),
        ("p.ndjson.gz", b"no gzip", "no gzip file"),
    ],
)
def test_a_file_that_cannot_be_read_stops(tmp_path: Path, name: str, content: bytes, says: str) -> None:
    path = tmp_path / name
    path.write_bytes(content)
    with pytest.raises(DataError, match=says) as stopped:
        list(resources_of(path, name))
    assert name in str(stopped.value)


def test_an_entry_that_is_broken_is_told_and_the_others_are_read(tmp_path: Path) -> None:
    empty = "an entry of the Bundle without a resource"
    none = "no resource: it has no resourceType"
    broken = {
        "{}": empty,
        "7": empty,
        "null": empty,
        "[]": empty,
        '{"fullUrl": "urn:uuid:1"}': empty,
        '{"resource": null}': none,
        '{"resource": 7}': none,
        '{"resource": [{}]}': none,
        '{"resource": {"id": "a"}}': none,
        '{"resource": {"resourceType": 7}}': none,
        '{"resource": {"resourceType": "Patient", "id": "a", "id": "b"}}': "a member that is there twice",
        '{"resource": {"resourceType": "Patient", "a": NaN}}': "a number that JSON does not have",
        '{"resource": {"resourceType": "Patient", "a": 1' + "0" * 5_000 + "}}": "a number that is too long",
        '{"resource": {"resourceType": "Patient", "id": "\\ud800"}}': "a text with a control character or half a character",
        '{"resource": {"resourceType": "Patient", "a": null}}': "a member that is null or empty",
    }
    text = '{"resourceType": "Bundle", "type": "collection",\n"entry": [\n{"resource": ' + ONE + "},\n"
    found = told(read(tmp_path, "b.json", text + ",\n".join(broken) + "]}"))
    assert found == [(3, "a"), *enumerate(broken.values(), 4)]


def test_the_entries_of_a_bundle_in_a_line_or_an_entry_are_read_at_its_line(tmp_path: Path) -> None:
    inner = {"resourceType": "Bundle", "type": "batch", "entry": [{"resource": json.loads(ONE)}, {}]}
    outer = {"resourceType": "Bundle", "type": "collection", "entry": [{"resource": inner}]}
    lines = "\n".join(map(json.dumps, (inner, outer)))
    empty = "an entry of the Bundle without a resource"
    assert told(read(tmp_path, "p.ndjson", lines)) == [(1, "a"), (1, empty), (2, "a"), (2, empty)]
    assert told(read(tmp_path, "b.json", json.dumps(outer))) == [(1, "a"), (1, empty)]


def test_an_address_that_two_entries_have_names_neither(tmp_path: Path) -> None:
    entries = [
        {"fullUrl": "urn:uuid:1", "resource": {"resourceType": "Patient", "id": "a"}},
        {"fullUrl": "urn:uuid:1", "resource": {"resourceType": "Patient", "id": "b"}},
        {"resource": {"resourceType": "Condition", "id": "c", "subject": {"reference": "urn:uuid:1"}}},
    ]
    bundle = json.dumps({"resourceType": "Bundle", "type": "collection", "entry": entries})
    assert (read(tmp_path, "b.json", bundle)[2].resource or {})["subject"] == {"reference": "urn:uuid:1"}


def test_of_types_that_are_not_asked_for_only_the_type_is_told(tmp_path: Path) -> None:
    path = tmp_path / "p.ndjson"
    path.write_text(
        f'{ONE}\n{{"resourceType": "Claim", "id": null}}\n{{"resourceType": "Claim", "id":', encoding="utf-8"
    )
    found = list(resources_of(path, path.name, {"Patient"}))
    assert [(one.type, one.resource is None, one.reason) for one in found] == [
        ("Patient", False, ""), ("Claim", True, ""), ("", True, "not whole JSON")
    ]  # fmt: skip


def test_a_reference_to_another_entry_names_its_resource(tmp_path: Path) -> None:
    entries = [
        {"fullUrl": "urn:uuid:1", "resource": {"resourceType": "Patient", "id": "a"}},
        {"fullUrl": "urn:uuid:2", "resource": {"resourceType": "Condition", "id": "b", "subject": {"reference": "urn:uuid:1"}}},
        {"resource": {"resourceType": "Condition", "id": "c", "subject": {"reference": "urn:uuid:9"}}},
    ]  # fmt: skip
    bundle = json.dumps({"resourceType": "Bundle", "type": "collection", "entry": entries})
    found = [one.resource or {} for one in read(tmp_path, "b.json", bundle)]
    assert [r.get("subject") for r in found] == [None, {"reference": "Patient/a"}, {"reference": "urn:uuid:9"}]


PIECES = (
    "null",
    "{",
    "}",
    "[",
    "]",
    ",",
    ":",
    '"',
    "\\u0000",
    "\\ud800",
    "NaN",
    "-",
    "1e999",
    "0" * 5_000,
    "entry",
    "\ufeff",
    "\n",
    "\x00",
    "é",
)


@settings(max_examples=400, deadline=None)
@given(
    edits=st.lists(st.tuples(st.floats(0, 1), st.integers(0, 12), st.sampled_from(["", *PIECES])), max_size=4),
    name=st.sampled_from(["p.ndjson", "b.json"]),
    cut=st.integers(0, 3),
)
def test_whatever_is_done_to_a_file_is_told_by_rule(
    tmp_path_factory: pytest.TempPathFactory, edits: list[tuple[float, int, str]], name: str, cut: int
) -> None:
    refers = {
        "resourceType": "Condition",
        "id": "c",
        "subject": {"reference": "urn:uuid:1"},
        "onsetAge": {"value": 1.5},
    }
    entries = [{"fullUrl": "urn:uuid:1", "resource": json.loads(ONE)}, {"resource": refers}]
    text = json.dumps({"resourceType": "Bundle", "type": "collection", "entry": entries})
    if name == "p.ndjson":
        text = f"{ONE}\n{json.dumps(refers)}\n{text}\n"
    for where, gone, put in edits:
        place = int(where * len(text))
        text = text[:place] + put + text[place + gone :]
    raw = text.encode()
    path = tmp_path_factory.getbasetemp() / name
    path.write_bytes(raw[: len(raw) - cut])
    try:
        found = list(resources_of(path, name))
    except DataError:
        return
    assert all((one.resource is None) == bool(one.reason) for one in found)
    json.dumps([one.resource for one in found], ensure_ascii=False, default=str).encode()
