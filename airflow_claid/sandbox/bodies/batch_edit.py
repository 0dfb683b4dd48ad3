"""Body of ``image/edit/batch``."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from airflow_claid.sandbox.bodies.base import Address, Body, Omittable
from airflow_claid.sandbox.bodies.edit import ImageOutput
from airflow_claid.sandbox.bodies.edit_operations import Operations


class BatchSource(Body):
    """A folder, with or without its sub-folders."""

    source: Address
    recursive: bool = False


class BatchEditRequest(Body):
    """Body of ``POST /v1/image/edit/batch``."""

    input: BatchSource | Address | Annotated[list[Address], Field(min_length=1)]
    operations: Operations
    output: Omittable[ImageOutput | Address] = None
