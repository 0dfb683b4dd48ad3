"""What the operators have in common that make new pictures from given ones."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from airflow_claid.client import ClaidValidationError
from airflow_claid.operators.bases.blocked import FilteredOperator
from airflow_claid.operators.bases.inputs import InputOperator
from airflow_claid.orders.creation import CreationOrder
from airflow_claid.orders.source import Source
from airflow_claid.parameters import format_or_options, is_literal, number, refusing_at_once, without_none
from airflow_claid.storage.places import checked_name, folder_place


class CreatingOperator(InputOperator, FilteredOperator):
    """Base of the operators that make new pictures from given ones.

    :param number_of_images: (templated) 1 to 4 for each request.
    :param output: (templated) folder of the pictures. ``s3://``, ``gs://``, ``file://`` or any other address of
        Airflow's object storage, with or without ``conn_id@``: files are named ``NAME_1.png``, ``NAME_2.png``.
        ``storage://NAME/PATH/``, with the last ``/``: Claid writes, into a sub-folder of the request's own, under
        names of its own. ``None``: links that live 24 hours.
    :param output_format: (templated) a format's name; ``None``: Claid's default, PNG.
    :param name: (templated) how the pictures are named; default: the input's name and the start of the request's
        fingerprint.
    :param on_blocked: (templated) what to do where Claid's content filter blocked every picture: ``"fail"``
        without a retry, ``"skip"``, or ``"keep"`` going with an empty result.
    """

    creating_template_fields: tuple[str, ...] = (
        "number_of_images",
        "output_path",
        "output_format",
        "name",
        "on_blocked",
        *InputOperator.input_template_fields,
    )

    def __init__(
        self,
        *,
        number_of_images: int | str = 1,
        output: str | None = None,
        output_format: str | Mapping[str, Any] | None = None,
        name: str | None = None,
        on_blocked: str = "fail",
        **kwargs: Any,
    ) -> None:
        super().__init__(on_blocked=on_blocked, **kwargs)
        self.number_of_images = number_of_images
        self.output_path = output
        self.output_format = output_format
        self.name = name
        with refusing_at_once():
            if is_literal(output):
                folder_place(output)
            if name is not None and is_literal(name):
                checked_name(name)

    def _where(self) -> dict[str, Any]:
        """Return the part of an order that says where pictures go and under which name, checked."""
        self._check_on_blocked()
        place = folder_place(self.output_path)
        self._check_place(place)
        return {
            "base_url": self.hook.client.base_url,
            "place": place,
            "landing": self._landing(place),
            "name": checked_name(self.name) if self.name not in (None, "") else None,
        }

    def _refuse_overwriting(self, order: CreationOrder, sources: Sequence[Source]) -> None:
        """Refuse an order whose pictures would be written over those that it starts from."""
        if not order.place.is_written_by_airflow:
            return
        storages = self.hook.storages
        there = {storages.plain_uri(source.path): source.path for source in sources}
        for position in range(1, order.number_of_images + 1):
            target = storages.plain_uri(order.place.folder + order.file_name(position))
            if target in there:
                raise ClaidValidationError(
                    f"output={order.place.folder!r}, name={self.name!r} would overwrite the input {there[target]!r}: "
                    "give another folder or name"
                )


def output_of(parameters: Mapping[str, Any]) -> dict[str, Any]:
    """Return number of images and format, as Claid names them."""
    output = {
        "number_of_images": number(parameters["number_of_images"]),
        "format": format_or_options(parameters["output_format"]),
    }
    return without_none(output)
