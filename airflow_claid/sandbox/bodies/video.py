"""Body of ``video/generate``."""

from __future__ import annotations

from typing import Literal

from airflow_claid.sandbox.bodies.base import Address, Body, Omittable, OpenBody, Share
from airflow_claid.sandbox.bodies.creation import Guidelines, LongText


class VideoPrompt(OpenBody):
    """A prompt with options; ``generate`` has Claid write it."""

    text: Omittable[LongText] = None
    generate: bool = False
    guidelines: Omittable[Guidelines] = None


class VideoOptions(Body):
    """Prompt and length of a video: ``"5"`` seconds (default, 35 credits) or ``"10"`` (70)."""

    prompt: LongText | VideoPrompt
    negative_prompt: Omittable[LongText] = None
    duration: Literal["5", "10"] = "5"
    guidance_scale: Share = 0.5


class VideoRequest(Body):
    """Body of ``POST /v1/video/generate``."""

    input: Address
    options: VideoOptions
    output: Omittable[Address] = None
