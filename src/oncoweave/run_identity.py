"""What a run rests on, and the run id that follows from it; extract opens the run's folder with it.

Everything that can change a byte of the release is hashed: delivery, specifications, vocabulary, code, key
id. The clock, threads, memory, paths and file times are not, nor the keys of source.yaml that say when a source
is run and who approves, nor that by which results are judged (waivers.yaml, thresholds.yaml, and severity, share and texts
of an expectation). A content file is known by the name that it has in a project, so that a checkout and an
installed package give the same id.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Sequence
from importlib.metadata import version
from pathlib import Path

from oncoweave import content
from oncoweave.errors import UsageError
from oncoweave.files import make_private_folder, read_record, sha256_of, write_json
from oncoweave.privacy.pseudonym import load_key
from oncoweave.project import Project, RunFolder
from oncoweave.record import Record
from oncoweave.records import FileRecord
from oncoweave.spec.counted import counted_sha256
from oncoweave.spec.load import load_mapping, load_source
from oncoweave.spec.source import PROCEDURE
from oncoweave.vocabulary.shelf import record_of

_LIBRARIES = ("duckdb", "sqlglot", "python-calamine")
_PACKAGE = Path(__file__).resolve().parent


class Identity(Record):
    """What a run rests on besides its delivery; identity.json of the run.

    `files` gives the SHA-256 of every specification, transform, suite, vocabulary and code file by its name;
    `software` the versions; `key_id` and `domain` what pseudonyms depend on.
    """

    software: str
    code_sha256: str
    mapping_sha256: str
    vocabulary: str
    key_id: str
    domain: str
    files: dict[str, str]


def identity(project: Project, source: str) -> Identity:
    """What a run of `source` would rest on now.

    Raises SpecError for a broken specification, UsageError when the key or the vocabulary is missing.
    """
    spec, _ = load_source(project, source)
    mapping, _ = load_mapping(project, source)
    code = {f"code/{path.relative_to(_PACKAGE)}": sha256_of(path) for path in _code()}
    specification = {name: sha256_of(path) for name, path in sorted(_specification(project, source).items())}
    specification |= suite_hashes(project, source)
    specification["source.yaml"] = _hash_of(spec.model_dump(mode="json", exclude=set(PROCEDURE)))
    vocabulary = content.vocabulary_folder(project, mapping.vocabulary)
    return Identity(
        software=", ".join(f"{name} {version(name)}" for name in ("oncoweave", *_LIBRARIES)),
        code_sha256=_hash_of(code),
        mapping_sha256=_hash_of(specification),
        vocabulary=mapping.vocabulary,
        key_id=load_key().key_id,
        domain=spec.domain or source,
        files=specification | _vocabulary_hashes(vocabulary) | code,
    )


def suite_hashes(project: Project, source: str) -> dict[str, str]:
    """What each suite of a source has counted, as a hash, by the name of its file; how counts are judged is not in it."""
    paths = content.suites(project, source)
    return {f"expectations/{path.name}": counted_sha256(path, project.root) for path in paths}


def run_id(project: Project, source: str, files: Sequence[FileRecord]) -> str:
    """The run id, 20 hex digits, of `source` with the delivered `files` (of which name and hash count)."""
    return _run_id(source, identity(project, source), files)


def open_run(project: Project, source: str, files: Sequence[FileRecord]) -> RunFolder:
    """The folder of the run of `source` with the delivered `files`: made (0700) if new, with its identity.json."""
    rests_on = identity(project, source)
    run = RunFolder(project.runs / source / _run_id(source, rests_on, files))
    make_private_folder(run.path.parent)
    make_private_folder(run.path)
    write_json(run.path / "identity.json", rests_on)
    return run


def read_identity(run: RunFolder) -> Identity:
    """What `run` rests on, as it was when its delivery was extracted."""
    return read_record(run.path / "identity.json", Identity)


def refuse_changed(run: RunFolder, project: Project) -> None:
    """Raise UsageError, naming the files, when what `run` rests on has changed since its delivery was extracted."""
    then, now = read_identity(run), identity(project, run.source)
    if then == now:
        return
    names = sorted(name for name, _ in then.files.items() ^ now.files.items())
    shown = ", ".join(dict.fromkeys(names)) or "the software's version or the pseudonymisation key"
    raise UsageError(
        f"run {run.run_id} of `{run.source}` rests on what has changed since: {shown}",
        mend=f"run `oncoweave extract {run.source}` again: it opens a run of its own",
    )


def _run_id(source: str, rests_on: Identity, files: Iterable[FileRecord]) -> str:
    delivered = {f"delivery/{file.name}": file.sha256 for file in files}
    return _hash_of({"source": source, "identity": rests_on.model_dump(), "delivery": delivered})[:20]


def _code() -> list[Path]:
    """The files whose content may change a release: modules, what they read, and the templates of its page."""
    kinds = (".py", ".html", ".css", ".yaml", ".txt")
    files = (path for path in sorted(_PACKAGE.rglob("*")) if path.suffix in kinds)
    return [path for path in files if "standard" not in path.relative_to(_PACKAGE).parts]


def _specification(project: Project, source: str) -> dict[str, Path]:
    own = project.source_folder(source)
    patterns = ("*.yaml", "mapping/*.yaml", "sql/*.sql", "views/*.yaml", "views/*.json")
    found = (path for pattern in patterns for path in own.glob(pattern) if path.name not in content.JUDGEMENT)
    files = {path.relative_to(own).as_posix(): path for path in found}
    files |= {f"concepts/{name}.csv": path for name, path in content.concept_maps(project, source).items()}
    return files | {f"transforms/{path.name}": path for path in content.transform_modules(project)}


def _vocabulary_hashes(folder: Path) -> dict[str, str]:
    """The hash of each file of a release; those of a loaded one were taken when it was loaded, for it is large."""
    record = record_of(folder)
    if record is not None:
        return {f"vocabulary/{file.name}": file.sha256 for file in record.files}
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    return {f"vocabulary/{path.relative_to(folder).as_posix()}": sha256_of(path) for path in files}


def _hash_of(tree: object) -> str:
    return hashlib.sha256(json.dumps(tree, sort_keys=True, separators=(",", ":")).encode()).hexdigest()
