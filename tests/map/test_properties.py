"""Whatever stands in the cells, every rule's ledger balances, no row is lost, and ids are unique."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from oncoweave.project import Project
from tests.conftest import KEY
from tests.map.workshop import RELEASE, Mapped, Workshop

RULES = """
- {fact: observation_period, name: spans, from: tumours, start: seen, end: left}
- fact: condition
  name: cancer
  from: tumours
  where: site <> 'C34'
  because: another rule's
  concept: {map: codes, value: site}
  start: seen
  end: left
- fact: measurement
  name: findings
  from: tumours
  modifies: cancer
  date: seen
  columns:
    size: {concept: size, unit: {map: units, value: unit}, between: [0, 300]}
    code: {concept: {map: codes}}
- {fact: measurement, name: largest, from: tumours, group: [id], date: min(seen), concept: size, value: max(size)}
- fact: condition
  name: sites
  from: tumours
  group: [id, site]
  concept: {vocabulary: ICD10, code: "{site}"}
  start: min(case when size > 3 then seen end)
- {fact: measurement, name: by_site, from: contents, modifies: sites, date: seen, concept: size, value: size}
- {fact: death, name: deaths, from: patients, where: died is not null, because: alive, date: died}
"""
MAPS = {
    "codes": (("C50", 101), ("C50", 502), ("er+", 205), ("er+", 701, "APPROVED", "MAPS_TO_VALUE"), ("?", 0, "IGNORED")),
    "units": (("mm", 8588, "APPROVED", "MAPS_TO_UNIT"), ("?", 0, "IGNORED")),
}
IDS = st.sampled_from(["1", "2", "3", " 1", "", "1:1", "é"])
DATES = st.sampled_from(
    ["01.01.2015", "02.2016", "2017", "31.02.2015", "", "x", " 05.05.2015 ", "99.99.9999", "infinity"]
)
NUMBERS = st.sampled_from(["5", "3,5", "-1", "301", "", "x", "1e400", "NaN", "99", " 7 ", "0"])
CODES = st.sampled_from(["C50", "C34", "er+", "?", "", " C50", "c50", "Z85", "new", "'; drop", "%", "é" * 60])
PATIENT = st.tuples(IDS, DATES, DATES)
TUMOUR = st.tuples(IDS, st.sampled_from(["1", "2", ""]), DATES, DATES, CODES, NUMBERS, CODES, CODES)
CONTENT = st.tuples(IDS, CODES, DATES, NUMBERS)


def csv_of(header: str, rows: list[tuple[str, ...]]) -> str:
    """CSV text, every cell quoted."""
    return "\n".join([header, *(",".join('"' + cell.replace('"', '""') + '"' for cell in row) for row in rows)])


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory, vocabulary: Path) -> Workshop:
    """One project for all examples."""
    root = tmp_path_factory.mktemp("properties")
    shutil.copytree(vocabulary, root / "mappings" / "vocabulary" / RELEASE)
    workshop = Workshop(Project.at(root))
    for name, targets in MAPS.items():
        workshop.concept_map(name, *targets)
    return workshop


def mapped(
    site: Workshop, patients: list[tuple[str, ...]], tumours: list[tuple[str, ...]], contents: list[tuple[str, ...]]
) -> Mapped:
    """One run of the rules over these rows."""
    return site.map(
        RULES,
        keys={"contents": "row: {content: true}\nperson: [id]"},
        patients=csv_of("id,born,died", patients),
        tumours=csv_of("id,tumour,seen,left,site,size,unit,code", tumours),
        contents=csv_of("id,site,seen,size", contents),
    )


@settings(max_examples=12, deadline=None, suppress_health_check=list(HealthCheck))
@given(
    patients=st.lists(PATIENT, min_size=1, max_size=6),
    tumours=st.lists(TUMOUR, min_size=1, max_size=12),
    contents=st.lists(CONTENT, min_size=1, max_size=6),
)
def test_no_row_is_lost_no_id_is_given_twice_and_order_does_not_matter(
    site: Workshop,
    patients: list[tuple[str, ...]],
    tumours: list[tuple[str, ...]],
    contents: list[tuple[str, ...]],
) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("ONCOWEAVE_KEY", KEY)
        made = mapped(site, patients, tumours, contents)
        again = mapped(site, patients[::-1], tumours[::-1], contents[::-1])
    read = {"patients": len(patients), "tumours": len(tumours), "contents": len(contents)}
    for entry in made.record.ledger:
        assert entry.read == read[entry.table] == entry.mapped + entry.quarantined + entry.excluded, entry
        held = [q for q in made.quarantine(entry.rule) if q[1] == entry.column]
        assert len(held) == entry.quarantined, entry
    persons = made.rows("person", "person_id")
    assert len(persons) == len(set(persons))
    events = [e for rule in {e.rule for e in made.record.ledger} for e in made.events(rule) if e["fact"] != "person"]
    assert len({e["event_id"] for e in events}) == len(events)
    assert {e["person_id"] for e in events} <= set(persons)
    conditions = {e["event_id"] for e in events if e["rule"] in ("cancer", "sites")}
    assert {e["modifies"] for e in events if e["modifies"]} <= conditions
    assert made.table_bytes() == again.table_bytes()
