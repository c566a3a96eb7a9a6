"""What a suite has counted: its hash without the keys by which counts are judged, so that a run can be judged again by them."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

from oncoweave.errors import SpecError
from oncoweave.spec.document import Value, read_document
from oncoweave.spec.suite import JUDGED, TELLING


def counted_sha256(path: Path, root: Path) -> str:
    """SHA-256 of what the suite in a file has counted; of the whole file where it cannot be read as YAML."""
    try:
        data = read_document(path, root).data
    except SpecError:
        return hashlib.sha256(path.read_bytes() if path.is_file() else b"").hexdigest()
    tree = {key: value for key, value in data.items() if key not in TELLING} if isinstance(data, dict) else data
    if isinstance(tree, dict) and isinstance(entries := tree.get("expectations"), list):
        tree["expectations"] = [_counted(entry) for entry in entries]
    return hashlib.sha256(json.dumps(tree, separators=(",", ":")).encode()).hexdigest()


def _counted(entry: Value) -> Value:
    if not isinstance(entry, dict):
        return entry
    return {key: value for key, value in entry.items() if key not in JUDGED}
