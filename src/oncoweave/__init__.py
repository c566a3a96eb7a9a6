"""Oncoweave: from the raw extracts of cancer registries to OMOP CDM v5.4, checked and published."""
