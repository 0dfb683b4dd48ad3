"""The documentation site; ``make docs`` collects its pages (scripts/docs_site.py) and builds it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sphinx.util.nodes import make_refnode

from airflow_claid import __version__

if TYPE_CHECKING:
    from docutils import nodes
    from sphinx.addnodes import pending_xref
    from sphinx.application import Sphinx
    from sphinx.environment import BuildEnvironment

project = "airflow-claid"
author = copyright = "The airflow-claid developers"
release = version = __version__

extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx_copybutton"]

# GitHub makes an anchor of every heading, and the pages link to them.
myst_heading_anchors = 4
# A link to a file that is no page, such as the dashboard, downloads it.
myst_enable_extensions = ["colon_fence"]

autodoc_member_order = "bysource"
autodoc_typehints_format = "short"
python_maximum_signature_line_length = 100
python_use_unqualified_type_names = True

html_theme = "furo"
html_title = f"airflow-claid {release}"
html_static_path: list[str] = []
html_show_sphinx = False
html_copy_source = False
# The search fetches pages for its summaries, which no browser allows a page that was opened as a file.
html_show_search_summary = False


def by_last_name(
    app: Sphinx, env: BuildEnvironment, node: pending_xref, content: nodes.TextElement
) -> nodes.Element | None:
    """Resolve a reference such as ``:class:`ClaidHook```, which names no module, if only one object has the name."""
    if node.get("refdomain") != "py":
        return None
    last = node["reftarget"].rpartition(".")[2]
    found = [(name, one) for name, one in env.domains.python_domain.objects.items() if name.rpartition(".")[2] == last]
    if len(found) != 1:
        return None
    ((name, one),) = found
    return make_refnode(app.builder, node["refdoc"], one.docname, one.node_id, content, name)


def setup(app: Sphinx) -> None:
    """Tell Sphinx how references are resolved that it cannot resolve itself."""
    app.connect("missing-reference", by_last_name)
