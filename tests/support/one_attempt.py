"""A batch as one try of a task, in a process of its own: a fork of one that has loaded Airflow."""

from __future__ import annotations

import multiprocessing
import os
import traceback
from functools import partial
from multiprocessing.connection import Connection
from typing import Any

from airflow_claid.batch.terms import BatchTerms
from airflow_claid.operators import ImageGenerationBatchOperator
from airflow_claid.operators.bases import batch_parameters

processes = multiprocessing.get_context("forkserver")
processes.set_forkserver_preload(
    [__name__, "airflow.providers.amazon.aws.fs.s3", "airflow.providers.google.cloud.fs.gcs", "s3fs"]
)


class Attempt:
    """A try that runs.

    :param parameters: of the batch's operator.
    :param environment: of its process. Airflow's connections come from there.
    """

    def __init__(self, parameters: dict[str, Any], environment: dict[str, str], try_number: int = 1) -> None:
        self._told, telling = processes.Pipe(duplex=False)
        arguments = (telling, parameters, environment, try_number)
        self._process = processes.Process(target=_tell, args=arguments, daemon=True)
        self._process.start()
        telling.close()

    def summary(self) -> dict[str, Any]:
        """Wait for the end of the try; return the batch's summary."""
        if not self._told.poll(180):
            raise TimeoutError("The try has not ended after 180 s.")
        summary: dict[str, Any] | str = self._told.recv()
        self._process.join()
        assert isinstance(summary, dict), summary
        return summary

    @property
    def runs(self) -> bool:
        return self._process.is_alive()

    def kill(self) -> None:
        """End the process by SIGKILL."""
        self._process.kill()
        self._process.join()


class TaskInstance:
    """The part of a running task instance that the operator uses."""

    dag_id, run_id, task_id, map_index, max_tries = "shop", "monday", "pictures", -1, 2

    def __init__(self, try_number: int) -> None:
        self.try_number = try_number

    def xcom_push(self, key: str, value: object) -> None:
        """Forget the value."""


def begin(environment: dict[str, str]) -> None:
    """Give this process its environment, and leave it to the system when a file goes to the disk."""
    os.environ.clear()
    os.environ.update(environment)
    os.fsync = lambda fd: None


def _tell(told: Connection, parameters: dict[str, Any], environment: dict[str, str], try_number: int) -> None:
    """Tell the summary of a try, or what went wrong."""
    begin(environment)
    try:
        told.send(_run(parameters, try_number))
    except Exception:  # noqa: BLE001 - it is raised where the summary is asked for
        told.send(traceback.format_exc())


def _run(parameters: dict[str, Any], try_number: int) -> dict[str, Any]:
    """Run the batch, with short pauses."""
    batch_parameters.BatchTerms = partial(BatchTerms, pause=0.1)  # type: ignore[misc,assignment]
    operator = ImageGenerationBatchOperator(task_id="pictures", **parameters)
    return operator.execute({"ti": TaskInstance(try_number)})  # type: ignore[typeddict-item]
