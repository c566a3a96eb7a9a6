"""OMOP CDM 5.4: its tables, the domain routing of events, and the projection of events into tables."""
