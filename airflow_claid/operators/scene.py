"""Scenes: a product put before a background."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar, Generic, TypeVar

from airflow_claid.client import ClaidValidationError
from airflow_claid.client.models.base import UNKNOWN, RequestModel, check_known, checked
from airflow_claid.client.models.scene import AfterTemplate, EffectScene, Placement, PromptScene, SceneOutput
from airflow_claid.client.text import shortened
from airflow_claid.client.values import written_out
from airflow_claid.operators.bases.creating import CreatingOperator, CreatingParameters, output_of
from airflow_claid.operators.bases.inputs import one_path
from airflow_claid.operators.bases.picture_list import PictureListOperator
from airflow_claid.parameters import (
    choice,
    given,
    is_literal,
    mapping,
    number,
    optional,
    refusing_at_once,
    truth,
    without_none,
)
from airflow_claid.storage.places import folder_place
from airflow_claid.storage.signed_links import shown_in

if TYPE_CHECKING:
    from airflow_claid.fulfilment.failures import Failure
    from airflow_claid.operators.bases.paying import Where
    from airflow_claid.orders.order import Order
    from airflow_claid.orders.scene import SceneOrder

PLACEMENTS = ("absolute", "original", "padding")
_OF_ABSOLUTE = {"position": "position", "scale": "scale", "rotation": "rotation_degree"}
_GOES_WITH = {
    "prompt": ("color", "aspect_ratio", "negative_prompt", "write_prompt", "guidelines"),
    "template": ("view", "template_mode", "color", "prompt", "negative_prompt", "write_prompt", "guidelines"),
    "effect": ("view", "color", "aspect_ratio"),
}
"""Which parameters each kind of scene takes (docs.claid.ai)."""

_KIND_NAMES = {"prompt": "a scene from a prompt", "template": "a scene after a template", "effect": "an effect"}
_NAMES = {
    "object.position": "position",
    "object.position.x": "position",
    "object.position.y": "position",
    "object.scale": "scale",
    "object.rotation_degree": "rotation",
    "object.padding": "padding",
    "scene.prompt": "prompt",
    "scene.prompt.text": "prompt",
    "scene.prompt.guidelines": "guidelines",
    "scene.effect": "effect",
    "scene.view": "view",
    "scene.template_mode": "template_mode",
    "scene.color": "color",
    "scene.aspect_ratio": "aspect_ratio",
    "scene.negative_prompt": "negative_prompt",
    "scene.model": "options.model",
    "scene.steps": "options.steps",
    "scene.preference": "options.preference",
    "output.number_of_images": "number_of_images",
    "output.format": "output_format",
}

_Scene = TypeVar("_Scene", EffectScene, PromptScene, AfterTemplate)


class _Asked(RequestModel, Generic[_Scene]):
    """What is asked for each of the products."""

    object: Placement
    scene: _Scene
    output: SceneOutput


_ASKED: Mapping[str, type[_Asked[Any]]] = {
    "prompt": _Asked[PromptScene],
    "template": _Asked[AfterTemplate],
    "effect": _Asked[EffectScene],
}


class SceneParameters(CreatingParameters):
    """What the scene of one product, of several and of a catalogue have in common.

    The parameters are those of :class:`BackgroundGenerationOperator`.
    """

    request_fields: tuple[str, ...] = (
        "prompt",
        "template",
        "effect",
        "view",
        "template_mode",
        "placement",
        "position",
        "scale",
        "rotation",
        "padding",
        "color",
        "aspect_ratio",
        "negative_prompt",
        "write_prompt",
        "guidelines",
        "options",
        *CreatingParameters.creating_fields,
    )

    def __init__(
        self,
        *,
        prompt: str | None = None,
        template: str | None = None,
        effect: str | None = None,
        view: str | None = None,
        template_mode: str | None = None,
        placement: str | None = None,
        position: Sequence[float | str] | None = None,
        scale: float | str | None = None,
        rotation: float | str | None = None,
        padding: str | None = None,
        color: str | None = None,
        aspect_ratio: str | None = None,
        negative_prompt: str | None = None,
        write_prompt: bool | str = False,
        guidelines: str | None = None,
        options: Mapping[str, Any] | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.prompt = prompt
        self.template = template
        self.effect = effect
        self.view = view
        self.template_mode = template_mode
        self.placement = placement
        self.position = position
        self.scale = scale
        self.rotation = rotation
        self.padding = padding
        self.color = color
        self.aspect_ratio = aspect_ratio
        self.negative_prompt = negative_prompt
        self.write_prompt = write_prompt
        self.guidelines = guidelines
        self.options = options
        with refusing_at_once():
            if is_literal([template, effect, write_prompt]):
                parameters = self._known()
                check_known(_ASKED[_kind_of(parameters)], _asked(parameters), _NAMES)

    def _order(self, parameters: Mapping[str, Any], where: Where, version: str | None = None) -> SceneOrder:
        from airflow_claid.orders.scene import SceneOrder

        asked = checked(_ASKED[_kind_of(parameters)], _asked(parameters), _NAMES)
        source, template = (
            self._reachable(parameters["input"], version=version),
            one_path(parameters["template"], "template"),
        )
        drawn_after = self._shared(template, "template") if template else None
        order = SceneOrder(
            **where,
            source=source,
            placement=asked.object,
            scene=asked.scene,
            template=drawn_after,
            output=asked.output,
        )
        self._refuse_overwriting(order, [source, *([drawn_after] if drawn_after else [])])
        return order


class BackgroundGenerationOperator(SceneParameters, PictureListOperator, CreatingOperator):
    """Put one product or several into a scene: from a prompt, after a template picture, or on a colour with a shadow.

    We count 1 credit an image (Claid publishes no price), and half a credit more for each request whose
    prompt Claid writes. Claid's own default is 4 images; here it is 1. Each input is a request of its own, answered
    at once. The API key needs the scope *Admin*. A retry, a clear, a new run or a backfill of the same request pays
    nothing again, as for :class:`ImageGenerationOperator`.

    :param input: (templated) one path or a list, such as the result of a cut-out: ``https://…`` that Claid can reach,
        ``storage://NAME/…``, or a path of Airflow's object storage whose bucket is a connected storage or can sign
        links. A picture that only Airflow can read is refused: Claid takes none along here.
    :param prompt: (templated) 3 to 2048 characters: what is around the product.
    :param template: (templated) picture after which the scene is made, by the same kinds of path; needs ``view``.
    :param effect: (templated) ``"shadows"``: no scene, only a shadow on ``color``.
    :param view: (templated) from where the product is seen: ``"front"`` or ``"top"``; for an effect also ``"auto"``.
    :param template_mode: (templated) ``"transform"``, ``"lock"`` or ``"adjust"``; ``None``: Claid's default.
    :param placement: (templated) ``"absolute"``: by ``position``, ``scale`` and ``rotation``; ``"original"``: where it
        is in its own picture; ``"padding"``: with ``padding`` around it. ``None``: ``"padding"`` where ``padding`` is
        given, else ``"absolute"``.
    :param position: (templated) the product's centre, as shares of width and height: ``(0.5, 0.6)``.
    :param scale: (templated) the product's size as a share of the picture, 0 to 1.
    :param rotation: (templated) degrees, 0 to 360.
    :param padding: (templated) such as ``"10%"``.
    :param color: (templated) of the background; for an effect hexadecimal, such as ``"#ffffff"``.
    :param aspect_ratio: (templated) such as ``"4:3"``; not with a template.
    :param negative_prompt: (templated) 3 to 2048 characters: what must not be there.
    :param write_prompt: (templated) have Claid write the prompt, for half a credit more; not together with ``prompt``.
    :param guidelines: (templated) 3 to 1000 characters: what Claid writes the prompt by.
    :param options: (templated) the rest of Claid's ``scene``: ``model``, ``steps``, ``preference``; checked like the
        others.
    :param number_of_images: see :class:`CreatingOperator`; so are ``output``, ``name`` and ``on_blocked``.
    :param on_error: see :class:`~airflow_claid.operators.bases.picture_list.PictureListOperator`.
    :param ignored_query_parameters: see :class:`~airflow_claid.operators.bases.inputs.InputOperator`.
    :param output_format: (templated) ``"png"``, ``"jpeg"``, ``"webp"``, ``"avif"``, ``"tiff"``, or a dict with options
        such as ``{"type": "jpeg", "quality": 90}``; ``None``: Claid's default, PNG.
    :param regenerate: see :class:`ClaidPayingOperator`; so are ``on_lost_response``, ``max_credits``, ``spend_limit``
        and ``claid_conn_id``.
    :returns: the paths of the usable images, in the order of the inputs. XCom ``images`` has a dict for each image,
        blocked ones included; XCom ``credits`` what this execution spent.
    :raises AirflowFailException: for what a retry cannot fix: a wrong parameter, key, scope, no credits, a blocked
        prompt. The message names the value and the remedy.
    """

    template_fields: Sequence[str] = (
        "input",
        *SceneParameters.request_fields,
        *PictureListOperator.list_template_fields,
        *CreatingOperator.creating_template_fields,
        *CreatingOperator.terms_template_fields,
    )
    template_fields_renderers: ClassVar[dict[str, str]] = {"options": "json"}
    ui_color = "#fff6d6"

    def __init__(
        self,
        *,
        input: str | list[str],  # noqa: A002 - Claid's own name
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.input = input
        with refusing_at_once():
            self._check_input()

    @property
    def _subject(self) -> str:
        return f"input={shortened(shown_in(self.input))}"

    def _orders(self) -> list[Order | Failure]:
        self._check_on_blocked()
        place = folder_place(self.output_path)
        parameters = given(self, self.request_fields)
        checked(_ASKED[_kind_of(parameters)], _asked(parameters), _NAMES)
        where = self._where(place, self.name)
        orders = self._orders_of(place, lambda path: self._order({**parameters, "input": path}, where))
        if not orders:
            self.log.info("There are no products to put into a scene")
        return orders


def _asked(parameters: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "object": _placement(parameters),
        "scene": _scene(parameters),
        "output": output_of(parameters),
    }


def _placement(parameters: Mapping[str, Any]) -> dict[str, Any]:
    absolute = {name: optional(parameters[name]) for name in _OF_ABSOLUTE}
    padding, placement = optional(parameters["padding"]), optional(parameters["placement"])
    kind = placement
    if kind in (None, UNKNOWN):
        kind = "absolute" if padding is None else "padding"
    choice(kind, "placement", PLACEMENTS)
    stray = [name for name, value in absolute.items() if value not in (None, UNKNOWN) and kind != "absolute"]
    stray += ["padding"] if padding and kind != "padding" else []
    if stray and placement is not UNKNOWN:
        raise ClaidValidationError(
            f"{stray[0]}={parameters[stray[0]]!r} does not go with placement={kind!r}: leave one of them out"
        )
    if kind == "padding" and padding is None:
        raise ClaidValidationError("placement='padding' needs padding, such as '10%'")
    if kind != "absolute":
        return {"placement_type": kind, **({"padding": padding} if kind == "padding" else {})}
    position = absolute.pop("position")
    numbers = {_OF_ABSOLUTE[name]: number(value) for name, value in absolute.items()}
    return without_none({"placement_type": kind, **numbers, "position": _point(position)})


def _scene(parameters: Mapping[str, Any]) -> dict[str, Any]:
    kind = _kind_of(parameters)
    asked = {
        name: optional(parameters[name])
        for name in ("view", "template_mode", "color", "aspect_ratio", "negative_prompt", "guidelines")
    }
    asked["write_prompt"] = truth(parameters["write_prompt"], "write_prompt") or None
    asked["prompt"] = optional(parameters["prompt"])
    for name, value in asked.items():
        is_given = value is not None and (value is not UNKNOWN or name == "prompt")
        if is_given and name not in (*_GOES_WITH[kind], kind):
            raise ClaidValidationError(
                f"{name}={shortened(parameters[name])} does not go with {_KIND_NAMES[kind]}: leave it out"
            )
    write, guidelines = asked.pop("write_prompt"), asked.pop("guidelines")
    if guidelines not in (None, UNKNOWN) and not write:
        raise ClaidValidationError(
            f"guidelines={shortened(guidelines)} are for a prompt that Claid writes: add write_prompt=True, for "
            "half a credit more, or leave them out"
        )
    if write and asked["prompt"] not in (None, UNKNOWN):
        raise ClaidValidationError(
            f"prompt={shortened(asked['prompt'])} and write_prompt=True do not go together: leave one of them out; "
            "what Claid is to write the prompt after goes into guidelines"
        )
    if write:
        asked["prompt"] = without_none({"generate": True, "text": asked["prompt"], "guidelines": guidelines})
    if kind == "template" and asked["view"] is None:
        raise ClaidValidationError("view=None: a scene after a template needs view='front' or view='top'")
    scene = {**_options(parameters["options"]), **asked, "effect": optional(parameters["effect"])}
    return without_none(scene)


def _kind_of(parameters: Mapping[str, Any]) -> str:
    """Return what the scene is made from.

    :raises ClaidValidationError: if nothing, or several things, say so.
    """
    prompt, template, effect = (optional(parameters[name]) for name in ("prompt", "template", "effect"))
    if effect is not None and template is not None:
        raise ClaidValidationError(
            f"effect={effect!r} and template={shortened(template)} do not go together: leave one of them out"
        )
    if effect is not None:
        return "effect"
    if template is not None:
        return "template"
    if prompt is None and not truth(parameters["write_prompt"], "write_prompt"):
        raise ClaidValidationError(
            "prompt=None: say what is around the product by prompt (or write_prompt=True), template, or "
            "effect='shadows'"
        )
    return "prompt"


def _point(position: object) -> object:
    if position in (None, UNKNOWN):
        return position
    if isinstance(position, str):
        position = written_out(position)
    if isinstance(position, Mapping):
        return {str(name): number(value) for name, value in position.items()}
    if not isinstance(position, (list, tuple)) or len(position) != 2:
        raise ClaidValidationError(
            f"position={shortened(position)} must be two shares of width and height, such as (0.5, 0.6)"
        )
    return {"x": number(position[0]), "y": number(position[1])}


def _options(options: object) -> dict[str, Any]:
    if optional(options) is None or options is UNKNOWN:
        return {}
    asked = mapping(options, "options", "{'preference': 'best'}")
    return {name: number(value) if name == "steps" else value for name, value in asked.items()}
