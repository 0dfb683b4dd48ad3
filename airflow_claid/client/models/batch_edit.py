"""Editing many pictures in one request (``POST /v1/image/edit/batch``): a folder, or a list of addresses."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Annotated, Any

from pydantic import BeforeValidator

from airflow_claid.client.models.base import Address, RequestModel, checked, wrong
from airflow_claid.client.models.edit import ImageOutput
from airflow_claid.client.models.edit_operations import Operations


def _addresses(value: object) -> object:
    if isinstance(value, Sequence) and not value:
        raise wrong("is empty: give at least one address")
    return tuple(value) if isinstance(value, list) else value


class BatchSource(RequestModel):
    """A folder, and whether the folders in it count as well."""

    source: Address
    recursive: bool | None = None


class BatchEditRequest(RequestModel):
    """One paid request to edit many pictures; Claid lists a folder itself and charges for what is in it."""

    input: BatchSource | Address | Annotated[tuple[Address, ...], BeforeValidator(_addresses)]
    operations: Operations
    output: ImageOutput | Address | None = None

    @classmethod
    def of(
        cls,
        input: str | Sequence[str] | Mapping[str, Any] | BatchSource,  # noqa: A002 - Claid's own name
        operations: Mapping[str, Any] | Operations,
        output: Mapping[str, Any] | ImageOutput | str | None = None,
        names: Mapping[str, str] | None = None,
    ) -> BatchEditRequest:
        """Check and build a request; see :meth:`ClaidClient.submit_batch_edit`.

        :param names: what the caller calls a field, by its dotted path here, for errors.
        :raises ClaidValidationError: naming the parameter, its value and the remedy.
        """
        return checked(cls, {"input": input, "operations": operations, "output": output}, names)
