"""Body of ``image/ai-fashion-models``."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from airflow_claid.sandbox.bodies.base import Address, Body, Omittable
from airflow_claid.sandbox.bodies.creation import CreatedOutput, LongText


class FashionInput(Body):
    """One to five garments, and a picture of the model who wears them."""

    clothing: Annotated[list[Address], Field(min_length=1, max_length=5)]
    model: Omittable[Address] = None


class FashionOptions(Body):
    """Pose of the model, background and aspect ratio."""

    pose: LongText = "full body, front view, neutral stance, arms relaxed"
    background: LongText = "minimalistic studio background"
    aspect_ratio: Omittable[Literal["1:1", "2:3", "3:2", "3:4", "4:3", "9:16", "16:9", "21:9", "4:5", "5:4"]] = None


class FashionRequest(Body):
    """Body of ``POST /v1/image/ai-fashion-models``."""

    input: FashionInput
    options: FashionOptions
    output: Omittable[CreatedOutput | Address] = None
