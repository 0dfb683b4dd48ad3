"""What the operators that pay report to Airflow besides XComs: links, names of mapped tasks, lineage, asset events."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any

from airflow.sdk import BaseOperator

from airflow_claid.client import ClaidError
from airflow_claid.delivery.image import DeliveredImage
from airflow_claid.fulfilment.events import AllEvents
from airflow_claid.gallery_addresses import gallery_is_on, tab_of_task
from airflow_claid.hooks.claid import ClaidHook
from airflow_claid.operators.bases.assets import announce, is_later_try, lasting, without_assets
from airflow_claid.operators.bases.bill import ReportedBill
from airflow_claid.operators.bases.labels import name_mapped_task, rendered_as_text
from airflow_claid.operators.bases.lineage import report_lineage
from airflow_claid.operators.bases.metrics import TaskMetrics
from airflow_claid.operators.bases.outcome import Outcome
from airflow_claid.operators.links import ClaidPicturesLink, ClaidStorageLink, storage_page
from airflow_claid.storage.places import Place
from airflow_claid.version_compat import push_link

if TYPE_CHECKING:
    from airflow.sdk import Context


class ReportingOperator(BaseOperator):
    """Base of the operators that pay: what Airflow's page, lineage and schedules learn of them."""

    claid_conn_id: str
    operator_extra_links = (ClaidPicturesLink(), ClaidStorageLink())
    pictures_page: str = ""
    storage_page: str = ""
    _shares: tuple[float, float] = (0.0, 0.0)
    """Of pictures or items that were blocked, and of requests or items that failed."""

    @property
    def outcome(self) -> Outcome:
        """How the task has ended, as far as is known; for notifiers."""
        return Outcome(*self._shares, self._metrics.lost_answers, self._metrics.credits_in_doubt)

    @cached_property
    def hook(self) -> ClaidHook:
        """The hook of the connection."""
        return ClaidHook(self.claid_conn_id, on_refusal=self._events.refused)

    @cached_property
    def _metrics(self) -> TaskMetrics:
        return TaskMetrics(self.dag_id, self.task_id, self.claid_conn_id)

    @cached_property
    def _bill(self) -> ReportedBill:
        return ReportedBill(self.claid_conn_id)

    @cached_property
    def _events(self) -> AllEvents:
        return AllEvents(self._metrics, self._bill)

    def pre_execute(self, context: Context) -> None:
        """Have Airflow's page call a mapped task by its name, where it has one."""
        super().pre_execute(context)
        name_mapped_task(context, getattr(self, "name", None))

    def post_execute(self, context: Context, result: Any = None) -> None:
        """Keep a ``map_index_template`` that renders a number from failing a task that has paid."""
        super().post_execute(context, result)
        rendered_as_text(context)

    def _push_links(self, context: Context) -> None:
        """Show the links in Airflow's page while the task runs; an error here does not fail the task."""
        ti = context["ti"]
        if gallery_is_on():
            self.pictures_page = tab_of_task(ti.dag_id, ti.run_id, ti.task_id, ti.map_index)
        links = {ClaidPicturesLink().xcom_key: self.pictures_page, ClaidStorageLink().xcom_key: self.storage_page}
        try:
            for key, address in links.items():
                if address:
                    push_link(ti, key, address)
        except Exception as error:  # noqa: BLE001 - a missing link must not fail a paid task
            self.log.warning("The task's links are not shown before it ends (%s)", type(error).__name__)

    def _find_page(self, place: Place, images: Sequence[DeliveredImage]) -> None:
        """Set the page of the pictures' storage; Airflow reads it when the process ends."""
        paths_or_none = (image.path or (image.tmp_url if place.is_temporary else None) for image in images)
        paths = [path for path in paths_or_none if path]
        try:
            self.storage_page = storage_page(place, paths, self.hook.storages.find_readable_uri)
        except (ClaidError, ValueError) as error:
            self.log.warning("The link to the pictures cannot be built (%s)", type(error).__name__)

    def _report(
        self,
        context: Context,
        place: Place | None,
        *,
        inputs: Iterable[str],
        outputs: Iterable[str],
        paths: Iterable[str],
        facts: Mapping[str, Any],
    ) -> None:
        """Report lineage, and give the events of the task's outlets what it made.

        :param place: of the pictures; ``None`` where there are none.
        :param inputs: addresses that were read; ``outputs``: that were written.
        :param paths: of the usable pictures.
        :param facts: more of the ``extra`` of the events.
        """
        report_lineage(self.hook, inputs=inputs, outputs=outputs)
        some = lasting(paths)
        if self._metrics.pictures or (some and is_later_try(self, context)):
            announce(self, context, place.folder if place else "", {"paths": some, **facts})
        else:
            self._withhold_events()

    def _withhold_events(self) -> None:
        """Have Airflow send no asset event when the task succeeds: it has made nothing."""
        kept = without_assets(self.outlets)
        if len(kept) < len(self.outlets or ()):
            self.log.info("No picture was made: the task's outlets get no event")
            self.outlets = kept
