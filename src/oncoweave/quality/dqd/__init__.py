"""The checks of OHDSI's Data Quality Dashboard: what each asks, the SQL that counts, and dqd.json for its viewer."""
