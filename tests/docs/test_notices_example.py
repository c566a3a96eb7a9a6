"""The example of docs/airflow-ui.md is a `notify:` that source.yaml takes."""

from __future__ import annotations

import re
from pathlib import Path

from oncoweave.project import Project
from oncoweave.spec.load import load_source

PAGE = Path(__file__).resolve().parents[2] / "docs" / "airflow-ui.md"


def test_the_example_of_notices_is_one_that_a_source_takes(tiny_project: Project) -> None:
    (example,) = re.findall(r"```yaml\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)
    path = tiny_project.source_folder("tiny") / "source.yaml"
    path.write_text(path.read_text(encoding="utf-8") + example, encoding="utf-8")
    spec, _ = load_source(tiny_project, "tiny")
    assert spec.notify is not None and spec.notify.webhook == "ONCOWEAVE_WEBHOOK" and len(spec.notify.on) == 4
