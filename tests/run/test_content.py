"""A site's own files win over the standard content, and nothing outside the two is looked at."""

from __future__ import annotations

from pathlib import Path

import pytest

from oncoweave import content
from oncoweave.errors import UsageError
from oncoweave.project import Project


def put(root: Path, name: str, text: str = "") -> Path:
    path = root / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return path


@pytest.fixture
def site(tmp_path: Path) -> Project:
    put(tmp_path, "mappings/sources/one/source.yaml")
    return Project.at(tmp_path)


def test_standard_content_of_a_checkout_is_its_root(checkout: Path) -> None:
    assert content.standard() == checkout
    assert content.demo_sources() == checkout / "mappings" / "sources"


def test_concept_map_of_the_source_wins_then_the_sites_then_the_standard(site: Project) -> None:
    shared = put(site.root, "mappings/concepts/oddity.csv")
    assert content.concept_maps(site, "one").get("oddity") == shared
    own = put(site.root, "mappings/sources/one/concepts/oddity.csv")
    assert content.concept_maps(site, "one").get("oddity") == own
    assert content.concept_maps(site, "one").get("nowhere") is None


def test_suite_of_the_site_replaces_the_standard_one_and_other_sources_suites_stay_out(site: Project) -> None:
    own = put(site.root, "expectations/person.yaml")
    source = put(site.root, "expectations/sources/one.yaml")
    put(site.root, "expectations/sources/two.yaml")
    suites = content.suites(site, "one")
    assert own in suites and source in suites
    assert [path.name for path in suites].count("person.yaml") == 1
    assert "two.yaml" not in [path.name for path in suites]


def test_files_by_which_results_are_judged_are_no_suites_and_the_site_s_come_first(site: Project) -> None:
    of_source = put(site.root, "mappings/sources/one/thresholds.yaml")
    of_site = put(site.root, "expectations/thresholds.yaml")
    put(site.root, "expectations/waivers.yaml")
    assert content.judgement_files(site, "one", content.THRESHOLDS) == [of_site, of_source]
    assert not {path.name for path in content.suites(site, "one")} & set(content.JUDGEMENT)


def test_transform_module_of_the_site_replaces_the_standard_one(site: Project) -> None:
    own, hidden = put(site.root, "transforms/dates.py"), put(site.root, "transforms/__init__.py")
    modules = content.transform_modules(site)
    assert own in modules and hidden not in modules
    assert [path.name for path in modules].count("dates.py") == 1


def test_the_repository_is_a_project_whose_content_is_found_once(checkout: Path) -> None:
    assert content.roots(Project.at(checkout)) == [checkout]


def test_vocabulary_release_is_a_folder_and_a_starter_release_is_in_starter(site: Project) -> None:
    put(site.root, "mappings/vocabulary/v5.0 27-AUG-25/VOCABULARY.csv")
    put(site.root, "mappings/vocabulary/starter/VOCABULARY.csv")
    assert content.vocabulary_folder(site, "v5.0 27-AUG-25").name == "v5.0 27-AUG-25"
    assert content.vocabulary_folder(site, "starter-1") == site.root / "mappings/vocabulary/starter"


@pytest.mark.parametrize("release", ["v5.0 27-AUG-24", "../../sources", "", ".", ".."])
def test_unknown_vocabulary_release_is_told_with_the_known_ones(release: str, site: Project) -> None:
    put(site.root, "mappings/vocabulary/v5.0 27-AUG-25/VOCABULARY.csv")
    with pytest.raises(UsageError) as caught:
        content.vocabulary_folder(site, release)
    assert "v5.0 27-AUG-25" in caught.value.mend
