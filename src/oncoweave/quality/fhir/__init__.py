"""What is written as FHIR: whether it is FHIR R4, and whether it says the same as the OMOP tables."""
