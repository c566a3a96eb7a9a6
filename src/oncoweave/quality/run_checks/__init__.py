"""Checks of a run as a whole: its delivery against the last one, what the mapping made of it, and how the release changed."""
