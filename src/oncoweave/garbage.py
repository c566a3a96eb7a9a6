"""How a process of ours looks for garbage: seldom, and not once more at its end.

To compile a mapping makes hundreds of thousands of objects that stay; each search goes through all of them.
"""

from __future__ import annotations

import atexit
import gc

SELDOM = (200_000, 20, 50)
"""Objects after which a search begins, instead of 700: a tenth of the CPU of a small run, for 15 MB."""


def collect_seldom() -> None:
    """From now on search seldom; the last search, at the end of the process, takes 0.25 s and frees nothing."""
    gc.set_threshold(*SELDOM)
    atexit.register(gc.freeze)
