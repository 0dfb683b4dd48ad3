"""Read an answer: from its bytes to a typed value.

An answer is kept as it came before it is read here. What is not needed and does not fit is dropped. Each function
raises :class:`ClaidAnswerUnreadError` if the answer lacks what its operation needs.
"""

from __future__ import annotations

import json
import logging
import unicodedata
from collections.abc import Mapping
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError
from pydantic_core import from_json

from airflow_claid.client.answer import Answer
from airflow_claid.client.errors import ClaidAnswerLostError, ClaidAnswerUnreadError, ClaidError
from airflow_claid.client.finding import as_job_id, data_of, job_id_in, pictures_in, prompt_in, salvaged
from airflow_claid.client.models.images import OutputImage
from airflow_claid.client.models.jobs import Job, JobKind
from airflow_claid.client.text import shortened

log: logging.Logger = logging.getLogger(__name__)

_Model = TypeVar("_Model", bound=BaseModel)

_SHORTEST_CUT = 20
"""A prompt that is cut to fewer characters says too little."""


def body_of(answer: Answer) -> Any:
    """Return the JSON of an answer; of one that broke off, what is whole of it; ``None`` if it is no JSON."""
    try:
        return json.loads(answer.content)
    except (ValueError, RecursionError):
        pass
    for content in (answer.content, _as_text(answer.content)):
        try:
            return from_json(content, allow_partial=True)
        except ValueError:
            continue
    return salvaged(_as_text(answer.content))


def read_pictures(answer: Answer, prompt: str | None = None) -> tuple[OutputImage, ...]:
    """Return the pictures in an answer.

    :param prompt: the one that was sent: an answer that repeats another prompt is another request's.
    """
    body = body_of(answer)
    _check_prompt(answer, body, prompt)
    images = tuple(OutputImage.model_validate(picture) for picture in pictures_in(body))
    if not images:
        raise ClaidAnswerUnreadError(answer, f"it holds no link to a picture ({_shape(body, answer)})")
    return images


def repeats_prompt(answer: Answer, prompt: str | None) -> bool:
    """Return whether an answer repeats this prompt, and so is certainly not the answer to another one."""
    repeated = prompt_in(body_of(answer))
    return prompt is not None and repeated is not None and is_same_prompt(prompt, repeated)


def read_job(answer: Answer, kind: JobKind, prompt: str | None = None) -> Job:
    """Return the job in the answer to its submission.

    :param prompt: the one that was sent: an answer that repeats another prompt is another request's.
    """
    body = body_of(answer)
    _check_prompt(answer, body, prompt)
    job_id = job_id_in(body)
    if job_id is None:
        raise ClaidAnswerUnreadError(answer, f"it holds no id of a job ({_shape(body, answer)})")
    return _job(body, kind, job_id, answer.request_id)


def read_poll(answer: Answer, kind: JobKind, job_id: int | str) -> Job:
    """Return the job in the answer to a poll, which may be repeated at no cost.

    :raises ClaidAnswerLostError: if the answer holds no job, or is about another one.
    """
    body = body_of(answer)
    answered = job_id_in(body)
    if not isinstance(data_of(body), Mapping):
        raise _useless(answer, f"holds no job ({_shape(body, answer)})")
    if answered is not None and answered != as_job_id(job_id):
        raise _useless(answer, f"is about job {answered}, not {job_id}")
    return _job(body, kind, job_id, answer.request_id)


def is_same_prompt(sent: str, repeated: str) -> bool:
    """Return whether an answer repeats the prompt that was sent, as it is or visibly cut.

    A mere beginning is not enough: the prompts of a catalogue often differ in their last letter only.
    """
    if sent == repeated:
        return True
    one, other = _folded(sent), _folded(repeated)
    cut = other.removesuffix("...")  # an ellipsis is three dots in folded text
    return one == other or (cut != other and len(cut) >= _SHORTEST_CUT and one.startswith(cut.rstrip()))


def read_rows(answer: Answer) -> list[Any]:
    """Return the list in the answer to a free call, which may be repeated.

    :raises ClaidAnswerLostError: if the answer holds no list.
    """
    rows = data_of(body_of(answer))
    if isinstance(rows, Mapping):
        rows = next((part for part in rows.values() if isinstance(part, list)), None)
    if not isinstance(rows, list):
        raise _useless(answer, "holds no list")
    return rows


def read_each(answer: Answer, model: type[_Model]) -> list[_Model]:
    """Return the values in a list; one that does not fit is left out, with a warning."""
    values = []
    for row in read_rows(answer):
        try:
            values.append(model.model_validate(_with_request_id(row, answer.request_id)))
        except ValidationError as error:
            log.warning(
                "A row of %s cannot be read, and is left out: %s",
                answer.operation,
                ", ".join(".".join(map(str, one["loc"])) or one["type"] for one in error.errors()),
            )
    return values


def read_free(answer: Answer, model: type[_Model]) -> _Model:
    """Return the value in the answer to a free call, which may be repeated.

    :raises ClaidAnswerLostError: if the answer does not hold it.
    """
    try:
        return model.model_validate(_with_request_id(data_of(body_of(answer)), answer.request_id))
    except ValidationError:
        raise _useless(answer, "does not match the contract") from None


def _with_request_id(data: object, request_id: str | None) -> object:
    """Return the facts of an answer together with its request id."""
    return {**data, "request_id": request_id} if isinstance(data, Mapping) else data


def _job(body: object, kind: JobKind, job_id: int | str, request_id: str | None) -> Job:
    data = data_of(body)
    beside = {name: body[name] for name in ("result", "results") if name in body} if isinstance(body, Mapping) else {}
    facts = {**beside, **(data if isinstance(data, Mapping) else {}), "id": job_id, "prompt": prompt_in(body)}
    return Job.of(kind, facts, request_id)


def _check_prompt(answer: Answer, body: object, prompt: str | None) -> None:
    repeated = prompt_in(body)
    if prompt is not None and repeated is not None and not is_same_prompt(prompt, repeated):
        raise ClaidAnswerUnreadError(
            answer, f"it is the answer to another prompt, {shortened(repeated)}, so what it names is not used"
        )


def _folded(text: str) -> str:
    """Return a text without what a server may have changed in it: Unicode form, blanks, case."""
    return " ".join(unicodedata.normalize("NFKC", text).casefold().split())


def _as_text(content: bytes) -> str:
    """Return bytes as text, for those that are not clean UTF-8."""
    try:
        encoding = json.detect_encoding(content)
        return content.decode(encoding, "replace").lstrip("\ufeff")
    except (UnicodeError, LookupError):
        return content.decode("utf-8", "replace")


def _shape(body: object, answer: Answer) -> str:
    """Describe an answer for an error without showing what is in it."""
    if not answer.content.strip():
        return "it is empty"
    if body is None:
        return f"{len(answer.content)} bytes that are no JSON"
    if isinstance(body, Mapping):
        data = data_of(body)
        names = data.keys() if isinstance(data, Mapping) else body.keys()
        return f"its fields: {', '.join(shortened(str(name)) for name in list(names)[:10]) or 'none'}"
    return f"a JSON {type(body).__name__}"


def _useless(answer: Answer, problem: str) -> ClaidError:
    useless = ClaidAnswerLostError(
        f"{answer.operation} was answered, but the answer {problem} [request id {answer.request_id}].",
        request_id=answer.request_id,
    )
    useless.may_have_been_charged = False
    return useless
