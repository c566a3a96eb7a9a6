"""What docs/fhir_omop.yaml claims of HL7's FHIR to OMOP guide is proved by tests, and what no other test proves is here."""

from __future__ import annotations

import ast
import hashlib
import json
import re
from pathlib import Path

import duckdb
import pytest
import yaml  # type: ignore[import-untyped]

from docs.fhir_omop import PAGE, Conformance, facts, page
from oncoweave.lint import lint
from oncoweave.omop.model import other_tables
from oncoweave.omop.model import tables as cdm_tables
from oncoweave.omop.routing import TABLE_OF_FACT
from oncoweave.project import Project
from tests.fhir import guide_vocabulary
from tests.fhir.guide_cases import CASES, IDENTIFIER, Guided, mapped

ROOT = Path(__file__).resolve().parents[2]
SOURCE = ROOT / "mappings" / "sources" / "fhir_r4"
FACTS: Conformance = facts()
NAMED = sorted({test for one in FACTS.requirements.values() for test in one.tests})


def test_the_page_is_what_the_facts_say() -> None:
    assert PAGE.read_text(encoding="utf-8") == page(FACTS), "stale: run `make reference`"


def test_every_requirement_of_the_guide_is_there_at_its_level(shared_data: Path) -> None:
    lines = (shared_data / "fhir" / "omop-ig" / "requirements.txt").read_text(encoding="utf-8").splitlines()
    levels = {line[:7]: set(re.findall(r"\*\*(SHALL|SHOULD|MAY)\*\*", line)) for line in lines if line}
    assert list(FACTS.requirements) == sorted(levels)
    assert len(levels) == 56
    assert [name for name, one in FACTS.requirements.items() if one.level not in levels[name]] == []


@pytest.mark.parametrize("test", NAMED)
def test_a_test_that_is_named_is_there(test: str) -> None:
    file, _, name = test.partition("::")
    function, _, case = name.partition("[")
    tree = ast.parse((ROOT / file).read_text(encoding="utf-8"))
    assert function in {node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)}
    assert not case or case.removesuffix("]") in CASES


@pytest.mark.parametrize("name", FACTS.requirements)
def test_what_is_met_has_a_test_and_what_is_not_a_reason(name: str) -> None:
    one = FACTS.requirements[name]
    assert bool(one.tests) == (one.status != "not ours")
    assert one.reason or one.status == "met"


def test_what_is_declared_is_what_the_source_reads() -> None:
    source = yaml.safe_load((SOURCE / "source.yaml").read_text(encoding="utf-8"))
    rules = yaml.safe_load((SOURCE / "mapping.yaml").read_text(encoding="utf-8"))
    views = {
        path.stem: yaml.safe_load(path.read_text(encoding="utf-8"))["resource"] for path in SOURCE.glob("views/*.yaml")
    }
    made: dict[str, set[str]] = {resource: set() for resource in views.values()}
    direct = {views[rule["from"]] for rule in rules["rules"]}
    for rule in rules["rules"]:
        joined = {
            join["to"] for join in rules["joins"] if join["from"] == rule["from"] and views[join["to"]] not in direct
        }
        for table in (rule["from"], *joined):
            made[views[table]].add(TABLE_OF_FACT[rule["fact"]])
    assert {resource: set(found) for resource, found in FACTS.resources.items()} == made
    assert all(version in source["description"] for version in FACTS.fhir_versions)
    assert all(resource in source["description"] for resource in FACTS.resources)
    assert FACTS.guide.version in source["reference"]
    assert FACTS.use_cases
    assert FACTS.profiles


def test_no_view_reads_what_identifies_a_person() -> None:
    paths = re.findall(r'path: "([^"]*)"', "".join(p.read_text(encoding="utf-8") for p in SOURCE.glob("views/*.yaml")))
    assert len(paths) > 150
    elements = {word for path in paths for word in re.findall(r"\b[a-z]\w+", re.sub(r"'[^']*'", "", path))}
    assert elements & {"identifier", "name", "address", "telecom", "contact", "photo", "text", "div"} == {"text"}
    assert [path for path in paths if re.search(r"\btext\b", path)] == [
        p for p in paths if p.endswith("where(coding.empty()).text)")
    ]


def test_business_identifiers_change_no_row(guided: Guided, tmp_path: Path) -> None:
    again = mapped(tmp_path, guide_vocabulary.write(tmp_path / "athena" / "download"), IDENTIFIER)
    assert "MRN-4711" in (again.delivery / "all.ndjson").read_text(encoding="utf-8")
    for table in cdm_tables():
        if table not in ("metadata", "cdm_source"):
            first, second = (
                hashlib.sha256((one.run.tables / f"{table}.parquet").read_bytes()) for one in (guided, again)
            )
            assert first.digest() == second.digest(), table


def test_persons_and_rows_lead_back_to_their_resources(guided: Guided) -> None:
    lines = (guided.delivery / "all.ndjson").read_text(encoding="utf-8").splitlines()
    sql = f"""SELECT o.person_id, e.source_line FROM '{guided.run.tables}/procedure_occurrence.parquet' AS o
        JOIN '{guided.run.path}/events/procedures.parquet' AS e ON e.event_id = o.procedure_occurrence_id"""
    rows = duckdb.sql(sql).fetchall()
    assert len(rows) == 3
    case = {person: name.replace("_", "-") for name, person in guided.persons.items()}
    for person, line in rows:
        resource = json.loads(lines[line - 1])
        assert resource["resourceType"] == "Procedure"
        assert resource["id"].rpartition("-")[0] == case[person]
    (restricted,) = guided.run.path.parents[2].glob("restricted/**/*.parquet")
    assert guided.run.path not in restricted.parents
    assert restricted.stat().st_mode & 0o077 == 0


def test_a_run_records_what_it_rests_on(guided: Guided) -> None:
    (about,) = duckdb.sql(
        f"SELECT cdm_version, vocabulary_version, source_documentation_reference FROM '{guided.run.tables}/cdm_source.parquet'"
    ).fetchall()
    assert about == (
        FACTS.cdm_version,
        guide_vocabulary.RELEASE,
        f"HL7 FHIR to OMOP implementation guide {FACTS.guide.version}",
    )
    told = dict(duckdb.sql(f"SELECT name, value_as_string FROM '{guided.run.tables}/metadata.parquet'").fetchall())
    assert any("oncoweave" in str(value) for value in told.values())
    identity = json.loads((guided.run.path / "identity.json").read_text(encoding="utf-8"))
    assert identity["vocabulary"] == guide_vocabulary.RELEASE
    assert len(identity["mapping_sha256"]) == 64


def test_every_record_has_a_type_concept_of_its_domain(guided: Guided) -> None:
    types = {
        int(line.split("|")[0]) for line in guide_vocabulary.CONCEPTS.strip().splitlines() if "|Type Concept|" in line
    }
    seen: set[int] = set()
    for table in cdm_tables():
        path = guided.run.tables / f"{table}.parquet"
        for (column,) in duckdb.sql(f"SELECT column_name FROM (DESCRIBE FROM '{path}')").fetchall():
            if column.endswith("_type_concept_id") and table != "metadata":
                found = {row[0] for row in duckdb.sql(f"SELECT DISTINCT {column} FROM '{path}'").fetchall()}
                assert found <= types, column
                seen |= found
    assert len(seen) > 5


def test_what_is_left_out_is_counted_by_rule_and_reason(guided: Guided) -> None:
    ledger = {entry.rule: entry for entry in guided.mapped.ledger}
    orders = sum(one["resourceType"] == "MedicationRequest" for case in CASES.values() for one in case["given"])
    assert ledger["requests"].read == orders + 1
    assert ledger["requests"].mapped == 1
    assert (ledger["requests"].excluded, ledger["requests"].quarantined) == (orders - 1, 1)
    held = {(q.type, reason) for q in guided.extracted.resources for _, reason, _ in q.reasons}
    assert ("Condition", "a modifier extension that source.yaml does not name") in held
    assert sum(entry.unmapped for entry in guided.mapped.ledger) > 0
    assert {u.rule for u in guided.mapped.unmapped} >= {"conditions", "observations"}


def test_every_field_is_mapped_or_ignored_with_its_reason(guided: Guided, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ONCOWEAVE_KEY", "5e" * 32)
    assert lint(Project.at(guided.run.path.parents[2]), "fhir_r4") == []
    text = (ROOT / "docs" / "fhir.md").read_text(encoding="utf-8")
    assert all(f"**{word}" in text for word in ("Codes.", "Type concepts.", "Dates.", "What is lost."))


def test_the_tables_have_the_elements_of_the_guides_models(guided: Guided, shared_data: Path) -> None:
    checked = 0
    for path in sorted((shared_data / "fhir" / "omop-ig" / "fsh" / "OMOPModels").glob("*.fsh")):
        table = re.sub(r"(?<!^)(?=[A-Z])", "_", path.stem).lower().replace("note_n_l_p", "note_nlp")
        written = guided.run.tables / f"{table}.parquet"
        wanted = re.findall(r"^\* (\w+) \d\.\.", path.read_text(encoding="utf-8"), re.M)
        if written.is_file():
            has = {row[0] for row in duckdb.sql(f"SELECT column_name FROM (DESCRIBE FROM '{written}')").fetchall()}
            assert set(wanted) <= has, table
            checked += 1
    assert checked > 15


def test_tables_are_filled_as_they_are_disclosed(guided: Guided) -> None:
    found = {table: filled(guided, table) for table in cdm_tables()} | dict.fromkeys(other_tables(), ("empty", ()))
    disclosed = {table: (one.filled, one.empty_columns) for table, one in FACTS.tables.items()}
    assert found == disclosed


def filled(guided: Guided, table: str) -> tuple[str, tuple[str, ...]]:
    """How far a table is filled by all cases together, and which of its columns never are."""
    path = guided.run.tables / f"{table}.parquet"
    columns = [row[0] for row in duckdb.sql(f"SELECT column_name FROM (DESCRIBE FROM '{path}')").fetchall()]
    counts = duckdb.sql(f"SELECT count(*), {', '.join(f'count({c})' for c in columns)} FROM '{path}'").fetchone() or (
        0,
    )
    if not counts[0]:
        return "empty", ()
    empty = tuple(c for c, number in zip(columns, counts[1:], strict=True) if not number)
    return ("partial" if empty else "full"), empty
