"""Body of ``image/generate``."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field, StringConstraints

from airflow_claid.sandbox.bodies.base import Address, Body, Omittable, UpToFour


class GenerateOptions(Body):
    """Number of pictures (1 to 4, **default 4**) and guidance scale (1 to under 50, default 5)."""

    number_of_images: UpToFour = 4
    guidance_scale: Annotated[float, Field(ge=1, lt=50)] = 5


class GenerateRequest(Body):
    """Body of ``POST /v1/image/generate``."""

    input: Annotated[str, StringConstraints(min_length=3, max_length=1024)]
    options: GenerateOptions = GenerateOptions()
    output: Omittable[Address] = None
