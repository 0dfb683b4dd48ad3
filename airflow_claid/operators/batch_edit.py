"""Batches: a folder of pictures, or a list, edited by one request."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, ClassVar

from airflow_claid.client import ClaidValidationError, JobKind
from airflow_claid.client.models.base import checked
from airflow_claid.client.models.edit import Edit
from airflow_claid.client.text import shortened
from airflow_claid.operators.bases.inputs import InputOperator, check_inputs
from airflow_claid.operators.bases.job import ClaidJobOperator
from airflow_claid.parameters import (
    choice,
    format_or_options,
    is_literal,
    metadata_of,
    optional,
    paths,
    refusing_at_once,
    sides_as_numbers,
    truth,
)
from airflow_claid.storage.addresses import is_connected
from airflow_claid.storage.places import Place, PlaceKind, folder_place, stem_of
from airflow_claid.storage.signed_links import shown, shown_in
from airflow_claid.version_compat import AirflowFailException

if TYPE_CHECKING:
    from airflow.sdk import Context

    from airflow_claid.delivery.image import DeliveredImage
    from airflow_claid.fulfilment.deferred import DeferredState
    from airflow_claid.fulfilment.fulfilment import Fulfilled
    from airflow_claid.fulfilment.task_orders import TaskOrders
    from airflow_claid.orders.batch_edit import BatchFolder
    from airflow_claid.orders.order import Order
    from airflow_claid.orders.source import Source

ON_ERROR = ("fail", "continue")
_MOST_WITHOUT_FOLDER = 100
"""Airflow keeps no more than 64 KB a value in ``task_state_store``, where the receipt is if it is not in a folder."""

_SHOWN_REASONS = 5
_NAMES = {"output.format": "output_format", "output.metadata": "metadata"}


class ImageFolderEditOperator(InputOperator, ClaidJobOperator):
    """Edit a whole folder of pictures, or a list, by one request and one job.

    We count 1 credit a picture (Claid publishes no price for editing). A folder that the Claid
    connection maps is listed first: the price is known before it is paid, files that are no pictures are left out, and
    a folder whose pictures have changed is a new request, for all of its pictures. A retry, a clear, a new run or a
    backfill of the same request pays nothing again; a retry waits for the same job.

    :param input: (templated) a folder that ends with ``/``, ``storage://NAME/PATH/`` or the same in a bucket that is a
        mapped connected storage; or a list of pictures that Claid can reach. For pictures that only Airflow can read
        use :class:`ImageEditOperator`, which sends them along.
    :param operations: (templated) Claid's operations, as for :class:`ImageEditOperator`.
    :param recursive: (templated) whether the folders in the folder count as well.
    :param output: (templated) folder, ``storage://NAME/PATH/`` or the same in a bucket that is a mapped connected
        storage: Claid writes there, each file under its input's name. Not the input's folder or one in it. ``None``:
        links that live 24 hours.
    :param output_format: (templated) as for :class:`ImageEditOperator`; ``None``: Claid's default, JPEG.
    :param metadata: (templated) as for :class:`ImageEditOperator`.
    :param on_error: (templated) what to do where some pictures could not be edited: ``"fail"`` the task, without a
        retry, after the others are in place and in XCom ``images``; or ``"continue"`` with the others.
    :param on_lost_response: (templated) ``"fail"``, our default here because of the price: where an answer was lost, a
        person decides. ``"resubmit"`` asks, and may pay, again.
    :param max_credits: (templated) stop before one execution spends more; needs a folder that can be listed.
    :param ignored_query_parameters: see :class:`~airflow_claid.operators.bases.inputs.InputOperator`.
    :param wait_for_completion: see :class:`~airflow_claid.operators.bases.job.ClaidJobOperator`; so are ``deferrable``,
        ``poll_interval`` and ``timeout``.
    :param regenerate: see :class:`ClaidPayingOperator`; so is ``claid_conn_id``.
    :returns: the paths of the edited pictures, in Claid's order. XCom ``images`` has a dict for each; XCom ``credits``
        what this execution spent.
    :raises AirflowFailException: for what a retry cannot fix.
    """

    template_fields: Sequence[str] = (
        "input",
        "operations",
        "recursive",
        "output_path",
        "output_format",
        "metadata",
        "on_error",
        *InputOperator.input_template_fields,
        *ClaidJobOperator.waiting_template_fields,
        *ClaidJobOperator.terms_template_fields,
    )
    template_fields_renderers: ClassVar[dict[str, str]] = {"operations": "json", "metadata": "json"}
    ui_color = "#e9f7ef"
    job_kind: JobKind = JobKind.BATCH_EDIT

    def __init__(
        self,
        *,
        input: str | list[str],  # noqa: A002 - Claid's own name
        operations: Mapping[str, Any],
        recursive: bool | str = False,
        output: str | None = None,
        output_format: str | Mapping[str, Any] | None = None,
        metadata: Mapping[str, Any] | None = None,
        on_error: str = "fail",
        on_lost_response: str = "fail",
        **kwargs: Any,
    ) -> None:
        super().__init__(on_lost_response=on_lost_response, **kwargs)
        self.input = input
        self.operations = operations
        self.recursive = recursive
        self.output_path = output
        self.output_format = output_format
        self.metadata = metadata
        self.on_error = on_error
        with refusing_at_once():
            check_inputs(input)
            if is_literal([operations, output_format, metadata]):
                self._edit()
            if is_literal(output):
                folder_place(output)
            if is_literal(on_error):
                choice(on_error, "on_error", ON_ERROR)
            if is_literal(recursive) and is_literal(input):
                self._folder_given()

    @property
    def _subject(self) -> str:
        return f"input={shortened(shown_in(self.input))}"

    def _end(self, context: Context, task_orders: TaskOrders, results: Sequence[Fulfilled]) -> list[str]:
        """Hand on what there is; where something is missing, do as ``on_error`` says."""
        usable = super()._end(context, task_orders, results)
        for result in results:
            reasons, made = result.reasons, len(result.images)
            missing = max(result.order.number_of_images - made, len(reasons))
            if missing <= 0:
                continue
            problems = "; ".join(reasons[:_SHOWN_REASONS]) or "Claid gave no reason"
            message = (
                f"{missing} pictures of {result.order.subject} could not be edited, the {made} others are in place and "
                f"not paid again: {problems}"
            )
            if choice(self.on_error, "on_error", ON_ERROR) == "fail":
                raise AirflowFailException(
                    f"{message}. Edit those by ImageEditOperator (a folder that changes is a new request, for all of "
                    "its pictures), and set on_error='continue' to go on without them."
                )
            self.log.warning("%s; going on without them (on_error='continue')", message)
        return usable

    def _hand_on(self, context: Context, results: Sequence[Fulfilled], task_orders: TaskOrders) -> list[str]:
        """Return the paths as the output was given, also where Claid knows the folder as a connected storage."""
        return super()._hand_on(
            context,
            [
                replace(one, images=tuple(self._as_given(one.order.place, image) for image in one.images))
                for one in results
            ],
            task_orders,
        )

    def _as_given(self, place: Place, image: DeliveredImage) -> DeliveredImage:
        given = folder_place(self.output_path)
        if not given.is_written_by_airflow or not (image.path or "").startswith(place.folder):
            return image
        return image.evolve(path=given.uri_of(place.path_in(image.path or "")))

    def _edit(self) -> Edit:
        """Return what is done to each picture, checked."""
        output = {"format": format_or_options(self.output_format) or None, "metadata": metadata_of(self.metadata)}
        return checked(Edit, {"operations": sides_as_numbers(self.operations), "output": output}, _NAMES)

    def _folder_given(self) -> str | None:
        """Return the folder, where the input is one.

        :raises ClaidValidationError: if it is one among others, or ``recursive`` is for none.
        """
        given = paths(self.input, "input")
        folders = [path for path in given if path.endswith("/")]
        if folders and len(given) > 1:
            raise ClaidValidationError(
                f"input names the folder {shown(folders[0])!r} among {len(given)} paths: give one folder, or a list of "
                "pictures"
            )
        if truth(self.recursive, "recursive") and not folders:
            raise ClaidValidationError(
                f"recursive=True goes with a folder, and input={shortened(self.input)} is none: end it with '/', or "
                "leave recursive out"
            )
        return folders[0] if folders else None

    def _orders(self) -> list[Order]:
        return self._orders_of(None)

    def _orders_again(self, state: DeferredState) -> list[Order]:
        """Return the order of the folder as it was when it was paid, whatever has come into it since."""
        from airflow_claid.orders.batch_edit import BatchFolder

        return self._orders_of(BatchFolder.of_body(state.begun[0].receipt.body))

    def _orders_of(self, as_it_was: BatchFolder | None) -> list[Order]:
        from airflow_claid.orders.batch_edit import BatchEditOrder

        choice(self.on_error, "on_error", ON_ERROR)
        edit = self._edit()
        place = self._place()
        given = self._folder_given()
        folder = as_it_was or (self._seen(given, place) if given else None)
        sources = () if given else self._sources()
        number = len(sources) if folder is None else folder.pictures
        if number == 0:
            self.log.info("There are no pictures to edit in %s", shortened(self.input))
            return []
        if number is None and self._budget().limited:
            limit = "The spend limit" if optional(self.max_credits) is None else f"max_credits={self.max_credits!r}"
            raise ClaidValidationError(
                f"{limit} cannot be kept for {given!r}, because only Claid can list it: map the storage "
                '({"storages": {"NAME": "CONNECTION_ID"}} in the extra of the Claid connection), or leave the limit out'
            )
        if number is not None and number > _MOST_WITHOUT_FOLDER and not self._has_folder(place):
            raise ClaidValidationError(
                f"output={self.output_path!r} does not do for {number} pictures, because no receipt can be kept beside "
                f"them: give a folder of a mapped connected storage, or up to {_MOST_WITHOUT_FOLDER} pictures at a "
                "time"
            )
        if place.folder:
            _check_names([*(folder.names if folder else ()), *(source.path for source in sources)], place)
        order = BatchEditOrder(
            base_url=self.hook.client.base_url,
            place=place,
            name=None,
            folder=folder,
            sources=sources,
            operations=edit.operations,
            output=edit.output,
        )
        return [order]

    def _place(self) -> Place:
        """Return the place as Claid writes it."""
        place = folder_place(self.output_path)
        if place.is_written_by_airflow:
            covered = self.hook.storages.covering(place.folder)
            if covered is None:
                raise ClaidValidationError(
                    f"output={self.output_path!r} is in no connected storage, and only Claid can give a batch's files "
                    "their inputs' names: connect the bucket (ConnectStorageOperator) and map it in the extra of the "
                    "Claid connection, or use ImageEditOperator with a list"
                )
            place = Place(PlaceKind.CONNECTED, covered)
        self._run.check_place(place)
        return place

    def _has_folder(self, place: Place) -> bool:
        return bool(place.folder) and self.hook.storages.find_readable_uri(place.folder) is not None

    def _seen(self, given: str, place: Place) -> BatchFolder:
        """List the folder, and make sure that what is written does not fall into it."""
        from airflow_claid.orders.batch_edit import BatchFolder

        storages = self.hook.storages
        address = given if is_connected(given) else storages.covering(given)
        if address is None:
            raise ClaidValidationError(
                f"input={shown(given)!r} is in no connected storage, so Claid cannot list it: connect the bucket "
                "(ConnectStorageOperator) and map it in the extra of the Claid connection, or use ImageEditOperator "
                "with a list"
            )
        if storages.plain_uri(place.folder).startswith(storages.plain_uri(address)):
            raise ClaidValidationError(
                f"output={self.output_path!r} lies in the input folder {given!r}, so the next run would edit what this "
                "one wrote: give a folder beside it"
            )
        return BatchFolder.seen(
            address, storages.find_readable_uri(address), recursive=truth(self.recursive, "recursive")
        )

    def _sources(self) -> tuple[Source, ...]:
        given = dict.fromkeys(paths(self.input, "input"))
        return tuple(self._reachable(path) for path in given)


def _check_names(pictures: Sequence[str], place: Place) -> None:
    """Refuse pictures that would be written to one file.

    Whether Claid keeps the folders of a recursive batch is not documented, so a name in two of them is refused too.
    """
    written: dict[str, str] = {}
    for path in pictures:
        stem = stem_of(path if "://" in path else f"storage://x/{path}")
        if stem in written:
            raise ClaidValidationError(
                f"the inputs {shown(written[stem])!r} and {shown(path)!r} have one name, and would both be written to "
                f"{place.folder + stem!r}: edit them by tasks with a folder each"
            )
        written[stem] = path
