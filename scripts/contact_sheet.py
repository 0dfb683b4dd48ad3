"""Draw all pictures of a result on one sheet."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from PIL import Image, ImageDraw, ImageFont

STEPS = ("generated", "upscaled", "resized")
COLUMNS = 3
THUMB = 170
GAP = 10
LABEL = 34
CELL = (3 * THUMB + 4 * GAP, THUMB + LABEL + GAP)
PAPER, INK, MUTED, EMPTY = "#ffffff", "#1c1c28", "#6b6b7b", "#e8e8ee"


def draw(result: list[dict[str, Any]], target: Path) -> None:
    """Draw each product's three pictures side by side, or its status if there are none."""
    rows = -(-len(result) // COLUMNS)
    sheet = Image.new("RGB", (COLUMNS * CELL[0] + GAP, rows * CELL[1] + GAP), PAPER)
    pen = ImageDraw.Draw(sheet)
    for index, product in enumerate(result):
        row, column = divmod(index, COLUMNS)
        _draw_product(sheet, pen, product, (column * CELL[0] + GAP, row * CELL[1] + GAP))
    sheet.save(target)


def _draw_product(
    sheet: Image.Image, pen: ImageDraw.ImageDraw, product: dict[str, Any], corner: tuple[int, int]
) -> None:
    left, top = corner
    pen.text((left, top), f"{product['sku']}  {product['status']}", fill=INK, font=ImageFont.load_default(18))
    for position, step in enumerate(STEPS):
        at = (left + position * (THUMB + GAP), top + LABEL)
        if product[step]:
            _draw_thumb(sheet, pen, product[step][0], at)
        else:
            pen.rectangle((*at, at[0] + THUMB, at[1] + THUMB), fill=EMPTY)
            pen.text((at[0] + 12, at[1] + 12), product["status"], fill=MUTED, font=ImageFont.load_default(16))


def _draw_thumb(sheet: Image.Image, pen: ImageDraw.ImageDraw, path: str, at: tuple[int, int]) -> None:
    with Image.open(path) as picture:
        size = f"{picture.width}x{picture.height} {picture.format}"
        thumb = picture.convert("RGB")
        thumb.thumbnail((THUMB, THUMB))
    sheet.paste(thumb, at)
    pen.text((at[0], at[1] - 14), size, fill=MUTED, font=ImageFont.load_default(11))
