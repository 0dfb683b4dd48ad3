"""``submit_ai_edit``, ``submit_fashion_model``, ``submit_video`` and ``create_scene``, with their jobs.

The pictures are drawn and pasted, not imagined: an AI edit is its input under the colours of its prompt, a fashion
picture holds its garments, a scene its product. A video is a valid MP4 container of the right
length without a single frame.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from airflow_claid.sandbox import errors
from airflow_claid.sandbox.bodies.creation import (
    AbsolutePlacement,
    AIEditRequest,
    CreatedOutput,
    EffectScene,
    FashionRequest,
    PromptScene,
    SceneOutput,
    ScenePrompt,
    SceneRequest,
    TemplateScene,
    VideoPrompt,
    VideoRequest,
)
from airflow_claid.sandbox.bodies.edit import AnyFormat
from airflow_claid.sandbox.delivery import File, addresses_of, deliver, destination, fetch, stem_of, unpredictable_name
from airflow_claid.sandbox.drawing.compositions import (
    PlacedProduct,
    ai_edit,
    fashion,
    placeholder_video,
    scene,
    size_of,
)
from airflow_claid.sandbox.drawing.encoding import Description, name_of, read, write
from airflow_claid.sandbox.drawing.pictures import Recipe, is_blocked
from airflow_claid.sandbox.drawing.resizing import paint
from airflow_claid.sandbox.operations.jobs import job_reader, start_job
from airflow_claid.sandbox.pipeline import JSON, Call, Charge, Operation
from airflow_claid.sandbox.service import Service
from airflow_claid.sandbox.storages import Place

AI_EDIT_CREDITS = 2.0
FASHION_CREDITS = 2.0
SCENE_CREDITS = 1.0
WRITTEN_PROMPT_CREDITS = 0.5
VIDEO_CREDITS = {"5": 35.0, "10": 70.0}
SMALLEST_VIDEO_SIDE = 300


@dataclass(frozen=True)
class Wanted:
    """How many pictures, in which format, and where."""

    count: int
    format: AnyFormat
    place: Place | None

    @classmethod
    def checked(cls, service: Service, output: CreatedOutput | SceneOutput | str | None, usual: int) -> Wanted:
        """Read ``output``; several pictures need a folder."""
        if output is None or isinstance(output, str):
            wanted = cls(usual, "png", destination(service, "output", output))
        else:
            place = destination(service, "output.destination", output.destination)
            wanted = cls(output.number_of_images, output.format or "png", place)
        if wanted.count > 1 and wanted.place is not None and not wanted.place.is_folder:
            raise errors.invalid_field("output", "several images need a folder: the path must end with '/'")
        return wanted


def _count(output: CreatedOutput | SceneOutput | str | None, usual: int) -> int:
    return usual if output is None or isinstance(output, str) else output.number_of_images


def _delivered(service: Service, wanted: Wanted, picture: Any) -> JSON:
    """Encode and deliver one picture. Blocks."""
    kind = name_of(wanted.format, "png")
    file = File(write(picture, wanted.format, None), f"image/{kind}", kind, unpredictable_name(kind))
    return {**Description(kind, *picture.size).to_json(), **deliver(service, wanted.place, file)}


def _recipe(service: Service, prompt: str, wanted: Wanted, size: tuple[int, int], kind: str) -> Recipe:
    blocked = is_blocked(prompt, service.settings.blocked_words)
    return Recipe(prompt, 1, wanted.count, *size, blocked=blocked, kind=f"sandbox {kind}")


def _ai_edit_charge(body: AIEditRequest) -> Charge:
    count = _count(body.output, 1)
    return Charge(AI_EDIT_CREDITS * count, count, body.options.prompt)


async def _submit_ai_edit(call: Call[AIEditRequest]) -> JSON:
    service, body = call.service, call.body
    wanted = Wanted.checked(service, body.output, 1)
    if body.options.model != "v1":
        for name in ("inference_steps", "guidance_scale", "aspect_ratio"):
            if getattr(body.options, name) is not None:
                raise errors.invalid_field(f"options.{name}", "works with model v1 only")

    def work() -> JSON:
        picture, before = read(fetch(service, body.input), service.settings.max_megapixels)
        ratio = body.options.aspect_ratio
        size = size_of(ratio) if ratio else picture.size
        recipe = _recipe(service, body.options.prompt, wanted, size, "AI edit")
        images = [_delivered(service, wanted, ai_edit(picture, one)) for one in recipe.all()]
        call.entry.pictures += [addresses_of(image) for image in images]
        return {"input_object": before.to_json(), "output_objects": images}

    return start_job(call, "/image/ai-edit", call.service.in_thread(work))


def _fashion_prompt(body: FashionRequest) -> str:
    return f"{body.options.pose}, {body.options.background}"


def _fashion_charge(body: FashionRequest) -> Charge:
    count = _count(body.output, 1)
    return Charge(FASHION_CREDITS * count, count, _fashion_prompt(body))


async def _submit_fashion(call: Call[FashionRequest]) -> JSON:
    service, body = call.service, call.body
    wanted = Wanted.checked(service, body.output, 1)

    def work() -> JSON:
        addresses = [*([body.input.model] if body.input.model else []), *body.input.clothing]
        inputs = [read(fetch(service, address), service.settings.max_megapixels) for address in addresses]
        size = size_of(body.options.aspect_ratio or "2:3")
        recipe = _recipe(service, _fashion_prompt(body), wanted, size, "fashion model")
        garments = [picture for picture, _ in inputs]
        images = [_delivered(service, wanted, fashion(garments, one)) for one in recipe.all()]
        call.entry.pictures += [addresses_of(image) for image in images]
        return {"input_objects": [before.to_json() for _, before in inputs], "output_objects": images}

    return start_job(call, "/image/ai-fashion-models", call.service.in_thread(work))


def _scene_prompt(body: SceneRequest) -> tuple[str, bool]:
    """Return a scene's prompt, and whether Claid is asked to write it."""
    if isinstance(body.scene, EffectScene):
        return f"shadows, {body.scene.view}", False
    prompt = body.scene.prompt
    if isinstance(prompt, ScenePrompt):
        return prompt.text or prompt.guidelines or "a fitting scene", prompt.generate
    return prompt or "a scene after a template", False


def _scene_charge(body: SceneRequest) -> Charge:
    count = _count(body.output, 4)
    prompt, written = _scene_prompt(body)
    return Charge(SCENE_CREDITS * count + (WRITTEN_PROMPT_CREDITS if written else 0.0), count, prompt)


async def _create_scene(call: Call[SceneRequest]) -> JSON:
    service, body = call.service, call.body
    wanted = Wanted.checked(service, body.output, 4)
    colour = paint(body.scene.color, "scene.color") if body.scene.color else None
    ratio = body.scene.aspect_ratio if isinstance(body.scene, EffectScene | PromptScene) else "1:1"
    placement = body.object
    product = PlacedProduct()
    if isinstance(placement, AbsolutePlacement):
        product = PlacedProduct(placement.position.x, placement.position.y, placement.scale, placement.rotation_degree)

    def work() -> JSON:
        picture, before = read(fetch(service, placement.image_url), service.settings.max_megapixels)
        if isinstance(body.scene, TemplateScene):
            fetch(service, body.scene.template_url)
        recipe = _recipe(service, _scene_prompt(body)[0], wanted, size_of(ratio), "scene")
        images = [_delivered(service, wanted, scene(picture, one, product, colour)) for one in recipe.all()]
        return {"input": before.to_json(), "output": images}

    result = await service.in_thread(work)
    call.entry.pictures = [addresses_of(image) for image in result["output"]]
    return {"data": result}


def _video_prompt(body: VideoRequest) -> str:
    prompt = body.options.prompt
    if isinstance(prompt, VideoPrompt):
        return prompt.text or prompt.guidelines or "a fitting movement"
    return prompt


def _video_charge(body: VideoRequest) -> Charge:
    return Charge(VIDEO_CREDITS[body.options.duration], 1, _video_prompt(body))


async def _submit_video(call: Call[VideoRequest]) -> JSON:
    service, body = call.service, call.body
    place = destination(service, "output", body.output)
    if place is not None and not place.is_folder and not place.path.lower().endswith(".mp4"):
        raise errors.invalid_field("output", "must be a folder ending with '/' or a file ending with .mp4")

    def work() -> JSON:
        picture, before = read(fetch(service, body.input), service.settings.max_megapixels)
        if min(picture.size) < SMALLEST_VIDEO_SIDE:
            raise errors.bad_image(f"The image's sides must have at least {SMALLEST_VIDEO_SIDE} pixels.")
        content = placeholder_video(int(body.options.duration), _video_prompt(body))
        file = File(content, "video/mp4", "mp4", f"{stem_of(body.input)}.mp4")
        video = {"ext": "mp4", "mime": "video/mp4", "format": "mp4", **deliver(service, place, file)}
        call.entry.pictures.append(addresses_of(video))
        written = isinstance(body.options.prompt, VideoPrompt) and body.options.prompt.generate
        said = {"generated_prompt": _video_prompt(body) if written else None}
        return {"input_object": {**before.to_json(), **said}, "output_object": video}

    return start_job(call, "/video/generate", call.service.in_thread(work), status="PROCESSING")


_EDITING, _VIDEO = "image_editing", "video_generation"
OPERATIONS: tuple[Operation[Any], ...] = (
    Operation(
        "submit_ai_edit", "POST", "/image/ai-edit", _EDITING, _submit_ai_edit, AIEditRequest, "ai_edit", _ai_edit_charge
    ),
    job_reader("get_ai_edit", "submit_ai_edit", "/image/ai-edit", _EDITING),
    Operation(
        "submit_fashion_model",
        "POST",
        "/image/ai-fashion-models",
        _EDITING,
        _submit_fashion,
        FashionRequest,
        "fashion",
        _fashion_charge,
    ),
    job_reader("get_fashion_model", "submit_fashion_model", "/image/ai-fashion-models", _EDITING),
    Operation(
        "create_scene", "POST", "/scene/create", "image_generation", _create_scene, SceneRequest, "image", _scene_charge
    ),
    Operation("submit_video", "POST", "/video/generate", _VIDEO, _submit_video, VideoRequest, "video", _video_charge),
    job_reader("get_video", "submit_video", "/video/generate", _VIDEO),
)
