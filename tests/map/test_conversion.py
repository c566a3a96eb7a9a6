"""Conversion of units: one unit for all values, exactly, with the source's texts as they were and nothing hidden."""

from __future__ import annotations

import pytest

from tests.map.workshop import Mapped, Workshop

HEAD = "id,born,seen,size,unit,low,high\n"
FIELDS = {"low": "{type: number}", "high": "{type: number}", "size": "{type: number}"}
RULE = """
- fact: measurement
  name: sizes
  from: patients
  date: seen
  concept: size
  value: size
  unit: {map: units, value: unit}
  convert: {to: centimeter, units: {mm: value / 10, cm: value, in: value * 2.54, F: (value - 32) * 5 / 9}}
"""
CENTIMETRE, MILLIMETRE = 8582, 8588


def made(workshop: Workshop, *rows: str, rule: str = RULE) -> Mapped:
    workshop.concept_map(
        "units",
        ("mm", MILLIMETRE),
        ("cm", CENTIMETRE),
        ("in", 0, "UNCHECKED"),
        ("F", 0, "UNCHECKED"),
        ("ell", 0, "UNCHECKED"),
        ("Mm", MILLIMETRE),
    )
    lines = [f"p{number},01.01.1950,02.02.2000,{row}" for number, row in enumerate(rows)]
    return workshop.map(rule, patients=HEAD + "\n".join(lines), fields=FIELDS)


EXACT = {
    "18,mm": 1.8, "1,mm": 0.1, "3,mm": 0.3, "0,mm": 0.0, "0.7,mm": 0.07, "123456.789,mm": 12345.6789, "1.85,cm": 1.85,
    "1,in": 2.54, "1.1,in": 2.794, "1e-9,mm": 1e-10, "98.6,F": 37.0, "32,F": 0.0, "-40,F": -40.0, "100,F": 37.7777777778,
}  # fmt: skip


def test_values_are_converted_exactly_to_twelve_digits(workshop: Workshop) -> None:
    rows = made(workshop, *(f"{row},," for row in EXACT)).rows("measurement")
    found = {f"{row['value_source_value']},{row['unit_source_value']}": row["value_as_number"] for row in rows}
    assert found == EXACT
    assert {row["unit_concept_id"] for row in rows} == {CENTIMETRE}


def test_the_source_keeps_its_texts_and_the_range_follows(workshop: Workshop) -> None:
    rule = RULE + "  range_low: low\n  range_high: high\n"
    row = made(workshop, "18,mm,10,20.5", rule=rule).row("measurement")
    assert (row["value_as_number"], row["range_low"], row["range_high"]) == (1.8, 1.0, 2.05)
    assert (row["value_source_value"], row["unit_source_value"]) == ("18", "mm")


def test_a_value_of_another_unit_or_none_keeps_value_and_unit_and_is_told(workshop: Workshop) -> None:
    result = made(workshop, "18,mm,,", "5,ell,,", "7,Mm,,", "6,,,")
    assert sorted(result.rows("measurement", "value_as_number", "unit_concept_id"), key=str) == [
        (1.8, CENTIMETRE), (5.0, 0), (6.0, None), (7.0, MILLIMETRE),
    ]  # fmt: skip
    (count,) = result.record.unconverted
    assert (count.rule, count.column, count.events) == ("sizes", None, 3)
    assert any("3 values of `sizes` have a unit that `convert:` does not name" in w for w in result.record.warnings)
    assert result.counts("sizes") == (4, 4, 0, 0)


def test_between_goes_by_the_new_unit(workshop: Workshop) -> None:
    result = made(workshop, "18,mm,,", "18,cm,,", rule=RULE + "  between: [0, 10]\n")
    assert result.rows("measurement", "value_as_number") == [1.8]
    assert result.reasons("sizes") == {"quarantined: value: out of range": 1}


def test_a_value_that_the_expression_loses_is_held_back(workshop: Workshop) -> None:
    result = made(workshop, "0,mm,,", "4,mm,,", rule=RULE.replace("value / 10", "8 / value"))
    assert result.rows("measurement", "value_as_number") == [2.0]
    assert result.reasons("sizes") == {"quarantined: value: cannot be converted": 1}


def test_a_fixed_unit_and_a_column_of_its_own(workshop: Workshop) -> None:
    rule = """
    - fact: measurement
      name: sizes
      from: patients
      date: seen
      columns:
        size: {concept: size, value: size + 1, unit: millimeter, convert: {to: centimeter, units: {"8588": value / 10}}}
    """
    row = made(workshop, "17,mm,,", rule=rule).row("measurement")
    assert (row["value_as_number"], row["unit_concept_id"], row["value_source_value"]) == (1.8, CENTIMETRE, "17")
    assert row["unit_source_value"] == "8588"


def test_a_value_without_a_field_of_its_own_keeps_the_text_it_had(workshop: Workshop) -> None:
    row = made(workshop, "17,mm,,", rule=RULE.replace("value: size\n", "value: size + 1\n")).row("measurement")
    assert (row["value_as_number"], row["value_source_value"]) == (1.8, "18.0")


def test_a_group_is_converted_by_the_unit_of_its_rows(workshop: Workshop) -> None:
    rule = RULE.replace("value: size\n", "value: max(size)\n").replace("date: seen", "date: min(seen)")
    rule = rule.replace("  concept: size", "  group: [id]\n  concept: size")
    assert made(workshop, "18,mm,,", "2,cm,,", rule=rule).rows("measurement", "value_as_number") == [1.8, 2.0]


def test_an_observation_is_converted_too(workshop: Workshop) -> None:
    rule = RULE.replace("fact: measurement", "fact: observation").replace("concept: size", "concept: family_history")
    assert made(workshop, "18,mm,,", rule=rule).rows("observation", "value_as_number", "unit_concept_id") == [
        (1.8, CENTIMETRE)
    ]


FAULTS = {
    "a factor": ("mm: value / 10", "mm: 0.1", "a unit is converted by an expression of `value`", "write `value * 0.1`"),
    "no value": ("mm: value / 10", "mm: 1 + 1", "a unit is converted by an expression of `value`", "such as `value * 10`"),
    "another field": ("mm: value / 10", "mm: size / 10", "there is no field `size`", "`value`"),
    "a unit that the map does not have": ("mm: value / 10", "nm: value / 10", "the concept map `units` of the units has no `nm`", "valid names: `F`, `cm`, `in`, `mm`"),
    "a target that is no unit": ("to: centimeter", "to: size", "concept 201 is of the domain Measurement", "`unit` takes concepts of the domain Unit"),
    "no unit": ("  unit: {map: units, value: unit}\n", "", "`convert` goes by the source's unit", "add `unit:`"),
}  # fmt: skip


@pytest.mark.parametrize("fault", FAULTS.values(), ids=FAULTS)
def test_a_faulty_conversion_is_told_with_its_place_and_mend(
    workshop: Workshop, fault: tuple[str, str, str, str]
) -> None:
    before, after, message, mend = fault
    workshop.concept_map("units", ("mm", MILLIMETRE), ("cm", CENTIMETRE), ("in", 0, "UNCHECKED"), ("F", 0, "UNCHECKED"))
    assert before in RULE
    _, told, helped = workshop.problem(
        RULE.replace(before, after), patients=HEAD + "p,01.01.1950,02.02.2000,1,mm,,", fields=FIELDS
    )
    assert told == message
    assert mend in helped
