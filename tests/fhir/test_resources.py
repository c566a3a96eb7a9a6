"""Files of FHIR: each resource with its line, and whatever breaks the rules of FHIR's JSON told by line, never shown."""

from __future__ import annotations

import gzip
import json
from pathlib import Path

import pytest

from oncoweave.engine.fhir.resources import Found, resources_of
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


def test_a_line_of_fifty_megabytes_is_read(tmp_path: Path) -> None:
    long = json.dumps({"resourceType": "Binary", "id": "a", "data": "A" * 50_000_000})
    assert told(read(tmp_path, "p.ndjson", f"{long}\n{ONE}")) == [(1, "a"), (2, "a")]


@pytest.mark.parametrize(
    ("name", "content", "says"),
    [
        ("p.ndjson", ONE.replace("a", "é").encode("latin-1"), "not UTF-8"),
        ("b.json", b'{"resourceType": "Bundle", "type": "collection", "entry": [{"resource": {', "not whole JSON"),
        ("b.json", b'{"resourceType": "Bundle", "type": "transaction-response"}', "no type that holds resources"),
        ("p.ndjson.gz", gzip.compress(f"{ONE}\n".encode())[:20], "cut off"),
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
    text = '{"resourceType": "Bundle", "type": "collection",\n"entry": [\n{"resource": ' + ONE + "},\n{},\n7]}"
    empty = "an entry of the Bundle without a resource"
    assert told(read(tmp_path, "b.json", text)) == [(3, "a"), (4, empty), (5, empty)]


def test_a_reference_to_another_entry_names_its_resource(tmp_path: Path) -> None:
    entries = [
        {"fullUrl": "urn:uuid:1", "resource": {"resourceType": "Patient", "id": "a"}},
        {"fullUrl": "urn:uuid:2", "resource": {"resourceType": "Condition", "id": "b", "subject": {"reference": "urn:uuid:1"}}},
        {"resource": {"resourceType": "Condition", "id": "c", "subject": {"reference": "urn:uuid:9"}}},
    ]  # fmt: skip
    bundle = json.dumps({"resourceType": "Bundle", "type": "collection", "entry": entries})
    resources = [one.resource or {} for one in read(tmp_path, "b.json", bundle)]
    assert [r.get("subject") for r in resources] == [None, {"reference": "Patient/a"}, {"reference": "urn:uuid:9"}]
