"""Fashion models: garments shown on a person."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Annotated, Any

from airflow_claid.client import JobKind
from airflow_claid.client.models.base import UNKNOWN, RequestModel, check_known, checked
from airflow_claid.client.models.creation import CreatedOutput
from airflow_claid.client.models.fashion import FashionOptions, garments
from airflow_claid.client.text import shortened
from airflow_claid.operators.bases.creating import CreatingOperator, CreatingParameters, output_of
from airflow_claid.operators.bases.inputs import one_path
from airflow_claid.operators.bases.job import ClaidJobOperator
from airflow_claid.parameters import given, known, optional, paths, refusing_at_once, without_none
from airflow_claid.storage.places import folder_place
from airflow_claid.storage.signed_links import shown_in

if TYPE_CHECKING:
    from airflow_claid.operators.bases.paying import Where
    from airflow_claid.orders.fashion import FashionOrder
    from airflow_claid.orders.order import Order

_NAMES = {
    "options.pose": "pose",
    "options.background": "background",
    "options.aspect_ratio": "aspect_ratio",
    "output.number_of_images": "number_of_images",
    "output.format": "output_format",
}


class _Asked(RequestModel):
    """What is asked, with the garments as the task names them."""

    clothing: Annotated[tuple[str, ...], garments]
    options: FashionOptions
    output: CreatedOutput


def _asked(parameters: Mapping[str, Any]) -> dict[str, Any]:
    clothing = parameters["clothing"]
    return {
        "clothing": clothing if clothing is UNKNOWN else paths(clothing, "clothing"),
        "options": without_none({name: optional(parameters[name]) for name in ("pose", "background", "aspect_ratio")}),
        "output": output_of(parameters),
    }


class FashionParameters(CreatingParameters):
    """What one outfit and a catalogue of them have in common.

    The parameters are those of :class:`FashionModelOperator`.
    """

    request_fields: tuple[str, ...] = (
        "model",
        "pose",
        "background",
        "aspect_ratio",
        *CreatingParameters.creating_fields,
    )

    def __init__(
        self,
        *,
        model: str | None = None,
        pose: str | None = None,
        background: str | None = None,
        aspect_ratio: str | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.model = model
        self.pose = pose
        self.background = background
        self.aspect_ratio = aspect_ratio
        with refusing_at_once():
            self._check_known(UNKNOWN)

    def _check_known(self, clothing: object) -> None:
        """Check, when the DAG is parsed, what is known then."""
        check_known(_Asked, _asked({**self._known(), "clothing": clothing}), _NAMES)

    def _order(self, parameters: Mapping[str, Any], where: Where, version: str | None = None) -> FashionOrder:
        from airflow_claid.orders.fashion import FashionOrder

        asked = checked(_Asked, _asked(parameters), _NAMES)
        first, *others = asked.clothing
        sources = (
            self._reachable(first, "clothing", version=version),
            *(self._reachable(path, "clothing") for path in others),
        )
        person = one_path(parameters["model"], "model")
        order = FashionOrder(
            **where,
            source=sources[0],
            garments=sources,
            person=self._shared(person, "model") if person else None,
            options=asked.options,
            output=asked.output,
        )
        self._refuse_overwriting(order, [*sources, *([order.person] if order.person else [])])
        return order


class FashionModelOperator(FashionParameters, CreatingOperator, ClaidJobOperator):
    """Show 1 to 5 garments together on a person.

    Costs 2 credits an image (docs.claid.ai). One request, and one job, for all garments; map over it for outfits of
    their own. A retry, a clear, a new run or a backfill of the same request pays nothing again, as for
    :class:`ImageGenerationOperator`; a retry waits for the same job.

    :param clothing: (templated) one path or a list of 1 to 5: ``https://…`` that Claid can reach,
        ``storage://NAME/…``, or a path of Airflow's object storage whose bucket is a connected storage or can sign
        links. A picture that only Airflow can read is refused: Claid takes none along here.
    :param model: (templated) picture of the person, by the same kinds of path; ``None``: Claid makes one.
    :param pose: (templated) 3 to 5000 characters; ``None``: Claid's default.
    :param background: (templated) 3 to 5000 characters; ``None``: Claid's default.
    :param aspect_ratio: (templated) such as ``"3:4"``; ``None``: Claid's default.
    :param number_of_images: see :class:`CreatingOperator`; so are ``output``, ``name`` and ``on_blocked``.
    :param ignored_query_parameters: see :class:`~airflow_claid.operators.bases.inputs.InputOperator`.
    :param output_format: (templated) ``"png"`` or ``"jpeg"``; ``None``: Claid's default, PNG.
    :param wait_for_completion: see :class:`~airflow_claid.operators.bases.job.ClaidJobOperator`; so are ``deferrable``,
        ``poll_interval`` and ``timeout``.
    :param regenerate: see :class:`ClaidPayingOperator`; so are ``on_lost_response``, ``max_credits``, ``spend_limit``
        and ``claid_conn_id``.
    :returns: the paths of the usable images. XCom ``images`` has a dict for each image, blocked ones included, whose
        ``input`` is the first garment; XCom ``credits`` what this execution spent.
    :raises AirflowFailException: for what a retry cannot fix: a wrong parameter, key, scope, no credits, a blocked
        prompt. The message names the value and the remedy.
    """

    template_fields: Sequence[str] = (
        "clothing",
        *FashionParameters.request_fields,
        *CreatingOperator.creating_template_fields,
        *ClaidJobOperator.waiting_template_fields,
        *ClaidJobOperator.terms_template_fields,
    )
    ui_color = "#ffeaf2"
    job_kind: JobKind = JobKind.FASHION_MODEL

    def __init__(self, *, clothing: str | list[str], **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.clothing = clothing
        with refusing_at_once():
            self._check_known(known(self, ("clothing",))["clothing"])

    @property
    def _subject(self) -> str:
        return f"clothing={shortened(shown_in(self.clothing))}"

    def _orders(self) -> list[Order]:
        self._check_on_blocked()
        parameters = given(self, (*self.request_fields, "clothing"))
        checked(_Asked, _asked(parameters), _NAMES)
        return [self._order(parameters, self._where(folder_place(self.output_path), self.name))]
