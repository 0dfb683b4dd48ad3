"""The client: Claid's operations as methods, usable with or without Airflow."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from typing import Any, TypeVar

from pydantic import BaseModel

from airflow_claid import __version__
from airflow_claid.client.account import (
    DEFAULT_BASE_URL,
    account_digest,
    account_quota,
    printable_key,
    seconds_in_range,
    versioned,
)
from airflow_claid.client.answer import Answer
from airflow_claid.client.call import Call
from airflow_claid.client.calls import edit, generation, group_of, poll, scene, submission, upload
from airflow_claid.client.finding import data_of
from airflow_claid.client.models.ai_edit import AIEditRequest
from airflow_claid.client.models.batch_edit import BatchEditRequest
from airflow_claid.client.models.edit import EditRequest, EditResult, ImageOutput, UploadRequest
from airflow_claid.client.models.edit_operations import Operations
from airflow_claid.client.models.fashion import FashionRequest
from airflow_claid.client.models.generate import GenerateRequest, GenerateResult
from airflow_claid.client.models.jobs import Job, JobKind
from airflow_claid.client.models.scene import SceneRequest, SceneResult
from airflow_claid.client.models.video import VideoRequest
from airflow_claid.client.pace import Pace
from airflow_claid.client.quota.quota import AccountQuota, Quota
from airflow_claid.client.reading import (
    body_of,
    read_job,
    read_pictures,
    read_poll,
)
from airflow_claid.client.storages import StorageOperations
from airflow_claid.client.transport import BearerKey, OnAnswer, Transport

_Model = TypeVar("_Model", bound=BaseModel)


class ClaidClient(StorageOperations):
    """Claid's API, with typed requests that are checked before they are sent. Thread-safe.

    Requests are paced by the account's quota: Claid's published default (120 a minute, 4 a second) until the
    ``RateLimit-*`` headers of the first answer name the account's own. All clients in a process that use the same
    account share one quota.

    The client retries only what cannot have been charged: a connection that was never made (up to 4 attempts), a
    429 (for up to ``max_wait`` seconds), and a GET that failed. A POST of which one byte was sent and that was not
    answered is never repeated: it raises an error whose ``may_have_been_charged`` is true.

    :param api_key: from Claid's dashboard; never shown, and sent to the base URL's host only.
    :param base_url: Claid's address, or a sandbox's (``http://127.0.0.1:8765``), with or without ``/v1``.
    :param connect_timeout: seconds to make a connection, 0.01 to 600.
    :param read_timeout: seconds without a byte of the answer, 0.01 to 3600; the whole answer must be there after twice
        as long. Generation takes several seconds: a short timeout loses answers that are paid for.
    :param max_wait: total seconds that one call may wait for the quota, after a 429, and between attempts; 0 to 604800.
    :param pool_size: connections kept open; set it to the number of threads.
    :param quota: paces the requests; default: the quota that this process keeps for the account.
    :param quota_store: address of a Redis, ``redis://HOST:PORT/DB``, through which all processes that use the account
        share its quota; needs the extra ``redis``. While Redis fails, each process paces its requests alone.
    :param on_refusal: is told the operation and the status of each answer from 400 to 499, also of requests that are
        then sent again; must not raise.
    :param on_answer: is told of each answer, whatever its status, without the client's secrets: the call, the answer as
        it came, and the seconds that it took.
    :raises ClaidValidationError: if the key or the address is malformed, or a number is out of its range.
    """

    def __init__(
        self,
        api_key: str,
        base_url: str = DEFAULT_BASE_URL,
        *,
        connect_timeout: float = 10.0,
        read_timeout: float = 120.0,
        max_wait: float = 300.0,
        pool_size: int = 10,
        quota: Quota | None = None,
        quota_store: str | None = None,
        on_refusal: Callable[[str, int], None] | None = None,
        on_answer: OnAnswer | None = None,
    ) -> None:
        self.base_url: str = versioned(base_url)
        key = printable_key(api_key)
        self.account: str = account_digest(self.base_url, key)
        """Identifies the account without showing the key."""
        self._transport = Transport(
            base_url=self.base_url,
            auth=BearerKey(key, self.base_url),
            timeout=(
                seconds_in_range("connect_timeout", connect_timeout),
                seconds_in_range("read_timeout", read_timeout),
            ),
            max_wait=seconds_in_range("max_wait", max_wait),
            quota=AccountQuota.of_one(quota) if quota else account_quota(self.base_url, key, quota_store),
            pool_size=pool_size,
            on_refusal=on_refusal,
            on_answer=on_answer,
            user_agent=f"airflow-claid/{__version__}",
        )

    def __repr__(self) -> str:
        return f"ClaidClient(base_url={self.base_url!r})"

    def __enter__(self) -> ClaidClient:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.close()

    @property
    def read_timeout(self) -> float:
        """Seconds without a byte after which an answer is given up."""
        return self._transport.timeout[1]

    def close(self) -> None:
        """Close the open connections; the client can still be used."""
        self._transport.close()

    def send_slot(self, before_sending: Callable[[], None] | None = None) -> AbstractContextManager[None]:
        """Wait for a slot in which to prepare and send a request; see :class:`.SendSlots`."""
        return self._transport.send_slots.send_slot(before_sending)

    def send(self, call: Call) -> Answer:
        """Send a request and return its answer as it came; see :mod:`.reading`.

        :raises ClaidError: ``may_have_been_charged`` says whether it may have cost credits.
        """
        return self._transport.send(call)

    def recall(self, name: str) -> str | None:
        """Return a text that a worker has stored in the quota store; ``None`` if there is none."""
        store = self._transport.quota.store
        return store.recall(name) if store else None

    def remember(self, name: str, text: str) -> None:
        """Store a text for all workers in the quota store, for a day, if there is one."""
        store = self._transport.quota.store
        if store:
            store.remember(name, text)

    def pace(self, kind: JobKind | None = None) -> Pace:
        """Return how fast the requests that submit a kind of job may be sent; of those answered at once, by default."""
        return Pace(self._transport, group_of(kind))

    def generate_image(
        self,
        prompt: str | GenerateRequest,
        *,
        number_of_images: int = 1,
        guidance_scale: float = 5.0,
        output: str | None = None,
    ) -> GenerateResult:
        """Generate 1024x1024 PNG images from a prompt. Costs 1 credit an image.

        Needs the scope *Image editing* (or *Admin*).

        :param prompt: 3 to 1024 characters, not counting surrounding blanks; or a finished request.
        :param number_of_images: 1 to 4. The default is 1; Claid's own is 4, which costs 4 credits.
        :param guidance_scale: 1 to below 50: how closely to follow the prompt.
        :param output: a folder of a connected storage, ``storage://NAME/PATH/``, ending with ``/``; without it
            Claid returns links that expire after 24 hours.
        :raises ClaidError: ``may_have_been_charged`` says whether it may have cost credits.
        """
        request = (
            prompt
            if isinstance(prompt, GenerateRequest)
            else GenerateRequest.of(
                prompt, number_of_images=number_of_images, guidance_scale=guidance_scale, output=output
            )
        )
        answer = self.send(generation(request))
        return _result(answer, GenerateResult, read_pictures(answer, request.input))

    def edit_image(
        self,
        input: str | EditRequest,  # noqa: A002 - Claid's own name
        operations: Mapping[str, Any] | Operations | None = None,
        *,
        output: Mapping[str, Any] | ImageOutput | str | None = None,
    ) -> EditResult:
        """Edit a picture and wait for the answer. Needs the scope *Image editing* (or *Admin*).

        We count 1 credit; Claid publishes no price.

        :param input: ``https://…`` that Claid can reach, or ``storage://NAME/PATH``; or a finished request.
        :param operations: Claid's operations, e.g. ``{"resizing": {"width": 800, "fit": "bounds"}}``.
        :param output: ``{"format": …, "destination": …, "metadata": …}`` or just the destination. The default
            format is JPEG; without a destination the answer holds a link that expires after 24 hours.
        :raises ClaidError: ``may_have_been_charged`` says whether it may have cost credits.
        """
        return _edited(self.send(edit(_edit_request(input, operations, output))))

    def submit_edit(
        self,
        input: str | EditRequest,  # noqa: A002 - Claid's own name
        operations: Mapping[str, Any] | Operations | None = None,
        *,
        output: Mapping[str, Any] | ImageOutput | str | None = None,
    ) -> Job:
        """Submit an edit as a job and return at once; poll it with :meth:`get_edit`.

        Parameters, price and errors are those of :meth:`edit_image`. Claid cannot cancel a job.
        """
        return self._submit(JobKind.EDIT, _edit_request(input, operations, output).to_json())

    def get_edit(self, job_id: int | str) -> Job:
        """Return the state of an edit; see :meth:`get_job`."""
        return self.get_job(JobKind.EDIT, job_id)

    def submit_batch_edit(self, request: BatchEditRequest) -> Job:
        """Edit the pictures of a folder, or of a list, as one job. Needs the scope *Image editing* (or *Admin*).

        We count 1 credit a picture; Claid publishes no price. Claid lists a folder itself, so the price of a folder is
        known only when the job has ended.

        :param request: :meth:`BatchEditRequest.of`.
        :raises ClaidError: ``may_have_been_charged`` says whether it may have cost credits.
        """
        return self._submit(JobKind.BATCH_EDIT, request.to_json())

    def get_batch_edit(self, job_id: int | str) -> Job:
        """Return the state of a batch; see :meth:`get_job`."""
        return self.get_job(JobKind.BATCH_EDIT, job_id)

    def submit_ai_edit(self, request: AIEditRequest) -> Job:
        """Edit a picture by a prompt. Costs 2 credits an image. Needs the scope *Image editing* (or *Admin*).

        :param request: :meth:`AIEditRequest.of`.
        :raises ClaidError: ``may_have_been_charged`` says whether it may have cost credits.
        """
        return self._submit(JobKind.AI_EDIT, request.to_json())

    def get_ai_edit(self, job_id: int | str) -> Job:
        """Return the state of an AI edit; see :meth:`get_job`."""
        return self.get_job(JobKind.AI_EDIT, job_id)

    def submit_fashion_model(self, request: FashionRequest) -> Job:
        """Show garments on a person. Costs 2 credits an image. Needs the scope *Image editing* (or *Admin*).

        :param request: :meth:`FashionRequest.of`.
        :raises ClaidError: ``may_have_been_charged`` says whether it may have cost credits.
        """
        return self._submit(JobKind.FASHION_MODEL, request.to_json())

    def get_fashion_model(self, job_id: int | str) -> Job:
        """Return the state of a fashion model job; see :meth:`get_job`."""
        return self.get_job(JobKind.FASHION_MODEL, job_id)

    def create_scene(self, request: SceneRequest) -> SceneResult:
        """Put a product into a scene and wait for the answer. Claid's dashboard has no scope for it but *Admin*.

        We count 1 credit an image; Claid publishes no price. A prompt that Claid writes costs half a credit more.

        :param request: :meth:`SceneRequest.of`.
        :raises ClaidError: ``may_have_been_charged`` says whether it may have cost credits.
        """
        answer = self.send(scene(request))
        return _result(answer, SceneResult, read_pictures(answer))

    def submit_video(self, request: VideoRequest) -> Job:
        """Set a picture in motion. Costs 35 credits for 5 seconds, 70 for 10. The only scope for it is *Admin*.

        :param request: :meth:`VideoRequest.of`.
        :raises ClaidError: ``may_have_been_charged`` says whether it may have cost credits.
        """
        return self._submit(JobKind.VIDEO, request.to_json())

    def get_video(self, job_id: int | str) -> Job:
        """Return the state of a video; see :meth:`get_job`."""
        return self.get_job(JobKind.VIDEO, job_id)

    def get_job(self, kind: JobKind, job_id: int | str) -> Job:
        """Return the state of a job of any kind. Costs no credits; as far as is known, it counts against the quota.

        :param kind: of the job; Claid does not find a job under another kind.
        :param job_id: :attr:`Job.id`.
        :raises ClaidRequestError: with ``status`` 404 if there is no such job.
        """
        return read_poll(self.send(poll(kind, job_id)), kind, job_id)

    def upload_and_edit(
        self,
        file: bytes,
        operations: Mapping[str, Any] | Operations | UploadRequest,
        *,
        filename: str = "image",
        output: Mapping[str, Any] | ImageOutput | str | None = None,
    ) -> EditResult:
        """Upload a picture and edit it. Needs the scope *Image editing* (or *Admin*).

        We count 1 credit; Claid publishes no price.

        :param file: the picture's bytes: JPEG, PNG, WEBP, AVIF, HEIC, TIFF, BMP or GIF.
        :param operations: as for :meth:`edit_image`; or a finished request.
        :param filename: name of the picture; Claid keeps it if the destination is a folder.
        :param output: as for :meth:`edit_image`.
        :raises ClaidError: ``may_have_been_charged`` says whether it may have cost credits.
        """
        request = operations if isinstance(operations, UploadRequest) else UploadRequest.of(operations, output)
        return _edited(self.send(upload(file, filename, request)))

    def _submit(self, kind: JobKind, body: Mapping[str, Any]) -> Job:
        return read_job(self.send(submission(kind, body)), kind)


def _edited(answer: Answer) -> EditResult:
    return _result(answer, EditResult, read_pictures(answer)[0])


def _result(answer: Answer, model: type[_Model], output: object) -> _Model:
    data = data_of(body_of(answer))
    known = data if isinstance(data, Mapping) else {}
    return model.model_validate({**known, "output": output, "request_id": answer.request_id})


def _edit_request(
    input: str | EditRequest,  # noqa: A002 - Claid's own name
    operations: Mapping[str, Any] | Operations | None,
    output: Mapping[str, Any] | ImageOutput | str | None,
) -> EditRequest:
    return input if isinstance(input, EditRequest) else EditRequest.of(input, operations or {}, output)
