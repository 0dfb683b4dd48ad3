"""What the bodies of several operations share that make new pictures or videos."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import StringConstraints

from airflow_claid.sandbox.bodies.base import Address, Body, Omittable, UpToFour

LongText = Annotated[str, StringConstraints(min_length=3, max_length=5000)]
Guidelines = Annotated[str, StringConstraints(min_length=3, max_length=1000)]


class CreatedOutput(Body):
    """Where AI edits and fashion pictures go: 1 to 4 of them (default 1), ``png`` (default) or ``jpeg``."""

    number_of_images: UpToFour = 1
    destination: Omittable[Address] = None
    format: Literal["jpeg", "png"] = "png"
