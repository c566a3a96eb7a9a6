"""The tiny project with its files put into a database."""

from __future__ import annotations

import csv
import re
from pathlib import Path

from psycopg import sql

from oncoweave.project import Project
from tests.servers.conftest import Database

DELIVERY = """\
delivery:
  by: database
  connection: registry
  date_query: sql/loaded.sql
"""


def fill(database: Database, deliveries: Path) -> None:
    """Puts the files into tables of the same name, every column as text."""
    with database.connect() as connection:
        for path in sorted(deliveries.glob("*.csv")):
            header, *rows = csv.reader(path.read_text(encoding="utf-8").splitlines(), delimiter=";")
            columns = sql.SQL(", ").join(sql.SQL("{} text").format(sql.Identifier(name)) for name in header)
            connection.execute(sql.SQL("CREATE TABLE {} ({})").format(sql.Identifier(path.stem), columns))
            with connection.cursor() as cursor:
                places = sql.SQL(", ").join([sql.Placeholder()] * len(header))
                into = sql.SQL("INSERT INTO {} VALUES ({})").format(sql.Identifier(path.stem), places)
                cursor.executemany(into, rows)
        connection.execute("CREATE TABLE loads AS SELECT date '2024-01-31' AS day")


def move_to_database(project: Project) -> None:
    """Rewrites source.yaml, so that it reads tables instead of files."""
    folder = project.root / "mappings" / "sources" / "tiny"
    text = (folder / "source.yaml").read_text(encoding="utf-8")
    text = re.sub(r"delivery: \{.*\}\n", DELIVERY, text)
    text = text.replace(
        '    format: csv\n    files: patients.csv\n    delimiter: ";"\n',
        "    format: sql\n    table: public.patients\n",
    )
    text = text.replace(
        '    format: csv\n    files: tumours.csv\n    delimiter: ";"\n', "    format: sql\n    query: sql/tumours.sql\n"
    )
    (folder / "source.yaml").write_text(text, encoding="utf-8")
    (folder / "sql").mkdir()
    (folder / "sql" / "loaded.sql").write_text("SELECT max(day) FROM loads\n")
    (folder / "sql" / "tumours.sql").write_text(
        "-- one row a tumour\nSELECT t.*\nFROM tumours AS t\nORDER BY md5(remark);\n"
    )
