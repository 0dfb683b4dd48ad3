"""The pictures that a picture was made from, and those that were made from it, among what a run reported."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import islice

from airflow_claid.plugins.gallery.listing import Part
from airflow_claid.plugins.gallery.pictures import Picture, same_file

_MOST_STEPS = 10
_MOST_MADE = 24


@dataclass(frozen=True)
class Chain:
    """Where a picture comes from, and what became of it.

    :param before: the pictures that it was made from, the first one first.
    :param origin: address of what the first of all was made from, which no task of the run made; ``None`` if it was
        made from a prompt.
    :param of_origin: the picture whose ``origin`` that is.
    :param after: those that were made from it, one from the other.
    :param several: those that were made from the last of these, where it is not one only; the chain ends there.
    """

    before: Sequence[Picture]
    origin: str | None
    of_origin: Picture
    after: Sequence[Picture]
    several: Sequence[Picture]


def chain_of(picture: Picture, parts: Sequence[Part]) -> Chain:
    """Find a picture's chain."""
    before: list[Picture] = []
    first = picture
    while first.origin is not None and len(before) < _MOST_STEPS:
        maker = _maker_of(first.origin, first, parts)
        if maker is None or maker in before or maker.where == picture.where:
            break
        before.insert(0, maker)
        first = maker
    after: list[Picture] = []
    made = list(islice(_made_from(picture, parts), _MOST_MADE))
    while len(made) == 1 and len(after) < _MOST_STEPS and made[0] not in after:
        after += made
        made = list(islice(_made_from(after[-1], parts), _MOST_MADE))
    return Chain(before, first.origin, first, after, made if len(made) > 1 else ())


def _maker_of(address: str, but: Picture, parts: Sequence[Part]) -> Picture | None:
    found = (each for part in parts for each in part.about(address) if each.has(address) and each.where != but.where)
    return next(found, None)


def _made_from(picture: Picture, parts: Sequence[Part]) -> Iterable[Picture]:
    seen = {picture.where}
    for path in picture.paths:
        for part in parts:
            for each in part.about(path):
                if each.origin is not None and same_file(each.origin, path) and each.where not in seen:
                    seen.add(each.where)
                    yield each
