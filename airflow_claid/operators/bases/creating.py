"""What the operators have in common that make new pictures from given ones."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from airflow_claid.operators.bases.blocked import FilteredOperator
from airflow_claid.operators.bases.inputs import InputOperator
from airflow_claid.parameters import format_or_options, is_literal, number, refusing_at_once, without_none
from airflow_claid.storage.places import checked_name, folder_place


class CreatingParameters(InputOperator):
    """What new pictures made from one picture, or from a catalogue of them, have in common.

    :param number_of_images: (templated) 1 to 4 for each request.
    :param output_format: (templated) a format's name; ``None``: Claid's default, PNG.
    """

    creating_fields: tuple[str, ...] = ("number_of_images", "output_format")

    def __init__(
        self,
        *,
        number_of_images: int | str = 1,
        output_format: str | Mapping[str, Any] | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.number_of_images = number_of_images
        self.output_format = output_format


class CreatingOperator(CreatingParameters, FilteredOperator):
    """Base of the operators that make new pictures from given ones.

    :param output: (templated) folder of the pictures. ``s3://``, ``gs://``, ``file://`` or any other address of
        Airflow's object storage, with or without ``conn_id@``: files are named ``NAME_1.png``, ``NAME_2.png``.
        ``storage://NAME/PATH/``, with the last ``/``: Claid writes, into a sub-folder of the request's own, under
        names of its own. ``None``: links that live 24 hours.
    :param name: (templated) how the pictures are named; default: the input's name and the start of the request's
        fingerprint.
    :param on_blocked: (templated) what to do where Claid's content filter blocked every picture: ``"fail"``
        without a retry, ``"skip"``, or ``"keep"`` going with an empty result.
    """

    creating_template_fields: tuple[str, ...] = (
        "output_path",
        "name",
        "on_blocked",
        *InputOperator.input_template_fields,
    )

    def __init__(
        self,
        *,
        output: str | None = None,
        name: str | None = None,
        on_blocked: str = "fail",
        **kwargs: Any,
    ) -> None:
        super().__init__(on_blocked=on_blocked, **kwargs)
        self.output_path = output
        self.name = name
        with refusing_at_once():
            if is_literal(output):
                folder_place(output)
            if name is not None and is_literal(name):
                checked_name(name)


def output_of(parameters: Mapping[str, Any]) -> dict[str, Any]:
    """Return number of images and format, as Claid names them."""
    output = {
        "number_of_images": number(parameters["number_of_images"]),
        "format": format_or_options(parameters["output_format"]),
    }
    return without_none(output)
