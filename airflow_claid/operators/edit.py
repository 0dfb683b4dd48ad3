"""Editing: pictures in, pictures out; upscaling and resizing are edits with the operations filled in."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar

from airflow_claid.client import ClaidValidationError, JobKind
from airflow_claid.client.models.base import checked
from airflow_claid.client.models.edit import Edit
from airflow_claid.client.text import shortened
from airflow_claid.fulfilment.failures import Failure
from airflow_claid.operators.bases.inputs import InputOperator
from airflow_claid.operators.bases.job import ClaidJobOperator
from airflow_claid.operators.bases.picture_list import PictureListOperator
from airflow_claid.parameters import (
    format_or_options,
    given,
    is_literal,
    metadata_of,
    paths_and_others,
    refusing_at_once,
    sides_as_numbers,
)
from airflow_claid.storage.file_names import FileNames
from airflow_claid.storage.places import PICTURE_SUFFIXES, checked_name, edit_place
from airflow_claid.storage.signed_links import shown_in

if TYPE_CHECKING:
    from airflow.sdk import Context

    from airflow_claid.fulfilment.fulfilment import Fulfilled
    from airflow_claid.fulfilment.task_orders import TaskOrders
    from airflow_claid.operators.bases.paying import Where
    from airflow_claid.orders.edit import EditOrder
    from airflow_claid.orders.order import Order
    from airflow_claid.storage.places import Place

_FORMAT_OF_SUFFIX = {suffix: name for name, suffix in PICTURE_SUFFIXES.items()} | {".jpeg": "jpeg", ".tif": "tiff"}


class EditParameters(InputOperator):
    """What the edit of one picture, of several and of a catalogue have in common.

    The parameters are those of :class:`ImageEditOperator`.
    """

    edit_fields: tuple[str, ...] = ("output_format", "metadata")

    def __init__(
        self,
        *,
        output_format: str | Mapping[str, Any] | None = None,
        metadata: Mapping[str, Any] | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.output_format = output_format
        self.metadata = metadata

    @abstractmethod
    def _operations(self, parameters: Mapping[str, Any]) -> Mapping[str, Any]:
        """Return Claid's operations."""

    def _check_known(self) -> None:
        """Check, when the DAG is parsed, an edit that is known whole."""
        parameters = given(self, self.request_fields)
        output: str | None = getattr(self, "output_path")  # noqa: B009 - of the operator that this is a part of
        with refusing_at_once():
            if is_literal([*parameters.values(), output]):
                self._edit(parameters, edit_place(output))

    def _edit(self, parameters: Mapping[str, Any], place: Place) -> Edit:
        """Return what is done to each picture, checked."""
        output = {
            "format": _format(parameters["output_format"], place),
            "metadata": metadata_of(parameters["metadata"]),
        }
        return checked(Edit, {"operations": sides_as_numbers(self._operations(parameters)), "output": output})

    def _order(self, parameters: Mapping[str, Any], where: Where, version: str | None = None) -> EditOrder:
        from airflow_claid.orders.edit import EditOrder

        edit, picture = self._edit(parameters, where["place"]), self._source(parameters["input"], version=version)
        order = EditOrder(
            base_url=where["base_url"],
            place=where["place"],
            landing=where["landing"],
            name=where["name"] or picture.stem,
            source=picture,
            operations=edit.operations,
            output=edit.output,
        )
        self._refuse_overwriting(order, [picture])
        return order


class AnyEditParameters(EditParameters):
    """What the operators have in common that do any edit.

    The parameters are those of :class:`ImageEditOperator`.
    """

    request_fields: tuple[str, ...] = ("operations", *EditParameters.edit_fields)

    def __init__(self, *, operations: Mapping[str, Any], **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.operations = operations
        self._check_known()

    def _operations(self, parameters: Mapping[str, Any]) -> Mapping[str, Any]:
        operations: Mapping[str, Any] = parameters["operations"]
        return operations


class UpscaleParameters(EditParameters):
    """What the operators have in common that enlarge.

    The parameters are those of :class:`ImageUpscaleOperator`.
    """

    request_fields: tuple[str, ...] = ("scale", "mode", *EditParameters.edit_fields)

    def __init__(self, *, scale: str | int = "200%", mode: str = "smart_enhance", **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.scale = scale
        self.mode = mode
        self._check_known()

    def _operations(self, parameters: Mapping[str, Any]) -> Mapping[str, Any]:
        return {
            "restorations": {"upscale": parameters["mode"]},
            "resizing": {"width": parameters["scale"], "height": "auto", "fit": "bounds"},
        }


class ResizeParameters(EditParameters):
    """What the operators have in common that bring pictures to a size.

    The parameters are those of :class:`ImageResizeOperator`.
    """

    request_fields: tuple[str, ...] = ("width", "height", "fit", *EditParameters.edit_fields)

    def __init__(
        self,
        *,
        width: str | int = "auto",
        height: str | int = "auto",
        fit: str | Mapping[str, Any] = "bounds",
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.width = width
        self.height = height
        self.fit = fit
        self._check_known()

    def _operations(self, parameters: Mapping[str, Any]) -> Mapping[str, Any]:
        return {"resizing": {name: parameters[name] for name in ("width", "height", "fit")}}


class EditOperator(PictureListOperator, EditParameters, ClaidJobOperator):
    """Base of the operators that edit one picture or several.

    :param input: (templated) one path or a list, such as ``generate.output``: ``https://…`` that Claid can reach,
        ``storage://NAME/…``, or any path of Airflow's object storage.
    :param output: (templated) a folder (``s3://…/``, ``gs://…/``, ``file:///…/``, ``storage://NAME/…/``), where the
        files keep the inputs' names with the format's suffix; or, for one input, the file. ``None``: links that
        live 24 hours.
    :param name: (templated) file name, without suffix, for one input; ``None``: the input's.
    """

    edited_fields: tuple[str, ...] = (
        "input",
        "output_path",
        "name",
        *PictureListOperator.list_template_fields,
        *InputOperator.input_template_fields,
        *ClaidJobOperator.waiting_template_fields,
        *ClaidJobOperator.terms_template_fields,
    )
    ui_color = "#e9f7ef"
    job_kind: JobKind = JobKind.EDIT

    def __init__(
        self,
        *,
        input: str | list[str],  # noqa: A002 - Claid's own name
        output: str | None = None,
        name: str | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.input = input
        self.output_path = output
        self.name = name
        with refusing_at_once():
            self._check_input()
            if name is not None and is_literal(name):
                checked_name(name)

    @property
    def _subject(self) -> str:
        return f"input={shortened(shown_in(self.input))}"

    def _end(self, context: Context, task_orders: TaskOrders, results: Sequence[Fulfilled]) -> list[str]:
        """Return the paths in the order of the inputs."""
        from airflow_claid.orders.edit import EditOrder

        super()._end(context, task_orders, results)
        edited = {
            result.order.source.path: image.path
            for result in results
            for image in result.images
            if isinstance(result.order, EditOrder)
        }
        found = (edited.get(one) for one in paths_and_others(self.input) if isinstance(one, str))
        return [path for path in found if path]

    def _orders(self) -> list[Order | Failure]:
        place = edit_place(self.output_path)
        parameters, where = given(self, self.request_fields), self._where(place, self.name)
        orders = self._orders_of(place, lambda path: self._order({**parameters, "input": path}, where))
        if not orders:
            self.log.info("There are no pictures to edit")
        _check_files([order for order in orders if not isinstance(order, Failure)])
        return orders


class ImageEditOperator(AnyEditParameters, EditOperator):
    """Edit one picture or several with any of Claid's operations.

    We count 1 credit a picture (Claid publishes no price for editing). Pictures that Claid
    can reach are edited as jobs: all are submitted, then waited for, in the worker or (``deferrable``) in the
    triggerer; a retry waits for the same jobs. Others are uploaded, several at a time, and are done when they are
    sent. A retry, a clear, a new run or a backfill of the same edit of the same content pays nothing again, as for
    :class:`ImageGenerationOperator`.

    :param input: (templated) one path or a list, such as ``generate.output``: ``https://…`` that Claid can reach,
        ``storage://NAME/…``, or any path of Airflow's object storage.
    :param operations: (templated) Claid's operations, e.g. ``{"background": {"remove": True}}``; checked by name
        and range.
    :param output: (templated) a folder (``s3://…/``, ``gs://…/``, ``file:///…/``, ``storage://NAME/…/``), where the
        files keep the inputs' names with the format's suffix; or, for one input, the file. ``None``: links that
        live 24 hours.
    :param output_format: (templated) ``"jpeg"``, ``"png"``, ``"webp"``, ``"avif"``, ``"tiff"``, or a dict with
        options such as ``{"type": "jpeg", "quality": 90}``. ``None``: what the output file's suffix says, else
        Claid's default, JPEG.
    :param metadata: (templated) ``{"dpi": 300, "color_space": "CMYK"}``; ``None``: Claid's default.
    :param name: (templated) file name, without suffix, for one input; ``None``: the input's.
    :param on_error: see :class:`~airflow_claid.operators.bases.picture_list.PictureListOperator`.
    :param ignored_query_parameters: see :class:`~airflow_claid.operators.bases.inputs.InputOperator`.
    :param wait_for_completion: see :class:`~airflow_claid.operators.bases.job.ClaidJobOperator`; so are ``deferrable``,
        ``poll_interval`` and ``timeout``.
    :param regenerate: see :class:`ClaidPayingOperator`; so are ``on_lost_response``, ``max_credits``, ``spend_limit``
        and ``claid_conn_id``.
    :returns: the paths of the edited pictures, in the order of the inputs. XCom ``images`` has a dict for each;
        XCom ``credits`` what this execution spent.
    :raises AirflowFailException: for what a retry cannot fix. Where some pictures fail, the others are finished and
        kept first.
    """

    template_fields: Sequence[str] = (*AnyEditParameters.request_fields, *EditOperator.edited_fields)
    template_fields_renderers: ClassVar[dict[str, str]] = {"operations": "json", "metadata": "json"}


class ImageUpscaleOperator(UpscaleParameters, EditOperator):
    """Enlarge pictures with Claid's upscaler.

    Sends ``restorations.upscale`` together with ``resizing``, because resizing alone only interpolates
    (docs.claid.ai). All else, and all other parameters, are those of :class:`ImageEditOperator`.

    :param input: (templated) one path or a list.
    :param scale: (templated) how much larger: a percentage such as ``"200%"``, or the width in pixels.
    :param mode: (templated) ``"smart_enhance"``, ``"smart_resize"``, ``"faces"``, ``"digital_art"`` or ``"photo"``.
    """

    template_fields: Sequence[str] = (*UpscaleParameters.request_fields, *EditOperator.edited_fields)
    template_fields_renderers: ClassVar[dict[str, str]] = {"metadata": "json"}


class ImageResizeOperator(ResizeParameters, EditOperator):
    """Bring pictures to a size.

    All else, and all other parameters, are those of :class:`ImageEditOperator`.

    :param input: (templated) one path or a list.
    :param width: (templated) pixels, a percentage such as ``"50%"``, or ``"auto"`` to follow from the height.
    :param height: (templated) likewise; not both can be ``"auto"``.
    :param fit: (templated) ``"bounds"`` fits the whole picture into the size, and is our default; Claid's own is
        ``"crop"``, which cuts. Others: ``"cover"``, ``"canvas"``, ``"outpaint"``, or a dict with options.
    """

    template_fields: Sequence[str] = (*ResizeParameters.request_fields, *EditOperator.edited_fields)
    template_fields_renderers: ClassVar[dict[str, str]] = {"metadata": "json"}


def _format(output_format: object, place: Place) -> str | Mapping[str, Any] | None:
    """Return the format asked for; a file's suffix says it where nothing else does."""
    asked: str | Mapping[str, Any] | None = format_or_options(output_format) or None
    if place.file is None:
        return asked
    suffix = "." + place.file.lower().rpartition(".")[2]
    named = _FORMAT_OF_SUFFIX.get(suffix)
    if named is None:
        raise ClaidValidationError(
            f"output={place.folder + place.file!r} names a {suffix} file, which Claid does not write: use one of "
            f"{', '.join(_FORMAT_OF_SUFFIX)}"
        )
    if asked and _format_name(asked) != named:
        raise ClaidValidationError(
            f"output_format={output_format!r} does not go with the file name in "
            f"output={place.folder + place.file!r}: leave one of them out, or make them the same"
        )
    return asked or named


def _format_name(output_format: object) -> str:
    if not isinstance(output_format, (str, Mapping)):
        raise ClaidValidationError(
            f"output_format={output_format!r} must be a name such as 'png', or a dict such as {{'type': 'png'}}"
        )
    return output_format if isinstance(output_format, str) else str(output_format.get("type"))


def _check_files(orders: Sequence[Order]) -> None:
    """Refuse inputs that would be written to one file."""
    written: dict[str, str] = {}
    names = FileNames(orders[0].place.folder if len(orders) > 1 else "")
    for order in orders:
        if not order.place.folder:
            continue
        target = order.place.folder + order.file_name(1)
        first = written.setdefault(names.key(target), order.subject)
        if first != order.subject:
            raise ClaidValidationError(
                f"the inputs {first!r} and {order.subject!r} would both be written to {target!r}{names.why}: edit them "
                "in tasks of their own with a name each"
            )
