"""The site's pseudonymisation key: where it comes from, and its HMAC pads; the engine computes with them.

The secret appears in no log, manifest or `repr`; a manifest names a key by its `key_id`.
"""

from __future__ import annotations

import hashlib
import hmac
import os
import secrets
from dataclasses import dataclass, field
from pathlib import Path

from oncoweave.errors import UsageError
from oncoweave.files import faults, make_private_folder, write_whole
from oncoweave.project import Project

KEY, KEY_FILE = "ONCOWEAVE_KEY", "ONCOWEAVE_KEY_FILE"
SHORTEST = 32
_BLOCK, _SECRET = 64, 16
_MAKE = "python3 -c 'import secrets; print(secrets.token_hex(32))'"
_HOW = f"make one once with `(umask 077; {_MAKE} > KEYFILE)`, keep it, and set {KEY_FILE}=KEYFILE"


@dataclass(frozen=True)
class Key:
    """A secret of at least 32 bytes. HMAC-SHA-256(message) = sha256(outer + sha256(inner + message)) (RFC 2104)."""

    secret: bytes = field(repr=False)

    @property
    def key_id(self) -> str:
        """16 hex digits that name the key and do not give it away."""
        return hmac.new(self.secret, b"oncoweave key id", hashlib.sha256).hexdigest()[:16]

    @property
    def inner(self) -> bytes:
        """The 64 bytes that go before the message in the inner hash."""
        return bytes(byte ^ 0x36 for byte in self._block)

    @property
    def outer(self) -> bytes:
        """The 64 bytes that go before the inner digest in the outer hash."""
        return bytes(byte ^ 0x5C for byte in self._block)

    def secret_of(self, *words: str) -> bytes:
        """The 16 bytes that stand before the texts of one kind, which these words name, when they are hashed.

        The first bits of the SHA-256 of such a secret and a text are a keyed hash of the text (docs/decisions, 7).
        """
        return hmac.new(self.secret, "\x1f".join(words).encode(), hashlib.sha256).digest()[:_SECRET]

    @property
    def _block(self) -> bytes:
        short = self.secret if len(self.secret) <= _BLOCK else hashlib.sha256(self.secret).digest()
        return short.ljust(_BLOCK, b"\0")


def load_key() -> Key:
    """The key of ONCOWEAVE_KEY (hex digits), else of the file that ONCOWEAVE_KEY_FILE names.

    Raises UsageError when there is none, when it is too short or not hex, or when others may read the file.
    """
    if text := os.environ.get(KEY):
        return _parse(text, KEY)
    if name := os.environ.get(KEY_FILE):
        return _parse(_read(Path(name)), name)
    raise UsageError("there is no pseudonymisation key, and nothing runs without one", mend=_HOW)


def demo_key(project: Project) -> Path:
    """The file of the demo's key, restricted/demo.key (0600): made once, then reused."""
    path = project.restricted / "demo.key"
    if not path.exists():
        make_private_folder(path.parent)
        write_whole(path, (secrets.token_hex(SHORTEST) + "\n").encode())
    return path


def _read(path: Path) -> str:
    if not path.is_file():
        raise UsageError(f"{KEY_FILE} names {path}, and there is no such file", mend=_HOW)
    with faults(path):
        if path.stat().st_mode & 0o077:
            raise UsageError(f"the key file {path} can be used by others", mend=f"chmod 600 {path}")
        return path.read_text(encoding="ascii", errors="replace")


def _parse(text: str, place: str) -> Key:
    try:
        secret = bytes.fromhex(text)
    except ValueError:
        raise UsageError(f"the key in {place} is not made of hex digits", mend=_HOW) from None
    if len(secret) < SHORTEST:
        raise UsageError(f"the key in {place} has {len(secret)} bytes; it needs {SHORTEST} or more", mend=_HOW)
    return Key(secret)
