"""Decorators that turn functions into Claid tasks: ``@task.claid_image`` and ``@task.claid_edit``."""

from __future__ import annotations

from airflow_claid.decorators.claid_edit import claid_edit_task
from airflow_claid.decorators.claid_image import claid_image_task

__all__ = ["claid_edit_task", "claid_image_task"]
