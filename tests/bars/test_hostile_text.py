"""Hostile names and values are text like any other: they arrive to the letter, or the run stops with a named reason."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import duckdb

from oncoweave.project import Project
from tests.bars.conftest import Oncoweave, copied, small_checks

VALUES = [
    "'; DROP TABLE person; --", "${x}", "{{7*7}}", "\u202eabc", "😀🧬", "$inner", "$outer", "a\nb", 'say "T1"', "%s%n",
    "\\x00\\", "=1+1", "<script>", "*", "a;b", "NULL", "nan", "T1\u00a0", "e\u0301", "\u00e9", "\x1b[31m", "--", "/*", "?1", "{0}",
]  # fmt: skip
HEADERS = [
    "'; DROP TABLE x; --",
    "${t}",
    "$inner",
    "{{7*7}}",
    "\u202et",
    "😀",
    'a "b"',
    "a\nb",
    " t ",
    "SELECT",
    "_person",
    "t$",
]
NAME = "tu'm;\"o$inner {{7*7}} ${x} [1]*? 😀\u202e--.csv"


def write_tumours(folder: Path, values: list[str], name: str = "tumours.csv") -> None:
    """One tumour of P001 for each value of T, all treated."""
    header = (folder / "tumours.csv").read_text(encoding="utf-8").splitlines()[0].split(";")
    (folder / "tumours.csv").unlink()
    with (folder / name).open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, delimiter=";", lineterminator="\n")
        writer.writerow(header)
        for number, value in enumerate(values):
            treated = ["15.01.2015", "02.04.2015", "30.07.2015"]
            writer.writerow(["P001", value + str(number), "02.01.2015", value, "14", "0", *treated, value])


def source_values(project: Project, table: str) -> set[str]:
    with duckdb.connect() as connection:
        found = connection.execute(
            "SELECT * FROM read_parquet(?)", [str(project.releases / "tiny" / "current" / "omop" / f"{table}.parquet")]
        )
        columns = [
            number for number, column in enumerate(found.description or ()) if column[0].endswith("_source_value")
        ]
        return {row[number] for row in found.fetchall() for number in columns if row[number] is not None}


def test_hostile_values_arrive_to_the_letter(tiny: Project, oncoweave: Oncoweave) -> None:
    write_tumours(tiny.root / "deliveries" / "2024-01-31", VALUES)
    concepts = tiny.source_folder("tiny") / "concepts" / "t_category.csv"
    row = "$inner,hostile,2,,1.00,APPROVED,EQUAL,test,1706659200000,1635564,AJCC/UICC T1 Category,Measurement,MAPS_TO,,test,1706659200000,\n"
    concepts.write_text(
        concepts.read_text()
        + row
        + row.replace("$inner", "'; DROP TABLE person; --")
        + row.replace("$inner", '"say ""T1"""')
    )
    ran = oncoweave("run", "tiny", at=tiny)
    assert ran.code == 0, ran.err
    assert set(VALUES) <= source_values(tiny, "measurement")
    assert [value for value in VALUES if len(value) > 4 and value in ran.all] == []


def test_hostile_names_of_files_and_folders_are_names(tmp_path: Path, oncoweave: Oncoweave) -> None:
    project = small_checks(copied("tiny", tmp_path / "pro'je;ct [1]*? ${x} $inner 😀"))
    write_tumours(project.root / "deliveries" / "2024-01-31", ["T1", "T2"], NAME)
    source = project.source_folder("tiny") / "source.yaml"
    source.write_text(source.read_text().replace("files: tumours.csv", 'files: "tu*"'))
    ran = oncoweave("run", "tiny", at=project)
    assert ran.code == 0, ran.err
    assert {"T1", "T2"} <= source_values(project, "measurement")
    assert oncoweave("verify", project.releases / "tiny" / "current").code == 0
    assert oncoweave("explain", "tiny", "--sql", at=project).code == 0


def test_hostile_headers_are_headers(tiny: Project, oncoweave: Oncoweave) -> None:
    path = tiny.root / "deliveries" / "2024-01-31" / "tumours.csv"
    first, *rows = path.read_text(encoding="utf-8").splitlines()
    quoted = ['"' + header.replace('"', '""') + '"' for header in HEADERS]
    cells = [";".join(f"v{number}" for number in range(len(HEADERS))) for _ in rows]
    path.write_text("\n".join([";".join([first, *quoted]), *map(";".join, zip(rows, cells, strict=True))]))
    for file, key, entries in (
        (
            "source.yaml",
            "      remark: {type: text}\n",
            [
                f"      h{n}: {{type: code, header: {json.dumps(h, ensure_ascii=False)}}}\n"
                for n, h in enumerate(HEADERS)
            ],
        ),
        ("mapping.yaml", "ignored:\n", [f"  h{n}: nothing in it is mapped\n" for n in range(len(HEADERS))]),
    ):
        specification = tiny.source_folder("tiny") / file
        specification.write_text(specification.read_text().replace(key, key + "".join(entries)), encoding="utf-8")
    ran = oncoweave("run", "tiny", at=tiny)
    assert ran.code == 0, ran.err
    (snapshot,) = tiny.runs.glob("tiny/*/snapshot/tumours.parquet")
    with duckdb.connect() as connection:
        columns = ", ".join(f"h{number}" for number in range(len(HEADERS)))
        told = connection.execute(f"SELECT DISTINCT {columns} FROM read_parquet(?)", [str(snapshot)]).fetchall()
    assert told == [tuple(f"v{number}" for number in range(len(HEADERS)))]


def test_hostile_undeclared_columns_stay_out(tiny: Project, oncoweave: Oncoweave) -> None:
    path = tiny.root / "deliveries" / "2024-01-31" / "patients.csv"
    header, *rows = path.read_text().splitlines()
    extra = ["$inner", "_person", "_row", "sex$", "birth_date#", "x' OR 1=1", "_state"]
    path.write_text(
        "\n".join([";".join([header, *extra]), *(row + ";1" * len(extra) for row in rows)]), encoding="utf-8"
    )
    ran = oncoweave("run", "tiny", at=tiny)
    assert ran.code == 0, ran.err


def test_hostile_person_ids_stay_apart_and_at_home(tiny: Project, oncoweave: Oncoweave) -> None:
    ids = ["O'Brien; $outer", "x\x1fy", "P-\u202e1", "p004", "P004 ", "😀"]
    folder = tiny.root / "deliveries" / "2024-01-31"
    for path in folder.iterdir():
        text = path.read_text(encoding="utf-8")
        for number, hostile in enumerate(ids, 1):
            text = text.replace(f"P00{number};", f'"{hostile}";')
        path.write_text(text, encoding="utf-8")
    ran = oncoweave("run", "tiny", "--json", at=tiny)
    assert ran.code == 0 and '"persons": 6' in ran.out, ran.all
    released = b"".join(path.read_bytes() for path in tiny.releases.rglob("*") if path.is_file())
    assert [hostile for hostile in ids if hostile.encode() in released] == []
