"""What a running task reports to Airflow besides XComs: links, lineage, asset events, metrics, its bill.

Loaded when a task runs, and not when its DAG is parsed.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from airflow_claid.client import ClaidError
from airflow_claid.fulfilment.events import AllEvents
from airflow_claid.gallery_addresses import gallery_is_on, tab_of_task
from airflow_claid.operators.bases.assets import announce, is_later_try, lasting, without_assets
from airflow_claid.operators.bases.bill import ReportedBill
from airflow_claid.operators.bases.lineage import report_lineage
from airflow_claid.operators.bases.metrics import TaskMetrics
from airflow_claid.operators.links import ClaidPicturesLink, ClaidStorageLink, storage_page
from airflow_claid.version_compat import push_link

if TYPE_CHECKING:
    from airflow.sdk import Context

    from airflow_claid.delivery.image import DeliveredImage
    from airflow_claid.operators.bases.reporting import ReportingOperator
    from airflow_claid.storage.places import Place


class TaskReports:
    """The reports of one task.

    :param dag_id: of the task; ``task_id`` likewise.
    :param connection: the id of its Claid connection.
    """

    def __init__(self, dag_id: str, task_id: str, connection: str) -> None:
        self.metrics: TaskMetrics = TaskMetrics(dag_id, task_id, connection)
        self.bill: ReportedBill = ReportedBill(connection)
        self.events: AllEvents = AllEvents(self.metrics, self.bill)

    def push_links(self, operator: ReportingOperator, context: Context) -> None:
        """Show the links in Airflow's page while the task runs; an error here does not fail the task."""
        ti = context["ti"]
        if gallery_is_on():
            operator.pictures_page = tab_of_task(ti.dag_id, ti.run_id, ti.task_id, ti.map_index)
        links = {
            ClaidPicturesLink().xcom_key: operator.pictures_page,
            ClaidStorageLink().xcom_key: operator.storage_page,
        }
        try:
            for key, address in links.items():
                if address:
                    push_link(ti, key, address)
        except Exception as error:  # noqa: BLE001 - a missing link must not fail a paid task
            operator.log.warning("The task's links are not shown before it ends (%s)", type(error).__name__)

    def find_page(self, operator: ReportingOperator, place: Place, images: Sequence[DeliveredImage]) -> None:
        """Set the page of the pictures' storage; Airflow reads it when the process ends."""
        paths_or_none = (image.path or (image.tmp_url if place.is_temporary else None) for image in images)
        paths = [path for path in paths_or_none if path]
        try:
            operator.storage_page = storage_page(place, paths, operator.hook.storages.find_readable_uri)
        except (ClaidError, ValueError) as error:
            operator.log.warning("The link to the pictures cannot be built (%s)", type(error).__name__)

    def report(
        self,
        operator: ReportingOperator,
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
        report_lineage(operator.hook, inputs=inputs, outputs=outputs)
        some = lasting(paths)
        if self.metrics.pictures or (some and is_later_try(operator, context)):
            announce(operator, context, place.folder if place else "", {"paths": some, **facts})
        else:
            self.withhold_events(operator)

    def withhold_events(self, operator: ReportingOperator) -> None:
        """Have Airflow send no asset event when the task succeeds: it has made nothing."""
        kept = without_assets(operator.outlets)
        if len(kept) < len(operator.outlets or ()):
            operator.log.info("No picture was made: the task's outlets get no event")
            operator.outlets = kept
