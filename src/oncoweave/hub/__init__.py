"""The hub's side: takes releases of many sources in, verified and whole or not at all, and compares the sources."""
