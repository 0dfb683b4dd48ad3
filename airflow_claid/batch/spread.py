"""A few of very many, spread evenly."""

from __future__ import annotations


def evenly_spread(total: int, number: int) -> set[int]:
    """Return positions from 0, spread evenly over all, the first and the last among them.

    :param total: how many there are to choose from.
    :param number: how many to choose, at most.
    """
    number = min(number, total)
    return {position * (total - 1) // max(1, number - 1) for position in range(number)}
