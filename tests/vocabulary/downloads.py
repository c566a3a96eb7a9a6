"""Writes small downloads as Athena gives them: tab-separated, unquoted, all tables, as a folder or a zip file."""

from __future__ import annotations

import zipfile
from collections.abc import Mapping
from pathlib import Path

from oncoweave.vocabulary.athena import TABLES

DAYS = "19700101\t20991231"
CONCEPTS = (
    (0, "No matching concept", "Metadata", "None", "Undefined", "", "No matching concept", ""),
    (1, 'Malignant neoplasm of breast, "NOS', "Condition", "ICD10", "ICD10 code", "", "C50.9", ""),
    (2, "Primary malignant neoplasm of breast", "Condition", "SNOMED", "Disorder", "S", "372137005", ""),
    (3, "NA", "Measurement", "SNOMED", "Substance", "S", "007", ""),
    (4, "Personal history of breast cancer", "Observation", "ICD10", "ICD10 code", "", "Z85.3", ""),
    (5, "History of", "Observation", "SNOMED", "Context", "S", "417662000", ""),
    (6, "Old disease", "Condition", "ICD10", "ICD10 code", "", "A00", "D"),
    (7, "Retired breast cancer", "Condition", "SNOMED", "Disorder", "", "254837009", "U"),
    (8, "millimeter", "Unit", "UCUM", "Unit", "S", "mm", ""),
)
MAPS = (
    (1, 2, "Maps to"), (2, 2, "Maps to"), (3, 3, "Maps to"), (5, 5, "Maps to"), (8, 8, "Maps to"),
    (4, 5, "Maps to"), (4, 2, "Maps to value"), (6, 7, "Maps to"), (7, 2, "Maps to"), (2, 1, "Mapped from"),
)  # fmt: skip
RELEASE = "v5.0 27-AUG-25"

Texts = dict[str, str]


def texts() -> Texts:
    """The text of every file of a sound download, by its name."""
    rows: dict[str, list[str]] = {table.name: [] for table in TABLES if table.required}
    rows["CONCEPT"] = [_line(*concept[:7], DAYS, concept[7]) for concept in CONCEPTS]
    rows["CONCEPT_RELATIONSHIP"] = [_line(*relation, DAYS, "") for relation in MAPS]
    rows["VOCABULARY"] = [_line("None", "OMOP Standardized Vocabularies", "OMOP generated", RELEASE, 44819096)]
    rows["VOCABULARY"] += [_line(name, name, "", "", 1) for name in ("SNOMED", "ICD10", "UCUM")]
    rows["DOMAIN"] = [_line(name, name, 1) for name in ("Condition", "Measurement", "Observation", "Unit", "Metadata")]
    rows["CONCEPT_CLASS"] = [_line("Disorder", "Disorder", 1)]
    rows["RELATIONSHIP"] = [_line(name, name, 0, 0, "Mapped from", 1) for name in ("Maps to", "Maps to value")]
    rows["CONCEPT_ANCESTOR"] = [_line(2, 2, 0, 0)]
    rows["CONCEPT_SYNONYM"] = [_line(2, "Breast cancer", 4180186)]
    rows["DRUG_STRENGTH"] = [_line(2, 2, 10.5, 8, "", "", "", "", "", DAYS, "")]
    heads = {table.name: "\t".join(table.columns) for table in TABLES}
    return {f"{name}.csv": "\n".join([heads[name], *lines, ""]) for name, lines in rows.items()}


def folder_of(folder: Path, files: Mapping[str, str | bytes]) -> Path:
    """The files written into a folder."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in files.items():
        (folder / name).write_bytes(text if isinstance(text, bytes) else text.encode())
    return folder


def zip_of(path: Path, files: Mapping[str, str | bytes]) -> Path:
    """The files as a zip file, packed."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, text in files.items():
            archive.writestr(name, text)
    return path


def _line(*values: object) -> str:
    return "\t".join(str(value) for value in values)
