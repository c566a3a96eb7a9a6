"""Suites of expectations over the target tables, and the verdict: what the check stage runs."""
