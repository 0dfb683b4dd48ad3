"""Build the documentation site in build/docs/: the pages of docs/, the examples, the API reference, the changelog.

``make docs`` runs it. The pages are Markdown that GitHub renders too, so what only a site needs is added to copies of
them in build/docs-source/: the navigation, which follows the sections of docs/index.md, and links to pages that stand
outside docs/ in the repository. A warning of Sphinx is an error, and so is a link of the built site that leads nowhere.
"""

from __future__ import annotations

import ast
import inspect
import re
import shutil
import sys
from importlib import import_module
from pathlib import Path

from docs_links import broken_links
from sphinx.cmd.build import build_main

ROOT = Path(__file__).resolve().parents[1]
DOCS = ROOT / "docs"
SOURCE = ROOT / "build" / "docs-source"
SITE = ROOT / "build" / "docs"

API = {
    "operators": ("Operators", "airflow_claid.operators"),
    "sensors": ("Sensors", "airflow_claid.sensors"),
    "manifests": ("Manifests", "airflow_claid.manifests"),
    "notifications": ("Notifications", "airflow_claid.notifications.review", "airflow_claid.notifications.trouble"),
    "hook": ("Hook", "airflow_claid.hooks.claid"),
    "client": ("Client", "airflow_claid.client"),
    "errors": ("Errors", "airflow_claid.errors"),
    "sandbox": ("Sandbox", "airflow_claid.sandbox"),
    "testing": ("Testing", "airflow_claid.testing"),
}
"""Each page of the API reference: its title, and the modules whose public names it lists."""
SHARED_PARAMETERS = {
    "ClaidPayingOperator": "airflow_claid.operators.bases.paying",
    "FilteredOperator": "airflow_claid.operators.bases.blocked",
    "InputOperator": "airflow_claid.operators.bases.inputs",
    "PictureListOperator": "airflow_claid.operators.bases.picture_list",
    "JobTermsOperator": "airflow_claid.operators.bases.job_terms",
    "ClaidBatchOperator": "airflow_claid.operators.bases.batch",
    "PictureBatchOperator": "airflow_claid.operators.bases.picture_batch",
    "InputBatchOperator": "airflow_claid.operators.bases.picture_batch",
    "PromptedBatchOperator": "airflow_claid.operators.bases.filtered_batch",
}
"""Base classes whose parameters the operators take as well."""

ROOT_PAGES = {"CHANGELOG.md": "changelog", "CONTRIBUTING.md": "contributing", "SECURITY.md": "vulnerabilities"}
"""The pages of the site that stand at the root of the repository, and their names there."""

_SECTION = re.compile(r"^## (?P<title>.+)$")
_ENTRY = re.compile(r"^- \[[^\]]+\]\((?P<target>[^)#]+\.md)\)")
_OUTSIDE = re.compile(r"\]\(\.\./(?P<path>[^)#]+)(?P<anchor>#[^)]*)?\)")
_CONSOLE = re.compile(r"^```console$", re.MULTILINE)


def sections(index: str) -> dict[str, list[str]]:
    """Return the pages that each section of the index lists, by its title."""
    pages: dict[str, list[str]] = {}
    title = ""
    for line in index.splitlines():
        if match := _SECTION.match(line):
            title = match["title"]
        elif match := _ENTRY.match(line):
            pages.setdefault(title, []).append(page_name(match["target"]))
    return pages


def page_name(target: str) -> str:
    """Return the name that a file of the repository has as a page of the site; of any other, an empty text."""
    path = target.removeprefix("../")
    if path == target:
        return path.removesuffix(".md")
    if path in ROOT_PAGES:
        return ROOT_PAGES[path]
    if path.startswith("dags_examples/") and path.endswith(".py"):
        return "examples/" + Path(path).stem
    return ""


def navigation(pages: dict[str, list[str]]) -> str:
    """Return the toctrees of the front page."""
    return "".join(
        f"\n```{{toctree}}\n:hidden:\n:caption: {title}\n\n" + "\n".join(names) + "\n```\n"
        for title, names in pages.items()
    )


def staged(text: str) -> str:
    """Return a page of docs/ as Sphinx reads it: its links lead to pages of the site, its commands are highlighted."""

    def link(match: re.Match[str]) -> str:
        name = page_name("../" + match["path"])
        if not name:
            raise ValueError(f"{match[0]} leads to a file that the site does not have")
        return f"]({name}.md{match['anchor'] or ''})"

    return _CONSOLE.sub("```bash", _OUTSIDE.sub(link, text))


def stage() -> None:
    """Collect all pages in build/docs-source/."""
    shutil.rmtree(SOURCE, ignore_errors=True)
    shutil.copytree(DOCS / "images", SOURCE / "images")
    shutil.copy(DOCS / "grafana-dashboard.json", SOURCE)
    for page in DOCS.glob("*.md"):
        write(page.stem, staged(page.read_text(encoding="utf-8")))
    for file, name in ROOT_PAGES.items():
        text = (ROOT / file).read_text(encoding="utf-8").replace("](docs/", "](")
        for other in ROOT_PAGES:
            text = text.replace(f"]({other}", f"](../{other}")
        write(name, staged(text))
    examples = stage_examples()
    reference = stage_api()
    pages = sections((DOCS / "index.md").read_text(encoding="utf-8"))
    pages["Reference"] = [*pages.get("Reference", []), examples, reference]
    listed = {name for names in pages.values() for name in names}
    written = {page.stem for page in SOURCE.glob("*.md")}
    if unlisted := sorted(written - listed - {"index"}):
        pages["More"] = unlisted
    with (SOURCE / "index.md").open("a", encoding="utf-8") as index:
        index.write(navigation(pages))


def stage_examples() -> str:
    """Write a page for each example DAG, and one that lists them; return the name of that."""
    lines = ["# Example DAGs", ""]
    files = sorted((ROOT / "dags_examples").glob("*.py"))
    for file in files:
        code = file.read_text(encoding="utf-8")
        about = (ast.get_docstring(ast.parse(code)) or file.stem).partition("\n\n")[0].replace("\n", " ")
        lines.append(f"- [{file.name}]({file.stem}.md): {about}")
        write(f"examples/{file.stem}", f"# {file.name}\n\n```python\n{code}```\n")
    names = "\n".join(file.stem for file in files)
    write("examples/index", "\n".join(lines) + f"\n\n```{{toctree}}\n:hidden:\n\n{names}\n```\n")
    return "examples/index"


def stage_api() -> str:
    """Write the pages of the API reference, from the docstrings; return the name of the first."""
    listed = "\n".join(API)
    write(
        "api/index",
        "# API reference\n\nEverything public, from the docstrings. Parameters that many operators share are those of "
        f"their [base classes](bases.md).\n\n```{{toctree}}\n:maxdepth: 2\n\n{listed}\nbases\n```\n",
    )
    for name, (title, *modules) in API.items():
        names = {one: module for module in modules for one in public_names(module)}
        write(f"api/{name}", described(title, names, members=name != "operators"))
    write("api/bases", described("Shared parameters", SHARED_PARAMETERS, members=False))
    return "api/index"


def public_names(module: str) -> list[str]:
    """Return the names of a module that are for its users: what it exports, else its own classes."""
    room = import_module(module)
    own = [name for name, one in vars(room).items() if inspect.isclass(one) and one.__module__ == module]
    names = getattr(room, "__all__", own)
    return [name for name in names if callable(getattr(room, name)) and not name.startswith("_")]


def described(title: str, modules: dict[str, str], *, members: bool) -> str:
    """Return a page of the API reference.

    :param modules: of each name, the module that it is imported from.
    :param members: whether to list methods and attributes of classes; operators are described by their parameters.
    """
    parts = []
    for name, module in modules.items():
        is_class = inspect.isclass(getattr(import_module(module), name))
        options = "   :members:\n" if is_class and members else ""
        parts.append(f".. auto{'class' if is_class else 'function'}:: {module}.{name}\n{options}")
    body = "\n".join(parts)
    return f"# {title}\n\n```{{eval-rst}}\n{body}```\n"


def write(name: str, text: str) -> None:
    """Write one page."""
    path = SOURCE / f"{name}.md"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")


def main() -> int:
    """Build the site; return 0 if nothing is to be said about it."""
    stage()
    shutil.rmtree(SITE, ignore_errors=True)
    status = build_main(["-q", "-W", "--keep-going", "-j", "2", "-c", str(DOCS), str(SOURCE), str(SITE)])
    problems = broken_links(SITE) if status == 0 else []
    for problem in problems:
        print(problem, file=sys.stderr)
    if status or problems:
        return 1
    print(f"{len(list(SITE.rglob('*.html')))} pages: {SITE.relative_to(ROOT)}/index.html")
    return 0


if __name__ == "__main__":
    sys.exit(main())
