"""The documentation site; ``make docs`` collects its pages (scripts/docs_site.py) and builds it."""

from __future__ import annotations

from airflow_claid import __version__

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
