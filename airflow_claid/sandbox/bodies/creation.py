"""What the bodies of AI edits, fashion models, scenes and videos share."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import StringConstraints

from airflow_claid.sandbox.bodies.base import Address, Body, Omittable, UpToFour

LongText = Annotated[str, StringConstraints(min_length=3, max_length=5000)]
Guidelines = Annotated[str, StringConstraints(min_length=3, max_length=1000)]


class CreatedOutput(Body):
    """Number of pictures (1 to 4, default 1), format (``png``, the default, or ``jpeg``) and destination."""

    number_of_images: UpToFour = 1
    destination: Omittable[Address] = None
    format: Literal["jpeg", "png"] = "png"
