"""Releases of the OMOP vocabulary: read, looked up by id and code, and followed to standard concepts."""
