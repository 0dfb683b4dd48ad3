"""What batches have done, for tasks that publish or check it: the rows of a manifest, and the products of several.

Both are read as streams, so that a manifest of a million rows needs no more memory than a small one.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from airflow_claid.batch.manifest_chain import ChainRow, ManifestChain, rows_of_manifest

if TYPE_CHECKING:
    from airflow.sdk import ObjectStoragePath

__all__ = ["ManifestRow", "Origin", "Product", "Step", "join_manifests", "read_manifest"]

MISSING = "missing"
"""The status of a product whose pictures are not all in the manifests of the last step."""

_DONE, _SKIPPED, _DUPLICATE = "done", "skipped", "duplicate"


@dataclass(frozen=True)
class Origin:
    """The row of an earlier batch that a row comes from.

    :param manifest: address of that batch's manifest, without a connection.
    :param row: its number there.
    """

    manifest: str
    row: int


@dataclass(frozen=True)
class ManifestRow:
    """One row of a manifest.

    :param row: its number, that of the item in the batch's input.
    :param status: ``"done"``, ``"blocked"``, ``"failed"``, ``"invalid"``, ``"duplicate"``, ``"skipped"`` or ``"gone"``;
        after a review also ``"rejected"``.
    :param name: what the user calls the product; ``None`` where he does not.
    :param prompt: that its pictures were made from; ``None`` where there was none.
    :param input: the picture that it started from, without any signature; ``None`` where there was none.
    :param paths: of its usable pictures.
    :param checksums: of these, one for each; ``None`` where the storage tells none.
    :param credits: what it has cost, as far as is known.
    :param credits_in_doubt: what it may have cost besides, for lost answers.
    :param error: why it failed or is invalid.
    :param reason: why it was skipped: the status in the earlier batch.
    :param origin: the row of an earlier batch that it comes from.
    :param raw: all that the row has.
    """

    row: int
    status: str
    name: str | None = None
    prompt: str | None = None
    input: str | None = None
    paths: tuple[str, ...] = ()
    checksums: tuple[str | None, ...] = ()
    credits: float = 0.0
    credits_in_doubt: float = 0.0
    error: str | None = None
    reason: str | None = None
    origin: Origin | None = None
    raw: Mapping[str, Any] = field(default_factory=dict, repr=False)


@dataclass(frozen=True)
class Step:
    """What one batch has done for a product.

    :param manifest: address of the batch's manifest, as it was given.
    :param rows: those about the product, in the order of the manifest.
    """

    manifest: str
    rows: tuple[ManifestRow, ...]

    @property
    def paths(self) -> tuple[str, ...]:
        """Of the usable pictures."""
        return tuple(path for row in self.rows if row.status == _DONE for path in row.paths)

    @property
    def credits(self) -> float:
        """What the step has cost, as far as is known."""
        return sum(row.credits for row in self.rows)


@dataclass(frozen=True)
class Product:
    """What a chain of batches has done for one product.

    :param name: what the user calls it; ``None`` where he does not.
    :param prompt: that its pictures were made from; ``None`` where there was none.
    :param status: ``"done"`` only if all its pictures went through all steps. Else why they did not: ``"failed"``,
        ``"invalid"``, ``"blocked"`` and so on, in whichever step; ``"missing"`` where a later manifest lacks it.
    :param paths: of its usable pictures of the last step, also where others did not get there.
    :param steps: what each batch has done for it, in the order in which they ran; without batches that lack it.
    """

    name: str | None
    prompt: str | None
    status: str
    paths: tuple[str, ...]
    steps: tuple[Step, ...]

    @property
    def credits(self) -> float:
        """What all steps have cost, as far as is known."""
        return sum(step.credits for step in self.steps)

    @property
    def credits_in_doubt(self) -> float:
        """What they may have cost besides, for lost answers."""
        return sum(row.credits_in_doubt for step in self.steps for row in step.rows)


def read_manifest(address: str | ObjectStoragePath) -> Iterator[ManifestRow]:
    """Yield the rows of a batch's manifest, never holding more than a few of them.

    The file is read twice: once to its end, so that a damaged one is told before its first row. A broken line is
    skipped, with a warning.

    :param address: anywhere Airflow can read, as the batch's task gives it in the XCom ``manifest``; also with ``.gz``.
    :raises ClaidValidationError: when the first row is asked for, if there is no such file, if it is no manifest, or if
        it is cut off.
    """
    return map(_manifest_row, rows_of_manifest(str(address)))


def join_manifests(*addresses: str | ObjectStoragePath) -> Iterator[Product]:
    """Yield the products of a chain of batches, such as generate, upscale, resize, in the order of the first's rows.

    A product is a row of the first batch, with all rows of later ones that come from its pictures. Its duplicates
    belong to it. Rows are kept in a temporary file, so memory does not grow with their number.

    :param addresses: of the batches' manifests, in any order; the shards of one batch have one each.
    :raises ClaidValidationError: when the first product is asked for, as :func:`read_manifest`; or if the manifests
        are not of one chain, or an earlier one was written anew since a later batch has read it.
    """
    with closing(ManifestChain([str(address) for address in addresses])) as chain:
        for rows in chain.products():
            yield _product(rows, chain)


def _product(rows: Sequence[ChainRow], chain: ManifestChain) -> Product:
    steps = []
    for position, address in enumerate(chain.addresses):
        found = tuple(_manifest_row(row.row) for row in rows if row.manifest == position)
        if found:
            steps.append(Step(address, found))
    told = [row for step in steps for row in step.rows]
    return Product(
        name=next((row.name for row in told if row.name is not None), None),
        prompt=next((row.prompt for row in told if row.prompt is not None), None),
        status=_status(rows, chain.last_step),
        paths=tuple(
            path
            for row in rows
            if row.step == chain.last_step and row.row["status"] == _DONE
            for path in _manifest_row(row.row).paths
        ),
        steps=tuple(steps),
    )


def _status(rows: Sequence[ChainRow], last_step: int) -> str:
    """Return the status of a product: the first that is not done among the ends of its pictures' ways."""
    followers: dict[tuple[int, int], int] = {}
    for row in rows:
        if row.parent is not None:
            followers[row.parent] = followers.get(row.parent, 0) + 1
    ends = []
    for row in rows:
        number, status = followers.get((row.manifest, row.row["row"]), 0), str(row.row["status"])
        if status == _DONE and row.step < last_step:
            if number < len(row.row.get("paths") or ()):
                ends.append(MISSING)
        elif number == 0:
            ends.append(str(row.row.get("reason") or status) if status == _SKIPPED else status)
    ends = [status for status in ends if status != _DUPLICATE] or [_DUPLICATE]
    return next((status for status in ends if status != _DONE), _DONE)


def _manifest_row(row: Mapping[str, Any]) -> ManifestRow:
    paths, checksums, origin = row.get("paths"), row.get("checksums"), row.get("from")
    texts = tuple(map(str, paths)) if isinstance(paths, list) else ()
    fit = isinstance(checksums, list) and len(checksums) == len(texts)
    return ManifestRow(
        row=row["row"],
        status=row["status"],
        **{fact: _text(row.get(fact)) for fact in ("name", "prompt", "input", "error", "reason")},
        paths=texts,
        checksums=tuple(map(_text, checksums or ())) if fit else (None,) * len(texts),
        credits=_amount(row.get("credits")),
        credits_in_doubt=_amount(row.get("credits_in_doubt")),
        origin=Origin(str(origin.get("manifest")), origin.get("row", 0)) if isinstance(origin, dict) else None,
        raw=row,
    )


def _text(value: object) -> str | None:
    return None if value is None else str(value)


def _amount(value: object) -> float:
    return float(value) if isinstance(value, (int, float)) else 0.0
