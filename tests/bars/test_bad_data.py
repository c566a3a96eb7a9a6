"""Bad data goes to quarantine with its line or stops the run with a named reason; nothing is lost, no value is shown."""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable, Iterator
from pathlib import Path

import duckdb
import pytest

from oncoweave.project import Project
from tests.bars.conftest import PROJECTS, Oncoweave

CANARY = "Kanarienvogel4711"
DELIVERY = "deliveries/2024-01-31"
Held = set[tuple[str, int, str, str | None, str]]
Row = tuple[str, str, str, str, Held]
Rewrite = Callable[[bytes], bytes]

P1 = "P001;F;12.03.1951;post;02.01.2015;30.11.2023;A\n"
T1 = "P001;1;02.01.2015;T1;14;0;15.01.2015;;;left, upper outer quadrant\n"
ALL_RULES_OF_TUMOURS = (("chemotherapy", None), ("course", None), ("diagnosis", None), ("findings", "nodes"),
                        ("findings", "size_mm"), ("findings", "t"), ("operation", None))  # fmt: skip


def of_tumour(line: int, reason: str) -> Held:
    """A tumour of which no rule makes a fact."""
    return {("tumours.csv", line, rule, column, reason) for rule, column in ALL_RULES_OF_TUMOURS}


def without_person(line: int, tumours: tuple[int, ...], rules: tuple[str, ...]) -> Held:
    """A person who is not mapped takes the facts of all rows along."""
    reason = "person not mapped"
    own: Held = {
        ("patients.csv", line, rule, "menopause" if rule == "menopause" else None, reason)
        for rule in ("follow_up", "menopause", *rules)
    }
    return own.union(*(of_tumour(tumour, reason) for tumour in tumours))


# The table: file, text, what it becomes, and what is then held back. «x» is the canary.
ROWS: list[Row] = [
    ("a date that is none", "patients.csv", "12.03.1951", "«x»",
     {("patients.csv", 2, "patients", None, "birth_date: not a date")} | without_person(2, (2,), ("deaths",))),
    ("a day that the calendar does not have", "tumours.csv", "15.01.2015", "31.02.2015",
     {("tumours.csv", 2, "operation", None, "surgery_date: not a date")}),
    ("a date that is none, of a fact that others hang on", "tumours.csv", "P001;1;02.01.2015", "P001;1;«x»",
     {("tumours.csv", 2, rule, column, "diagnosed: not a date") for rule, column in
      (("diagnosis", None), ("findings", "nodes"), ("findings", "size_mm"), ("findings", "t"))}),
    ("a required date that is missing", "tumours.csv", "P001;1;02.01.2015;T1", "P001;1;;T1",
     {("tumours.csv", 2, "diagnosis", None, "start: missing"),
      *(("tumours.csv", 2, "findings", column, "date: missing") for column in ("nodes", "size_mm", "t"))}),
    ("a key given twice", "tumours.csv", T1, T1 + T1.replace(";14;", ";«x»;"), of_tumour(3, "duplicate key")),
    ("an empty key", "tumours.csv", "P001;1;", "P001;;", of_tumour(2, "key missing")),
    ("a row too long", "tumours.csv", "quadrant", "quadrant;«x»", {("tumours.csv", 2, "extract", None, "row too long: 11 fields, 10 columns")}),
    ("a row too short", "tumours.csv", ";;;left, upper outer quadrant", "",  {("tumours.csv", 2, "extract", None, "row too short: 7 fields, 10 columns")}),
    ("a decimal comma too many", "tumours.csv", "31,5", "31,«x»", {("tumours.csv", 3, "findings", "size_mm", "size_mm: not a number")}),
    ("a decimal point where commas are written", "tumours.csv", "31,5", "3.1.5", {("tumours.csv", 3, "findings", "size_mm", "size_mm: not a number")}),
    ("a number beyond its range", "tumours.csv", ";58;", ";5800;", {("tumours.csv", 5, "findings", "size_mm", "size_mm: out of range")}),
    ("a number that is none", "tumours.csv", ";58;", ";NaN;", {("tumours.csv", 5, "findings", "size_mm", "size_mm: not a number")}),
    ("a fraction where whole numbers are", "tumours.csv", ";58;7;", ";58;7.5;", {("tumours.csv", 5, "findings", "nodes", "nodes: not a whole number")}),
    ("a NUL byte", "tumours.csv", "15.01.2015", "15.01.20\x0015", {("tumours.csv", 2, "operation", None, "surgery_date: not a date")}),
    ("a tumour of nobody", "tumours.csv", "P003;1", "«x»;1", of_tumour(4, "person not mapped")),
]  # fmt: skip

WRITINGS: list[tuple[Rewrite, Rewrite]] = [
    (lambda raw: raw.replace(b"\n", b"\r"), lambda raw: b"\xef\xbb\xbf" + raw.replace(b"\n", b"\r\n")),
    (lambda raw: raw.replace(b"\n", b"\n\n"), lambda raw: raw.rstrip()),
    (
        lambda raw: b"".join(b";".join(reversed(line.split(b";"))) + b"\n" for line in raw.splitlines()),
        lambda raw: b"\xef\xbb\xbf" + raw,
    ),
]
"""Writings of patients.csv and tumours.csv that say the same: line ends, byte order mark, blank lines, order of columns."""

STOPS: list[tuple[str, str, Rewrite | None, str, str]] = [
    ("another encoding", "tumours.csv", lambda raw: raw.replace(b"left", "«x»ä".encode("latin-1")), "line 2: byte", "is not UTF-8"),
    ("an empty file", "tumours.csv", lambda raw: b"", "tumours.csv is empty", "ask the source"),
    ("only a header", "tumours.csv", lambda raw: raw.splitlines(keepends=True)[0], "has a header and no rows", ""),
    ("no column of that name", "tumours.csv", lambda raw: raw.replace(b"diagnosed", b"diagnosis"), "no column `diagnosed`", "there is `diagnosis`"),
    ("no header line", "tumours.csv", lambda raw: raw.split(b"\n", 1)[1].replace(b"left", b"\xc2\xabx\xc2\xbb"), "no column `patient`", ""),
    ("one header twice", "tumours.csv", lambda raw: raw.replace(b"\n", b";t\n"), "columns 4 and 11 have the same header", ""),
    ("a quote that is not closed", "tumours.csv", lambda raw: raw.replace(b"left", b'"\xc2\xabx\xc2\xbb').replace(b"left", b'"'), "", ""),
    ("another delimiter", "tumours.csv", lambda raw: raw.replace(b",", b".").replace(b";", b","), "no column `patient`", ""),
    ("no file", "tumours.csv", None, "no file of the delivery matches `tumours.csv`", ""),
    ("every row bad", "patients.csv", lambda raw: raw.replace(b".19", b".x").replace(b";1948", b";x").replace(b"30.07.1960", b"x"), "", "has no person"),
    ("every row too short", "patients.csv", lambda raw: b"\n".join([raw.split(b"\n")[0], b"\xc2\xabx\xc2\xbb;F", b"P2;M"]), "none of the 2 records can be read; the first, line 2", ""),
]  # fmt: skip


def marked(text: str) -> str:
    return text.replace("«x»", CANARY)


def rows_of(path: Path) -> list[tuple[object, ...]]:
    with duckdb.connect() as connection:
        return connection.execute("SELECT * FROM read_parquet(?)", [str(path)]).fetchall()


def held(project: Project) -> Held:
    (extract,) = project.runs.glob("tiny/*/quarantine/extract.parquet")
    return {row for path in (extract, extract.with_name("map.parquet")) for row in rows_of(path)}  # type: ignore[misc]


def shown(project: Project) -> Iterator[str]:
    """Everything that a run writes for others: records, quarantine, results, and the release, decoded."""
    for path in [*project.runs.rglob("*"), *project.releases.rglob("*")]:
        if path.is_file() and "snapshot" not in path.parts and "events" not in path.parts:
            yield str(rows_of(path)) if path.suffix == ".parquet" else path.read_text(encoding="utf-8")


def assert_adds_up(project: Project) -> None:
    """Every record is a row or in quarantine, every row of every rule mapped, quarantined or excluded."""
    (path,) = project.runs.glob("tiny/*/map.json")
    tables = {t["table"]: t for t in json.loads(path.with_name("extract.json").read_text())["tables"]}
    lines = {name: len((project.root / DELIVERY / f"{name}.csv").read_bytes().splitlines()) - 1 for name in tables}
    assert {name: t["rows"] + t["quarantined"] for name, t in tables.items()} == lines
    for entry in json.loads(path.read_text())["ledger"]:
        assert entry["read"] == tables[entry["table"]]["rows"], entry
        assert entry["read"] == entry["mapped"] + entry["quarantined"] + entry["excluded"], entry


@pytest.fixture
def plain(tiny: Project) -> Project:
    """The tiny project without its worked example: these tests are about data."""
    mapping = tiny.source_folder("tiny") / "mapping.yaml"
    mapping.write_text(mapping.read_text().partition("examples:")[0])
    return tiny


def delivered_with(number: int, fault: Row) -> dict[str, str]:
    """The tiny delivery with one fault, by file and without header; its patients are those of this fault alone."""
    _, file, old, new, _ = fault
    texts = {path.name: path.read_text(encoding="utf-8") for path in (PROJECTS / "tiny" / DELIVERY).iterdir()}
    assert texts[file].count(old) == 1
    texts[file] = texts[file].replace(old, marked(new))
    return {name: text.partition("\n")[2].replace("P00", f"{number:02}P00") for name, text in texts.items()}


def test_each_bad_row_is_held_back_and_nothing_else_is(plain: Project, oncoweave: Oncoweave) -> None:
    expected: dict[str, Held] = {}
    for number, fault in enumerate(ROWS):
        paths = {path.name: path for path in (plain.root / DELIVERY).iterdir()}
        before = {name: len(path.read_bytes().split(b"\n")) - 2 for name, path in paths.items()}
        for name, text in delivered_with(number, fault).items():
            with paths[name].open("a", encoding="utf-8") as file:
                file.write(text)
        expected[fault[0]] = {(row[0], row[1] + before[row[0]], *row[2:]) for row in fault[4]}
    ran = oncoweave("run", "tiny", "--json", at=plain)
    assert ran.code == 0, ran.err
    found = held(plain)
    assert [title for title, rows in expected.items() if not rows <= found] == []
    assert found == set().union(*expected.values())
    assert_adds_up(plain)
    (told,) = json.loads(ran.out)["runs"]
    assert told["unreadable"] + told["quarantined"] == len(found)
    again = oncoweave("run", "tiny", at=plain), oncoweave("explain", "tiny", at=plain), oncoweave("status", at=plain)
    assert "2 records could not be read" in again[0].out
    assert CANARY not in "".join([ran.all, *(said.all for said in again), *shown(plain)])


def test_another_writing_makes_the_same_tables(plain: Project, oncoweave: Oncoweave) -> None:
    patients, tumours = (plain.root / DELIVERY / name for name in ("patients.csv", "tumours.csv"))
    assert oncoweave("run", "tiny", at=plain).code == 0
    for written in WRITINGS:
        texts = patients.read_bytes(), tumours.read_bytes()
        for path, rewrite in zip((patients, tumours), written, strict=True):
            path.write_bytes(rewrite(path.read_bytes()))
        assert oncoweave("run", "tiny", at=plain).code == 0
        patients.write_bytes(texts[0])
        tumours.write_bytes(texts[1])
    releases = [{path.name: path.read_bytes() for path in r.glob("omop/*")} for r in plain.releases.glob("tiny/2*")]
    assert len(releases) == 1 + len(WRITINGS) and all(release == releases[0] for release in releases)


@pytest.mark.parametrize(
    ("file", "broken", "phrase", "also"), [row[1:] for row in STOPS], ids=[row[0].replace(" ", "_") for row in STOPS]
)
def test_a_bad_file_stops_the_run(
    file: str, broken: Rewrite | None, phrase: str, also: str, plain: Project, oncoweave: Oncoweave
) -> None:
    path = plain.root / DELIVERY / file
    if callable(broken):
        path.write_bytes(broken(path.read_bytes()).replace("«x»".encode(), CANARY.encode()))
    else:
        path.unlink()
    assert_stopped(oncoweave, plain, phrase, also)


def assert_stopped(oncoweave: Oncoweave, project: Project, *phrases: str) -> None:
    said = oncoweave("run", "tiny", "--json", at=project)
    assert said.code == 3, said.all
    assert [phrase for phrase in phrases if phrase not in said.err] == [], said.err
    assert "Traceback" not in said.all and CANARY not in said.all
    assert CANARY not in "".join(shown(project))
    assert not list(project.releases.rglob("*.parquet"))


@pytest.mark.parametrize("cut", [10, 60], ids=["at the end", "in the middle"])
def test_a_gzip_that_is_cut_off_stops_the_run(cut: int, plain: Project, oncoweave: Oncoweave) -> None:
    path = plain.root / DELIVERY / "tumours.csv"
    path.with_suffix(".csv.gz").write_bytes(gzip.compress(path.read_bytes())[:-cut])
    source = plain.source_folder("tiny") / "source.yaml"
    source.write_text(source.read_text().replace("tumours.csv", "tumours.csv.gz"))
    assert_stopped(oncoweave, plain, "tumours.csv.gz is not a whole gzip file")


def test_ids_with_leading_zeros_stay_apart(plain: Project, oncoweave: Oncoweave) -> None:
    for path in (plain.root / DELIVERY).iterdir():
        path.write_text(path.read_text().replace("P001", "007").replace("P002", "7").replace("P003", "7.0"))
    ran = oncoweave("run", "tiny", "--json", at=plain)
    assert json.loads(ran.out)["runs"][0]["persons"] == 6
    assert held(plain) == set()


def test_a_column_that_is_not_declared_is_told_and_does_not_leave(plain: Project, oncoweave: Oncoweave) -> None:
    path = plain.root / DELIVERY / "patients.csv"
    header, *rows = path.read_text().splitlines()
    path.write_text("\n".join([header + ";name", *(f"{row};{CANARY}" for row in rows)]))
    ran = oncoweave("run", "tiny", at=plain)
    assert ran.code == 0 and "name" in ran.out
    assert CANARY not in ran.all + "".join(shown(plain))
