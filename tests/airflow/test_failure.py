"""What fails for good, what is tried again, and that no text of an unforeseen error gets into a log."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from oncoweave.errors import (
    DataError,
    EnvironmentFault,
    LockHeld,
    OncoweaveError,
    Problem,
    SourceUnreachable,
    SpecError,
    UsageError,
)
from oncoweave.files import lock

CANARY = "Maria Canary 1970-02-03"


@pytest.mark.parametrize("kind", [SpecError, UsageError, DataError, EnvironmentFault, OncoweaveError])
def test_what_a_retry_does_not_mend_fails_for_good(kind: type[OncoweaveError]) -> None:
    from airflow.sdk.exceptions import AirflowFailException

    from oncoweave.airflow.failure import told

    with pytest.raises(AirflowFailException), told():
        raise kind("no")


@pytest.mark.parametrize("kind", [SourceUnreachable, LockHeld])
def test_what_a_retry_may_mend_is_tried_again(kind: type[OncoweaveError]) -> None:
    from airflow.sdk.exceptions import AirflowException, AirflowFailException

    from oncoweave.airflow.failure import told

    with pytest.raises(AirflowException) as raised, told():
        raise kind("the registry does not answer", mend="is it up?")
    assert not isinstance(raised.value, AirflowFailException)
    assert "the registry does not answer" in str(raised.value)
    assert "is it up?" in str(raised.value)


def test_a_message_has_place_and_mend() -> None:
    from airflow.sdk.exceptions import AirflowFailException

    from oncoweave.airflow.failure import told

    problem = Problem(
        "mappings/sources/a/mapping.yaml", 7, 3, "unknown-key", "`frm` is not a key", "did you mean `from`?"
    )
    with pytest.raises(AirflowFailException, match=r"mapping.yaml:7:3") as raised, told():
        raise SpecError("1 problem", problems=[problem])
    assert "did you mean `from`?" in str(raised.value)


def convert(text: str) -> None:
    try:
        raise KeyError(text)
    except KeyError as error:
        raise ValueError(f"cannot convert {text}") from error


def test_the_text_of_an_unforeseen_error_is_left_out() -> None:
    from airflow.sdk.exceptions import AirflowFailException

    from oncoweave.airflow.failure import told

    with pytest.raises(AirflowFailException, match="ValueError") as raised, told():
        convert(CANARY)
    assert CANARY not in str(raised.value)
    assert raised.value.__suppress_context__
    assert "test_failure.py" in str(raised.value)


HOLDER = """
import sys, time
from pathlib import Path
from oncoweave.files import lock
with lock(Path(sys.argv[1]), "map tiny"):
    print("held", flush=True)
    time.sleep(60)
"""


def test_a_task_that_is_still_at_it_lets_its_retry_wait_and_a_killed_one_holds_nothing(tmp_path: Path) -> None:
    path = tmp_path / ".map.lock"
    holder = subprocess.Popen([sys.executable, "-c", HOLDER, str(path)], stdout=subprocess.PIPE)
    assert holder.stdout is not None
    assert holder.stdout.readline() == b"held\n"
    with pytest.raises(LockHeld, match="holds") as raised, lock(path, "map tiny"):
        pass
    assert raised.value.transient
    holder.kill()
    holder.communicate()
    with lock(path, "map tiny"):
        pass
