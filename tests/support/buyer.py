"""A task of 100 prompts under a spend limit, in a process of its own: a fork of one that has loaded Airflow."""

from __future__ import annotations

from multiprocessing.connection import Connection
from pathlib import Path

from airflow_claid.operators import ImageGenerationBatchOperator
from airflow_claid.version_compat import AirflowException
from tests.support.one_attempt import TaskInstance, begin, processes


class Buyer:
    """A process that runs a batch under each limit that it is told the name of.

    :param task_id: of the batch's operator.
    :param folder: of the pictures.
    :param environment: of its process. Airflow's connections come from there.
    """

    def __init__(self, task_id: str, folder: Path, environment: dict[str, str]) -> None:
        self._pipe, theirs = processes.Pipe()
        arguments = (theirs, task_id, folder, environment)
        self._process = processes.Process(target=_serve, args=arguments, daemon=True)
        self._process.start()
        theirs.close()

    def wait_until_ready(self) -> None:
        """Wait until the process runs."""
        self._hear()

    def buy(self, limit: str) -> None:
        """Begin a batch under a limit of 100 credits a day."""
        self._pipe.send(limit)

    def spent(self) -> float:
        """Wait for the end of the batch; return its credits."""
        return self._hear()

    def kill(self) -> None:
        """End the process by SIGKILL."""
        self._process.kill()
        self._process.join()

    def _hear(self) -> float:
        if not self._pipe.poll(180):
            raise TimeoutError("The buyer has said nothing for 180 s.")
        heard: float = self._pipe.recv()
        return heard


class _CountingTaskInstance(TaskInstance):
    """Remembers the credits that were pushed."""

    def __init__(self) -> None:
        super().__init__(try_number=1)
        self.credits = 0.0

    def xcom_push(self, key: str, value: object) -> None:
        if key == "credits":
            self.credits = float(str(value))


def _serve(pipe: Connection, task_id: str, folder: Path, environment: dict[str, str]) -> None:
    begin(environment)
    pipe.send(0.0)
    while True:
        pipe.send(_spend(task_id, folder, pipe.recv()))


def _spend(task_id: str, folder: Path, limit: str) -> float:
    """Run the batch until the limit stops it; return its credits."""
    ti = _CountingTaskInstance()
    operator = ImageGenerationBatchOperator(
        task_id=task_id,
        prompts=[f"Lamp {number} of {task_id}, {limit}" for number in range(100)],
        output=f"file://{folder}/{limit}/{task_id}/",
        concurrency=8,
        spend_limit={"credits": 100, "per": "day", "name": limit},
    )
    try:
        operator.execute({"ti": ti})  # type: ignore[typeddict-item]
    except AirflowException as error:
        assert "allows 100 per day" in str(error), error  # noqa: PT017 - what it cost is asked for all the same
    return ti.credits
