"""Body of ``image/ai-edit``."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from airflow_claid.sandbox.bodies.base import Address, Body, Integer, Omittable
from airflow_claid.sandbox.bodies.creation import CreatedOutput, LongText


class AIEditOptions(Body):
    """Prompt, model and settings of an AI edit."""

    prompt: LongText
    model: Literal["v1", "v2"] = "v2"
    aspect_ratio: Omittable[Literal["1:1", "2:3", "3:2", "3:4", "4:3", "9:16", "16:9", "9:21", "21:9"]] = None
    inference_steps: Omittable[Annotated[Integer, Field(ge=1, le=50)]] = None
    guidance_scale: Omittable[Annotated[float, Field(ge=1, le=10)]] = None


class AIEditRequest(Body):
    """Body of ``POST /v1/image/ai-edit``."""

    input: Address
    options: AIEditOptions
    output: Omittable[CreatedOutput | Address] = None
