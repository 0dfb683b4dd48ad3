"""The parameters that say which items a batch has: checked before anything is read."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime

from airflow_claid.batch.item_kind import ItemKind
from airflow_claid.batch.sources import Filters
from airflow_claid.client import ClaidValidationError

_NONE = (None, "", "None")
"""No value, also as templates render it."""


def checked_shard(shard: object) -> tuple[int, int]:
    """Return which of how many shards is meant; the first of one for ``None``."""
    if shard is None:
        return 0, 1
    if isinstance(shard, (tuple, list)) and len(shard) == 2 and all(type(part) is int for part in shard):
        mine, all_shards = shard
        if 0 <= mine < all_shards:
            return mine, all_shards
    raise ClaidValidationError(
        f"shard={shard!r} must be two whole numbers (k, n) with k from 0 to n-1, such as (0, 4) for the first of four"
    )


def checked_columns(columns: object, kind: ItemKind) -> dict[str, str | int | None]:
    """Return what files call our columns."""
    if columns is None:
        return {}
    if isinstance(columns, Mapping) and all(
        ours in kind.columns and (_names_a_column(theirs) or (theirs is None and ours != kind.subject))
        for ours, theirs in columns.items()
    ):
        return dict(columns)
    raise ClaidValidationError(
        f"columns={columns!r} must map some of {', '.join(kind.columns)} to the file's own names, such as "
        f"{{{kind.subject!r}: 'Caption'}}, or to positions from 0; None leaves a column out, but not the {kind.subject}"
    )


def checked_filters(recursive: object, suffixes: object, modified_since: object, without: Sequence[str]) -> Filters:
    """Return which files of folders and globs count."""
    if not isinstance(recursive, bool):
        raise ClaidValidationError(f"recursive={recursive!r} must be True or False")
    if isinstance(suffixes, str) and suffixes not in _NONE:
        suffixes = (suffixes,)
    if suffixes not in _NONE and not isinstance(suffixes, (tuple, list, set, frozenset)):
        raise ClaidValidationError(f"suffixes={suffixes!r} must be a list of texts such as ['.jpg', '.png']")
    return Filters(
        recursive,
        None if isinstance(suffixes, (str, type(None))) else tuple(sorted(suffixes)),
        _checked_moment(modified_since),
        tuple(without),
    )


def _checked_moment(modified_since: object) -> datetime | None:
    if modified_since in _NONE:
        return None
    moment = modified_since
    if isinstance(moment, str):
        try:
            moment = datetime.fromisoformat(moment.strip().replace("Z", "+00:00"))
        except ValueError:
            moment = None
    if isinstance(moment, datetime) and moment.utcoffset() is not None:
        return moment
    raise ClaidValidationError(
        f"modified_since={modified_since!r} must be a moment with its timezone: a datetime, or a text such as "
        "'2026-07-01T00:00:00+00:00', as '{{ data_interval_start }}' or '{{ ts }}' renders it"
    )


def _names_a_column(theirs: object) -> bool:
    return (type(theirs) is int and theirs >= 0) or (isinstance(theirs, str) and bool(theirs.strip()))
