"""Bodies of ``image/edit``, ``image/edit/async`` and ``image/edit/upload``."""

from __future__ import annotations

from typing import Literal

from airflow_claid.sandbox.bodies.base import Address, Body, Integer, Omittable, Quality
from airflow_claid.sandbox.bodies.edit_operations import Operations

FormatName = Literal["jpeg", "png", "webp", "avif", "tiff"]


class JpegFormat(Body):
    """JPEG: ``quality`` 1 to 100 (default 85), ``progressive`` (default true)."""

    type: Literal["jpeg"]
    quality: Quality = 85
    progressive: bool = True


class PngFormat(Body):
    """PNG: ``compression`` ``fast``, ``best`` or ``optimal`` (default)."""

    type: Literal["png"]
    compression: Literal["fast", "best", "optimal"] = "optimal"


class Lossy(Body):
    """Lossy compression of WEBP, AVIF and TIFF; the default ``quality`` depends on the format."""

    type: Literal["lossy"]
    quality: Omittable[Quality] = None


class Lossless(Body):
    """Lossless compression of WEBP, AVIF and TIFF."""

    type: Literal["lossless"]


Compression = Literal["lossy", "lossless"] | Lossy | Lossless


class CompressedFormat(Body):
    """WEBP, AVIF or TIFF, ``lossy`` or ``lossless``."""

    type: Literal["webp", "avif", "tiff"]
    compression: Omittable[Compression] = None


AnyFormat = FormatName | JpegFormat | PngFormat | CompressedFormat


class Rgb(Body):
    """Colour space RGB."""

    type: Literal["RGB"]


class Cmyk(Body):
    """Colour space CMYK."""

    type: Literal["CMYK"]
    color_profile: Literal["ISO_Coated", "ISO_Uncoated", "USWeb_Coated", "USWeb_Uncoated"] = "USWeb_Coated"


class Metadata(Body):
    """Metadata of the output: dots per inch and colour space."""

    dpi: Omittable[Integer] = None
    color_space: Omittable[Literal["RGB", "CMYK"] | Rgb | Cmyk] = None


class ImageOutput(Body):
    """Where to put an edited picture, and in which format."""

    format: Omittable[AnyFormat] = None
    destination: Omittable[Address] = None
    metadata: Omittable[Metadata] = None


class EditRequest(Body):
    """Body of ``POST /v1/image/edit`` and ``/v1/image/edit/async``."""

    input: Address
    operations: Operations
    output: Omittable[ImageOutput | Address] = None


class UploadData(Body):
    """The JSON text in field ``data`` of ``POST /v1/image/edit/upload``; public clients send ``{}``, too."""

    operations: Operations = Operations()
    output: Omittable[ImageOutput | Address] = None
