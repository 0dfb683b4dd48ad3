"""What Claid charges, in credits.

Claid publishes these prices, but none for an edit, nor for a scene apart from a prompt that it writes for one. An older
help text says 1 credit for an edited image, so we count 1 credit for both. We count a blocked image as charged, because
nothing says that it is not.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

GENERATED_IMAGE = 1.0
EDITED_IMAGE = 1.0
AI_EDITED_IMAGE = 2.0
FASHION_IMAGE = 2.0
SCENE_IMAGE = 1.0
WRITTEN_SCENE_PROMPT = 0.5
VIDEO = {5: 35.0, 10: 70.0}
"""By the length of the video in seconds."""


def price_of(operation: str, body: Mapping[str, Any]) -> float | None:
    """Return the price of a paid request; ``None`` where only Claid knows how many pictures it is about.

    :param operation: the contract's operation id.
    :param body: of the request, as a receipt keeps it.
    """
    if operation == "submit_video":
        return VIDEO.get(_number(_field(body, "options", "duration"), 5))
    if operation == "submit_batch_edit":
        pictures = body.get("input")
        return len(pictures) * EDITED_IMAGE if isinstance(pictures, list) else None
    written = operation == "create_scene" and bool(_field(body, "scene", "prompt", "generate"))
    each = _EACH_IMAGE.get(operation)
    return None if each is None else _images(body) * each + written * WRITTEN_SCENE_PROMPT


_EACH_IMAGE = {
    "generate_image": GENERATED_IMAGE,
    "edit_image": EDITED_IMAGE,
    "submit_ai_edit": AI_EDITED_IMAGE,
    "submit_fashion_model": FASHION_IMAGE,
    "create_scene": SCENE_IMAGE,
}


def _images(body: Mapping[str, Any]) -> int:
    """Return how many images a request asks for; it always says so where Claid's default is not 1."""
    number = _field(body, "options", "number_of_images") or _field(body, "output", "number_of_images")
    return _number(number, 1)


def _number(value: object, default: int) -> int:
    return int(value) if isinstance(value, (int, str)) and str(value).isdigit() else default


def _field(body: Any, *path: str) -> Any:
    for name in path:
        body = body.get(name) if isinstance(body, Mapping) else None
    return body
