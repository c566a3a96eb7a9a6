"""Where content lies: a site's own folder wins, then the repository or the installed package's standard content.

Standard content has the same shape as a project: transforms/, expectations/, mappings/. One function a kind.
"""

from __future__ import annotations

from pathlib import Path

from oncoweave.errors import UsageError, nearest
from oncoweave.project import Project

_PACKAGE = Path(__file__).resolve().parent
_CHECKOUT = _PACKAGE.parent.parent
THRESHOLDS = "thresholds.yaml"
WAIVERS = "waivers.yaml"
JUDGEMENT = (THRESHOLDS, WAIVERS)
"""The files by which results are judged, beside suites and specifications: they change no byte of a table."""
TRENDS = "trends.yaml"
"""The checks of a run as a whole: what they count is the same whatever it says, so it is no part of what a run rests on."""


def standard() -> Path:
    """The folder of the standard content: the repository's root in a checkout, else inside the installed package."""
    return _CHECKOUT if (_CHECKOUT / "pyproject.toml").is_file() else _PACKAGE / "standard"


def demo_sources() -> Path:
    """The folder that holds the demo's sources, one folder a source."""
    return standard() / "mappings" / "sources"


def concept_map_folders(project: Project, source: str) -> list[Path]:
    """The folders in which a source's concept maps are looked for, the first wins: its own, the site's, the standard."""
    shared = [root / "mappings" / "concepts" for root in roots(project)]
    return [project.source_folder(source) / "concepts", *shared]


def concept_maps(project: Project, source: str) -> dict[str, Path]:
    """Every concept map that `source` can name."""
    folders = reversed(concept_map_folders(project, source))
    return {path.stem: path for folder in folders for path in sorted(folder.glob("*.csv"))}


def suites(project: Project, source: str) -> list[Path]:
    """The expectation suites that a release of `source` must meet, by name; a site's file replaces the standard one."""
    shared = _by_name(project, "expectations", "*.yaml")
    own = _by_name(project, f"expectations/sources/{source}", "*.yaml") | _by_name(
        project, "expectations/sources", f"{source}.yaml"
    )
    return [path for path in (*shared.values(), *own.values()) if path.name not in (*JUDGEMENT, TRENDS)]


def trends(project: Project, source: str) -> Path:
    """The file of the checks of a run as a whole: the source's own, else the site's, else the standard one."""
    places = [root / "expectations" for root in roots(project)]
    own = project.root / "expectations" / "sources" / source
    return next(place / TRENDS for place in (own, *places) if (place / TRENDS).is_file())


def judgement_files(project: Project, source: str, name: str) -> list[Path]:
    """The files of that name (one of JUDGEMENT) by which the results of `source` are judged: the site's, then the source's own.

    The standard content has none for a site: what is tolerated is decided where the data are.
    """
    places = [project.root / "expectations", project.source_folder(source)]
    return [place / name for place in places if (place / name).is_file()]


def transform_modules(project: Project) -> list[Path]:
    """The modules whose public functions a mapping can call; from the project's own root and the standard, no other."""
    return [path for name, path in _by_name(project, "transforms", "*.py").items() if not name.startswith("_")]


def vocabulary_folder(project: Project, release: str) -> Path:
    """The folder of a vocabulary release: one that was loaded, else mappings/vocabulary/<release> (`starter` for a starter).

    Raises UsageError when there is none.
    """
    found = vocabulary_folders(project)
    names = [release, "starter"] if release.startswith("starter-") else [release]
    folder = next((found[name] for name in names if name in found), None)
    if folder is None:
        mend = f"{nearest(release, found)}; `oncoweave vocab load` brings in another"
        raise UsageError(f"there is no vocabulary release `{release}` in {project.vocabularies}", mend=mend)
    return folder


def vocabulary_folders(project: Project) -> dict[str, Path]:
    """The folder of every vocabulary release by name: those loaded win over those of mappings/vocabulary."""
    places = [project.vocabularies, *(root / "mappings" / "vocabulary" for root in roots(project))]
    folders = (f for place in reversed(places) if place.is_dir() for f in sorted(place.iterdir()) if f.is_dir())
    return {folder.name: folder for folder in folders if not folder.name.startswith(".")}


def roots(project: Project) -> list[Path]:
    """The roots of content, the first wins; one only when the project is the repository itself."""
    return [project.root] if project.root == standard() else [project.root, standard()]


def _by_name(project: Project, folder: str, pattern: str) -> dict[str, Path]:
    found = {path.name: path for root in reversed(roots(project)) for path in sorted((root / folder).glob(pattern))}
    return dict(sorted(found.items()))
