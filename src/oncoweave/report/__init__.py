"""Self-contained HTML pages of runs, checks and releases: no network, no script, everything escaped."""
