"""Releases: how one is packed, and how it is verified again."""
