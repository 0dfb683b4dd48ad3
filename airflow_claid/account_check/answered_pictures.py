"""What is assumed of a picture in any answer: its fields, their types, and the picture itself."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from airflow_claid.account_check.assumption import Finding, agrees, differs, not_tried, note, verdict
from airflow_claid.account_check.evidence import Evidence

_FIELDS: dict[str, tuple[type, ...]] = {
    "ext": (str,),
    "mps": (int, float),
    "mime": (str,),
    "format": (str,),
    "width": (int,),
    "height": (int,),
}
"""What the contract requires of each picture."""

_ADDRESSES = frozenset({"tmp_url", "object_key", "object_bucket", "object_uri", "claid_storage_uri"})
_MOST_SHARE = 0.5
"""An answer that takes longer than this share of the time it has may be late one day."""


def at(body: Any, *path: str) -> Any:
    """Return what is at a path in an answer; ``None`` if there is nothing."""
    for name in path:
        body = body.get(name) if isinstance(body, Mapping) else None
    return body


def unlike_the_contract(pictures: Any) -> Iterator[str]:
    """Yield how the pictures in an answer differ from the contract.

    :param pictures: a list of them.
    """
    for picture in pictures if isinstance(pictures, list) else []:
        if not isinstance(picture, Mapping):
            yield f"a picture is a {type(picture).__name__}, not an object"
            continue
        for name, types in _FIELDS.items():
            value = picture.get(name)
            if name not in picture:
                yield f"{name} is missing"
            elif isinstance(value, bool) or not isinstance(value, types):
                yield f"{name} is of the type {type(value).__name__}"
        unknown = sorted(str(name) for name in picture.keys() - _FIELDS.keys() - _ADDRESSES)
        if unknown:
            yield f"there are fields that we do not know: {', '.join(unknown)[:200]}"


def needs(
    step: str, examine: Callable[[Evidence, dict[str, Any]], Finding], *, answer: bool = True
) -> Callable[[Evidence], Finding]:
    """Return an examination of a paid step.

    :param examine: gets the evidence, and the facts that were noted of the step.
    :param answer: whether it needs the answer of a request that succeeded.
    """

    def examine_paid(evidence: Evidence) -> Finding:
        if step in evidence.why_unpaid:
            return not_tried(evidence.why_unpaid[step])
        facts, answers = evidence.paid.get(step), evidence.all(step)
        if not isinstance(facts, dict):
            return not_tried("it was not tried")
        if answer and not any(200 <= one.status < 300 for one in answers):
            return not_tried("there is no answer to look at")
        return examine(evidence, facts)

    return examine_paid


def delivered(_: Evidence, facts: dict[str, Any]) -> Finding:
    """Examine whether this version could use an answer and its picture."""
    if facts.get("error"):
        return differs(f"{facts['error_type']}", detail=str(facts["error"]), cure=facts.get("cure"))
    if facts.get("blocked"):
        return note("the content filter blocked it")
    return agrees("it was read, and its picture opened")


def picture_as_asked(width: int, height: int | None, mime: str) -> Callable[[Evidence, dict[str, Any]], Finding]:
    """Return an examination of the picture itself.

    :param height: ``None`` where it depends on the input.
    """

    def examine(_: Evidence, facts: dict[str, Any]) -> Finding:
        seen = facts.get("picture")
        if not isinstance(seen, dict):
            return not_tried("the picture could not be opened here")
        wrong_size = seen["width"] != width or height not in (None, seen["height"])
        told = (facts.get("announced") or {}).get("width"), (facts.get("announced") or {}).get("height")
        real = f"{seen['width']}x{seen['height']}"
        return verdict(
            [
                *([f"it has {real} pixels"] if wrong_size else []),
                *([f"it is {seen['mime']}"] if seen["mime"] != mime else []),
                *([f"{told[0]}x{told[1]} pixels were announced, it has {real}"] if _is_other(told, seen) else []),
            ],
            f"{real}, {seen['mime']}, {seen['bytes']} bytes",
        )

    return examine


def _is_other(told: tuple[Any, Any], seen: dict[str, Any]) -> bool:
    return None not in told and told != (seen["width"], seen["height"])


def in_time(seconds: float, limit: float) -> Finding:
    """Return whether an answer came well within the time that it has."""
    if seconds > _MOST_SHARE * limit:
        return differs(f"it took {seconds:.1f} s of the {limit:g} s that it may take")
    return agrees(f"it took {seconds:.1f} s of the {limit:g} s that it may take")
