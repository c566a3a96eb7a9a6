"""What the pipeline of each source is, read from its folder: ids, schedule, documentation, what may be asked for.

A source whose specification is broken has one too: it tells what is wrong, where, and how to mend it. The same folder
gives the same description anywhere and at any time, so that a scheduler sees no change where there is none.
"""

from __future__ import annotations

import hashlib
import os
import re
from dataclasses import dataclass, field
from pathlib import Path

from oncoweave.errors import OncoweaveError, Problem, UsageError
from oncoweave.orchestration.documentation import documentation, fault_text
from oncoweave.orchestration.form import Form, harmonise_form, publish_form
from oncoweave.project import SOURCE_NAME, Project
from oncoweave.spec.load import load_mapping, load_source
from oncoweave.spec.schedule import Scheduling
from oncoweave.spec.source import Source

HARMONISE, PUBLISH = "harmonise__", "publish__"
RELEASE = "oncoweave://release/"


@dataclass(frozen=True)
class Pipeline:
    """The pair of DAGs of one source: `harmonise_id` ends in the asset `candidate`, on which `publish_id` is scheduled.

    `scheduling` holds the keys of source.yaml that the scheduler reads, `doc` the documentation in Markdown, and the forms
    what a run may be asked for. Where the specification is broken, `fault` tells all that is wrong with it; `spec` is then
    None if it is source.yaml that cannot be read.
    """

    source: str
    name: str
    doc: str
    spec: Source | None = None
    fault: str = ""
    scheduling: Scheduling = field(default_factory=Scheduling)
    harmonise_form: Form = field(default_factory=dict)
    publish_form: Form = field(default_factory=publish_form)

    @property
    def harmonise_id(self) -> str:
        return HARMONISE + self.name

    @property
    def publish_id(self) -> str:
        return PUBLISH + self.name

    @property
    def candidate(self) -> str:
        """The asset that a run which passed its checks makes anew."""
        return f"oncoweave://candidate/{self.name}"

    @property
    def release(self) -> str:
        """The asset that a published release makes anew."""
        return RELEASE + self.name

    @property
    def arrives(self) -> bool:
        """Whether it is run when a delivery has arrived."""
        return self.spec is not None and self.spec.arrival is not None

    @property
    def title(self) -> str:
        return self.spec.title if self.spec else self.source


def pipelines(project: Project, wanted: str | None = None) -> list[Pipeline]:
    """The pipelines of the project's sources by name; of `wanted` only, the id of a DAG, where it is given.

    Raises UsageError when the project has no folder of sources.
    """
    names = {name_of(folder): folder for folder in _folders(project)}
    if wanted is not None:
        name = wanted.removeprefix(HARMONISE).removeprefix(PUBLISH)
        names = {name: names[name]} if name in names else {}
    return [_pipeline(project, folder, name) for name, folder in sorted(names.items())]


def releases(project: Project) -> list[str]:
    """The assets of the releases of all sources, by name; no source.yaml is read.

    Raises UsageError when the project has no folder of sources.
    """
    return sorted(RELEASE + name_of(folder) for folder in _folders(project))


def name_of(folder: str) -> str:
    """The name of a folder's pipeline: its own where it can be the name of a source, else one that no source can have."""
    if SOURCE_NAME.fullmatch(folder):
        return folder
    legible = re.sub(r"[^A-Za-z0-9_]+", "-", folder).strip("-")[:100]
    return f"{legible}-{hashlib.sha256(os.fsencode(folder)).hexdigest()[:8]}".lstrip("-")


def _folders(project: Project) -> list[str]:
    """The folders that hold a source, or that nobody can look into."""
    place = project.root / "mappings" / "sources"
    try:
        folders = [path for path in place.iterdir() if path.is_dir() and not path.name.startswith(".")]
    except OSError as error:
        raise UsageError(
            f"the sources of the project in {project.root} cannot be listed: {error.strerror}",
            mend="set ONCOWEAVE_PROJECT to the folder that holds mappings/sources",
        ) from None
    return [folder.name for folder in folders if _may_be_source(folder)]


def _may_be_source(folder: Path) -> bool:
    try:
        (folder / "source.yaml").lstat()
    except FileNotFoundError:
        return False
    except OSError:
        return True
    return True


def _pipeline(project: Project, folder: str, name: str) -> Pipeline:
    spec: Source | None = None
    try:
        (project.root / "mappings" / "sources" / folder / "source.yaml").stat()
        spec, _ = load_source(project, folder)
        load_mapping(project, folder)
        fault = ""
    except OncoweaveError as error:
        fault = fault_text(error)
    except OSError as error:
        fault = fault_text(_unreadable(folder, error))
    scheduling = spec or Scheduling()
    return Pipeline(
        source=folder,
        name=name,
        doc=documentation(folder, spec, fault),
        spec=spec,
        fault=fault,
        scheduling=scheduling,
        harmonise_form=harmonise_form(spec) if spec else {},
    )


def _unreadable(folder: str, error: OSError) -> UsageError:
    where = f"mappings/sources/{folder}"
    problem = Problem(where, 1, 1, "no-file", f"it cannot be read: {error.strerror}", "check its permissions")
    return UsageError(f"{where} cannot be read", problems=[problem])
