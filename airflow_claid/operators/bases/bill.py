"""Report what a task has paid, as the XCom ``bill``; see docs/credits.md."""

from __future__ import annotations

import logging
from typing import Any

from airflow_claid.fulfilment.bill import XCOM, TaskBill

log: logging.Logger = logging.getLogger(__name__)


class ReportedBill(TaskBill):
    """A bill that is pushed with each report of progress and at the end; never raises.

    :param connection: the id of the task's Claid connection.

    So what a task that is killed has paid until its last report is known even if it is never tried again.
    """

    def __init__(self, connection: str) -> None:
        super().__init__()
        self._connection = connection
        self._ti: Any = None

    def report_to(self, ti: Any) -> None:
        """Set the task instance that reports."""
        self._ti = ti

    def progress(self, *, jobs: int, quota_used: float | None) -> None:
        """Report so far."""
        self.report()

    def report(self) -> None:
        """Push the XCom."""
        try:
            self._ti.xcom_push(key=XCOM, value={**self.to_json(), "connection": self._connection})
        except Exception as error:  # noqa: BLE001 - what is paid for must not fail because of a report
            log.warning("The XCom %s could not be pushed (%s)", XCOM, type(error).__name__)
