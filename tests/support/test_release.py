"""What ``make release`` refuses, and the table of versions."""

from __future__ import annotations

import subprocess
from pathlib import Path
from types import ModuleType

import pytest

from tests.support.scripts import script
from tests.versions.table import DOCS, Results, read_results, with_row

ROOT = Path(__file__).resolve().parents[2]
PAGE = """Words.
<!-- table -->
| Airflow | Python | unit tests |
| --- | --- | --- |
| 3.1.8 | 3.10 | not run |
| 3.1.8 | 3.11 | not run |
<!-- end of table -->
| 3.1.8 | 3.10 | elsewhere |
"""
JUNIT = """<testsuites><testsuite>
<testcase classname="a" name="test_the_plugin_answers"/>
<testcase classname="a" name="test_the_plugin_is_late"><failure message="no"/></testcase>
<testcase classname="a" name="test_the_plugin_is_new"><skipped/></testcase>
<testcase classname="a" name="test_an_example_dag_runs[waiting]"/>
</testsuite></testsuites>
"""


@pytest.fixture
def release() -> ModuleType:
    return script("release")


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A repository with one commit."""
    for command in (
        ["init", "-q"],
        ["-c", "user.name=a", "-c", "user.email=a@b", "commit", "-qm", "a", "--allow-empty"],
    ):
        subprocess.run(["git", *command], cwd=tmp_path, check=True)
    return tmp_path


@pytest.mark.parametrize(
    ("heading", "said"),
    [
        ("## [0.2.0] - 2026-11-27", None),
        ("## [0.2.0] - Unreleased", "put the date of the release there"),
        ("## [0.2.0]", "put the date of the release there"),
        ("## [0.1.0] - 2026-11-27", "the newest entry of CHANGELOG.md is not that of 0.2.0"),
        ("no entry", "the newest entry of CHANGELOG.md is not that of 0.2.0"),
    ],
)
def test_the_newest_entry_of_the_changelog_is_dated(release: ModuleType, heading: str, said: str | None) -> None:
    changelog = f"# Changelog\n\n{heading}\n\n### Added\n\n## [0.0.1] - 2026-01-01\n"
    problems = release.changelog_problems(changelog, "0.2.0")
    assert bool(problems) == bool(said)
    assert not said or said in problems[0]


def test_a_release_needs_a_checkout_without_changes_and_a_new_tag(release: ModuleType, checkout: Path) -> None:
    assert release.tree_problems(checkout, "v0.2.0") == []
    subprocess.run(["git", "tag", "v0.2.0"], cwd=checkout, check=True)
    (checkout / "new.py").write_text("", encoding="utf-8")
    changed, tagged = release.tree_problems(checkout, "v0.2.0")
    assert "not committed" in changed
    assert "the tag v0.2.0 exists" in tagged


def test_the_built_files_are_those_of_the_version_and_no_others(release: ModuleType, tmp_path: Path) -> None:
    assert len(release.built_problems(tmp_path / "none", "0.2.0")) == 2
    for name in ("airflow_claid-0.2.0-py3-none-any.whl", "airflow_claid-0.2.0.tar.gz"):
        (tmp_path / name).touch()
    assert release.built_problems(tmp_path, "0.2.0") == []
    (tmp_path / "airflow_claid-0.1.0.tar.gz").touch()
    assert release.built_problems(tmp_path, "0.2.0") == ["dist/airflow_claid-0.1.0.tar.gz is not of this release"]


def test_the_version_is_that_of_the_package(release: ModuleType) -> None:
    from airflow_claid import __version__

    source = (ROOT / "airflow_claid" / "__init__.py").read_text(encoding="utf-8")
    assert release.version_of(source) == __version__


def test_a_row_of_the_table_is_replaced_and_nothing_else() -> None:
    page = with_row(PAGE, ["3.1.8", "3.10", "all: 7 passed"])
    assert page == PAGE.replace("| 3.1.8 | 3.10 | not run |", "| 3.1.8 | 3.10 | all: 7 passed |")


def test_a_row_that_the_table_does_not_have_is_refused() -> None:
    with pytest.raises(ValueError, match=r"has no row for Airflow 3\.4\.0 on Python 3\.10"):
        with_row(PAGE, ["3.4.0", "3.10", "all: 7 passed"])


def test_results_are_counted_by_what_they_test(tmp_path: Path) -> None:
    file = tmp_path / "installed.xml"
    file.write_text(JUNIT, encoding="utf-8")
    plugin = read_results(file, "test_the_plugin")
    assert str(plugin) == "1 passed, 1 skipped, 1 failed: `test_the_plugin_is_late`"
    assert str(read_results(file, "test_an_example_dag")) == "1 passed"
    assert str(read_results(tmp_path / "unit.xml")) == str(Results()) == "not run"


def test_the_page_has_a_row_for_each_airflow_on_each_python() -> None:
    page = DOCS.read_text(encoding="utf-8")
    for pins in DOCS.parents[1].glob("tests/versions/airflow-*.txt"):
        airflow = pins.stem.removeprefix("airflow-")
        assert f"apache-airflow=={airflow}\n" in pins.read_text(encoding="utf-8")
        for python in ("3.10", "3.11", "3.12", "3.13"):
            assert f"\n| {airflow} | {python} | " in page
