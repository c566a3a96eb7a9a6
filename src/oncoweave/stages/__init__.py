"""The four stages: extract, map, check, publish. They meet in files only; none imports another."""
