"""Tells Airflow what went wrong: what a retry may mend fails the attempt, everything else the task for good."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager

from airflow.sdk.exceptions import AirflowException, AirflowFailException

from oncoweave.errors import OncoweaveError
from oncoweave.orchestration.documentation import fault_text

log = logging.getLogger(__name__)


@contextmanager
def told() -> Iterator[None]:
    """Turn an OncoweaveError of the block into Airflow's own: retried where it is transient, else not.

    The message has the places and the mends; a traceback of ours helps nobody there.
    """
    try:
        yield
    except OncoweaveError as error:
        kind = AirflowException if error.transient else AirflowFailException
        raise kind(fault_text(error)) from None
