"""The base of the decorators: call the function when the task runs, and check what it returns."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from typing import Any

from airflow.sdk import Context
from airflow.sdk.bases.decorator import DecoratedOperator

from airflow_claid.client import ClaidValidationError
from airflow_claid.client.text import shortened
from airflow_claid.parameters import refusing_at_once


class FunctionOperator(DecoratedOperator):
    """Base of the operators that a decorator makes from a function.

    The function's arguments are rendered as in every ``@task``; its return value is not, so text that contains
    ``{{ … }}`` goes to Claid unchanged. The Airflow UI shows it afterwards among the rendered fields.
    """

    custom_operator_name: str
    overwrite_rtif_after_execution = True

    def _call_function(self, context: Context) -> Any:
        """Call the function with its arguments and the context variables that it names, as ``@task`` does."""
        parameters = inspect.signature(self.python_callable).parameters
        takes_all = any(one.kind is one.VAR_KEYWORD for one in parameters.values())
        by_position = list(parameters)[: len(self.op_args)]
        available: Mapping[str, Any] = {**context, **self.op_kwargs}
        by_name = {
            name: value
            for name, value in available.items()
            if name not in by_position and (takes_all or name in parameters)
        }
        return self.python_callable(*self.op_args, **by_name)

    def _refuse(self, returned: object, wanted: str) -> None:
        """Fail without a retry, before anything is sent, because the function returned a wrong value."""
        if inspect.iscoroutine(returned):
            returned.close()
        name = getattr(self.python_callable, "__name__", "")
        with refusing_at_once():
            raise ClaidValidationError(
                f"{self.custom_operator_name}: the function {name!r} returned {shortened(returned)} "
                f"({type(returned).__name__}), but must return {wanted}"
            )


def refuse_parameter(parameters: Mapping[str, Any], name: str, decorator: str) -> None:
    """Refuse, when the DAG is parsed, the parameter that the function's return value replaces.

    :raises TypeError: if it is passed.
    """
    if name in parameters:
        raise TypeError(f"{decorator} takes no {name!r}: the function returns it")
