"""Resources of FHIR R4 as source tables: read from NDJSON and Bundles, flattened by views."""
