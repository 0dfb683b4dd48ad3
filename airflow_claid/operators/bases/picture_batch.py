"""Batches of the operations that work on pictures."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any

from airflow_claid.client.models.base import UNKNOWN
from airflow_claid.operators.bases.batch import ClaidBatchOperator
from airflow_claid.operators.bases.inputs import InputOperator
from airflow_claid.parameters import is_literal, optional, refusing_at_once, truth

if TYPE_CHECKING:
    from airflow.sdk import ObjectStoragePath

    from airflow_claid.orders.source import Source


class PictureBatchOperator(ClaidBatchOperator, InputOperator):
    """Base of the batches that work on pictures.

    :param recursive: (templated) whether the folders in a folder of pictures count as well, as they do by default;
        their files go into the same folders of ``output``.
    :param suffixes: (templated) which files of a folder are pictures; default: those that Claid reads (``.jpg``,
        ``.jpeg``, ``.png``, ``.webp``, ``.avif``, ``.heic``, ``.tif``, ``.tiff``, ``.bmp``, ``.gif``).
    :param modified_since: (templated) only the files of a folder that were written at or after this time, with its
        time zone: ``"{{ data_interval_start }}"``. Not needed to do only what is new. Default: all.
    :param ignored_query_parameters: see :class:`~airflow_claid.operators.bases.inputs.InputOperator`.
    """

    picture_fields: tuple[str, ...] = (
        "recursive",
        "suffixes",
        "modified_since",
        *InputOperator.input_template_fields,
        *ClaidBatchOperator.batch_fields,
    )

    def __init__(
        self,
        *,
        recursive: bool | str = True,
        suffixes: Sequence[str] | None = None,
        modified_since: datetime | str | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.recursive = recursive
        self.suffixes = suffixes
        self.modified_since = modified_since
        with refusing_at_once():
            if is_literal(recursive):
                truth(recursive, "recursive")

    def _known(self) -> dict[str, Any]:
        """Return what is known when the DAG is parsed; rows may say the prompt that is not given."""
        parameters = super()._known()
        return {**parameters, "prompt": UNKNOWN} if parameters.get("prompt", UNKNOWN) is None else parameters

    def _filters(self) -> dict[str, Any]:
        return {
            "recursive": truth(self.recursive, "recursive"),
            "suffixes": self.suffixes,
            "modified_since": self.modified_since,
        }

    @property
    def _is_nested(self) -> bool:
        return truth(self.recursive, "recursive")

    @property
    def _is_part(self) -> bool:
        return optional(self.modified_since) is not None

    def _reachable(self, path: str, parameter: str = "input", version: str | None = None) -> Source:
        """Return a picture that Claid must reach; whether it does is seen when its request is sent."""
        return self._source(path, parameter, version)


class InputBatchOperator(PictureBatchOperator):
    """Base of the batches whose items are one picture each.

    :param input: (templated) the pictures. A folder or a glob of a bucket (``s3://shop/photos/``,
        ``gs://shop/**/front-*.jpg``, ``file:///…/``, ``storage://NAME/PATH/``); the manifest of an earlier batch
        (``first.output["manifest"]``), whose pictures are taken, and whose rows without one are skipped; a file,
        a list of files or a glob of files with a column ``input`` (CSV, TSV, JSON Lines, Parquet, each also with
        ``.gz``); or a list of paths, or of dicts with ``input``, also as the result of an upstream task. Other columns
        with the name of a parameter replace it for their row.
    """

    def __init__(
        self,
        *,
        input: str | ObjectStoragePath | Sequence[Any],  # noqa: A002 - Claid's own name
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.input = input
