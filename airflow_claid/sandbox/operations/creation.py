"""What AI edits, fashion models and scenes share: number, format and place of the pictures to make."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from airflow_claid.sandbox import errors
from airflow_claid.sandbox.bodies.creation import CreatedOutput
from airflow_claid.sandbox.bodies.edit import AnyFormat
from airflow_claid.sandbox.bodies.scene import SceneOutput
from airflow_claid.sandbox.delivery import File, deliver, destination, unpredictable_name
from airflow_claid.sandbox.drawing.encoding import Description, name_of, write
from airflow_claid.sandbox.drawing.pictures import Recipe, is_blocked
from airflow_claid.sandbox.pipeline import JSON
from airflow_claid.sandbox.service import Service
from airflow_claid.sandbox.storages import Place


@dataclass(frozen=True)
class Output:
    """How many pictures to make, in which format, and where to put them."""

    count: int
    format: AnyFormat
    place: Place | None

    @classmethod
    def checked(cls, service: Service, output: CreatedOutput | SceneOutput | str | None, default_count: int) -> Output:
        """Check a request's ``output``; several pictures need a folder."""
        if output is None or isinstance(output, str):
            checked = cls(default_count, "png", destination(service, "output", output))
        else:
            place = destination(service, "output.destination", output.destination)
            checked = cls(output.number_of_images, output.format or "png", place)
        if checked.count > 1 and checked.place is not None and not checked.place.is_folder:
            raise errors.invalid_field("output", "several images need a folder: the path must end with '/'")
        return checked


def count_of(output: CreatedOutput | SceneOutput | str | None, default: int) -> int:
    """Return how many pictures a request asks for."""
    return default if output is None or isinstance(output, str) else output.number_of_images


def deliver_picture(service: Service, output: Output, picture: Any) -> JSON:
    """Encode and deliver one picture. Blocks."""
    extension = name_of(output.format, "png")
    content = write(picture, output.format, None)
    file = File(content, f"image/{extension}", extension, unpredictable_name(extension))
    return {**Description(extension, *picture.size).to_json(), **deliver(service, output.place, file)}


def recipes_of(service: Service, prompt: str, output: Output, size: tuple[int, int], kind: str) -> list[Recipe]:
    """Describe the pictures to draw. They are black if the prompt contains a blocked word."""
    blocked = is_blocked(prompt, service.settings.blocked_words)
    return Recipe(prompt, 1, output.count, *size, blocked=blocked, kind=f"sandbox {kind}").all()
