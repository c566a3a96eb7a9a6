"""The specification files: their languages, how they are read, and how their problems are told."""
