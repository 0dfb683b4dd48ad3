"""``@task.claid_image``: generate images from the prompt, or prompts, that a function returns."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from airflow.sdk import Context
from airflow.sdk.bases.decorator import TaskDecorator, task_decorator_factory
from airflow.sdk.definitions._internal.types import SET_DURING_EXECUTION

from airflow_claid.decorators.functions import FunctionOperator, refuse_parameter
from airflow_claid.operators import ImageGenerationOperator


class ImageFunctionOperator(FunctionOperator, ImageGenerationOperator):
    """Generate images from the prompt, or the prompts, that a function returns; see :func:`claid_image_task`."""

    template_fields: Sequence[str] = (*FunctionOperator.template_fields, *ImageGenerationOperator.template_fields)
    custom_operator_name = "@task.claid_image"

    def __init__(self, *, python_callable: Callable[..., Any], **kwargs: Any) -> None:
        super().__init__(python_callable=python_callable, prompt=SET_DURING_EXECUTION, **kwargs)
        self._prompts_returned: Sequence[str] = ()

    def execute(self, context: Context) -> list[str]:
        """Call the function, then generate the images of its prompts, or reuse paid ones."""
        returned = self._call_function(context)
        prompts = [returned] if isinstance(returned, str) else returned
        if not isinstance(prompts, (list, tuple)) or not all(isinstance(one, str) for one in prompts):
            self._refuse(returned, "a prompt (str) or a list of prompts")
        self.prompt, self._prompts_returned = returned, prompts
        paths: list[str] = super().execute(context)
        return paths

    def _prompts(self) -> Sequence[str]:
        return self._prompts_returned


def claid_image_task(python_callable: Callable[..., Any] | None = None, **kwargs: Any) -> TaskDecorator:
    """Turn a function that returns a prompt, or a list of prompts, into a task that generates the images.

    Price, waiting and return value are those of :class:`~airflow_claid.operators.ImageGenerationOperator`. Each prompt
    of a list is a request of its own: one that fails does not stop the others, and a retry pays for it alone.

    :param python_callable: the function; its arguments are rendered, but its return value is not.
    :param kwargs: those of :class:`~airflow_claid.operators.ImageGenerationOperator`, without ``prompt``, and those
        of every task. ``name`` works with a single prompt only.
    :raises TypeError: if ``prompt`` is given.
    """
    refuse_parameter(kwargs, "prompt", "@task.claid_image")
    return task_decorator_factory(
        python_callable, multiple_outputs=False, decorated_operator_class=ImageFunctionOperator, **kwargs
    )
