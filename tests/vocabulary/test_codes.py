"""Codes are brought into the vocabulary's form, and say no more than they did."""

import pytest

from oncoweave.vocabulary.codes import normalise_code


@pytest.mark.parametrize(
    ("vocabulary", "code", "expected"),
    [
        ("ICD10", "c509", "C50.9"),
        ("ICD10", " C50.9 ", "C50.9"),
        ("ICD10", "C50", "C50"),
        ("ICD10CM", "C50911", "C50.911"),
        ("ICDO3", "85003-C509", "8500/3-C50.9"),
        ("ICDO3", "8500/3-C50.9", "8500/3-C50.9"),
        ("ICDO3", "8500/3 - c50.9", "8500/3-C50.9"),
        ("ICDO3", "C509", "C50.9"),
        ("ICDO3", "C50", "C50"),
        ("ICDO3", "null-C509", "NULL-C50.9"),
        ("UCUM", "Mm ", "Mm"),
        ("UCUM", "mm", "mm"),
        ("UCUM", "U/L", "[U]/L"),
        ("UCUM", "kU/L", "10*3.[U]/L"),
        ("UCUM", "u[IU]/mL", "10*-6.[iU]/mL"),
        ("UCUM", "{score}", "[score]"),
        ("UCUM", "U/wk", "U/wk"),
        ("UCUM", "[U]/L", "[U]/L"),
        ("SNOMED", "372137005", "372137005"),
        ("LOINC", "33728-7", "33728-7"),
        ("ICD10", "no code at all", "NO CODE AT ALL"),
    ],
)
def test_code_takes_the_form_of_its_vocabulary(vocabulary: str, code: str, expected: str) -> None:
    assert normalise_code(vocabulary, code) == expected
