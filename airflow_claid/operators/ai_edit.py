"""AI edits: pictures changed as a prompt says."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from airflow_claid.client import JobKind
from airflow_claid.client.models.ai_edit import AIEditOptions
from airflow_claid.client.models.base import RequestModel, check_known, checked
from airflow_claid.client.models.creation import CreatedOutput
from airflow_claid.client.text import shortened
from airflow_claid.operators.bases.creating import CreatingOperator, CreatingParameters, output_of
from airflow_claid.operators.bases.job import ClaidJobOperator
from airflow_claid.operators.bases.picture_list import PictureListOperator
from airflow_claid.parameters import given, number, optional, refusing_at_once, without_none
from airflow_claid.storage.places import folder_place

if TYPE_CHECKING:
    from airflow_claid.fulfilment.failures import Failure
    from airflow_claid.operators.bases.paying import Where
    from airflow_claid.orders.ai_edit import AIEditOrder
    from airflow_claid.orders.order import Order

_NAMES = {
    "options.prompt": "prompt",
    "options.model": "model",
    "options.aspect_ratio": "aspect_ratio",
    "options.inference_steps": "inference_steps",
    "options.guidance_scale": "guidance_scale",
    "output.number_of_images": "number_of_images",
    "output.format": "output_format",
    "options": "aspect_ratio",
}


class _Asked(RequestModel):
    """What is asked for each of the pictures."""

    options: AIEditOptions
    output: CreatedOutput


def _asked(parameters: Mapping[str, Any]) -> dict[str, Any]:
    options = {
        "model": optional(parameters["model"]),
        "aspect_ratio": optional(parameters["aspect_ratio"]),
        "inference_steps": number(optional(parameters["inference_steps"])),
        "guidance_scale": number(optional(parameters["guidance_scale"])),
    }
    return {
        "options": {"prompt": parameters["prompt"], **without_none(options)},
        "output": output_of(parameters),
    }


class AIEditParameters(CreatingParameters):
    """What the AI edit of one picture, of several and of a catalogue have in common.

    The parameters are those of :class:`ImageAIEditOperator`.
    """

    request_fields: tuple[str, ...] = (
        "prompt",
        "model",
        "aspect_ratio",
        "inference_steps",
        "guidance_scale",
        *CreatingParameters.creating_fields,
    )

    def __init__(
        self,
        *,
        prompt: str | None = None,
        model: str | None = None,
        aspect_ratio: str | None = None,
        inference_steps: int | str | None = None,
        guidance_scale: float | str | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.prompt = prompt
        self.model = model
        self.aspect_ratio = aspect_ratio
        self.inference_steps = inference_steps
        self.guidance_scale = guidance_scale
        with refusing_at_once():
            check_known(_Asked, _asked(self._known()), _NAMES)

    def _order(self, parameters: Mapping[str, Any], where: Where, version: str | None = None) -> AIEditOrder:
        from airflow_claid.orders.ai_edit import AIEditOrder

        asked = checked(_Asked, _asked(parameters), _NAMES)
        source = self._reachable(parameters["input"], version=version)
        order = AIEditOrder(**where, source=source, options=asked.options, output=asked.output)
        self._refuse_overwriting(order, [source])
        return order


class ImageAIEditOperator(AIEditParameters, PictureListOperator, CreatingOperator, ClaidJobOperator):
    """Change one picture or several as a prompt says.

    Costs 2 credits an image (docs.claid.ai). Each input is a request, and a job, of its own; all are submitted, then
    waited for. A retry, a clear, a new run or a backfill of the same request pays nothing again, as for
    :class:`ImageGenerationOperator`; a retry waits for the same jobs.

    :param input: (templated) one path or a list, such as ``generate.output``: ``https://…`` that Claid can reach,
        ``storage://NAME/…``, or a path of Airflow's object storage whose bucket is a connected storage or can sign
        links. A picture that only Airflow can read is refused: Claid takes none along here.
    :param prompt: (templated) 3 to 5000 characters: what to change.
    :param model: (templated) ``"v1"`` or ``"v2"``; ``None``: Claid's default, v2.
    :param aspect_ratio: (templated) such as ``"16:9"``; model v1 only. ``None``: the input's.
    :param inference_steps: (templated) 1 to 50. ``None``: Claid's default. Claid's docs name it for model v1 only; with
        v2 it is sent with a warning.
    :param guidance_scale: (templated) 1 to 10, how closely to follow the prompt; as ``inference_steps``.
    :param number_of_images: see :class:`CreatingOperator`; so are ``output``, ``name`` and ``on_blocked``.
    :param on_error: see :class:`~airflow_claid.operators.bases.picture_list.PictureListOperator`.
    :param ignored_query_parameters: see :class:`~airflow_claid.operators.bases.inputs.InputOperator`.
    :param output_format: (templated) ``"png"`` or ``"jpeg"``; ``None``: Claid's default, PNG.
    :param wait_for_completion: see :class:`~airflow_claid.operators.bases.job.ClaidJobOperator`; so are ``deferrable``,
        ``poll_interval`` and ``timeout``.
    :param regenerate: see :class:`ClaidPayingOperator`; so are ``on_lost_response``, ``max_credits``, ``spend_limit``
        and ``claid_conn_id``.
    :returns: the paths of the usable images, in the order of the inputs. XCom ``images`` has a dict for each image,
        blocked ones included; XCom ``credits`` what this execution spent.
    :raises AirflowFailException: for what a retry cannot fix: a wrong parameter, key, scope, no credits, a blocked
        prompt. The message names the value and the remedy.
    """

    template_fields: Sequence[str] = (
        "input",
        *AIEditParameters.request_fields,
        *PictureListOperator.list_template_fields,
        *CreatingOperator.creating_template_fields,
        *ClaidJobOperator.waiting_template_fields,
        *ClaidJobOperator.terms_template_fields,
    )
    ui_color = "#f3e8ff"
    job_kind: JobKind = JobKind.AI_EDIT

    def __init__(
        self,
        *,
        input: str | list[str],  # noqa: A002 - Claid's own name
        prompt: str,
        **kwargs: Any,
    ) -> None:
        super().__init__(prompt=prompt, **kwargs)
        self.input = input
        with refusing_at_once():
            self._check_input()

    @property
    def _subject(self) -> str:
        return f"prompt={shortened(self.prompt)}"

    def _orders(self) -> list[Order | Failure]:
        self._check_on_blocked()
        place = folder_place(self.output_path)
        parameters, where = given(self, self.request_fields), self._where(place, self.name)
        orders = self._orders_of(place, lambda path: self._order({**parameters, "input": path}, where))
        if not orders:
            self.log.info("There are no pictures to edit")
        return orders
