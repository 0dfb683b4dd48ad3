"""Videos: pictures set in motion."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from airflow_claid.client import ClaidValidationError, JobKind
from airflow_claid.client.models.base import UNKNOWN, RequestModel, check_known, checked
from airflow_claid.client.models.video import VideoOptions
from airflow_claid.client.text import shortened
from airflow_claid.operators.bases.inputs import InputOperator
from airflow_claid.operators.bases.job import ClaidJobOperator
from airflow_claid.operators.bases.picture_list import PictureListOperator
from airflow_claid.parameters import given, is_literal, number, optional, refusing_at_once, truth, without_none
from airflow_claid.storage.places import checked_name, video_place
from airflow_claid.storage.signed_links import shown_in

if TYPE_CHECKING:
    from airflow_claid.fulfilment.failures import Failure
    from airflow_claid.operators.bases.paying import Where
    from airflow_claid.orders.order import Order
    from airflow_claid.orders.video import VideoOrder

_NAMES = {
    "options.prompt": "prompt",
    "options.prompt.text": "prompt",
    "options.prompt.guidelines": "guidelines",
    "options.negative_prompt": "negative_prompt",
    "options.duration": "duration",
    "options.guidance_scale": "guidance_scale",
}


class _Asked(RequestModel):
    """What is asked for each of the pictures."""

    options: VideoOptions


def _asked(parameters: Mapping[str, Any]) -> dict[str, Any]:
    options = {
        "prompt": _prompt(parameters),
        "negative_prompt": optional(parameters["negative_prompt"]),
        "duration": _seconds(parameters["duration"]),
        "guidance_scale": number(optional(parameters["guidance_scale"])),
    }
    return {"options": without_none(options)}


def _prompt(parameters: Mapping[str, Any]) -> Any:
    """Return the prompt, or what Claid is to write one by.

    :raises ClaidValidationError: if there is neither, or both, or guidelines that Claid has no use for.
    """
    prompt, guidelines = optional(parameters["prompt"]), optional(parameters["guidelines"])
    if truth(parameters["write_prompt"], "write_prompt"):
        if prompt not in (None, UNKNOWN):
            raise ClaidValidationError(
                f"prompt={shortened(prompt)} and write_prompt=True do not go together: leave one of them out; what "
                "Claid is to write the prompt after goes into guidelines"
            )
        return without_none({"generate": True, "text": prompt, "guidelines": guidelines})
    if guidelines not in (None, UNKNOWN):
        raise ClaidValidationError(
            f"guidelines={shortened(guidelines)} are for a prompt that Claid writes: add write_prompt=True, or "
            "leave them out"
        )
    if prompt is None:
        raise ClaidValidationError(
            f"prompt={parameters['prompt']!r}: say what moves, or have Claid write it with write_prompt=True"
        )
    return prompt


class VideoParameters(InputOperator):
    """What the video of one picture, of several and of a catalogue have in common.

    The parameters are those of :class:`ImageToVideoOperator`.
    """

    request_fields: tuple[str, ...] = (
        "prompt",
        "duration",
        "negative_prompt",
        "guidance_scale",
        "write_prompt",
        "guidelines",
    )

    def __init__(
        self,
        *,
        prompt: str | None = None,
        duration: int | str = 5,
        negative_prompt: str | None = None,
        guidance_scale: float | str | None = None,
        write_prompt: bool | str = False,
        guidelines: str | None = None,
        on_lost_response: str = "fail",
        **kwargs: Any,
    ) -> None:
        super().__init__(on_lost_response=on_lost_response, **kwargs)
        self.prompt = prompt
        self.duration = duration
        self.negative_prompt = negative_prompt
        self.guidance_scale = guidance_scale
        self.write_prompt = write_prompt
        self.guidelines = guidelines
        with refusing_at_once():
            if is_literal(write_prompt):
                check_known(_Asked, _asked(self._known()), _NAMES)

    def _order(self, parameters: Mapping[str, Any], where: Where, version: str | None = None) -> VideoOrder:
        from airflow_claid.orders.video import VideoOrder

        asked = checked(_Asked, _asked(parameters), _NAMES)
        return VideoOrder(**where, source=self._reachable(parameters["input"], version=version), options=asked.options)


class ImageToVideoOperator(VideoParameters, PictureListOperator, ClaidJobOperator):
    """Set one picture or several in motion: an MP4 of 5 or 10 seconds each.

    Costs 35 credits for 5 seconds, 70 for 10 (docs.claid.ai). Each input is a request, and a job, of its own; all are
    submitted, then waited for. The API key needs the scope *Admin*. A retry, a clear, a new run or a backfill of the
    same request pays nothing again, as for :class:`ImageGenerationOperator`; a retry waits for the same jobs.

    :param input: (templated) one path or a list: ``https://…`` that Claid can reach, ``storage://NAME/…``, or a path
        of Airflow's object storage whose bucket is a connected storage or can sign links. A picture that only Airflow
        can read is refused: Claid takes none along here. Both sides must have at least 300 pixels.
    :param prompt: (templated) 3 to 5000 characters: what moves. ``None`` with ``write_prompt``, and only then.
    :param duration: (templated) seconds: 5 or 10.
    :param negative_prompt: (templated) 3 to 5000 characters: what must not be there.
    :param guidance_scale: (templated) 0 to 1, how closely to follow the prompt; ``None``: Claid's default.
    :param write_prompt: (templated) have Claid write the prompt; not together with ``prompt``.
    :param guidelines: (templated) 3 to 1000 characters: what Claid writes the prompt by.
    :param output: (templated) a folder (``s3://…/``, ``gs://…/``, ``file:///…/``, ``storage://NAME/…/``), or for one
        input the ``.mp4`` file. ``None``: links that live 24 hours.
    :param name: (templated) file name, without suffix, for one input; default: the input's name and the start of the
        request's fingerprint.
    :param on_lost_response: (templated) ``"fail"``, our default here because of the price: where an answer was lost
        and nothing can be looked up, a person decides. ``"resubmit"`` asks, and may pay, again.
    :param on_error: see :class:`~airflow_claid.operators.bases.picture_list.PictureListOperator`.
    :param ignored_query_parameters: see :class:`~airflow_claid.operators.bases.inputs.InputOperator`.
    :param wait_for_completion: see :class:`~airflow_claid.operators.bases.job.ClaidJobOperator`; so are ``deferrable``,
        ``poll_interval`` and ``timeout``.
    :param regenerate: see :class:`ClaidPayingOperator`; so are ``max_credits``, ``spend_limit`` and ``claid_conn_id``.
    :returns: the paths of the videos, in the order of the inputs. XCom ``images`` has a dict for each; XCom
        ``credits`` what this execution spent.
    :raises AirflowFailException: for what a retry cannot fix. Where some videos fail, the others are finished and kept
        first. A video is checked to be a whole MP4; nobody looks at its frames.
    """

    template_fields: Sequence[str] = (
        "input",
        *VideoParameters.request_fields,
        "output_path",
        "name",
        *PictureListOperator.list_template_fields,
        *InputOperator.input_template_fields,
        *ClaidJobOperator.waiting_template_fields,
        *ClaidJobOperator.terms_template_fields,
    )
    ui_color = "#e8f4ff"
    job_kind: JobKind = JobKind.VIDEO

    def __init__(
        self,
        *,
        input: str | list[str],  # noqa: A002 - Claid's own name
        output: str | None = None,
        name: str | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.input = input
        self.output_path = output
        self.name = name
        with refusing_at_once():
            self._check_input()
            if is_literal(output):
                video_place(output)
            if name is not None and is_literal(name):
                checked_name(name)

    @property
    def _subject(self) -> str:
        return f"input={shortened(shown_in(self.input))}"

    def _orders(self) -> list[Order | Failure]:
        place = video_place(self.output_path)
        parameters, where = given(self, self.request_fields), self._where(place, self.name)
        orders = self._orders_of(place, lambda path: self._order({**parameters, "input": path}, where))
        if not orders:
            self.log.info("There are no pictures to set in motion")
        return orders


def _seconds(duration: object) -> Any:
    """Return the seconds as Claid writes them.

    :raises ClaidValidationError: if it is neither 5 nor 10.
    """
    if duration is UNKNOWN:
        return duration
    seconds = number(duration)
    if isinstance(seconds, bool) or seconds not in (5, 10):
        raise ClaidValidationError(f"duration={duration!r} must be 5 or 10 seconds")
    return str(int(seconds))
