"""The base of all operators that pay Claid: the hook, the place of receipts, and the results."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, TypedDict

from airflow_claid.client import ClaidError, ClaidRateLimitError
from airflow_claid.client.spending.limits import SpendLimit, limits_of
from airflow_claid.configuration import defaults
from airflow_claid.errors import (
    CreditCeilingError,
    JobFailedError,
    LostAnswerError,
    PartialFailureError,
    PictureError,
    PlaceRefusedError,
    SpendLimitError,
    UnprovenAnswersError,
    UnreadAnswerError,
)
from airflow_claid.fulfilment.terms import Terms
from airflow_claid.hooks.connection_form import DEFAULT_CONN_NAME
from airflow_claid.operators.bases.reporting import ReportingOperator
from airflow_claid.parameters import (
    ceiling,
    choice,
    is_literal,
    known,
    none_means_default,
    optional,
    refusing_at_once,
    seconds,
    truth,
)
from airflow_claid.storage.places import checked_name
from airflow_claid.version_compat import (
    AirflowException,
    AirflowFailException,
    is_worth_a_retry,
    use_retry_after,
    wait_before_retry,
)

if TYPE_CHECKING:
    from airflow.sdk import Context

    from airflow_claid.fulfilment.budget import Budget
    from airflow_claid.fulfilment.failures import Failure
    from airflow_claid.fulfilment.fulfilment import Fulfilled, Fulfilment
    from airflow_claid.fulfilment.task_orders import TaskOrders
    from airflow_claid.operators.bases.paying_run import PayingRun
    from airflow_claid.orders.order import Order
    from airflow_claid.storage.places import Place


class Where(TypedDict):
    """The part of an order that says where its pictures go and under which name."""

    base_url: str
    place: Place
    landing: str | None
    name: str | None


class ClaidPayingOperator(ReportingOperator):
    """Base of the operators that pay Claid for pictures.

    :param regenerate: (templated) pay again on purpose, once for each run or clear of the task; a retry after a
        failure still reuses what is paid for.
    :param on_lost_response: (templated) what to do if an answer was lost and its pictures are not found:
        ``"resubmit"`` sends, and may pay for, the request again; ``"fail"`` leaves the decision to a person. Default:
        ``[claid] on_lost_response`` of Airflow's configuration, ``"resubmit"`` without it.
    :param lost_response_grace: (templated) seconds after a request in which an answer that seems lost may still come:
        how long to look for its pictures in connected storage, and to wait for another run with the same request.
    :param max_credits: (templated) stop before one execution spends more; default: no ceiling.
    :param spend_limit: (templated) stop before this task and all others under the same limit spend more in a day or a
        month: ``{"credits": 1000, "per": "day", "name": "shop", "timezone": "Europe/Berlin"}``, its text, ``"1000 per
        day"``, or a list of these. ``per`` is ``"day"`` (the default) or ``"month"``; all who say the same name count
        together (default: the tasks of the DAG); the timezone says when the day begins (default: UTC). Needs a
        ``quota_store`` in the connection, whose own ``spend_limit`` holds as well. Default: none but that.
    :param claid_conn_id: (templated) the Airflow connection to Claid.
    """

    terms_template_fields: tuple[str, ...] = (
        "regenerate",
        "on_lost_response",
        "lost_response_grace",
        "max_credits",
        "spend_limit",
        "claid_conn_id",
    )
    request_fields: tuple[str, ...] = ()
    """The templated parameters of a request; a batch's rows may say them for themselves."""

    _removed: Mapping[str, str] = MappingProxyType({})
    """The versions that inputs had before a wait; some may have been removed during it."""

    @none_means_default
    def __init__(
        self,
        *,
        regenerate: bool | str = False,
        on_lost_response: str = defaults.on_lost_response(),
        lost_response_grace: float | str = 180.0,
        max_credits: float | str | None = None,
        spend_limit: Mapping[str, Any] | str | Sequence[Mapping[str, Any] | str] | None = None,
        claid_conn_id: str = DEFAULT_CONN_NAME,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.regenerate = regenerate
        self.on_lost_response = on_lost_response
        self.lost_response_grace = lost_response_grace
        self.max_credits = max_credits
        self.spend_limit = spend_limit
        self.claid_conn_id = claid_conn_id
        use_retry_after(self)
        with refusing_at_once():
            if is_literal([regenerate, on_lost_response, lost_response_grace, max_credits]):
                ClaidPayingOperator._terms(self)
                ceiling(max_credits, "max_credits")
            if is_literal(spend_limit):
                self._spend_limits()

    def __init_subclass__(cls, **kwargs: Any) -> None:
        """Let ``None`` stand for the default of each parameter that has one."""
        super().__init_subclass__(**kwargs)
        if "__init__" in vars(cls):
            cls.__init__ = none_means_default(cls.__init__)  # type: ignore[method-assign]

    def execute(self, context: Context) -> list[str]:
        """Pay for the pictures, or reuse paid ones, and return their paths."""
        with failing_at_once(self._subject), self._fulfilling(context) as fulfilment:
            task_orders = self._run.orders(fulfilment, self._orders())
            task_orders.begin(wait=True)
            self._show_links(context, task_orders)
            return self._end(context, task_orders, task_orders.complete())

    @property
    def _run(self) -> PayingRun:
        """What runs the task; what it needs is loaded here, and not when the DAG is parsed."""
        from airflow_claid.operators.bases.paying_run import PayingRun

        return PayingRun(self, self._reports)

    @property
    def _subject(self) -> str:
        """The parameter that identifies the task in errors."""
        raise NotImplementedError

    def _orders(self) -> Sequence[Order | Failure]:
        """Return the orders of the task, checked; a failure in place of an input that is left out.

        :raises ClaidValidationError: naming the parameter, its value and the remedy.
        """
        raise NotImplementedError

    def _order(self, parameters: Mapping[str, Any], where: Where, version: str | None = None) -> Order:
        """Return the order of one item, checked: what the operation is, for one picture and for a million.

        :param parameters: values of ``request_fields``, and the item itself: its prompt, or its picture's path.
        :param version: what tells the picture's content from another, where that is known already.
        :raises ClaidValidationError: naming the parameter, its value and the remedy.
        """
        raise NotImplementedError

    def _known(self) -> dict[str, Any]:
        """Return the parameters of a request as far as they are known when the DAG is parsed."""
        return known(self, self.request_fields)

    def _where(self, place: Place, name: object) -> Where:
        """Check, before credits are spent, that a place can be written to, and a name."""
        self._run.check_place(place)
        return {
            "base_url": self.hook.client.base_url,
            "place": place,
            "landing": self._landing(place),
            "name": checked_name(name) if optional(name) is not None else None,
        }

    def _end(self, context: Context, task_orders: TaskOrders, results: Sequence[Fulfilled]) -> list[str]:
        """Push the results, then raise if an order failed."""
        paths = self._hand_on(context, results, task_orders)
        self._raise_failures(context, task_orders, succeeded=bool(results))
        return paths

    def _raise_failures(self, context: Context, task_orders: TaskOrders, *, succeeded: bool) -> None:
        """Raise if an order failed.

        :param succeeded: whether any did not.
        """
        task_orders.raise_failures()

    def _show_links(self, context: Context, task_orders: TaskOrders) -> None:
        """Show the links in the Airflow UI while the task runs; an error here does not fail the task."""
        if task_orders.orders:
            self._reports.find_page(
                self, task_orders.orders[0].place, [image for one in task_orders.begun for image in one.receipt.images]
            )
        self._reports.push_links(self, context)

    @contextmanager
    def _fulfilling(self, context: Context, spent: float = 0.0) -> Iterator[Fulfilment]:
        """Yield the fulfilment; if the block fails, push the credits that it spent to the XCom ``credits``."""
        fulfilment = self._fulfilment(context, spent)
        try:
            yield fulfilment
        except Exception:
            context["ti"].xcom_push(key="credits", value=fulfilment.budget.spent)
            raise
        finally:
            self._reports.bill.report()

    def _terms(self) -> Terms:
        return Terms(
            regenerate=truth(self.regenerate, "regenerate"),
            on_lost_response=choice(self.on_lost_response, "on_lost_response", defaults.ON_LOST_RESPONSE),
            grace=seconds(self.lost_response_grace, "lost_response_grace"),
        )

    def _budget(self, spent: float = 0.0) -> Budget:
        """Return the budget of this execution.

        :param spent: credits that it has already spent in another process.
        """
        return self._run.budget(ceiling(self.max_credits, "max_credits"), self._spend_limits(), spent)

    def _spend_limits(self) -> tuple[SpendLimit, ...]:
        """Return the task's own spend limits."""
        return limits_of(self.spend_limit, "spend_limit", f"DAG {self.dag_id}")

    def _fulfilment(self, context: Context, spent: float = 0.0) -> Fulfilment:
        return self._run.fulfilment(context, self._terms(), self._budget(spent))

    def _landing(self, place: Place) -> str | None:
        """Return the place's address in a connected storage that covers it, if any, to find lost answers there."""
        return self.hook.storages.covering(place.folder) if place.is_written_by_airflow else None

    def _images(self, results: Sequence[Fulfilled], task_orders: TaskOrders) -> list[dict[str, Any]]:
        """Return the XCom ``images``."""
        return [image for result in results for image in result.images_as_json()]

    def _hand_on(self, context: Context, results: Sequence[Fulfilled], task_orders: TaskOrders) -> list[str]:
        """Push and log the pictures and the credits spent; return the paths of the usable pictures."""
        usable = [image.path for result in results for image in result.images if image.usable and image.path]
        if results:
            self._reports.find_page(
                self, results[0].order.place, [image for result in results for image in result.images if image.usable]
            )
        self._reports.report(
            self,
            context,
            results[0].order.place if results else None,
            inputs=(address for result in results for address in result.order.inputs),
            outputs=usable,
            paths=usable,
            facts={"pictures": len(usable)},
        )
        images = [image for result in results for image in result.images]
        blocked, failed = sum(bool(image.blocked) for image in images), len(task_orders.failed)
        self._shares = (blocked / max(1, len(images)), failed / max(1, task_orders.number))
        context["ti"].xcom_push(key="images", value=self._images(results, task_orders))
        context["ti"].xcom_push(key="credits", value=task_orders.spent)
        self._run.log_results(results, task_orders.spent)
        return usable


@contextmanager
def failing_at_once(subject: str) -> Iterator[None]:
    """Fail a task without a retry if a retry cannot help."""
    try:
        with refusing_at_once():
            yield
    except (JobFailedError, LostAnswerError, UnreadAnswerError, CreditCeilingError, PlaceRefusedError) as error:
        raise AirflowFailException(str(error)) from error
    except (PartialFailureError, UnprovenAnswersError) as error:
        raise (AirflowException if error.retryable else AirflowFailException)(str(error)) from error
    except SpendLimitError as error:
        if is_worth_a_retry(error):
            raise
        raise AirflowFailException(str(error)) from error
    except ClaidRateLimitError as error:
        wait_before_retry(error.retry_after)
        raise
    except (ClaidError, PictureError) as error:
        if error.retryable:
            raise
        raise AirflowFailException(f"{subject}: {error}") from error
