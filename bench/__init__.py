"""Measures extract and map against DuckDB's own copy of the same files, on a made-up registry of any size."""
