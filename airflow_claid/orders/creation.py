"""Orders of new pictures made from given ones: AI edits, fashion models, scenes."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from airflow_claid.client import (
    AIEditRequest,
    ClaidClient,
    FashionRequest,
    Job,
    JobKind,
    SceneRequest,
    prices,
)
from airflow_claid.orders.order import Order, Sent
from airflow_claid.orders.source import Source


@dataclass(frozen=True, kw_only=True)
class CreationOrder(Order):
    """New pictures made from given ones.

    :param source: the picture that it starts from; of several, the first.
    :param output: number of images and format, as Claid names them.
    :param suffix: of the files that are written.
    """

    source: Source
    output: Mapping[str, Any]
    suffix: str

    filtered = True

    @property
    @abstractmethod
    def asked(self) -> dict[str, Any]:
        """What is asked, without its output."""

    @property
    def body(self) -> dict[str, Any]:
        """What is asked of which content of which addresses."""
        return {**self.asked, "output": dict(self.output)}

    @property
    def subject(self) -> str:
        """The input's address, without a signature."""
        return self.source.unsigned_path

    @property
    def input(self) -> str:
        """The input's address."""
        return self.subject

    @property
    def number_of_images(self) -> int:
        """How many pictures are asked for."""
        return int(self.output["number_of_images"])

    @property
    def label(self) -> str:
        """The user's name, or the input's with the start of the fingerprint: so two requests share no file."""
        return self.name or f"{self.source.stem}-{super().label}"

    def file_name(self, position: int) -> str:
        """Number the pictures: ``NAME_1.png``, ``NAME_2.png``."""
        return f"{self.label}_{position}{self.suffix}"

    def destination(self, edition: int) -> str | None:
        """Give a sub-folder of the request's own: Claid chooses the file names."""
        return self._own_folder(edition)

    def _whole_output(self, edition: int) -> dict[str, Any]:
        destination = self.destination(edition)
        return {**self.output, **({"destination": destination} if destination else {})}


@dataclass(frozen=True, kw_only=True)
class AIEditOrder(CreationOrder):
    """A picture changed as a prompt says.

    :param options: prompt and the rest, as Claid names them.
    """

    options: Mapping[str, Any]

    operation = "submit_ai_edit"
    job_kind = JobKind.AI_EDIT

    @property
    def asked(self) -> dict[str, Any]:
        """The picture and what is to change."""
        return {"input": self.source.facts, "options": dict(self.options)}

    @property
    def prompt(self) -> str:
        """The prompt."""
        return str(self.options["prompt"])

    @property
    def credits(self) -> float:
        """Two credits an image."""
        return self.number_of_images * prices.AI_EDITED_IMAGE

    def prepared(self, edition: int) -> Callable[[ClaidClient], Sent]:
        """Give what submits the job."""
        request = AIEditRequest.of(self.source.reached(), self.options, self._whole_output(edition))
        return lambda client: as_sent(client.submit_ai_edit(request))


@dataclass(frozen=True, kw_only=True)
class FashionOrder(CreationOrder):
    """Garments on a person.

    :param garments: 1 to 5 pictures, of which ``source`` is the first.
    :param person: who wears them; ``None`` for one whom Claid makes.
    :param options: pose, background and aspect ratio, as Claid names them.
    """

    garments: tuple[Source, ...]
    person: Source | None
    options: Mapping[str, Any]

    operation = "submit_fashion_model"
    job_kind = JobKind.FASHION_MODEL

    @property
    def asked(self) -> dict[str, Any]:
        """The garments, the person, and how they are shown."""
        return {
            "clothing": [garment.facts for garment in self.garments],
            "model": self.person.facts if self.person else None,
            "options": dict(self.options),
        }

    @property
    def prompt(self) -> str | None:
        """Pose and background, where they are given."""
        said = [self.options[name] for name in ("pose", "background") if self.options.get(name)]
        return ", ".join(said) or None

    @property
    def credits(self) -> float:
        """Two credits an image."""
        return self.number_of_images * prices.FASHION_IMAGE

    def prepared(self, edition: int) -> Callable[[ClaidClient], Sent]:
        """Give what submits the job."""
        inputs: dict[str, Any] = {"clothing": [garment.reached() for garment in self.garments]}
        if self.person is not None:
            inputs["model"] = self.person.reached()
        request = FashionRequest.of(inputs, self.options, self._whole_output(edition))
        return lambda client: as_sent(client.submit_fashion_model(request))


@dataclass(frozen=True, kw_only=True)
class SceneOrder(CreationOrder):
    """A product in a scene.

    :param placement: where in the picture the product is, as Claid names it, without the picture's address.
    :param scene: what is around it, as Claid names it, without the template's address.
    :param template: the template picture, where there is one.
    """

    placement: Mapping[str, Any]
    scene: Mapping[str, Any]
    template: Source | None

    operation = "create_scene"

    @property
    def asked(self) -> dict[str, Any]:
        """The product, where it is, and what is around it."""
        return {
            "object": {"input": self.source.facts, **self.placement},
            "scene": dict(self.scene),
            "template": self.template.facts if self.template else None,
        }

    @property
    def prompt(self) -> str | None:
        """The prompt, or what Claid is to write one by."""
        said = self.scene.get("prompt")
        return (said.get("text") or said.get("guidelines")) if isinstance(said, Mapping) else said

    @property
    def credits(self) -> float:
        """One credit an image; half a credit more where Claid writes the prompt."""
        said = self.scene.get("prompt")
        written = isinstance(said, Mapping) and bool(said.get("generate"))
        return self.number_of_images * prices.SCENE_IMAGE + (prices.WRITTEN_SCENE_PROMPT if written else 0.0)

    def prepared(self, edition: int) -> Callable[[ClaidClient], Sent]:
        """Give what makes the scene."""
        scene = {**self.scene, **({"template_url": self.template.reached()} if self.template else {})}
        product = {**self.placement, "image_url": self.source.reached()}
        request = SceneRequest.of(product, scene, self._whole_output(edition))

        def send(client: ClaidClient) -> Sent:
            result = client.create_scene(request)
            return Sent(result.request_id, images=result.output)

        return send


def as_sent(job: Job) -> Sent:
    """Give what came back at once where a job was submitted."""
    return Sent(job.request_id, job_id=job.id)
