"""``@task.claid_edit``: edit pictures by the operations that a function returns."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar

from airflow.sdk import Context
from airflow.sdk.bases.decorator import TaskDecorator, task_decorator_factory
from airflow.sdk.definitions._internal.types import SET_DURING_EXECUTION

from airflow_claid.decorators.functions import FunctionOperator, refuse_parameter
from airflow_claid.operators import ImageEditOperator

if TYPE_CHECKING:
    from airflow_claid.fulfilment.deferred import DeferredState
    from airflow_claid.fulfilment.failures import Failure
    from airflow_claid.orders.order import Order


class EditFunctionOperator(FunctionOperator, ImageEditOperator):
    """Edit pictures by the operations that a function returns; see :func:`claid_edit_task`."""

    template_fields: Sequence[str] = (*FunctionOperator.template_fields, *ImageEditOperator.template_fields)
    template_fields_renderers: ClassVar[dict[str, str]] = {
        **FunctionOperator.template_fields_renderers,
        **ImageEditOperator.template_fields_renderers,
    }
    custom_operator_name = "@task.claid_edit"

    def __init__(self, *, python_callable: Callable[..., Any], **kwargs: Any) -> None:
        super().__init__(python_callable=python_callable, operations=SET_DURING_EXECUTION, **kwargs)

    def execute(self, context: Context) -> Any:
        """Call the function, then edit the pictures by its operations, or reuse paid ones."""
        self._call(context)
        return super().execute(context)

    def execute_complete(
        self, context: Context, carried: Mapping[str, Any] | None = None, event: Mapping[str, Any] | None = None
    ) -> list[str]:
        """Resume after the trigger has fired; call the function again only if Airflow lost the state."""
        if self._deferred_state(carried) is None:
            self._call(context)
        return super().execute_complete(context, carried, event)

    def _call(self, context: Context) -> None:
        returned = self._call_function(context)
        if not isinstance(returned, Mapping):
            self._refuse(returned, "the operations, a dict such as {'resizing': {'width': 800}}")
        self.operations = returned

    def _parameters_to_defer(self) -> dict[str, Any]:
        return {"operations": dict(self.operations)}

    def _orders_again(self, state: DeferredState) -> Sequence[Order | Failure]:
        """Return the orders with the operations from before the wait."""
        self.operations = state.parameters["operations"]
        return super()._orders_again(state)


def claid_edit_task(python_callable: Callable[..., Any] | None = None, **kwargs: Any) -> TaskDecorator:
    """Turn a function that returns Claid's operations into a task that edits pictures.

    Price, waiting and return value are those of :class:`~airflow_claid.operators.ImageEditOperator`.

    :param python_callable: the function; its arguments are rendered, but its return value is not.
    :param kwargs: those of :class:`~airflow_claid.operators.ImageEditOperator`, without ``operations``, and those of
        every task. ``input`` may be the result of an upstream task.
    :raises TypeError: if ``operations`` is given, or no ``input``.
    """
    refuse_parameter(kwargs, "operations", "@task.claid_edit")
    if "input" not in kwargs:
        raise TypeError("@task.claid_edit needs an input: the path of a picture, a list, or an upstream task's result")
    return task_decorator_factory(
        python_callable, multiple_outputs=False, decorated_operator_class=EditFunctionOperator, **kwargs
    )
