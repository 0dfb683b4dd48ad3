"""Editing one picture (``/v1/image/edit``, ``/edit/async``, ``/edit/upload``): requests and answers."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import Field

from airflow_claid.client.models.base import Address, AnswerModel, Integer, OutputModel, RequestModel, checked
from airflow_claid.client.models.edit_operations import Operations
from airflow_claid.client.models.images import InputImage, OutputImage

Quality = Annotated[Integer, Field(ge=1, le=100)]
FormatName = Literal["jpeg", "png", "webp", "avif", "tiff"]


class JpegFormat(RequestModel):
    """JPEG with its options."""

    type: Literal["jpeg"]
    quality: Quality | None = None
    progressive: bool | None = None


class PngFormat(RequestModel):
    """PNG with its options."""

    type: Literal["png"]
    compression: Literal["fast", "best", "optimal"] | None = None


class LossyCompression(RequestModel):
    """Lossy compression with a quality of 1 to 100."""

    type: Literal["lossy"]
    quality: Quality | None = None


class LosslessCompression(RequestModel):
    """Lossless compression."""

    type: Literal["lossless"]


CompressionWithOptions = Annotated[LossyCompression | LosslessCompression, Field(discriminator="type")]
Compression = Literal["lossy", "lossless"] | CompressionWithOptions


class CompressedFormat(RequestModel):
    """WEBP, AVIF or TIFF with its compression."""

    type: Literal["webp", "avif", "tiff"]
    compression: Compression | None = None


class RgbColorSpace(RequestModel):
    """Colours for screens."""

    type: Literal["RGB"]


class CmykColorSpace(RequestModel):
    """Colours for print, with a profile."""

    type: Literal["CMYK"]
    color_profile: Literal["ISO_Coated", "ISO_Uncoated", "USWeb_Coated", "USWeb_Uncoated"] | None = None


class Metadata(RequestModel):
    """DPI and colour space written into the picture."""

    dpi: Integer | None = None
    color_space: Literal["RGB", "CMYK"] | RgbColorSpace | CmykColorSpace | None = None


FormatWithOptions = Annotated[JpegFormat | PngFormat | CompressedFormat, Field(discriminator="type")]
OutputFormat = FormatName | FormatWithOptions


class ImageOutput(OutputModel):
    """How and where to write the edited picture; Claid's default format is JPEG."""

    format: OutputFormat | None = None
    metadata: Metadata | None = None


def format_name(output_format: str | JpegFormat | PngFormat | CompressedFormat | None, default: str) -> str:
    """Return the name of a format, whether it has options or not; Claid's ``default`` where none is asked for."""
    if output_format is None or isinstance(output_format, str):
        return output_format or default
    return output_format.type


class Edit(RequestModel):
    """What is done to a picture, whichever it is."""

    operations: Operations
    output: ImageOutput


class EditRequest(RequestModel):
    """One paid request to edit one picture that Claid can reach by address."""

    input: Address
    operations: Operations
    output: ImageOutput | Address | None = None

    @classmethod
    def of(
        cls,
        input: str,  # noqa: A002 - Claid's own name
        operations: Mapping[str, Any] | Operations,
        output: Mapping[str, Any] | ImageOutput | str | None = None,
    ) -> EditRequest:
        """Check and build a request; see :meth:`ClaidClient.edit_image` for the parameters.

        :raises ClaidValidationError: naming the parameter, its value and the remedy.
        """
        return checked(cls, {"input": input, "operations": operations, "output": output})


class UploadRequest(RequestModel):
    """One paid request to edit one picture that is uploaded."""

    operations: Operations
    output: ImageOutput | Address | None = None

    @classmethod
    def of(
        cls,
        operations: Mapping[str, Any] | Operations,
        output: Mapping[str, Any] | ImageOutput | str | None = None,
    ) -> UploadRequest:
        """Check and build a request; see :meth:`ClaidClient.upload_and_edit` for the parameters.

        :raises ClaidValidationError: naming the parameter, its value and the remedy.
        """
        return checked(cls, {"operations": operations, "output": output})


class EditResult(AnswerModel):
    """What an edit answered; ``request_id`` is the answer's ``x-request-id``, or ``None``."""

    input: InputImage = InputImage()
    output: OutputImage
    request_id: str | None = None
