"""Answers unlike the contract that hold every link: the client reads them, whatever the operation."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from airflow_claid.client import AIEditRequest, BatchEditRequest, ClaidClient, Job, OutputImage, VideoRequest
from airflow_claid.sandbox import Sandbox
from tests.support.dialects import readable, said
from tests.support.sandbox_client import png, wait_until

SUBMITTED: dict[str, Callable[[ClaidClient, str], Job]] = {
    "get_edit": lambda claid, photo: claid.submit_edit(photo, {}),
    "get_batch_edit": lambda claid, photo: claid.submit_batch_edit(BatchEditRequest.of([photo], {})),
    "get_ai_edit": lambda claid, photo: claid.submit_ai_edit(AIEditRequest.of(photo, {"prompt": "in the snow"})),
    "get_video": lambda claid, photo: claid.submit_video(VideoRequest.of(photo, {"prompt": "it turns"})),
}
ANSWERED: dict[str, Callable[[ClaidClient, str], OutputImage]] = {
    "generate_image": lambda claid, photo: claid.generate_image("A linen sofa").output[0],
    "edit_image": lambda claid, photo: claid.edit_image(photo, {}).output,
    "upload_and_edit": lambda claid, photo: claid.upload_and_edit(png(), {}).output,
}


@pytest.fixture
def photo(claid: ClaidClient) -> str:
    return str(claid.generate_image("A photo").output[0].tmp_url)


@pytest.mark.parametrize("operation", ANSWERED)
def test_an_answer_is_read_and_paid_once(claid: ClaidClient, sandbox: Sandbox, photo: str, operation: str) -> None:
    for name in readable(operation):
        sandbox.clear_dialects()
        sandbox.dialect(**said(name, operation))
        requests = len(sandbox.ledger())
        image = ANSWERED[operation](claid, photo)
        assert [str(image.tmp_url)] == sandbox.ledger(operation)[-1].pictures, name
        assert len(sandbox.ledger()) == requests + 1, name


@pytest.mark.usefixtures("full_size")
@pytest.mark.parametrize("operation", SUBMITTED)
def test_the_result_of_a_job_is_read(claid: ClaidClient, sandbox: Sandbox, photo: str, operation: str) -> None:
    submitted = SUBMITTED[operation](claid, photo)
    wait_until(lambda: claid.get_job(submitted.kind, submitted.id).outputs)
    usual = claid.get_job(submitted.kind, submitted.id)
    for name in readable(operation):
        sandbox.clear_dialects()
        sandbox.dialect(**said(name, operation))
        job = claid.get_job(submitted.kind, submitted.id)
        assert [image.tmp_url for image in job.outputs] == [image.tmp_url for image in usual.outputs], name
        assert (job.id, job.status) == (submitted.id, "DONE"), name
