"""`python -m tests.parity.write`: writes differences.csv anew; differences without a reason are printed and end it with 1."""

from __future__ import annotations

import csv
import sys
import tempfile
from pathlib import Path

from tests.parity.compare import differences
from tests.parity.conftest import DATA, compared
from tests.parity.reasons import reason_of
from tests.parity.tables import TABLES
from tests.parity.test_parity import LISTED


def main() -> int:
    """Compare all tables and write the list."""
    with tempfile.TemporaryDirectory() as folder, compared(Path(folder)) as both:
        found = [d for table in TABLES for d in differences(both, table)]
    reasons = [(d, reason_of(d)) for d in found]
    lines = sorted((*d.line, reason) for d, reason in reasons if reason)
    with LISTED.open("w", encoding="utf-8", newline="") as file:
        csv.writer(file, lineterminator="\n").writerows([("table", "what", "key", "reason"), *lines])
    for difference in (d for d, reason in reasons if reason is None):
        _tell(difference.table, difference.what, difference.identity[1:], difference.ours, difference.peer)
    _tell(f"{len(lines)} differences from {DATA.name} listed, {len(found) - len(lines)} without a reason")
    return 0 if len(lines) == len(found) else 1


def _tell(*words: object) -> None:
    sys.stdout.write(" ".join(map(str, words)) + "\n")


if __name__ == "__main__":
    sys.exit(main())
