"""Makes a registry's delivery of any size: patients.csv and tumours.csv, with some bad rows of several kinds.

The same number of patients and the same seed give the same bytes. Every value is a function of the row's
number, so that the files are written by one query each, in order and on all cores.
"""

from __future__ import annotations

from pathlib import Path

import duckdb

PATIENTS = ("patient_id", "sex", "birth_date", "region", "country", "registered", "last_contact", "vital_status",
            "death_date", "note")  # fmt: skip
TUMOURS = ("patient_id", "tumour_no", "diagnosed", "basis", "topography", "morphology", "behaviour", "laterality",
           "grade", "t", "n", "m", "stage", "er", "pr", "size_mm", "nodes_examined", "nodes_positive", "ki67",
           "surgery_date", "chemo", "chemo_start", "hormone", "hormone_start", "remark")  # fmt: skip
BAD = 1000
"""One row in so many is bad."""


def write_registry(folder: Path, patients: int, seed: int = 1) -> Path:
    """Write the delivery of `patients` patients into `folder`, unless it is there; returns the folder."""
    if not (folder / "tumours.csv").exists():
        folder.mkdir(parents=True, exist_ok=True)
        with duckdb.connect() as connection:
            connection.execute("SET preserve_insertion_order = true")
            connection.execute("SET enable_progress_bar = false")
            _define(connection, seed)
            _write(connection, _PATIENTS, PATIENTS, patients, folder / "patients.csv")
            _write(connection, _TUMOURS, TUMOURS, patients, folder / "tumours.csv")
    return folder


def _define(connection: duckdb.DuckDBPyConnection, seed: int) -> None:
    """Macros of the row number `i`: `u` a number in [0, 1), `pick` an element, `day` a date as the registry writes it."""
    connection.execute(f"CREATE MACRO u(i, k) AS (hash(i * 64 + k + {seed} * 1000003) % 1000003) / 1000003.0")
    connection.execute("CREATE MACRO pick(i, k, list) AS list[1 + CAST(floor(u(i, k) * len(list)) AS INTEGER)]")
    connection.execute("CREATE MACRO day(d) AS strftime(d, '%d.%m.%Y')")
    connection.execute("CREATE MACRO onset(i) AS DATE '2005-01-01' + CAST(floor(u(i, 1) * 6000) AS INTEGER)")
    connection.execute("CREATE MACRO bad(i, k) AS hash(i * 64 + 63) % 6000 = k")


def _write(connection: duckdb.DuckDBPyConnection, query: str, head: tuple[str, ...], patients: int, file: Path) -> None:
    beside = file.with_suffix(".tmp")
    options = "FORMAT csv, HEADER false, QUOTE '', ESCAPE '', DELIMITER '\x1f'"
    lines = f"SELECT '{';'.join(head)}' AS line UNION ALL SELECT line FROM ({query.format(patients=patients)})"
    connection.execute(f"COPY ({lines}) TO '{beside}' ({options})")
    beside.rename(file)


# `bad` chooses one row in 6,000 for each of six kinds: about one in a thousand.
_PATIENTS = '''
SELECT concat_ws(';',
    'P' || lpad(CAST(i AS VARCHAR), 8, '0'),
    CASE WHEN bad(i, 0) THEN 'f.' ELSE pick(i, 2, ['F', 'F', 'F', 'M']) END,
    CASE WHEN bad(i, 1) THEN '31.02.1950'
         WHEN u(i, 3) < 0.03 THEN strftime(onset(i) - 20000, '%Y')
         ELSE day(onset(i) - 12000 - CAST(floor(u(i, 4) * 18000) AS INTEGER)) END,
    pick(i, 5, ['01', '02', '03', '04', '05', '06', '07', '08', '09']),
    pick(i, 6, ['GR', 'DE', 'PL', 'FR']),
    CASE WHEN bad(i, 2) THEN '' ELSE day(onset(i)) END,
    CASE WHEN bad(i, 3) THEN '2019-13-40' ELSE day(onset(i) + 30 + CAST(floor(u(i, 7) * 2500) AS INTEGER)) END,
    CASE WHEN u(i, 8) < 0.3 THEN '2' ELSE '1' END,
    CASE WHEN u(i, 8) < 0.3 THEN day(onset(i) + 30 + CAST(floor(u(i, 7) * 2500) AS INTEGER)) ELSE '' END,
    CASE WHEN u(i, 9) < 0.1 THEN '"moved; address ""not known"""' WHEN u(i, 9) < 0.101 THEN '"moved;\nwrote"' WHEN u(i, 9) < 0.4 THEN 'letter sent' ELSE '' END
) || CASE WHEN bad(i, 4) THEN ';one column too many' ELSE '' END AS line
FROM range(1, {patients} + 1) AS patients(i)
'''

_TUMOURS = """
SELECT concat_ws(';',
    'P' || lpad(CAST(i AS VARCHAR), 8, '0'),
    CASE WHEN bad(j, 0) THEN '1' ELSE CAST(no AS VARCHAR) END,
    CASE WHEN bad(j, 1) THEN 'unknown' WHEN bad(j, 2) THEN '' ELSE day(found) END,
    pick(j, 10, ['1', '2', '4', '7', '7', '7']),
    pick(j, 11, ['C50.1', 'C50.4', 'C50.9', 'C18.0', 'C18.7', 'C18.9']),
    pick(j, 12, ['8500', '8520', '8140', '8480']), '3',
    pick(j, 13, ['1', '2', '9']),
    pick(j, 14, ['1', '2', '2', '3', '4', '9']),
    CASE WHEN bad(j, 3) THEN 'T2?' ELSE pick(j, 15, ['T1', 'T1c', 'T2', 'T2', 'T3', 'T4', 'TX']) END,
    pick(j, 16, ['N0', 'N0', 'N1', 'N2', 'NX']),
    pick(j, 17, ['M0', 'M0', 'M0', 'M1']),
    pick(j, 18, ['IA', 'IIA', 'IIB', 'IIIA', 'IV', '']),
    pick(j, 19, ['Positive', 'Positive', 'Negative', '']),
    pick(j, 20, ['Positive', 'Negative', '']),
    CASE WHEN bad(j, 4) THEN 'about 20' WHEN bad(j, 5) THEN '9999' WHEN u(j, 21) < 0.1 THEN ''
         ELSE replace(CAST(round(2 + u(j, 22) * 90, 1) AS VARCHAR), '.', ',') END,
    CAST(CAST(floor(u(j, 23) * 30) AS INTEGER) AS VARCHAR),
    CAST(CAST(floor(u(j, 24) * 8) AS INTEGER) AS VARCHAR),
    CAST(CAST(floor(u(j, 25) * 100) AS INTEGER) AS VARCHAR),
    CASE WHEN u(j, 26) < 0.7 THEN day(found + 20) ELSE '' END,
    CASE WHEN u(j, 27) < 0.4 THEN '1' ELSE '0' END,
    CASE WHEN u(j, 27) < 0.4 THEN day(found + 50) ELSE '' END,
    CASE WHEN u(j, 28) < 0.5 THEN '1' ELSE '0' END,
    CASE WHEN u(j, 28) < 0.5 THEN day(found + 200) ELSE '' END,
    CASE WHEN u(j, 29) < 0.05 THEN '"see report; second page"' ELSE '' END
) AS line
FROM (
    SELECT i, no, i * 2 + no AS j, onset(i) + CAST((no - 1) * 700 AS INTEGER) AS found
    FROM range(1, {patients} + 1) AS patients(i), range(1, 3) AS numbers(no)
    WHERE no = 1 OR u(i, 30) < 0.08
)
"""
