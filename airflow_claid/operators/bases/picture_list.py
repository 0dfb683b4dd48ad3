"""What the operators have in common that take a list of pictures, each a request of its own."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from airflow_claid.client.text import listed, shortened
from airflow_claid.fulfilment.failures import Failure
from airflow_claid.operators.bases.inputs import InputOperator, check_inputs, inputs_of
from airflow_claid.parameters import choice, is_literal, optional, paths_and_others, refusing_at_once
from airflow_claid.storage.signed_links import shown

if TYPE_CHECKING:
    from airflow.sdk import Context

    from airflow_claid.fulfilment.fulfilment import Fulfilled
    from airflow_claid.fulfilment.task_orders import TaskOrders
    from airflow_claid.orders.order import Order
    from airflow_claid.storage.places import Place

ON_ERROR = ("fail", "continue")


class PictureListOperator(InputOperator):
    """Base of the operators that take a list of pictures, each a request of its own.

    :param on_error: (templated) what to do where some pictures fail, after the others are finished and kept:
        ``"fail"`` the task, or ``"continue"`` with the others. ``"continue"`` leaves out what concerns one picture: an
        input that is not there, a request that Claid refuses, a job that fails, a picture that cannot be fetched. XCom
        ``images`` has a dict with ``error`` for each. What a retry may fix still fails the try while there are
        retries left; what is done is reused, and the last try goes on without it too. A task of which every picture
        fails still fails, and so does one that meets what concerns all: the key, its scope, the credits,
        ``max_credits``, an outage.
    """

    input: Any
    list_template_fields: tuple[str, ...] = ("on_error",)

    def __init__(self, *, on_error: str = "fail", **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.on_error = on_error
        with refusing_at_once():
            if is_literal(on_error):
                self._continues()

    def _continues(self) -> bool:
        """Whether the task goes on without pictures that fail."""
        return choice(self.on_error, "on_error", ON_ERROR) == "continue"

    def _check_input(self) -> None:
        """Check, when the DAG is parsed, inputs that are known then; one that is no path may be left out later."""
        if self.on_error == "fail" or not is_literal(self.input) or not paths_and_others(self.input):
            check_inputs(self.input)

    def _orders_of(self, place: Place, order_of: Callable[[str], Order]) -> list[Order | Failure]:
        """Make an order of each input, once; a failure of each that cannot be used, if the task goes on without it.

        :param order_of: makes the order of a path.
        :raises ClaidValidationError: naming the parameter, its value and the remedy.
        """
        if not self._continues():
            return [order_of(path) for path in inputs_of(self.input, place, self._name)]
        given = _each_once(paths_and_others(self.input))
        inputs_of([one for one in given if isinstance(one, str) and one], place, self._name)
        return [self._order_or_failure(one, order_of) for one in given]

    def _order_or_failure(self, given: object, order_of: Callable[[str], Order]) -> Order | Failure:
        from airflow_claid.orders.source import UnusableInputError, not_an_address

        try:
            if not isinstance(given, str):
                raise not_an_address(given if given is None else shortened(given))
            return order_of(given)
        except UnusableInputError as error:
            address = shown(given) if isinstance(given, str) else None if given is None else shortened(given)
            return Failure(
                str(address), error, input=address, name=self._name, prompt=optional(getattr(self, "prompt", None))
            )

    @property
    def _name(self) -> str | None:
        name: str | None = optional(getattr(self, "name", None))
        return name

    def _images(self, results: Sequence[Fulfilled], task_orders: TaskOrders) -> list[dict[str, Any]]:
        """Return a dict for each picture, and for each that failed and may be left out, in the inputs' order."""
        if not self._continues():
            return super()._images(results, task_orders)
        images: list[dict[str, Any]] = []
        for outcome in task_orders.outcomes(results):
            images += [outcome.to_json()] if isinstance(outcome, Failure) else outcome.images_as_json()
        return images

    def _raise_failures(self, context: Context, task_orders: TaskOrders, *, succeeded: bool) -> None:
        """Raise if a picture failed that is not left out.

        Pictures that a retry may bring are waited for until the last try.
        """
        failures = list(task_orders.failed.values())
        if failures and self._continues():
            ti = context["ti"]
            last_try = ti.try_number > (getattr(ti, "max_tries", 0) or 0)
            if task_orders.may_pass_over_failures(succeeded=succeeded, last_try=last_try):
                self.log.warning(
                    "%s of %s pictures failed; going on without them (on_error='continue'): %s",
                    f"{len(failures):,}",
                    f"{task_orders.number:,}",
                    listed([shortened(failure.subject) for failure in failures]),
                )
                return
        super()._raise_failures(context, task_orders, succeeded=succeeded)


def _each_once(given: Sequence[object]) -> list[object]:
    once: dict[str, object] = {}
    for one in given:
        once.setdefault(one if isinstance(one, str) else repr(one), one)
    return list(once.values())
