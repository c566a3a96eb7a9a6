"""Runs that were mapped and checked, made by hand as for publish."""

from __future__ import annotations

from tests.release import conftest as release

project = release.project
make_run = release.make_run
