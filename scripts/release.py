"""Check that this checkout can be released; with ``--built``, say what a person uploads and tags."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent


def version_of(source: str) -> str:
    """Return the version in the text of ``airflow_claid/__init__.py``."""
    found = re.search(r'^__version__ = "([^"]+)"$', source, re.MULTILINE)
    if not found:
        raise ValueError("airflow_claid/__init__.py has no __version__")
    return found[1]


def changelog_problems(changelog: str, version: str) -> list[str]:
    """Return what is wrong with the changelog: its newest entry must be this version's, with its date."""
    headings = re.findall(r"^## \[([^\]]+)\](?: - (.*))?$", changelog, re.MULTILINE)
    if not headings or headings[0][0] != version:
        return [f"the newest entry of CHANGELOG.md is not that of {version}"]
    if not re.fullmatch(r"\d{4}-\d\d-\d\d", headings[0][1]):
        return [f"CHANGELOG.md says '{version} - {headings[0][1]}': put the date of the release there"]
    return []


def tree_problems(folder: Path, tag: str) -> list[str]:
    """Return what is wrong with the checkout: it must be committed, and not be tagged yet."""
    problems = []
    if _git(folder, "status", "--porcelain"):
        problems.append("the checkout has changes that are not committed: git status shows them")
    if _git(folder, "tag", "--list", tag):
        problems.append(f"the tag {tag} exists: raise __version__ in airflow_claid/__init__.py")
    return problems


def built_problems(dist: Path, version: str) -> list[str]:
    """Return what is missing in ``dist/``, or should not be there."""
    wanted = {f"airflow_claid-{version}-py3-none-any.whl", f"airflow_claid-{version}.tar.gz"}
    found = {file.name for file in dist.glob("*")} if dist.is_dir() else set()
    problems = [f"dist/{name} is missing: make build" for name in sorted(wanted - found)]
    return problems + [f"dist/{name} is not of this release" for name in sorted(found - wanted)]


def _git(folder: Path, *arguments: str) -> str:
    done = subprocess.run(["git", *arguments], cwd=folder, capture_output=True, text=True, check=True)
    return done.stdout.strip()


def main(arguments: list[str]) -> int:
    """Print the problems, or what is to be done next."""
    version = version_of((ROOT / "airflow_claid" / "__init__.py").read_text(encoding="utf-8"))
    tag = f"v{version}"
    problems = changelog_problems((ROOT / "CHANGELOG.md").read_text(encoding="utf-8"), version)
    problems += tree_problems(ROOT, tag)
    if "--built" in arguments:
        problems += built_problems(ROOT / "dist", version)
    if problems:
        print("This checkout cannot be released:", *problems, sep="\n- ")
        return 1
    if "--built" in arguments:
        print(
            f"airflow-claid {version} is built and checked. Now, by hand (docs/releasing.md):",
            f"git tag --annotate {tag} --message 'airflow-claid {version}'",
            f"git push origin {tag}",
            f"twine upload dist/airflow_claid-{version}-py3-none-any.whl dist/airflow_claid-{version}.tar.gz",
            "beside the release: build/versions/sbom.json",
            sep="\n    ",
        )
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
