"""A vocabulary as small as the cases of HL7's FHIR to OMOP guide need it, written as Athena gives one."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from oncoweave.vocabulary.athena import TABLES

RELEASE = "v5.0 29-FEB-24"
DAYS = "19700101\t20991231"
CONCEPTS = """
0|No matching concept|Metadata|None||No matching concept
8507|MALE|Gender|Gender|S|M
8532|FEMALE|Gender|Gender|S|F
9201|Inpatient Visit|Visit|Visit|S|IP
9202|Outpatient Visit|Visit|Visit|S|OP
9203|Emergency Room Visit|Visit|Visit|S|ER
262|Emergency Room and Inpatient Visit|Visit|Visit|S|ERIP
581476|Home Visit|Visit|Visit|S|OMOP4822459
32817|EHR|Type Concept|Type Concept|S|OMOP4976890
32818|EHR administration record|Type Concept|Type Concept|S|OMOP4976891
32827|EHR encounter record|Type Concept|Type Concept|S|OMOP4976900
32836|EHR physical examination|Type Concept|Type Concept|S|OMOP4976909
32838|EHR prescription|Type Concept|Type Concept|S|OMOP4976911
32856|Lab|Type Concept|Type Concept|S|OMOP4976929
32865|Patient self-report|Type Concept|Type Concept|S|OMOP4976938
32882|Standard algorithm from EHR|Type Concept|Type Concept|S|OMOP4976955
317009|Asthma|Condition|SNOMED|S|195967001
4051466|Childhood asthma|Condition|SNOMED|S|233678006
4162253|Primary malignant neoplasm of breast|Condition|SNOMED|S|372137005
35207792|Asthma, unspecified|Condition|ICD10CM||J45.909
45538366|Asthma, unspecified, of ICD-10|Condition|ICD10||J45.9
4221243|Infiltrating duct carcinoma|Observation|SNOMED|S|82711006
4267424|Left breast structure|Spec Anatomic Site|SNOMED|S|80248007
4033240|Preliminary diagnosis|Observation|SNOMED|S|148006
4083960|Differential diagnosis|Observation|SNOMED|S|47965005
37117813|Refuted|Meas Value|SNOMED|S|723511001
3004249|Systolic blood pressure|Measurement|LOINC|S|8480-6
3012888|Diastolic blood pressure|Measurement|LOINC|S|8462-4
40758413|Blood pressure panel with all children optional|Measurement|LOINC|S|85354-9
3000963|Hemoglobin [Mass/volume] in Blood|Measurement|LOINC|S|718-7
4118981|Hemoglobin measurement|Measurement|SNOMED|S|441689006
43054909|Tobacco smoking status|Observation|LOINC|S|72166-2
45877994|Yes|Meas Value|LOINC|S|LA33-6
45878245|No|Meas Value|LOINC|S|LA32-8
42709996|Smokes tobacco daily|Observation|SNOMED|S|449868002
4161302|Pathologic TNM stage grouping|Measurement|SNOMED|S|399588009
4161303|pT category|Measurement|SNOMED|S|384625004
35918383|American Joint Committee on Cancer stage IIB|Meas Value|SNOMED|S|1222769001
35918384|American Joint Committee on Cancer pT3|Meas Value|SNOMED|S|1229859000
8876|millimeter mercury column|Unit|UCUM|S|mm[Hg]
8713|gram per deciliter|Unit|UCUM|S|g/dL
8576|milligram|Unit|UCUM|S|mg
4171756|<|Meas Value Operator|SNOMED|S|276139006
4171754|<=|Meas Value Operator|SNOMED|S|276137001
4171755|>=|Meas Value Operator|SNOMED|S|276138006
4172704|>|Meas Value Operator|SNOMED|S|276140008
4198190|Appendectomy|Procedure|SNOMED|S|80146002
4107893|Blood culture|Measurement|SNOMED|S|30088009
1127433|acetaminophen 325 MG Oral Tablet|Drug|RxNorm|S|313782
1125315|acetaminophen|Drug|RxNorm|S|161
21604303|paracetamol; systemic|Drug|ATC|C|N02BE01
1728416|penicillin G|Drug|RxNorm|S|7980
40213154|influenza, seasonal, injectable|Drug|CVX|S|141
439224|Allergy to drug|Observation|SNOMED|S|416098002
4188027|Allergy to food|Observation|SNOMED|S|414285001
37396387|No known allergy|Observation|SNOMED|S|716186003
140214|Eruption|Condition|SNOMED|S|271807003
4171047|Intravenous route|Route|SNOMED|S|47625008
4030875|Cochlear prosthesis|Device|SNOMED|S|43252007
4002890|Tissue specimen|Specimen|SNOMED|S|119376003
4149265|History of malignant neoplasm|Observation|SNOMED|S|266987004
"""
MAPS = ((35207792, 317009), (45538366, 317009), (21604303, 1125315))
BENEATH = ((317009, 4051466), (1125315, 1127433), (1125315, 1125315))
INGREDIENTS = ("acetaminophen",)


def write(folder: Path) -> Path:
    """The download, written into a folder."""
    rows: dict[str, list[str]] = {table.name: [] for table in TABLES if table.required}
    concepts = [line.split("|") for line in CONCEPTS.strip().splitlines()]
    for number, name, domain, vocabulary, standard, code in concepts:
        kind = "Ingredient" if name in INGREDIENTS else "Class"
        rows["CONCEPT"].append(_line(number, name, domain, vocabulary, kind, standard, code, DAYS, ""))
        if standard == "S":
            rows["CONCEPT_RELATIONSHIP"].append(_line(number, number, "Maps to", DAYS, ""))
    for source, target in MAPS:
        rows["CONCEPT_RELATIONSHIP"].append(_line(source, target, "Maps to", DAYS, ""))
    rows["VOCABULARY"] = [_line("None", "OMOP Standardized Vocabularies", "OMOP generated", RELEASE, 44819096)]
    rows["VOCABULARY"] += [_line(name, name, "", "", 1) for name in sorted({c[3] for c in concepts} - {"None"})]
    rows["DOMAIN"] = [_line(name, name, 1) for name in sorted({c[2] for c in concepts})]
    rows["CONCEPT_CLASS"] = [_line(name, name, 1) for name in ("Class", "Ingredient")]
    rows["RELATIONSHIP"] = [_line(name, name, 0, 0, "Mapped from", 1) for name in ("Maps to", "Maps to value")]
    rows["CONCEPT_ANCESTOR"] = [_line(ancestor, descendant, 1, 1) for ancestor, descendant in BENEATH]
    rows["CONCEPT_SYNONYM"] = [_line(317009, "asthma", 4180186)]
    rows["DRUG_STRENGTH"] = [_line(1127433, 1125315, 325, 8576, "", "", "", "", "", DAYS, "")]
    return _written(folder, rows)


def _written(folder: Path, rows: Mapping[str, list[str]]) -> Path:
    folder.mkdir(parents=True)
    heads = {table.name: "\t".join(table.columns) for table in TABLES}
    for name, lines in rows.items():
        (folder / f"{name}.csv").write_text("\n".join([heads[name], *lines, ""]), encoding="utf-8")
    return folder


def _line(*values: object) -> str:
    return "\t".join(str(value) for value in values)
