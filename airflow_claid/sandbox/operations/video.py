"""Videos: a valid MP4 container of the right length, without frames."""

from __future__ import annotations

from typing import Any

from airflow_claid.sandbox import errors
from airflow_claid.sandbox.bodies.video import VideoPrompt, VideoRequest
from airflow_claid.sandbox.delivery import File, addresses_of, deliver, destination, fetch, stem_of
from airflow_claid.sandbox.drawing.compositions import placeholder_video
from airflow_claid.sandbox.drawing.encoding import read
from airflow_claid.sandbox.operations.jobs import job_reader, start_job
from airflow_claid.sandbox.pipeline import JSON, Call, Charge, Operation

CREDITS_BY_SECONDS = {"5": 35.0, "10": 70.0}
SMALLEST_VIDEO_SIDE = 300


def _prompt_of(body: VideoRequest) -> str:
    prompt = body.options.prompt
    if isinstance(prompt, VideoPrompt):
        return prompt.text or prompt.guidelines or "a fitting movement"
    return prompt


def _charge(body: VideoRequest) -> Charge:
    return Charge(CREDITS_BY_SECONDS[body.options.duration], 1, _prompt_of(body))


async def _submit(call: Call[VideoRequest]) -> JSON:
    service, body = call.service, call.body
    place = destination(service, "output", body.output)
    if place is not None and not place.is_folder and not place.path.lower().endswith(".mp4"):
        raise errors.invalid_field("output", "must be a folder ending with '/' or a file ending with .mp4")

    def work() -> JSON:
        picture, before = read(fetch(service, body.input), service.settings.max_megapixels)
        if min(picture.size) < SMALLEST_VIDEO_SIDE:
            raise errors.bad_image(f"The image's sides must have at least {SMALLEST_VIDEO_SIDE} pixels.")
        content = placeholder_video(int(body.options.duration), _prompt_of(body))
        file = File(content, "video/mp4", "mp4", f"{stem_of(body.input)}.mp4")
        video = {"ext": "mp4", "mime": "video/mp4", "format": "mp4", **deliver(service, place, file)}
        call.entry.pictures.append(addresses_of(video))
        written_by_claid = isinstance(body.options.prompt, VideoPrompt) and body.options.prompt.generate
        generated_prompt = _prompt_of(body) if written_by_claid else None
        return {"input_object": {**before.to_json(), "generated_prompt": generated_prompt}, "output_object": video}

    return start_job(call, "/video/generate", call.service.in_thread(work), status="PROCESSING")


_SCOPE = "video_generation"
OPERATIONS: tuple[Operation[Any], ...] = (
    Operation(
        "submit_video", "POST", "/video/generate", _SCOPE, _submit, body=VideoRequest, quota="video", charge=_charge
    ),
    job_reader("get_video", "submit_video", "/video/generate", _SCOPE),
)
