"""Generation: images from a prompt."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from airflow_claid.client import ClaidValidationError, GenerateRequest
from airflow_claid.client.models.base import UNKNOWN
from airflow_claid.client.text import shortened
from airflow_claid.operators.bases.blocked import FilteredOperator
from airflow_claid.operators.bases.paying import ClaidPayingOperator
from airflow_claid.parameters import given, is_literal, known, number, refusing_at_once
from airflow_claid.storage.places import checked_name, generation_place

if TYPE_CHECKING:
    from airflow_claid.operators.bases.paying import Where
    from airflow_claid.orders.generate import GenerateOrder
    from airflow_claid.orders.order import Order


class GenerationParameters(ClaidPayingOperator):
    """What one prompt and a catalogue of them have in common.

    The parameters are those of :class:`ImageGenerationOperator`.
    """

    request_fields: tuple[str, ...] = ("number_of_images", "guidance_scale")

    def __init__(self, *, number_of_images: int | str = 1, guidance_scale: float | str = 5.0, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.number_of_images = number_of_images
        self.guidance_scale = guidance_scale
        with refusing_at_once():
            self._check_known(UNKNOWN)

    def _check_known(self, prompt: object) -> None:
        """Check, when the DAG is parsed, what is known then."""
        asked = self._known()
        GenerateRequest.check_known(prompt, number(asked["number_of_images"]), number(asked["guidance_scale"]))

    def _order(self, parameters: Mapping[str, Any], where: Where, version: str | None = None) -> GenerateOrder:
        from airflow_claid.orders.generate import GenerateOrder

        request = GenerateRequest.of(
            parameters["prompt"],
            number_of_images=number(parameters["number_of_images"]),
            guidance_scale=number(parameters["guidance_scale"]),
        )
        return GenerateOrder(**where, request=request)


class ImageGenerationOperator(GenerationParameters, FilteredOperator):
    """Generate 1024x1024 PNG images from a prompt.

    Costs 1 credit an image. Claid's own default is 4 images, which is 4 credits; here it is 1.

    A retry, a clear, a new run or a backfill of the same request finds the receipt of the first and pays nothing
    again, wherever a receipt can be kept: beside the pictures (object storage, or a connected storage that the
    Claid connection maps), else in Airflow's ``task_state_store`` (3.3+, for retries and clears of this task).

    :param prompt: (templated) 3 to 1024 characters after templating, without the blanks around them. Text from an
        upstream task (``prompt=task.output``) goes to Claid as it is.
    :param number_of_images: (templated) 1 to 4.
    :param guidance_scale: (templated) 1 to below 50, how closely to follow the prompt; Claid's default is 5.
    :param output: (templated) folder of the pictures. ``s3://``, ``gs://``, ``file://`` or any other address of
        Airflow's object storage, with or without ``conn_id@``: our task writes ``NAME_1.png``, ``NAME_2.png``.
        ``storage://NAME/PATH/``, with the last ``/``: Claid writes, into a sub-folder of the request's own, under
        names of its own. ``None``: links that live 24 hours.
    :param name: (templated) how the pictures are named; default: the start of the request's fingerprint.
    :param on_blocked: (templated) what to do where Claid's content filter blocked every image: ``"fail"``
        without a retry, ``"skip"``, or ``"keep"`` going with an empty result. Blocked images are charged, never in
        the result, and not written to object storage.
    :param regenerate: see :class:`ClaidPayingOperator`; so are ``on_lost_response``, ``max_credits``, ``spend_limit``
        and ``claid_conn_id``.
    :returns: the paths of the usable images: object storage, ``storage://…`` or temporary links. XCom ``images``
        has a dict for each image, blocked ones included; XCom ``credits`` what this execution spent.
    :raises AirflowFailException: for what a retry cannot fix: a wrong parameter, key, scope, no credits, a blocked
        prompt. The message names the value and the remedy.
    """

    template_fields: Sequence[str] = (
        "prompt",
        "number_of_images",
        "guidance_scale",
        "output_path",
        "name",
        "on_blocked",
        *ClaidPayingOperator.terms_template_fields,
    )
    ui_color = "#e6f0ff"

    def __init__(
        self,
        *,
        prompt: str,
        output: str | None = None,
        name: str | None = None,
        on_blocked: str = "fail",
        **kwargs: Any,
    ) -> None:
        super().__init__(on_blocked=on_blocked, **kwargs)
        self.prompt = prompt
        self.output_path = output
        self.name = name
        with refusing_at_once():
            self._check_known(known(self, ("prompt",))["prompt"])
            if is_literal(output):
                generation_place(output)
            if name is not None and is_literal(name):
                checked_name(name)

    @property
    def _subject(self) -> str:
        return f"prompt={shortened(self.prompt)}"

    def _prompts(self) -> Sequence[str]:
        """Return the prompts, each of which becomes a request of its own."""
        return [self.prompt]

    def _orders(self) -> list[Order]:
        self._check_on_blocked()
        parameters = given(self, self.request_fields)
        prompts = self._prompts()
        where = self._where(generation_place(self.output_path), self.name)
        if not prompts:
            self.log.info("There are no prompts to generate from")
        orders = [self._order({**parameters, "prompt": prompt}, where) for prompt in prompts]
        different = list({order.fingerprint: order for order in orders}.values())
        if where["name"] is not None and len(different) > 1:
            raise ClaidValidationError(
                f"name={where['name']!r} names the pictures of one prompt, and there are {len(different)}: leave it out"
            )
        return list(different)
