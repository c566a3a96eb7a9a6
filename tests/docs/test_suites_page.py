"""The suites on the page for reviewers are suites."""

from __future__ import annotations

import re
from pathlib import Path

from oncoweave.quality.compilation import compile_suite
from oncoweave.spec.load import load_suite

PAGE = Path(__file__).parents[2] / "docs" / "suites.md"


def test_the_examples_for_reviewers_compile(tmp_path: Path) -> None:
    whole, rule = re.findall(r"```yaml\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)
    (tmp_path / "one.yaml").write_text(whole + rule, encoding="utf-8")
    found, problems = compile_suite(*load_suite(tmp_path / "one.yaml", tmp_path))
    assert problems == []
    assert [check.id for check in found] == [
        "my_registry.psa_plausible", "my_registry.rows_to_meet", "my_registry.prostate_n1_is_stage_4"
    ]  # fmt: skip
    assert [check.spec.owner for check in found] == ["Dr Example, urology", "QA reviewer", "data steward"]
