"""Measure how far dark photographs are from the plain black that is recognised, and print a table.

Photographs of scikit-image and scikit-learn, where they are installed, and of any folders that are named: each as it
is, and darkened to a night with the noise of a sensor. Beside them plain black with noise. Every picture is saved as
PNG, JPEG and WEBP.
"""

from __future__ import annotations

import argparse
import io
import sys
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

from PIL import Image, ImageChops

from airflow_claid.delivery.inspection import inspect
from airflow_claid.delivery.opening import BRIGHTEST_BLOCK
from airflow_claid.delivery.png import BRIGHTEST

_PACKAGES = ("skimage", "sklearn")
_SUFFIXES = {".jpg", ".jpeg", ".png", ".tif", ".webp"}
_LEAST_SIDE, _LEAST_GREYS = 200, 64
"""Smaller pictures are icons, and those with fewer greys are drawings or masks."""

_LIGHT = (1.0, 0.2, 0.1, 0.05, 0.03)
"""Parts of the light that are left: 0.03 is five stops less."""

_NOISE = (0.0, 1.0, 2.0)
_SENSOR_NOISE = 1.5
"""Standard deviations, of 255."""

_SAVED_AS: tuple[tuple[str, dict[str, int]], ...] = (
    ("PNG", {}),
    ("JPEG", {"quality": 95}),
    ("JPEG", {"quality": 75}),
    ("WEBP", {"quality": 80}),
)


def main() -> int:
    """Print the table; the exit status is 1 if a photograph is taken for black, or black for a photograph."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folders", nargs="*", type=Path, help="more photographs")
    folders = [*_of_packages(), *parser.parse_args().folders]
    photographs = [image for folder in folders for path in _files(folder) if (image := _read(path))]
    print("| pictures | number | brightest pixel | brightest block | taken for black |")
    print("| --- | --- | --- | --- | --- |")
    good = True
    for light in _LIGHT:
        nights = [_with_noise(image.point(_times(light)), _SENSOR_NOISE) for image in photographs]
        good &= _row(f"photographs with {light:.0%} of their light", nights, expected=0)
    for noise in _NOISE:
        black = [_with_noise(Image.new("RGB", (1024, 1024)), noise)]
        good &= _row(f"black with noise of {noise:.0f}", black, expected=len(_SAVED_AS))
    print(f"\nBlack: no pixel above {BRIGHTEST} of 255, and no block of 8 x 8 pixels above {BRIGHTEST_BLOCK}.")
    return 0 if good else 1


def _of_packages() -> Iterator[Path]:
    for name in _PACKAGES:
        spec = find_spec(name)
        yield from map(Path, (spec.submodule_search_locations or ()) if spec else ())


def _files(folder: Path) -> Iterator[Path]:
    return (path for path in sorted(folder.rglob("*")) if path.suffix.lower() in _SUFFIXES)


def _read(path: Path) -> Image.Image | None:
    """Return a photograph in colours; ``None`` for other pictures and what cannot be read."""
    try:
        with Image.open(path) as opened:
            image = opened.convert("RGB")
    except (OSError, ValueError, SyntaxError):
        return None
    greys = image.convert("L").getcolors() or ()
    return image if min(image.size) >= _LEAST_SIDE and len(greys) >= _LEAST_GREYS else None


def _times(factor: float) -> list[int]:
    return [round(value * factor) for value in range(256)] * 3


def _with_noise(image: Image.Image, noise: float) -> Image.Image:
    """Add the noise of a sensor, of another grain in each channel."""
    if not noise:
        return image
    grain = [Image.effect_noise(image.size, noise) for _ in range(3)]
    return Image.merge("RGB", [ImageChops.add(a, b, offset=-128) for a, b in zip(image.split(), grain, strict=True)])


def _row(what: str, images: list[Image.Image], *, expected: int) -> bool:
    """Print the darkest of some photographs, or the brightest of black; tell whether none was mistaken."""
    chosen = max if expected else min
    taken, pixels, blocks = 0, [], []
    for image in images:
        for kind, options in _SAVED_AS:
            target = io.BytesIO()
            image.save(target, kind, **options)
            decoded = Image.open(target).convert("RGB")
            pixels.append(_brightest(decoded))
            blocks.append(_brightest(decoded.reduce(8)))
            taken += bool(inspect(target.getvalue(), max_pixels=sys.maxsize).blocked)
    if images:
        print(f"| {what} | {len(images)} | {chosen(pixels)} | {chosen(blocks)} | {taken} of {len(pixels)} |")
    return taken == expected


def _brightest(image: Image.Image) -> int:
    return max(last for channel in image.split() for last, count in enumerate(channel.histogram()) if count)


if __name__ == "__main__":
    sys.exit(main())
