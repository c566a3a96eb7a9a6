"""A made-up Athena download of any size: tables, columns and proportions as in a full one, no concept of anybody's.

At scale 1 it has 8 million concepts, 45 million relationships and 70 million ancestors, as a full download has.
"""

from __future__ import annotations

from pathlib import Path

import duckdb

from oncoweave.vocabulary.athena import TABLES

CONCEPTS, RELATIONSHIPS, ANCESTORS = 8_000_000, 45_000_000, 70_000_000
VOCABULARY = "NDC"
"""The large vocabulary of source codes: a tenth of all concepts."""
_DAYS = "'19700101' AS valid_start_date, '20991231' AS valid_end_date"
_VOCABULARIES = ("SNOMED", "RxNorm", "LOINC", "RxNorm Extension", "ICD10CM", "NDC", "Read", "MeSH", "dm+d", "SPL")


def write_download(folder: Path, scale: float) -> Path:
    """Writes the download, unless it is there already; returns its folder."""
    if (folder / "done").exists():
        return folder
    folder.mkdir(parents=True, exist_ok=True)
    concepts = int(CONCEPTS * scale)
    with duckdb.connect() as connection:
        connection.execute("SET enable_progress_bar = false")
        connection.execute("SET preserve_insertion_order = false")
        for name, select in _selects(concepts, scale).items():
            path = str(folder / f"{name}.csv").replace("'", "''")
            connection.execute(f"COPY ({select}) TO '{path}' (FORMAT csv, HEADER, DELIMITER '\t', QUOTE '', ESCAPE '')")
    (folder / "done").touch()
    return folder


def write_codes(path: Path, scale: float, rows: int) -> Path:
    """Writes a column of source codes: of the large vocabulary, in any order, one in fifty unknown."""
    if not path.exists():
        wanted = f"CAST(floor(random() * {int(CONCEPTS * scale)} / 10) AS BIGINT) * 10 + 5"
        select = f"SELECT CASE WHEN random() < 0.02 THEN 'unknown' ELSE {_code(f'({wanted})')} END AS code FROM range({rows})"
        with duckdb.connect() as connection:
            connection.execute("SELECT setseed(0.5)")
            connection.execute(f"COPY ({select}) TO '{str(path).replace(chr(39), chr(39) * 2)}' (FORMAT parquet)")
    return path


def _selects(concepts: int, scale: float) -> dict[str, str]:
    """The SELECT of each table. Concept i is of vocabulary i % 10; those of the first four are standard."""
    names = ", ".join(f"'{name}'" for name in _VOCABULARIES)
    each = max(round(RELATIONSHIPS * scale / concepts) - 2, 1)
    above = round(ANCESTORS * scale / (concepts * 0.4))
    further = f"SELECT i, (i * 7 + j * 1000003) % {concepts}, CASE WHEN j % 2 = 0 THEN 'Is a' ELSE 'Subsumes' END"
    found = {
        "CONCEPT": f"""SELECT i AS concept_id, 'Made-up concept number ' || i || ' with a name of usual length' AS concept_name,
            ['Condition', 'Drug', 'Measurement', 'Drug'][i % 4 + 1] AS domain_id, [{names}][i % 10 + 1] AS vocabulary_id,
            'Class ' || i % 40 AS concept_class_id, CASE WHEN i % 10 < 4 THEN 'S' END AS standard_concept,
            {_code("i")} AS concept_code, {_DAYS}, CASE WHEN i % 97 = 0 THEN 'D' END AS invalid_reason
            FROM range({concepts}) AS t(i)""",
        "CONCEPT_RELATIONSHIP": f"""SELECT a AS concept_id_1, b AS concept_id_2, r AS relationship_id, {_DAYS},
            CASE WHEN a % 53 = 0 THEN 'D' END AS invalid_reason FROM (
            SELECT i AS a, CASE WHEN i % 10 < 4 THEN i ELSE {_standard("i", concepts)} END AS b, 'Maps to' AS r
                FROM range({concepts}) AS t(i)
            UNION ALL SELECT i, {_standard("i + 10", concepts)}, 'Maps to' FROM range(5, {concepts}, 500) AS t(i)
            UNION ALL SELECT CASE WHEN i % 10 < 4 THEN i ELSE {_standard("i", concepts)} END, i, 'Mapped from'
                FROM range({concepts}) AS t(i)
            UNION ALL {further} FROM range({concepts}) AS t(i), range({each}) AS u(j))""",
        "CONCEPT_ANCESTOR": f"""SELECT (i * 31 + j * 104729) % {concepts} AS ancestor_concept_id, i AS descendant_concept_id,
            j AS min_levels_of_separation, j + 1 AS max_levels_of_separation
            FROM range({concepts}) AS t(i), range({above}) AS u(j) WHERE i % 10 < 4""",
        "CONCEPT_SYNONYM": f"""SELECT i AS concept_id, 'Another name of concept ' || i AS concept_synonym_name,
            4180186 AS language_concept_id FROM range(0, {concepts}, 3) AS t(i)""",
        "DRUG_STRENGTH": f"""SELECT i AS drug_concept_id, i + 1 AS ingredient_concept_id, i / 7 AS amount_value,
            8576 AS amount_unit_concept_id, NULL AS numerator_value, NULL AS numerator_unit_concept_id,
            NULL AS denominator_value, NULL AS denominator_unit_concept_id, NULL AS box_size, {_DAYS},
            NULL AS invalid_reason FROM range(1, {concepts}, 3) AS t(i)""",
        "RELATIONSHIP": """SELECT r AS relationship_id, r AS relationship_name, 0 AS is_hierarchical,
            0 AS defines_ancestry, r AS reverse_relationship_id, 1 AS relationship_concept_id
            FROM unnest(['Maps to', 'Mapped from', 'Is a', 'Subsumes']) AS t(r)""",
        "VOCABULARY": f"""SELECT v AS vocabulary_id, v AS vocabulary_name, v AS vocabulary_reference,
            CASE v WHEN 'None' THEN 'made-up {scale:g}' END AS vocabulary_version, 1 AS vocabulary_concept_id
            FROM unnest([{names}, 'None']) AS t(v)""",
    }  # fmt: skip
    small = {
        name: f"SELECT 'Any' AS {name.lower()}_id, 'Any' AS {name.lower()}_name, 1 AS {name.lower()}_concept_id"
        for name in ("DOMAIN", "CONCEPT_CLASS")
    }
    assert {table.name for table in TABLES if table.required} == found.keys() | small.keys()
    return found | small


def _code(number: str) -> str:
    return f"printf('%011d', {number})"


def _standard(number: str, concepts: int) -> str:
    """The number of a standard concept that follows from a number."""
    return f"(({number}) * 13) % ({concepts} // 10) * 10 + ({number}) % 4"
