"""Keeps pandas from being imported where nothing needs it: DuckDB imports it at the first statement with a parameter.

That costs a second of CPU in every process, to learn what pandas calls missing; no data frame is ever passed here.
Only a process of our own (the command line) is guarded; Great Expectations, which needs pandas, lifts the guard.
"""

from __future__ import annotations

import sys
from typing import Any, cast

_MODULES = cast("dict[str, Any]", sys.modules)


def keep_pandas_out() -> None:
    """From now on `import pandas` fails in this process, unless it has been imported already."""
    _MODULES.setdefault("pandas", None)


def let_pandas_in() -> None:
    """Lift the guard."""
    if "pandas" in _MODULES and _MODULES["pandas"] is None:
        del _MODULES["pandas"]
