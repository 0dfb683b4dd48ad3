"""What the rows of a batch are about; light, as operators say it when their DAG is parsed."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class ItemKind:
    """What the rows of a batch are about.

    :param parameter: the operator's parameter that gives the items, for errors: ``"prompts"``.
    :param subject: the column that each row must have, and that a row of text alone is: ``"prompt"``.
    :param overrides: the columns that replace a parameter of the operator for their row. One that sets a part of a
        parameter has its path: ``"operations.background.remove.category"``.
    :param numbers: those of them that are numbers, also where a file writes them as text.
    :param pictures: whether the subject is the address of a picture.
    :param several: whether it may also be a list of such.
    """

    parameter: str
    subject: str
    overrides: tuple[str, ...] = ()
    numbers: frozenset[str] = frozenset()
    pictures: bool = False
    several: bool = False

    @property
    def columns(self) -> tuple[str, ...]:
        """All columns that are read."""
        return (self.subject, "name", *self.overrides)


PROMPTS = ItemKind(
    "prompts",
    "prompt",
    ("number_of_images", "guidance_scale"),
    frozenset({"number_of_images", "guidance_scale"}),
)
"""The rows of a generation."""
