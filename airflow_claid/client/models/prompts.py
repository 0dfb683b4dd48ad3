"""Prompts: text that Claid draws from, checked by its length."""

from __future__ import annotations

from pydantic import ValidatorFunctionWrapHandler, WrapValidator

from airflow_claid.client.models.base import UNKNOWN, wrong


def prompt_of(minimum: int, maximum: int) -> WrapValidator:
    """Check that a text has so many characters, without the blanks around it, which are cut; skip ``UNKNOWN``."""

    def check(value: object, check_type: ValidatorFunctionWrapHandler) -> object:
        if value is UNKNOWN:
            return value
        if not isinstance(value, str):
            raise wrong(f"must be a text, not {type(value).__name__}; map over a list with .expand(prompt=…)")
        if not value.isascii() and any("\ud800" <= character <= "\udfff" for character in value):
            raise wrong("holds half of a character (a lone surrogate), which is no text: fix the source it comes from")
        length = len(value.strip())
        takes = f"has {length} characters; Claid takes {minimum} to {maximum}"
        if length < minimum:
            raise wrong(f"{takes}: describe the picture in a few words")
        if length > maximum:
            raise wrong(f"{takes}: shorten it by {length - maximum}")
        return check_type(value.strip())

    return WrapValidator(check)
