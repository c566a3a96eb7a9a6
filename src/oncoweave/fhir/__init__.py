"""Projects events into FHIR R4 (4.0.1): Bulk Data NDJSON, written by the engine from declared templates."""
