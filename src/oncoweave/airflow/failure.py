"""Tells Airflow what went wrong: what a retry may mend fails the attempt, everything else the task for good."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from airflow.sdk.exceptions import AirflowException, AirflowFailException, AirflowRuntimeError

from oncoweave.errors import OncoweaveError, frames_of
from oncoweave.orchestration.documentation import fault_text

OURS = "this is a fault in Oncoweave, not in your files; nothing was published. Its text is left out, since it may quote the data"


@contextmanager
def told() -> Iterator[None]:
    """Turn an error of the block into Airflow's own: retried where it is transient, else not.

    The message has the places and the mends. Of an error that nobody foresaw, where it happened and of what kind: its text
    may quote the data.
    """
    try:
        yield
    except OncoweaveError as error:
        kind = AirflowException if error.transient else AirflowFailException
        raise kind(fault_text(error)) from None
    except (AirflowException, AirflowRuntimeError):
        raise
    except Exception as error:
        raise AirflowFailException(f"{''.join(frames_of(error))}{OURS}") from None
