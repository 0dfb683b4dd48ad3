"""The sensor that waits for pictures."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any

from airflow.sdk import PokeReturnValue

from airflow_claid.configuration import defaults
from airflow_claid.errors import PollFailedError
from airflow_claid.hooks.claid import ClaidHook
from airflow_claid.parameters import is_literal, number, refusing_at_once, truth
from airflow_claid.sensors.base import ClaidSensor
from airflow_claid.triggers.image import ClaidImageTrigger
from airflow_claid.version_compat import AirflowFailException
from airflow_claid.waiting.arrivals import Arrivals
from airflow_claid.waiting.decision import WaitState
from airflow_claid.waiting.pictures import Poll, Watch, checked_number, decide

if TYPE_CHECKING:
    from airflow.sdk import Context


class ClaidImageSensor(ClaidSensor):
    """Wait until usable images are at a place, whoever puts them there.

    Usable is a whole picture that is not plain black: Claid's content filter gives black pictures, which never count;
    nor do files of which a part is missing, files that are no pictures, hidden and ``.partial`` files, and the
    receipts in ``_claid/``. A file is judged once, until it is written anew, and of a large PNG or JPEG mostly only the
    beginning and the end are read. Costs nothing: the sensor only polls.

    In every mode the result, the time and the errors are the same. ``deferrable`` frees the worker for the whole wait;
    ``mode="reschedule"`` frees it between polls, but judges every file anew at each of them. A poll that fails for a
    passing reason is tried again; the fifth in a row fails the task (in reschedule mode before Airflow 3.3, which
    cannot count between processes, the first one does). A used-up quota is waited out.

    :param output: (templated) where: a folder or file in a connected storage (``storage://NAME/PATH/``; the Claid
        connection must map the storage to an Airflow connection), a folder or file that Airflow can read
        (``s3://…``, ``gs://…``, ``file://…``, with or without ``conn_id@``), or a link to one picture (``https://…``,
        on a host that the Claid connection's ``download_hosts`` name). A folder ends with ``/``.
    :param number_of_images: (templated) how many must be there. Default: 1.
    :param recursive: (templated) whether the folders in the folder count as well. Generation into connected storage
        makes a sub-folder for each request. Default: false.
    :param claid_conn_id: (templated) the Airflow connection to Claid; only ``storage://`` and links need it.
    :param deferrable: wait in the triggerer. Default: ``[claid] deferrable`` of Airflow's configuration,
        without it ``[operators] default_deferrable``.
    :param kwargs: those of every sensor: ``poke_interval`` (seconds, default 60), ``timeout`` (seconds, default a
        week), ``mode``, ``soft_fail``, …
    :returns: the paths of all usable images that are there, sorted, in the form of ``output``.
    :raises AirflowSensorTimeout: after ``timeout`` seconds; with ``soft_fail`` the task is skipped.
    :raises AirflowFailException: for what a retry cannot fix: a wrong parameter, a storage that is not mapped, a link
        to a host that is not on the list.
    :raises PollFailedError: if five polls in a row failed; a retry may succeed.
    """

    template_fields: Sequence[str] = ("output_path", "number_of_images", "recursive", "claid_conn_id")

    def __init__(
        self,
        *,
        output: str,
        number_of_images: int | str = 1,
        recursive: bool | str = False,
        claid_conn_id: str = ClaidHook.default_conn_name,
        deferrable: bool = defaults.deferrable(),
        **kwargs: Any,
    ) -> None:
        super().__init__(claid_conn_id=claid_conn_id, deferrable=deferrable, **kwargs)
        self.output_path = output
        self.number_of_images = number_of_images
        self.recursive = recursive
        with refusing_at_once():
            count = number(number_of_images) if is_literal(number_of_images) else 1
            if is_literal(output):
                Watch.of(output, count)
            else:
                checked_number(count)
            if is_literal(recursive):
                truth(recursive, "recursive")

    def poke(self, context: Context) -> PokeReturnValue:
        """Poll once."""
        count = self._failure_count(context)
        decision = decide(self._watch, self._poll(), failures=count.failures, patience=count.patience)
        count.keep(decision.failures if decision.state is WaitState.WAIT else 0)
        if decision.state is WaitState.REFUSED:
            raise AirflowFailException(decision.message)
        if decision.state is WaitState.UNREACHABLE:
            raise PollFailedError(decision.message) from decision.error
        self.log.info("%s", decision.message)
        return PokeReturnValue(decision.state is WaitState.ENDED, list(decision.paths))

    def _trigger(self, deadline: float) -> ClaidImageTrigger:
        return ClaidImageTrigger(
            output=self._watch.output,
            number_of_images=self._watch.number_of_images,
            recursive=self._watch.recursive,
            poke_interval=self.poke_interval,
            claid_conn_id=self.claid_conn_id,
            deadline=deadline,
        )

    def _result(self, context: Context, event: Mapping[str, Any]) -> list[str]:
        self.log.info("%s", event["message"])
        return [str(path) for path in event["paths"]]

    @cached_property
    def _watch(self) -> Watch:
        with refusing_at_once():
            return Watch.of(
                self.output_path, number(self.number_of_images), recursive=truth(self.recursive, "recursive")
            )

    @cached_property
    def _arrivals(self) -> Arrivals:
        return Arrivals(self._watch, self.hook)

    def _poll(self) -> Poll | Exception:
        try:
            return self._arrivals.poll()
        except Exception as error:  # noqa: BLE001 - each storage fails in a way of its own; decide() counts them
            return error
