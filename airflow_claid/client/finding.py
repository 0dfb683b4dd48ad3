"""Find the pictures and the job in an answer, whatever its shape.

Claid's answers are known from its documentation only. So nothing is demanded of an answer but what is needed: for each
picture a link or an address in a connected storage; for a job its id. The documented places are looked at first, then
the rest of the answer.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from airflow_claid.client.values import holds_half_characters

_ADDRESSES = ("tmp_url", "object_key", "object_bucket", "object_uri", "claid_storage_uri")
"""The documented names of a picture's addresses."""

_PICTURES = ("output", "outputs", "output_object", "output_objects", "images", "image", "result", "results")
"""Names of what is made; the first four are Claid's."""

_NOT_MADE = re.compile(
    r"input|request|destination|reference|template|mask|thumb|preview|profil|webhook|callback|result_url|doc|help|error",
    re.IGNORECASE,
)
"""Names of what is no picture that was made."""

_LINK = re.compile(r"https?://[^\s/][^\s]*", re.IGNORECASE)
_LINK_OF_OBJECT = re.compile(r"https?://[^\s/]+/[^\x00-\x1f]+", re.IGNORECASE)
"""The address of an object as a link, where blanks may not be encoded."""

_STORED = re.compile(r"(?:(storage)|s3|gs)://(?!\w+://)[^\s/:][^\x00-\x1f]*(?<!/)", re.IGNORECASE)
"""The address of a file in a storage; one that ends with ``/`` is that of a folder."""

_NAMED_ADDRESS = re.compile(r'"(tmp_url|claid_storage_uri)"\s*:\s*"([^"]+)"')
_NAMED_ID = re.compile(r'"data"\s*:\s*\{[^{}]*?"id"\s*:\s*"?([0-9]+)"?\s*[,}]')
_JOB_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,127}")
_JOB_IDS = ("id", "job_id", "task_id", "uuid")
_DEEPEST = 40


def data_of(body: object) -> Any:
    """Return the content of an answer: what its ``data`` holds, or the whole answer if it has none."""
    if isinstance(body, Mapping) and body.get("data") is not None:
        return body["data"]
    return body


def pictures_in(body: object, *, anywhere: bool = True) -> list[dict[str, Any]]:
    """Return the pictures in an answer, with the documented names for their addresses, in the answer's order.

    :param anywhere: whether to look in the whole answer if there is none where pictures are expected.
    """
    data = data_of(body)
    for part in (data, body):
        if not isinstance(part, Mapping):
            continue
        for name in _PICTURES:
            found = list(_pictures(part.get(name), _DEEPEST))
            if found:
                return found
    return list(_pictures(body, _DEEPEST)) if anywhere else []


def job_id_in(body: object) -> int | str | None:
    """Return the id of the job in an answer; ``None`` if there is none."""
    data = data_of(body)
    for part in (data, body):
        if not isinstance(part, Mapping):
            continue
        nested = part.get("job")
        for holder in (part, nested if isinstance(nested, Mapping) else {}):
            for name in _JOB_IDS:
                job_id = as_job_id(holder.get(name))
                if job_id is not None:
                    return job_id
        if nested is not None and not isinstance(nested, Mapping) and (job_id := as_job_id(nested)) is not None:
            return job_id
        link = part.get("result_url")
        if isinstance(link, str):
            return as_job_id(link.partition("?")[0].rstrip("/").rpartition("/")[2])
    return None


def as_job_id(value: object) -> int | str | None:
    """Return a job id, a number or a text; ``None`` if the value cannot be one."""
    if isinstance(value, bool):
        return None
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    if isinstance(value, int):
        return value if value >= 0 else None
    if not isinstance(value, str) or not _JOB_ID.fullmatch(value.strip()):
        return None
    text = value.strip()
    return int(text) if text.isdecimal() and str(int(text)) == text else text


def prompt_in(body: object) -> str | None:
    """Return the prompt that an answer repeats; ``None`` if it repeats none.

    The documentation names ``input.text`` for a generation, and the request itself for a job.
    """
    data = data_of(body)
    if not isinstance(data, Mapping):
        return None
    given, request = data.get("input"), data.get("request")
    options = request.get("options") if isinstance(request, Mapping) else None
    texts = [*_named(given, "text", "prompt"), *_named(options, "prompt"), *_named(request, "prompt")]
    return next((text for text in texts if text.strip() and not holds_half_characters(text)), None)


def _named(value: object, *names: str) -> list[str]:
    """Return the texts under these names."""
    given = [value.get(name) for name in names] if isinstance(value, Mapping) else []
    return [text for text in given if isinstance(text, str)]


def salvaged(text: str) -> dict[str, Any] | None:
    """Return what the documented names hold in a text that is no JSON, such as one nested too deep.

    :returns: an answer of the documented shape; ``None`` if the text has neither an address of a picture nor an id.
    """
    pictures = [
        {name: address.replace("\\/", "/")} for name, address in _NAMED_ADDRESS.findall(text) if "\\u" not in address
    ]
    job_id = _NAMED_ID.search(text)
    if pictures:
        return {"data": {"output": pictures}}
    return {"data": {"id": job_id.group(1)}} if job_id else None


def _pictures(value: object, depth: int) -> Iterator[dict[str, Any]]:
    if depth < 0:
        return
    if isinstance(value, str):
        addresses = _by_scheme([value])
        if addresses:
            yield addresses
    elif isinstance(value, (list, tuple)):
        for item in value:
            yield from _pictures(item, depth - 1)
    elif isinstance(value, Mapping):
        picture = _picture(value)
        if picture is not None:
            yield picture
            return
        for name, part in value.items():
            if not _NOT_MADE.search(str(name)) and not isinstance(part, str):
                yield from _pictures(part, depth - 1)


def _picture(value: Mapping[Any, Any]) -> dict[str, Any] | None:
    """Return a picture with the documented names; ``None`` if it has no address of its own."""
    named = [value[name] for name in _ADDRESSES if isinstance(value.get(name), str)]
    others = [
        part
        for name, part in value.items()
        if name not in _ADDRESSES and isinstance(part, str) and not _NOT_MADE.search(str(name))
    ]
    addresses = _by_scheme([*named, *others])
    for name in ("object_key", "object_bucket"):
        if isinstance(value.get(name), str) and value[name].strip():
            addresses[name] = value[name].strip()
    pathless = [value[name] for name in ("claid_storage_uri", "object_uri") if _is_path(value.get(name))]
    if pathless:
        addresses.setdefault("object_key", pathless[0].strip())
    if isinstance(value.get("object_uri"), str) and _LINK_OF_OBJECT.fullmatch(value["object_uri"].strip()):
        addresses["object_uri"] = value["object_uri"].strip()
        if not isinstance(value.get("tmp_url"), str) or not value["tmp_url"].strip():
            addresses.pop("tmp_url", None)
    if not addresses.keys() - {"object_bucket"}:
        return None
    return {**{str(name): part for name, part in value.items() if name not in _ADDRESSES}, **addresses}


def _is_path(value: object) -> bool:
    """Return whether a text is an address that lacks its scheme."""
    return isinstance(value, str) and "/" in value.strip("/ ") and "://" not in value


def _by_scheme(texts: list[str]) -> dict[str, Any]:
    """Return the first address of each kind among texts, under its documented name."""
    found: dict[str, Any] = {}
    for text in texts:
        address = text.strip()
        stored = _STORED.fullmatch(address)
        if stored:
            scheme, _, rest = address.partition("://")
            found.setdefault("claid_storage_uri" if stored.group(1) else "object_uri", f"{scheme.lower()}://{rest}")
        elif _LINK.fullmatch(address):
            found.setdefault("tmp_url", address)
    return found
