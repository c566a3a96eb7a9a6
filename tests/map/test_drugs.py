"""When a drug ends, by what is known of it (Themis), and the fields of drugs, procedures, devices and measurements."""

from __future__ import annotations

import pytest

from tests.map.workshop import Workshop

PATIENTS = "id,born\n1,12.03.1951"
FIELDS = {
    "supply": "{type: integer}",
    "amount": "{type: number}",
    "refills": "{type: integer}",
    "seen": '{type: date, formats: ["%d.%m.%Y %H:%M", "%d.%m.%Y", "%m.%Y"]}',
}
DRUG = "fact: drug, name: drugs, from: treatments, concept: tamoxifen, start: seen"


@pytest.mark.parametrize(
    ("recorded_as", "last"),
    [
        ("", "2020-01-10"),
        ("administration", "2020-01-10"),
        ("prescription", "2020-02-08"),
        ("mail_order", "2020-04-08"),
    ],
)
def test_the_last_day_is_given_or_follows_from_the_supply_or_from_what_is_recorded(
    workshop: Workshop, recorded_as: str, last: str
) -> None:
    how = f", recorded_as: {recorded_as}" if recorded_as else ""
    made = workshop.map(
        f"- {{{DRUG}, end: left, days_supply: supply{how}}}",
        fields=FIELDS,
        patients=PATIENTS,
        treatments="treatment,id,seen,left,supply\nt1,1,01.01.2020,05.01.2020,30\nt2,1,02.01.2020,,30\nt3,1,03.01.2020,,1\n"
        "t4,1,04.01.2020,,0\nt5,1,10.01.2020,,",
    )
    columns = ("drug_exposure_start_date", "drug_exposure_end_date", "verbatim_end_date", "days_supply")
    assert sorted(tuple(map(str, row)) for row in made.rows("drug_exposure", *columns)) == [
        ("2020-01-01", "2020-01-05", "2020-01-05", "30"),
        ("2020-01-02", "2020-01-31", "None", "30"),
        ("2020-01-03", "2020-01-03", "None", "1"),
        ("2020-01-04", "2020-01-04", "None", "0"),
        ("2020-01-10", last, "None", "None"),
    ]


def test_a_supply_or_refill_that_nobody_has_is_held_back(workshop: Workshop) -> None:
    made = workshop.map(
        f"- {{{DRUG}, days_supply: supply, refills: refills}}",
        fields=FIELDS,
        patients=PATIENTS,
        treatments="treatment,id,seen,supply,refills\nt1,1,01.01.2020,-30,0\nt2,1,01.01.2020,36526,0\n"
        "t3,1,01.01.2020,36525,0\nt4,1,01.01.2020,30,-1\nt5,1,31.12.9999,2147483647,0",
    )
    assert made.reasons("drugs") == {
        "quarantined: days_supply: out of range": 3, "quarantined: refills: out of range": 1,
    }  # fmt: skip
    assert made.counts("drugs") == (5, 1, 4, 0)


def test_the_end_of_a_drug_has_a_time_only_where_one_is_known(workshop: Workshop) -> None:
    made = workshop.map(
        f"- {{{DRUG}, days_supply: supply}}",
        fields=FIELDS,
        patients=PATIENTS,
        treatments="treatment,id,seen,supply\nt1,1,01.01.2020 09:30,2\nt2,1,02.01.2020 09:30,1",
    )
    columns = ("drug_exposure_start_datetime", "drug_exposure_end_datetime")
    assert sorted(tuple(map(str, row)) for row in made.rows("drug_exposure", *columns)) == [
        ("2020-01-01 09:30:00", "2020-01-02 00:00:00"),
        ("2020-01-02 09:30:00", "2020-01-02 09:30:00"),
    ]


def test_the_further_fields_of_a_drug_are_verbatim_and_cut_to_the_cdm_with_a_count(workshop: Workshop) -> None:
    made = workshop.map(
        f"- {{{DRUG}, refills: refills, sig: how, lot_number: lot, dose_unit: unit, stop_reason: why}}",
        fields=FIELDS,
        patients=PATIENTS,
        treatments="treatment,id,seen,refills,how,lot,unit,why\nt1,1,01.01.2020,3,1-0-1,L 7 ,mg,progression of the disease\n"
        "t2,1,01.01.2020,,,,,",
    )
    columns = ("refills", "sig", "lot_number", "dose_unit_source_value", "stop_reason")
    assert sorted(made.rows("drug_exposure", *columns), key=str) == [
        (3, "1-0-1", "L 7 ", "mg", "progression of the d"),
        (None, None, None, None, None),
    ]
    assert made.record.truncated == {"drug_exposure.stop_reason": 1}


@pytest.mark.parametrize("field", ["note", "id"])
def test_directions_in_free_text_are_refused(workshop: Workshop, field: str) -> None:
    rule = f"- {{{DRUG}, sig: {field}}}"
    place, message, _ = workshop.problem(rule, fields=FIELDS, patients=PATIENTS, treatments="treatment,id,seen,note")
    assert place.startswith(field) and message == f"free text and identifiers may not leave the site: {field}"


def test_an_unknown_way_of_recording_is_told_at_its_place(workshop: Workshop) -> None:
    rule = f"- {{{DRUG}, recorded_as: dispensing}}"
    place, message, _ = workshop.problem(rule, fields=FIELDS, patients=PATIENTS, treatments="treatment,id,seen")
    assert place.startswith("dispensing") and "recorded_as" in message + place


def test_the_further_fields_of_conditions_procedures_and_devices(workshop: Workshop) -> None:
    workshop.concept_map("sides", ("L", 503))
    made = workshop.map(
        """
        - {fact: condition, name: cancer, from: treatments, concept: breast_cancer, start: seen, stop_reason: why}
        - {fact: procedure, name: cuts, from: treatments, concept: excision, date: seen, modifier: {map: sides, value: side}}
        - {fact: device, name: ports, from: treatments, concept: port_catheter, start: seen, quantity: amount,
           unit: millimeter, unique_device_id: udi, production_id: lot}
        """,
        fields=FIELDS,
        patients=PATIENTS,
        treatments="treatment,id,seen,why,side,amount,udi,lot\nt1,1,01.01.2020,cured,L,2,(01)0088,A1\n"
        "t2,1,02.01.2020,,R,,,\nt3,1,03.01.2020,,,,,",
    )
    assert sorted(made.rows("condition_occurrence", "stop_reason"), key=str) == [None, None, "cured"]
    assert sorted(made.rows("procedure_occurrence", "modifier_source_value", "modifier_concept_id"), key=str) == [
        ("L", 503), ("R", 0), (None, None),
    ]  # fmt: skip
    columns = ("unique_device_id", "production_id", "quantity", "unit_concept_id", "unit_source_value")
    assert sorted(made.rows("device_exposure", *columns), key=str) == [
        ("(01)0088", "A1", 2, 8588, "8588"), (None, None, None, None, None), (None, None, None, None, None),
    ]  # fmt: skip


def test_the_unit_of_a_device_needs_a_quantity(workshop: Workshop) -> None:
    rule = "- {fact: device, name: ports, from: treatments, concept: port_catheter, start: seen, unit: millimeter}"
    place, message, _ = workshop.problem(rule, fields=FIELDS, patients=PATIENTS, treatments="treatment,id,seen")
    assert place.startswith("unit") and "goes with a number" in message


def test_the_time_of_a_measurement_is_told_as_text_where_it_is_known(workshop: Workshop) -> None:
    made = workshop.map(
        "- {fact: measurement, name: sizes, from: tumours, date: seen, columns: {size: {concept: size, unit: millimeter}}}",
        fields=FIELDS,
        patients=PATIENTS,
        tumours="id,tumour,seen,size\n1,1,01.01.2020 09:30,2\n1,2,01.01.2020,3",
    )
    found = made.rows("measurement", "value_as_number", "measurement_time")
    assert sorted(found) == [(2.0, "09:30:00"), (3.0, None)]
