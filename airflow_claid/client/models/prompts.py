"""Prompts: text that Claid draws from; what is a slip and no description is refused before it is paid for."""

from __future__ import annotations

import re

from pydantic import ValidatorFunctionWrapHandler, WrapValidator

from airflow_claid.client.models.base import UNKNOWN, wrong
from airflow_claid.client.values import holds_half_characters, is_visible, stands_for_nothing, written_out

_ADDRESS = re.compile(r"[a-z][a-z0-9+.-]*://\S+", re.IGNORECASE)


def prompt_of(minimum: int, maximum: int) -> WrapValidator:
    """Check that a text describes something in so many characters; skip ``UNKNOWN``.

    Blanks around the text are cut. Invisible characters count for nothing in the minimum.
    """

    def check(value: object, check_type: ValidatorFunctionWrapHandler) -> object:
        if value is UNKNOWN:
            return value
        if not isinstance(value, str):
            raise wrong(f"must be a text, not {type(value).__name__}; map over a list with .expand(prompt=…)")
        text = value.strip()
        if problem := _problem(text):
            raise wrong(problem)
        takes = f"characters; Claid takes {minimum} to {maximum}"
        if (visible := _visible_length(text)) < minimum:
            raise wrong(f"has {visible} {takes}: describe the picture in a few words")
        if len(text) > maximum:
            raise wrong(f"has {len(text)} {takes}: shorten it by {len(text) - maximum}")
        return check_type(text)

    return WrapValidator(check)


def _problem(text: str) -> str | None:
    if holds_half_characters(text):
        return "holds half of a character (a lone surrogate), which UTF-8 cannot hold: fix the source it comes from"
    if "\0" in text:
        return "holds a NUL character, which databases cannot keep: fix the source it comes from"
    if stands_for_nothing(text):
        return "is what an empty value looks like as a text: see whether the task or the cell it comes from is empty"
    if _ADDRESS.fullmatch(text):
        return "is an address, not a description: give what the file at the address holds"
    if text[:1] in ("[", "{") and isinstance(written_out(text), (list, dict)):
        return (
            "is a list or a dict that a template turned into a text: let the DAG have "
            "render_template_as_native_obj=True, or give task.output, and map over a list (.expand)"
        )
    return None


def _visible_length(text: str) -> int:
    if text.isascii() and text.isprintable():
        return len(text)
    return len("".join(one for one in text if is_visible(one) or one.isspace()).strip())


def check_written(*, text: object, generate: object, guidelines: object) -> None:
    """Check a prompt that is either given, or written by Claid after guidelines; skip what is ``UNKNOWN``.

    :raises PydanticCustomError: if it is both, or neither.
    """
    if generate and text not in (None, UNKNOWN):
        raise wrong("text and generate do not go together: give the text, or have Claid write one after guidelines")
    if guidelines not in (None, UNKNOWN) and not generate:
        raise wrong("guidelines are for a prompt that Claid writes: add generate, or leave them out")
    if text is None and not generate:
        raise wrong("has neither a text nor generate: give one of them")
