"""What the contract allows is taken, and sent as it was meant; what it refuses is refused here.

The contract's schemas make the values. Where the client refuses more than they do, or writes a value otherwise, the
rule has a name and a test of its own (``RULES``, ``WRITTEN_OTHERWISE``); the values of the first two tests keep to it.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from functools import cache, cached_property
from typing import Any
from urllib.parse import unquote

import pytest
from hypothesis import HealthCheck, Phase, find, given, settings
from hypothesis import strategies as st
from hypothesis.errors import NoSuchExample
from jsonschema import Draft202012Validator

from airflow_claid.client import (
    AIEditRequest,
    BatchEditRequest,
    ClaidValidationError,
    EditRequest,
    FashionRequest,
    GenerateRequest,
    SceneRequest,
    StorageIn,
    StoragePatch,
    UploadRequest,
    VideoRequest,
)
from airflow_claid.client.models.base import RequestModel, checked
from airflow_claid.client.values import is_visible, stands_for_nothing
from tests.support.schemas import contract, resolved, without_unknown

Values = st.SearchStrategy[Any]

SCHEMAS: dict[str, Any] = contract()["components"]["schemas"]
EDIT = SCHEMAS["EditRequest"]["properties"]
UPLOAD = {
    "type": "object",
    "properties": {"operations": EDIT["operations"], "output": EDIT["output"]},
    "required": ["operations"],
    "additionalProperties": False,
}
"""The JSON text of ``UploadForm.data``, of which the contract says "{operations, output}"."""


@dataclass(frozen=True)
class Kind:
    """One kind of request: its schema, and what makes the request of a body as a caller writes it."""

    schema: dict[str, Any]
    build: Callable[[dict[str, Any]], RequestModel]

    @cached_property
    def _validator(self) -> Draft202012Validator:
        return Draft202012Validator(self.schema)

    def allows(self, body: Any) -> bool:
        return bool(self._validator.is_valid(body))


def by_parts(of: Callable[..., RequestModel], *required: str) -> Callable[[dict[str, Any]], RequestModel]:
    """Build by the request's own parameters; one that is missing is ``None``."""
    return lambda body: of(**{**dict.fromkeys(required), **body})


def as_a_whole(model: type[RequestModel]) -> Callable[[dict[str, Any]], RequestModel]:
    """Build from the body, for the requests whose parameters lie otherwise than in the body."""
    return lambda body: checked(model, body)


KINDS = {
    name: Kind(resolved(schema, SCHEMAS), build)
    for name, schema, build in (
        ("EditRequest", SCHEMAS["EditRequest"], by_parts(EditRequest.of, "input", "operations")),
        ("BatchEditRequest", SCHEMAS["BatchEditRequest"], by_parts(BatchEditRequest.of, "input", "operations")),
        ("UploadForm", UPLOAD, by_parts(UploadRequest.of, "operations")),
        ("GenerateRequest", SCHEMAS["GenerateRequest"], as_a_whole(GenerateRequest)),
        ("AIEditRequest", SCHEMAS["AIEditRequest"], by_parts(AIEditRequest.of, "input", "options")),
        ("FashionRequest", SCHEMAS["FashionRequest"], by_parts(FashionRequest.of, "input")),
        ("SceneRequest", SCHEMAS["SceneRequest"], by_parts(SceneRequest.of, "object", "scene")),
        ("VideoRequest", SCHEMAS["VideoRequest"], by_parts(VideoRequest.of, "input", "options")),
        ("StorageIn", SCHEMAS["StorageIn"], as_a_whole(StorageIn)),
        ("StoragePatch", SCHEMAS["StoragePatch"], as_a_whole(StoragePatch)),
    )
}
each_kind = pytest.mark.parametrize("kind", KINDS)


# What keeps to the contract and to the rules


def addresses(ending: str = "") -> Values:
    hosts = st.sampled_from(["https://shop.example/", "http://127.0.0.1:9000/", "storage://shop/"])
    paths = st.text(max_size=12).map(lambda path: path.replace("\ud800", "")) | st.sampled_from(
        ["a b.png", "größe/ü.png", "a%20b.png?x=1&y=[2]#z", "x" * (4096 - 26 - len(ending))]
    )
    return st.builds("{}{}{}".format, hosts, paths, st.just(ending)).filter(lambda one: len(one) <= 4096)


def texts(part: dict[str, Any]) -> Values:
    """Texts of every length that is allowed, the longest and the shortest often; blanks around them do not count.

    Characters that do not show are left out, and so are texts that stand for no value: a rule of ours refuses them.
    """
    shortest, longest = part.get("minLength", 0), part.get("maxLength", 200)
    shown = st.characters(exclude_categories=["Cs"]).filter(is_visible)
    return st.one_of(
        st.text(shown, min_size=shortest, max_size=min(longest, shortest + 20)).filter(
            lambda text: not stands_for_nothing(text)
        ),
        st.sampled_from(["x" * shortest, "y" * longest, " " + "x" * max(shortest, 1), "é\n" * shortest]),
    ).filter(lambda text: shortest <= len(text.strip()) and len(text) <= longest)


def numbers(part: dict[str, Any]) -> Values:
    least, most, below = (part.get(name) for name in ("minimum", "maximum", "exclusiveMaximum"))
    if part["type"] == "integer":
        whole = st.integers(least, most if below is None else below - 1)
        return whole | whole.filter(lambda number: abs(number) < 2**53).map(float)
    return st.floats(least, below if most is None else most, exclude_max=below is not None) | st.just(least)


def resizings(part: dict[str, Any]) -> Values:
    return _resizings(st.none() | allowed(part["properties"]["fit"]))


@st.composite
def _resizings(draw: st.DrawFn, fits: Values) -> Any:
    pixels, percentages = st.integers(1, 20_000), st.sampled_from(["200%", "12.5%", "1%"])
    one, share = draw(pixels), draw(percentages)
    sides = draw(st.sampled_from([(one, draw(pixels)), (one, "auto"), (share, share), (share, "auto"), (one, None)]))
    sides = sides if draw(st.booleans()) else sides[::-1]
    body = {name: side for name, side in zip(("width", "height"), sides, strict=True) if side is not None}
    fit = draw(fits)
    if isinstance(fit, dict) and fit["type"] == "outpaint" and draw(st.booleans()):
        body = {}
    return body if fit is None else {**body, "fit": fit}


def ai_options(part: dict[str, Any]) -> Values:
    return objects(part).map(lambda body: {**body, "model": "v1"} if "aspect_ratio" in body else body)


def written_prompts(part: dict[str, Any]) -> Values:
    names = {name: allowed(value, (name,)) for name, value in part["properties"].items()}
    given = st.fixed_dictionaries({"text": names["text"]}, optional={"generate": st.just(False)})
    written = st.fixed_dictionaries({"generate": st.just(True)}, optional={"guidelines": names["guidelines"]})
    return given | written


NAMES = st.from_regex(r"[A-Za-z0-9_-]([A-Za-z0-9_ .-]{0,48}[A-Za-z0-9_-])?", fullmatch=True)
FOLDERS = st.sampled_from(["", "a", "catalogue/2026", "/catalogue/", "ü b"])
WEB_FOLDERS = st.sampled_from(["https://shop.example/pictures", "http://shop.example/"])


@st.composite
def storages(draw: st.DrawFn, part: dict[str, Any]) -> Any:
    key = {"access_key": draw(st.text(min_size=1, max_size=9)), "secret_access_key": draw(st.text(min_size=1))}
    body = {"name": draw(NAMES)}
    if draw(st.booleans()):
        body["parameters"] = {"base_url": draw(WEB_FOLDERS)}
        body["type"] = "web_folder"
    else:
        body["parameters"] = {"bucket": draw(st.sampled_from(["b", "my.bucket-1"])), "credentials": key}
        body["type"] = draw(st.sampled_from(["s3", "gcs"]))
        if draw(st.booleans()):
            body["parameters"]["path"] = draw(FOLDERS)
    if "name" in part.get("required", []):
        return body
    del body["type"]
    if "bucket" in body["parameters"]:
        body["parameters"] = draw(
            st.fixed_dictionaries({}, optional={k: st.just(v) for k, v in body["parameters"].items()})
        )
    return draw(st.fixed_dictionaries({}, optional={k: st.just(v) for k, v in body.items()}))


def objects(part: dict[str, Any], where: tuple[str, ...] = ()) -> Values:
    """Objects with some of the names, or with all of them, so that what lies deep is reached often."""
    names = {name: allowed(value, (*where, name)) for name, value in part["properties"].items()}
    required = {name: names[name] for name in part.get("required", [])}
    optional = {name: values for name, values in names.items() if name not in required}
    return st.fixed_dictionaries(required, optional=optional) | st.fixed_dictionaries(names)


def allowed(part: dict[str, Any], where: tuple[str, ...] = ()) -> Values:
    """Values of a part of the contract that keep to the rules, by the part's own words."""
    name = where[-1] if where else ""
    if "anyOf" in part:
        return st.one_of([allowed(member, where) for member in part["anyOf"]])
    if "enum" in part:
        return st.sampled_from(part["enum"])
    if part["type"] == "object":
        special = {"resizing": resizings}.get(name)
        special = ai_options if "inference_steps" in part["properties"] else special
        special = storages if {"name", "parameters"} <= set(part["properties"]) else special
        special = written_prompts if "guidelines" in part["properties"] else special
        return special(part) if special else objects(part, where)
    if part["type"] == "array":
        return st.lists(allowed(part["items"], where), min_size=part["minItems"], max_size=part.get("maxItems", 3))
    if part["type"] == "boolean":
        return st.booleans()
    if part["type"] in ("integer", "number"):
        return numbers(part)
    if "pattern" in part:
        return st.sampled_from(["0%", "9%", "10%", "100%"])
    if part.get("description", "").startswith("hexadecimal"):
        return st.sampled_from(["#fff", "#A0b1C2", "ffffff", "#ff000080", "#f008"])
    return addresses() if part.get("format") == "uri" else texts(part)


@cache
def bodies(name: str) -> Values:
    """Bodies of a kind of request that the contract allows and that keep to the rules."""
    folders = {"GenerateRequest": addresses("/"), "VideoRequest": addresses(".mp4") | addresses("/")}
    return _bodies(KINDS[name], allowed(KINDS[name].schema), folders.get(name))


@st.composite
def _bodies(draw: st.DrawFn, kind: Kind, values: Values, folders: Values | None) -> Any:
    body = draw(values)
    if folders is not None and "output" in body:
        body["output"] = draw(folders)
    assert kind.allows(body)
    return body


# What is sent

PROMPTS = {"prompt", "text", "guidelines", "negative_prompt", "pose", "background"}


def as_sent(name: str, body: Any) -> Any:
    """What the body becomes on its way, by the rules of ``WRITTEN_OTHERWISE``."""
    body = copy.deepcopy(body)
    if name == "GenerateRequest":
        body["input"] = body["input"].strip()
        body["options"] = {"number_of_images": 1, "guidance_scale": 5.0, **body.get("options", {})}
    if name == "SceneRequest":
        output = body.get("output", {})
        body["output"] = {"number_of_images": 1, **({"destination": output} if isinstance(output, str) else output)}
    if name == "StorageIn" and "bucket" in body["parameters"]:
        body["parameters"]["path"] = body["parameters"].get("path", "")
    if name in ("StorageIn", "StoragePatch") and "path" in body.get("parameters", {}):
        body["parameters"]["path"] = body["parameters"]["path"].strip("/")
    for parent, key, value in places(body):
        if key in PROMPTS and isinstance(value, str) and "style_reference_image" not in parent:
            parent[key] = value.strip()
    return body


def places(value: Any) -> Iterator[tuple[Any, Any, Any]]:
    """Every place in a body, as its parent, its key there and what is there."""
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, item in list(items):
        yield value, key, item
        yield from places(item)


def plain(value: Any) -> Any:
    """A body in which what JSON tells apart is unequal, and one address has one form."""
    if isinstance(value, dict):
        return {name: plain(item) for name, item in value.items()}
    if isinstance(value, list):
        return [plain(item) for item in value]
    if isinstance(value, str) and "://" in value:
        return unquote(value)
    return (str(value),) if isinstance(value, bool) else value


SLOW_TO_MAKE = [HealthCheck.too_slow, HealthCheck.filter_too_much, HealthCheck.data_too_large]


@each_kind
@settings(max_examples=120, suppress_health_check=SLOW_TO_MAKE)
@given(data=st.data())
def test_what_the_contract_allows_is_taken_and_sent_as_it_was_meant(kind: str, data: st.DataObject) -> None:
    body = data.draw(bodies(kind))
    before = copy.deepcopy(body)
    sent = KINDS[kind].build(body).to_json()
    assert KINDS[kind].allows(sent)
    assert plain(sent) == plain(as_sent(kind, body))
    assert body == before


UNKNOWN, REMOVED = "nothing_of_claid", object()
WRONG: tuple[Any, ...] = (
    *(-101, -1, 0, 1, 4, 5, 6, 17, 50, 51, 101, 361, 10**9, 0.5, 1.5, -0.1, 1.1),
    *("", "x", "xy", "no such thing", "8", "true", "x" * 129, "x" * 1025, "x" * 2049, "x" * 4097, "x" * 5001),
    *(True, False, [], ["https://a/b.png"] * 6, [1], {}, {"nothing": 1}, {"type": "nothing"}),
)


@each_kind
@settings(max_examples=60, suppress_health_check=SLOW_TO_MAKE)
@given(data=st.data())
def test_what_the_contract_refuses_in_one_place_is_refused_here(kind: str, data: st.DataObject) -> None:
    body = data.draw(bodies(kind))
    place = data.draw(st.integers(0, sum(1 for _ in places(body))))
    for broken in broken_at(body, place):
        unknown_parameter = UNKNOWN in broken and kind not in ("GenerateRequest", "StorageIn", "StoragePatch")
        with suppress(TypeError if unknown_parameter else ClaidValidationError):
            KINDS[kind].build(broken)
            assert KINDS[kind].allows(broken) or is_written_otherwise(kind, broken), f"{broken} was taken"


def broken_at(body: Any, place: int) -> Iterator[Any]:
    """The body with one place replaced, removed or given an unknown name; place 0 is the body itself."""
    for change in (REMOVED, UNKNOWN, *WRONG):
        broken = copy.deepcopy(body)
        parent, key, value = [({"": broken}, "", broken), *places(broken)][place]
        if change == UNKNOWN:
            if not isinstance(value, dict):
                continue
            value[UNKNOWN] = 1
        elif place and change == REMOVED:
            del parent[key]
        elif place:
            parent[key] = copy.deepcopy(change)
        yield broken


def is_written_otherwise(kind: str, body: dict[str, Any]) -> bool:
    """Whether the contract allows what becomes of a body on its way, but for operations that it does not know yet.

    A fit that leaves out its type is sent as it is, with a warning.
    """
    if isinstance(body.get("operations"), dict):
        operations = copy.deepcopy(body["operations"])
        for _, key, value in places(operations):
            if key == "fit" and isinstance(value, dict):
                value.setdefault("type", "crop")
        known = without_unknown(operations, KINDS[kind].schema["properties"]["operations"])
        return KINDS[kind].allows({**body, "operations": known})
    if (
        kind == "VideoRequest"
        and isinstance(body.get("options"), dict)
        and type(body["options"].get("duration")) is int
    ):
        return KINDS[kind].allows(
            {**body, "options": {**body["options"], "duration": str(body["options"]["duration"])}}
        )
    return kind == "FashionRequest" and KINDS[kind].allows({"options": {}, **body})


# The rules: the contract's schemas allow these bodies, and the client refuses them

LINK = "https://shop.example/a.png"
PRODUCT = {"image_url": LINK}
BUCKET = {"bucket": "b", "credentials": {"access_key": "k", "secret_access_key": "s"}}
WEB_FOLDER = {"base_url": "https://shop.example/"}
SHADOW = {"effect": "shadows"}
WRONG_PROMPTS: list[dict[str, Any]] = [
    {"text": "it turns", "generate": True},
    {"text": "it turns", "generate": True, "guidelines": "slow"},
    {"text": "it turns", "guidelines": "slow"},
    {"text": "it turns", "generate": False, "guidelines": "slow"},
    {"guidelines": "slow"},
    {"generate": False},
    {},
]


def edit(**operations: Any) -> dict[str, Any]:
    return {"input": LINK, "operations": operations}


def storage(**fields: Any) -> dict[str, Any]:
    return {"name": "shop", "type": "s3", "parameters": BUCKET, **fields}


RULES: list[tuple[str, str, list[dict[str, Any]], str]] = [
    (
        "An address has a scheme, else it is no URI, though no schema says how one looks",
        "EditRequest",
        [{"input": "shop/a.png", "operations": {}}, {**edit(), "output": "out/"}],
        "must be an address",
    ),
    (
        "An address is counted as it is sent",
        "EditRequest",
        [{"input": f"{LINK}?{'ü' * 1000}", "operations": {}}],
        "as it is sent",
    ),
    (
        "Both sides cannot be auto (docs.claid.ai)",
        "EditRequest",
        [
            edit(resizing={}),
            edit(resizing={"fit": "outpaint"}),
            edit(resizing={"width": "auto", "height": "auto", "fit": {"type": "crop"}}),
        ],
        "cannot both be 'auto'",
    ),
    (
        "A percentage goes with the same one or auto (docs.claid.ai)",
        "EditRequest",
        [edit(resizing={"width": "50%", "height": 90}), edit(resizing={"width": "50%", "height": "60%"})],
        "a percentage goes with",
    ),
    (
        "A side that is text is auto or a percentage, as the contract's descriptions say",
        "BatchEditRequest",
        [edit(resizing={"width": side}) for side in ("", "90", "90px", "%", "-5%", "200%\n")],
        "must be pixels",
    ),
    (
        "A side has at least one pixel",
        "UploadForm",
        [{"operations": {"resizing": {"width": side}}} for side in (0, -90)],
        "at least 1 pixel",
    ),
    (
        "A colour is hexadecimal, as the contract's description says",
        "EditRequest",
        [edit(background={"color": color}) for color in ("red", "", "#ff", "#fffff", "#ggg", "#fff\n")],
        "hexadecimal",
    ),
    (
        "A colour is hexadecimal, as the contract's description says",
        "SceneRequest",
        [{"object": PRODUCT, "scene": {**SHADOW, "color": "red"}}],
        "hexadecimal",
    ),
    (
        "Generated images are written to a folder that ends with / (docs.claid.ai)",
        "GenerateRequest",
        [{"input": "a sofa", "output": output} for output in ("storage://shop/a", "storage://shop/a.png")],
        "'storage://shop/",
    ),
    (
        "A video is written to an .mp4 file or a folder (docs.claid.ai)",
        "VideoRequest",
        [{"input": LINK, "options": {"prompt": "it turns"}, "output": "storage://shop/a.mov"}],
        "'.mp4'",
    ),
    (
        "A video's prompt has no names that the contract does not",
        "VideoRequest",
        [{"input": LINK, "options": {"prompt": {"text": "it turns", "seed": 1}}}],
        "is not a parameter of Claid",
    ),
    (
        "Prompts are counted without the blanks around them, of which nothing can be drawn",
        "GenerateRequest",
        [{"input": "     "}, {"input": "  ab\n"}],
        "characters; Claid takes 3 to 1024",
    ),
    (
        "The aspect ratio of an AI edit is model v1's (docs.claid.ai); v2 is Claid's default",
        "AIEditRequest",
        [
            {"input": LINK, "options": {"prompt": "more light", **model, **option}}
            for model in ({}, {"model": "v2"})
            for option in ({"aspect_ratio": "1:1"}, {"aspect_ratio": "16:9", "inference_steps": 9})
        ],
        "works with model v1 only",
    ),
    (
        "Claid writes a prompt, or is given its text (docs.claid.ai)",
        "VideoRequest",
        [{"input": LINK, "options": {"prompt": prompt}} for prompt in WRONG_PROMPTS],
        "generate",
    ),
    (
        "Claid writes a prompt, or is given its text (docs.claid.ai)",
        "SceneRequest",
        [{"object": PRODUCT, "scene": {"prompt": prompt}} for prompt in WRONG_PROMPTS],
        "generate",
    ),
    (
        "A storage's name can stand in storage://NAME/PATH",
        "StorageIn",
        [storage(name=name) for name in ("", " ", "a/b", "a?b", "a@b", " a", "a\n")],
        "storage://NAME/PATH",
    ),
    (
        "A bucket is named without scheme and folder",
        "StorageIn",
        [storage(parameters={**BUCKET, "bucket": bucket}) for bucket in ("s3://b", "b/folder", "id@b")],
        "the bucket's name alone",
    ),
    (
        "A path is a folder in the bucket",
        "StorageIn",
        [storage(parameters={**BUCKET, "path": path}) for path in ("s3://b/a", "../a")],
        "must",
    ),
    (
        "A web folder has a web address",
        "StorageIn",
        [storage(type="web_folder", parameters={"base_url": url}) for url in ("", "ftp://a/", "shop.example/")],
        "https://",
    ),
    (
        "A web folder has no names that the contract does not",
        "StorageIn",
        [storage(type="web_folder", parameters={**WEB_FOLDER, "bucket": "b"})],
        "is not a parameter of Claid",
    ),
    ("A storage's type stays: what is another place is another storage", "StoragePatch", [{"type": "gcs"}], "type"),
    (
        "A key pair is changed as a whole, for one half opens nothing",
        "StoragePatch",
        [{"parameters": {"credentials": half}} for half in ({}, {"access_key": "k"}, {"secret_access_key": "s"})],
        "credentials",
    ),
]


@pytest.mark.parametrize(
    ("kind", "body", "said"),
    [
        pytest.param(kind, body, said, id=f"{kind}: {rule} {number}")
        for rule, kind, refused, said in RULES
        for number, body in enumerate(refused, 1)
    ],
)
def test_the_client_is_stricter_than_the_schema_by_a_rule_that_has_a_reason(
    kind: str, body: dict[str, Any], said: str
) -> None:
    assert KINDS[kind].allows(body)
    with pytest.raises(ClaidValidationError) as caught:
        KINDS[kind].build(body)
    assert said in str(caught.value)


WRITTEN_OTHERWISE: list[tuple[str, str, dict[str, Any], dict[str, Any]]] = [
    (
        "What no URI may hold is encoded in addresses",
        "EditRequest",
        {"input": "https://shop.example/a b/ü%20.png?x=1#y", "operations": {}},
        {"input": "https://shop.example/a%20b/%C3%BC%20.png?x=1#y", "operations": {}},
    ),
    (
        "A whole number may be written as 2.0",
        "EditRequest",
        edit(adjustments={"exposure": 2.0}),
        edit(adjustments={"exposure": 2}),
    ),
    (
        "None is what is not set",
        "EditRequest",
        {**edit(padding=None), "output": None},
        edit(),
    ),
    (
        "A generation says how many images: Claid's own default makes, and charges, 4",
        "GenerateRequest",
        {"input": "a sofa"},
        {"input": "a sofa", "options": {"number_of_images": 1, "guidance_scale": 5.0}},
    ),
    (
        "The blanks around a prompt are cut",
        "AIEditRequest",
        {"input": LINK, "options": {"prompt": "\n more light "}},
        {"input": LINK, "options": {"prompt": "more light"}},
    ),
    (
        "The seconds of a video may be a number",
        "VideoRequest",
        {"input": LINK, "options": {"prompt": "it turns", "duration": 5}},
        {"input": LINK, "options": {"prompt": "it turns", "duration": "5"}},
    ),
    (
        "Fashion options may be left out",
        "FashionRequest",
        {"input": {"clothing": [LINK]}},
        {"input": {"clothing": [LINK]}, "options": {}},
    ),
    (
        "A scene says how many pictures: Claid's own default makes, and charges, 4",
        "SceneRequest",
        {"object": PRODUCT, "scene": SHADOW},
        {"object": PRODUCT, "scene": SHADOW, "output": {"number_of_images": 1}},
    ),
    (
        "A scene's destination becomes an output that can say how many pictures",
        "SceneRequest",
        {"object": PRODUCT, "scene": SHADOW, "output": "storage://shop/a/"},
        {"object": PRODUCT, "scene": SHADOW, "output": {"number_of_images": 1, "destination": "storage://shop/a/"}},
    ),
    (
        "A storage's path has no slashes around it, and Claid's default says the whole bucket",
        "StorageIn",
        storage(parameters={**BUCKET, "path": "/catalogue/"}),
        storage(parameters={**BUCKET, "path": "catalogue"}),
    ),
    (
        "A storage's path is the whole bucket by default",
        "StorageIn",
        storage(),
        storage(parameters={**BUCKET, "path": ""}),
    ),
]


@pytest.mark.parametrize(
    ("kind", "body", "sent"), [pytest.param(*case, id=f"{case[0]}: {rule}") for rule, *case in WRITTEN_OTHERWISE]
)
def test_a_value_is_written_otherwise_by_a_rule_only(kind: str, body: dict[str, Any], sent: dict[str, Any]) -> None:
    assert KINDS[kind].allows(sent)
    assert KINDS[kind].build(body).to_json() == sent


def test_generations_and_storages_are_built_by_their_own_parameters_as_well() -> None:
    generation = GenerateRequest.of("a sofa", number_of_images=2, guidance_scale=7.5, output="storage://shop/a/")
    assert generation == KINDS["GenerateRequest"].build(generation.to_json())
    bucket = StorageIn.of_bucket("shop", type="gcs", bucket="b", access_key="k", secret_access_key="s", path="a")
    web_folder = StorageIn.of_web_folder("shop", "https://shop.example/")
    for made in (bucket, web_folder):
        assert made == KINDS["StorageIn"].build(made.to_json())
    for mismatched in ("web_folder", "ftp"):
        with pytest.raises(ClaidValidationError, match="must be 's3' or 'gcs' for a bucket"):
            StorageIn.of_bucket("shop", type=mismatched, bucket="b", access_key="k", secret_access_key="s")  # type: ignore[arg-type]
    changes = StoragePatch.of(name="shop", bucket="b", access_key="k", secret_access_key="s")
    assert changes == KINDS["StoragePatch"].build(changes.to_json())


@each_kind
def test_the_values_reach_every_part_of_the_contract(kind: str) -> None:
    """A guard on the guards: each name of the schema is in some value, so none is tested by its absence alone."""
    missing = set(names_of(KINDS[kind].schema)) - ({"type"} if kind == "StoragePatch" else set())  # a rule refuses it

    def is_last(body: Any) -> bool:
        missing.difference_update(key for _, key, _ in places(body) if isinstance(key, str))
        return not missing

    until_found = settings(max_examples=2000, phases=[Phase.generate], database=None, derandomize=True)
    with suppress(NoSuchExample):
        find(bodies(kind), is_last, settings=until_found)
    assert missing == set()


def names_of(part: Any) -> Iterator[str]:
    """All names of properties in a schema."""
    if isinstance(part, dict):
        yield from part.get("properties", {}) if isinstance(part.get("type"), str) else ()
    for inner in part.values() if isinstance(part, dict) else part if isinstance(part, list) else ():
        yield from names_of(inner)
