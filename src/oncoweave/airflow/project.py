"""Which project this Airflow runs: the environment says so, to the scheduler and to every worker alike."""

from __future__ import annotations

import os
from pathlib import Path

from oncoweave import content
from oncoweave.errors import UsageError
from oncoweave.project import Project


def project_here() -> Project:
    """The project in ONCOWEAVE_PROJECT; in a checkout, the checkout itself where it is unset.

    Raises UsageError where neither is there.
    """
    named = os.environ.get("ONCOWEAVE_PROJECT")
    if named:
        return Project.at(Path(named))
    if (content.standard() / "pyproject.toml").is_file():
        return Project.at(content.standard())
    raise UsageError(
        "Airflow is not told which project to run",
        mend="set ONCOWEAVE_PROJECT to the folder that holds mappings/sources, for the scheduler, the DAG processor and every worker",
    )
