"""What Airflow's page calls a mapped task: its ``map_index_template``, which is rendered when the task has ended."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from airflow_claid.parameters import optional

if TYPE_CHECKING:
    from airflow.sdk import Context

_KEY = "map_index_template"


def name_mapped_task(context: Context, name: object) -> None:
    """Set the name of a mapped task that has no ``map_index_template`` of its own."""
    index = context["ti"].map_index
    if index is not None and index >= 0 and context.get(_KEY) is None and optional(name) is not None:
        _set(context, str(name))


def rendered_as_text(context: Context) -> None:
    """Render a ``map_index_template``, so that Airflow gets a text also where native rendering makes another type.

    Airflow fails the task, which has paid by then, if ``render_template_as_native_obj=True`` makes it a number.
    """
    template: Any = context.get(_KEY)
    if template is not None and _is_native(context):
        rendered = context["dag"].get_template_env().from_string(template).render(context)
        _set(context, str(rendered))


def _set(context: Context, text: str) -> None:
    """Set a template that renders to a text: a native one reads what it renders to as Python does."""
    escaped = (repr(text) if _is_native(context) else text).replace("{", "{{ '{' }}")
    context["map_index_template"] = escaped


def _is_native(context: Context) -> bool:
    return bool(getattr(context.get("dag"), "render_template_as_native_obj", False))
