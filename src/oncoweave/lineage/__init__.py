"""Lineage: from which source fields each field of a CDM table comes, and the OpenLineage events that tell of a run."""
