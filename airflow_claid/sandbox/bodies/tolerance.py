"""What public clients send although the contract does not have it; the sandbox takes it for what they mean.

- ``resizing.fit`` as ``{"crop": "smart"}``, without ``type``;
- a ``quality`` beside the ``type`` of a format that has none there, such as ``{"type": "webp", "quality": 85}``;
- a video's ``duration`` as a number.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any


def tolerated(body: Any) -> Any:
    """Return a JSON body as the contract writes it. What it cannot interpret stays as it is."""
    for path, change in _CHANGES.items():
        body = _changed(body, path, change)
    return body


def _changed(value: Any, path: tuple[str, ...], change: Callable[[Any], Any]) -> Any:
    if not path:
        return change(value)
    if not isinstance(value, dict) or path[0] not in value:
        return value
    return {**value, path[0]: _changed(value[path[0]], path[1:], change)}


def _fit(fit: Any) -> Any:
    return {"type": "crop", **fit} if isinstance(fit, dict) and fit.keys() == {"crop"} else fit


def _format(output_format: Any) -> Any:
    if not isinstance(output_format, dict) or output_format.keys() != {"type", "quality"}:
        return output_format
    name, quality = output_format["type"], output_format["quality"]
    if name == "png":
        return {"type": name}
    if name in ("webp", "avif", "tiff"):
        return {"type": name, "compression": {"type": "lossy", "quality": quality}}
    return output_format


def _duration(duration: Any) -> Any:
    return str(duration) if isinstance(duration, int) and not isinstance(duration, bool) else duration


_CHANGES: dict[tuple[str, ...], Callable[[Any], Any]] = {
    ("operations", "resizing", "fit"): _fit,
    ("output", "format"): _format,
    ("options", "duration"): _duration,
}
