"""The pseudonymisation key: its HMAC pads are RFC 2104's, and its secret stays where it is."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from oncoweave.errors import UsageError
from oncoweave.privacy.pseudonym import Key, demo_key, load_key
from oncoweave.project import Project

HEX = "0f" * 32

# RFC 4231, test cases 1-4, 6, 7: key, message, HMAC-SHA-256. The secrets are short or long on purpose.
VECTORS = [
    (b"\x0b" * 20, b"Hi There", "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7"),
    (b"Jefe", b"what do ya want for nothing?", "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"),
    (b"\xaa" * 20, b"\xdd" * 50, "773ea91e36800e46854db8ebd09181a72959098b3ef8c122d9635514ced565fe"),
    (bytes(range(1, 26)), b"\xcd" * 50, "82558a389a443c0ea4cc819899f2083a85f0faa3e578f8077a2e3ff46729665b"),
    (
        b"\xaa" * 131,
        b"Test Using Larger Than Block-Size Key - Hash Key First",
        "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54",
    ),
    (
        b"\xaa" * 131,
        b"This is a test using a larger than block-size key and a larger than block-size data. "
        b"The key needs to be hashed before being used by the HMAC algorithm.",
        "9b09ffa71b942fcb27635fbcd5b0e944bfdc63644f0713938a7f51535c3a35e2",
    ),
]


@pytest.mark.parametrize(("secret", "message", "expected"), VECTORS)
def test_pads_give_the_hmac_of_rfc_4231(secret: bytes, message: bytes, expected: str) -> None:
    key = Key(secret)
    assert (len(key.inner), len(key.outer)) == (64, 64)
    assert hashlib.sha256(key.outer + hashlib.sha256(key.inner + message).digest()).hexdigest() == expected


def test_key_id_names_the_key_and_hides_it() -> None:
    one, other = Key(b"a" * 32), Key(b"b" * 32)
    assert len(one.key_id) == 16 and one.key_id != other.key_id
    assert "aaa" not in repr(one) and "61" * 4 not in repr(one)


def test_without_a_key_nothing_runs_and_the_message_says_how_to_make_one() -> None:
    with pytest.raises(UsageError) as caught:
        load_key()
    assert "secrets.token_hex(32)" in caught.value.mend and caught.value.exit_code == 2


@pytest.mark.parametrize("text", ["00" * 31, "not hex at all, and longer than thirty-two bytes", "0"])
def test_a_bad_key_is_refused_without_being_shown(text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ONCOWEAVE_KEY", text)
    with pytest.raises(UsageError) as caught:
        load_key()
    assert text not in f"{caught.value.message} {caught.value.mend}" or text == "0"


def test_key_comes_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ONCOWEAVE_KEY", HEX)
    assert load_key() == Key(bytes.fromhex(HEX))


def test_key_comes_from_a_file_that_only_its_owner_can_use(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "key"
    file.write_text(HEX + "\n")
    file.chmod(0o600)
    monkeypatch.setenv("ONCOWEAVE_KEY_FILE", str(file))
    assert load_key() == Key(bytes.fromhex(HEX))
    file.chmod(0o640)
    with pytest.raises(UsageError) as caught:
        load_key()
    assert caught.value.mend == f"chmod 600 {file}"


def test_a_key_file_that_is_not_there_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ONCOWEAVE_KEY_FILE", str(tmp_path / "gone"))
    with pytest.raises(UsageError, match="gone"):
        load_key()


def test_demo_key_is_made_once_and_private(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    project = Project.at(tmp_path)
    path = demo_key(project)
    first = path.read_text()
    assert path.stat().st_mode & 0o777 == 0o600 and path.parent.stat().st_mode & 0o777 == 0o700
    assert demo_key(project).read_text() == first
    monkeypatch.setenv("ONCOWEAVE_KEY_FILE", str(path))
    assert len(load_key().secret) == 32
