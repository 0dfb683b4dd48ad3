"""What schemathesis is told about the sandbox under test: addresses that exist, and what valid data may be refused for.

The contract calls every address ``format: uri`` and many sizes plain strings. That an input must be reachable, an
output a connected storage, a percentage a percentage, it says only in prose and by documenting 400 and 422. So a valid
body may be refused with those two statuses; the check below holds each such refusal to the reasons in that prose.
"""

from __future__ import annotations

import re

import schemathesis
from hypothesis import strategies as st

from airflow_claid.sandbox.bodies.tolerance import tolerated

ADDRESSES = (
    "storage://shop/photo.png",
    "storage://shop/out/",
    "storage://shop/out/",
    "storage://shop/out/clip.mp4",
    "https://sandbox.invalid/photo.png",
)
REASONS = re.compile(
    r"must be a connected storage, storage://NAME/PATH"
    r"|must be a folder(: the path must end with '/'| ending with '/' or a file ending with .mp4)"
    r"|several images need a folder: .*"
    r"|width and height cannot both be auto"
    r"|a percentage goes with the same percentage, or auto, on the other side"
    r"|must be at least 1 pixel"
    r"|must be pixels, a percentage such as 200%, or auto"
    r"|must be one or two lengths in pixels or percent, .*"
    r"|must be a hexadecimal colour such as #ffffff, or transparent"
    r"|the output would be \d+x\d+ pixels; .*"
    r"|the image cannot be written as \w+: .*"
    r"|works with model v1 only"
    r"|a storage of type \w+ takes .*"
)

schemathesis.openapi.format("uri", st.sampled_from(ADDRESSES))


@schemathesis.hook
def filter_body(ctx: schemathesis.HookContext, body: object) -> bool:
    """Leave out what the sandbox takes from public clients although the contract does not have it."""
    return tolerated(body) == body


@schemathesis.check
def valid_data_is_refused_only_for_documented_reasons(
    ctx: schemathesis.CheckContext, response: schemathesis.Response, case: schemathesis.Case
) -> None:
    """Fail if a body that the schema allows is refused as if the schema did not allow it."""
    if case.meta is None or not case.meta.generation.mode.is_positive or response.status_code not in (400, 422):
        return
    if case.path.endswith("/upload"):
        return  # its JSON is a plain string to the schema
    body = response.json()
    if response.status_code == 400:
        assert body.get("error_type") in ("image", "storage"), f"valid data refused: {body}"
        return
    messages = [message for field in body.get("error_details", {}).values() for message in field]
    assert messages, f"valid data refused: {body}"
    assert all(REASONS.fullmatch(message) for message in messages), f"valid data refused: {body}"
