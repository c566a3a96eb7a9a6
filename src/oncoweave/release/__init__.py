"""Releases, the immutable published versions of a data product: packed, verified again, and listed."""
