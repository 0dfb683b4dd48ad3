"""The contract, kept: by each request that the client sends, each answer of the sandbox, and each request it may build.

A checker made for the purpose (openapi-core) reads ``tests/contract/openapi.yaml`` and sees the real traffic.
"""

from __future__ import annotations

import io
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import requests
import urllib3
from hypothesis import given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator
from openapi_core import Config, OpenAPI
from openapi_core.contrib.requests import RequestsOpenAPIRequest, RequestsOpenAPIResponse
from openapi_core.templating.paths.exceptions import PathNotFound
from openapi_core.validation.request.exceptions import InvalidRequestBody
from PIL import Image
from requests.adapters import HTTPAdapter

from airflow_claid.client import ClaidClient, ClaidError, ClaidValidationError, EditRequest, GenerateRequest
from airflow_claid.sandbox import Sandbox
from tests.support.schemas import contract, resolved, without_unknown
from tests.unit.client.conftest import ClientOf

CONTRACT: dict[str, Any] = contract()


def octets(value: bytes, **_: str) -> str:
    """A file in a form, read as the contract types it: a string, one character an octet."""
    return value.decode("latin-1")


@cache
def contract_at(server: str) -> OpenAPI:
    """The contract, of a Claid at another address."""
    config = Config(extra_media_type_deserializers={"application/octet-stream": octets})
    return OpenAPI.from_dict({**CONTRACT, "servers": [{"url": server}]}, config=config)


class _CheckingAdapter(HTTPAdapter):
    """Sends, and shows each answer to a check."""

    def __init__(self, check: Callable[[requests.Response], None]) -> None:
        super().__init__()
        self._check = check

    def send(self, *args: Any, **kwargs: Any) -> requests.Response:
        response = super().send(*args, **kwargs)
        content = response.content
        self._check(response)
        response.raw = urllib3.HTTPResponse(io.BytesIO(content), preload_content=False)
        return response


class Checker:
    """Checks an exchange against the contract as it happens, and counts the operations."""

    def __init__(self, server: str) -> None:
        self._contract = contract_at(server)
        self.seen: list[tuple[str, str, int]] = []

    def watch(self, client: ClaidClient) -> ClaidClient:
        """See all that a client sends and gets."""
        client._transport._session._adapter = _CheckingAdapter(self.check)
        return client

    def check(self, response: requests.Response) -> None:
        asked, answered = RequestsOpenAPIRequest(response.request), RequestsOpenAPIResponse(response)
        self._contract.validate_request(asked)
        self._contract.validate_response(asked, answered)
        self.seen.append((asked.method, asked.path, answered.status_code))


@pytest.fixture
def checker(sandbox: Sandbox) -> Checker:
    return Checker(sandbox.url)


@pytest.fixture
def watched(claid: ClaidClient, checker: Checker) -> ClaidClient:
    return checker.watch(claid)


@pytest.fixture
def shop(sandbox: Sandbox, tmp_path: Path) -> str:
    """A connected storage with one picture in it."""
    sandbox.connect_storage("shop", bucket="pictures", path="catalogue", where=tmp_path)
    target = tmp_path / "catalogue" / "chair.png"
    target.parent.mkdir()
    Image.new("RGB", (64, 48), "teal").save(target)
    return "storage://shop"


def test_the_checker_itself_refuses_what_the_contract_does_not_have(checker: Checker, watched: ClaidClient) -> None:
    session = requests.Session()
    session.mount("http://", watched._transport._session._adapter)
    session.auth = watched._transport.auth
    address = f"{watched.base_url}/image/generate"
    with pytest.raises(InvalidRequestBody):
        session.post(address, json={"input": "ab"})
    with pytest.raises(InvalidRequestBody):
        session.post(address, json={"input": "a red bicycle", "options": {"seed": 1}})
    with pytest.raises(PathNotFound):
        session.get(f"{watched.base_url}/image/nothing")
    assert checker.seen == []


def test_every_operation_of_the_client_keeps_to_the_contract_and_so_do_its_answers(
    sandbox: Sandbox, checker: Checker, watched: ClaidClient, shop: str
) -> None:
    number = watched.list_storages()[0].id
    watched.get_storage(number)
    watched.list_storage_types()
    link = watched.generate_image("a red bicycle", number_of_images=4, guidance_scale=49.9).output[0].tmp_url or ""
    watched.generate_image("x" * 1024, output=f"{shop}/spring/")
    watched.edit_image(link, {"resizing": {"width": 64, "fit": {"type": "crop", "crop": "smart"}}})
    watched.edit_image(f"{shop}/chair.png", {"adjustments": {"hdr": 10}}, output=f"{shop}/edited/")
    sandbox.change(job_seconds=0.0)
    job = watched.submit_edit(f"{shop}/chair.png", {"resizing": {"width": "50%"}})
    failing = watched.submit_edit(f"{shop}/gone.png", {"resizing": {"width": "50%"}})
    for submitted in (job, failing):
        for _ in range(1000):
            if watched.get_edit(submitted.id).status in ("DONE", "ERROR"):
                break
    target = io.BytesIO()
    Image.new("RGB", (64, 48), "teal").save(target, "PNG")
    watched.upload_and_edit(
        target.getvalue(), {"resizing": {"width": 32}}, filename="chair.png", output={"format": "png"}
    )
    form = sandbox.ledger("upload_and_edit")[0].request
    schema("EditRequest").validate({"input": "https://uploaded", **form})
    operations = {(method, path.rpartition("/")[0] if path[-1].isdigit() else path) for method, path, _ in checker.seen}
    assert operations == {
        ("post", "/v1/image/generate"),
        ("post", "/v1/image/edit"),
        ("post", "/v1/image/edit/async"),
        ("get", "/v1/image/edit/async"),
        ("post", "/v1/image/edit/upload"),
        ("get", "/v1/storage/storage-types"),
        ("get", "/v1/storage/storages"),
    }
    assert {status for _, _, status in checker.seen} == {200}
    assert len(checker.seen) == len(sandbox.ledger())


def test_errors_keep_to_the_contract(sandbox: Sandbox, checker: Checker, client_of: ClientOf) -> None:
    sandbox.add_key("scopeless", scopes=set())
    sandbox.add_key("poor", credits=0)
    for key in ("nobodys", "scopeless", "poor", sandbox.api_key):
        client = checker.watch(client_of(sandbox.url, key))
        calls: list[Callable[[], object]] = [
            lambda client=client: client.generate_image("a red bicycle", output="storage://nobody/a/"),  # type: ignore[misc]
            lambda client=client: client.edit_image("storage://nobody/a.png", {"resizing": {"width": 9}}),  # type: ignore[misc]
            lambda client=client: client.get_edit(999),  # type: ignore[misc]
            lambda client=client: client.get_storage(999),  # type: ignore[misc]
        ]
        for call in calls:
            with pytest.raises(ClaidError):
                call()
    sandbox.fault("500", count=2)
    for call in calls[:2]:
        with pytest.raises(ClaidError):
            call()
    assert {status for _, _, status in checker.seen} == {400, 401, 402, 403, 404, 500}


OPTIONS_OF_EVERY_KIND: list[tuple[dict[str, Any], Any]] = [
    ({"restorations": {"decompress": "auto", "polish": True, "upscale": "faces"}, "resizing": {"width": "200%"}}, None),
    ({"restorations": {"upscale": {"type": "photo", "version": "2"}}, "resizing": {"height": 90}}, {"format": "png"}),
    ({"adjustments": {"hdr": {"intensity": 50, "stitching": True}, "exposure": -100, "saturation": 100}}, None),
    ({"background": {"remove": True, "color": "#fff"}}, {"format": {"type": "png", "compression": "best"}}),
    (
        {
            "background": {
                "remove": {"clipping": True, "selective": {"object_to_keep": "chair"}, "category": "products"}
            }
        },
        {"format": {"type": "webp", "compression": "lossless"}},
    ),
    (
        {"background": {"blur": {"type": "lens", "level": "high", "category": "cars"}}},
        {"format": {"type": "webp", "compression": {"type": "lossy", "quality": 1}}},
    ),
    ({"background": {"blur": True, "color": "transparent"}}, {"metadata": {"dpi": 300, "color_space": "RGB"}}),
    ({"resizing": {"width": 90, "height": 90, "fit": "outpaint"}}, {"format": "tiff"}),
    ({"resizing": {"fit": {"type": "outpaint", "feathering": "15%", "outpaint_by": "10%"}}}, {"format": "webp"}),
    (
        {"resizing": {"width": 90, "fit": {"type": "canvas"}}, "padding": "10%"},
        {"format": {"type": "jpeg", "quality": 9}},
    ),
    ({"privacy": {"blur_car_plate": True, "identity_crop": False}}, {"metadata": {"color_space": {"type": "CMYK"}}}),
    ({}, None),
]


@pytest.mark.parametrize(("operations", "output"), OPTIONS_OF_EVERY_KIND)
def test_every_kind_of_operation_and_output_is_of_the_contract_and_taken(
    checker: Checker, watched: ClaidClient, shop: str, operations: dict[str, Any], output: Any
) -> None:
    watched.edit_image(f"{shop}/chair.png", operations, output=output)
    assert checker.seen == [("post", "/v1/image/edit", 200)]


def schema(name: str) -> Draft202012Validator:
    return Draft202012Validator({"$ref": f"#/components/schemas/{name}", "components": CONTRACT["components"]})


GENERATE, EDIT = schema("GenerateRequest"), schema("EditRequest")

near_limits = st.sampled_from([-101, -100, -1, 0, 1, 2, 3, 4, 5, 49, 50, 99, 100, 101])
numbers = near_limits | near_limits.map(float) | st.floats() | st.sampled_from([0.5, 1.0, 49.999, 1e300])
texts = st.text(max_size=8) | st.sampled_from(
    ["", "ab", "abc", "x" * 127, "x" * 129, "x" * 1024, "x" * 1025, "a " * 513]
)
scalars = st.none() | st.booleans() | numbers | texts
anything = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=4), inner, max_size=2),
    max_leaves=4,
)
addresses = st.sampled_from(
    [
        "storage://shop/spring/",
        "storage://shop/spring",
        "storage://shop/a.png",
        "storage://",
        "://",
        "/",
        "",
        "spring/",
        "https://a/" + "x" * 4086,
        "https://a/" + "x" * 4087,
    ]
)


def from_schema(part: dict[str, Any]) -> st.SearchStrategy[Any]:
    """Values that mostly fit a part of the contract, and now and then do not."""
    if "$ref" in part:
        return from_schema(CONTRACT["components"]["schemas"][part["$ref"].rpartition("/")[2]])
    if "anyOf" in part:
        fitting = st.one_of([from_schema(member) for member in part["anyOf"]])
    elif "enum" in part:
        fitting = st.sampled_from(part["enum"])
    elif part["type"] == "object":
        names = part.get("properties", {})
        fitting = st.fixed_dictionaries(
            {name: from_schema(names[name]) for name in part.get("required", [])},
            optional={name: from_schema(names[name]) for name in names if name not in part.get("required", [])},
        )
    else:
        fitting = {
            "boolean": st.booleans(),
            "integer": near_limits | near_limits.map(float),
            "number": numbers,
            "string": addresses
            if part.get("format") == "uri"
            else texts | st.sampled_from(["auto", "200%", "#fff", "15%"]),
        }[part["type"]]
    return st.integers(0, 24).flatmap(lambda chance: fitting if chance else anything)


@settings(max_examples=400)
@given(
    prompt=texts | anything,
    number_of_images=numbers | scalars,
    guidance_scale=numbers | scalars,
    output=st.none() | addresses | anything,
)
def test_a_generation_is_refused_or_of_the_contract(
    prompt: Any, number_of_images: Any, guidance_scale: Any, output: Any
) -> None:
    try:
        request = GenerateRequest.of(
            prompt, number_of_images=number_of_images, guidance_scale=guidance_scale, output=output
        )
    except ClaidValidationError:
        return
    body = request.to_json()
    GENERATE.validate(body)
    assert body["input"] == prompt.strip()
    assert body["options"] == {"number_of_images": number_of_images, "guidance_scale": guidance_scale}
    assert body.get("output") == output


@settings(max_examples=400)
@given(body=from_schema(CONTRACT["components"]["schemas"]["GenerateRequest"]))
def test_a_generation_that_the_contract_refuses_is_refused_here(body: Any) -> None:
    if not isinstance(body, dict) or GENERATE.is_valid(body):
        return
    options = body.get("options", {})
    known = {"number_of_images", "guidance_scale"}
    if set(body) - {"input", "options", "output"} or not isinstance(options, dict) or set(options) - known:
        return
    given_none = body.get("output") is None
    stripped = isinstance(body.get("input"), str) and body["input"] != body["input"].strip()
    if stripped or ("output" in body and given_none):
        return
    with pytest.raises(ClaidValidationError):
        GenerateRequest.of(body.get("input"), output=body.get("output"), **options)  # type: ignore[arg-type]


OPERATIONS = resolved(CONTRACT["components"]["schemas"]["Operations"], CONTRACT["components"]["schemas"])


def without_none(value: Any) -> Any:
    """A body as it is sent: what is None is not set."""
    if isinstance(value, dict):
        return {name: without_none(item) for name, item in value.items() if item is not None}
    return value


@settings(max_examples=800)
@given(body=from_schema(CONTRACT["components"]["schemas"]["EditRequest"]))
def test_an_edit_is_refused_or_of_the_contract_and_refused_if_the_contract_refuses_it(body: Any) -> None:
    if not isinstance(body, dict) or set(body) - {"input", "operations", "output"}:
        return
    arguments = {"input": None, "operations": None, **body}
    try:
        sent = EditRequest.of(**arguments).to_json()
    except ClaidValidationError:
        return
    meant = without_none(body)
    for one in (sent, meant):
        EDIT.validate({**one, "operations": without_unknown(one["operations"], OPERATIONS)})
    assert without_none(sent) == meant  # what is unknown is sent as it is written, with its nulls


def test_the_properties_above_meet_both_what_is_taken_and_what_is_refused() -> None:
    """A guard on the guards: edits that the strategy makes are of both kinds, and reach deep."""
    taken: list[dict[str, Any]] = []
    refused: list[Any] = []

    @settings(max_examples=300, database=None, derandomize=True)
    @given(body=from_schema(CONTRACT["components"]["schemas"]["EditRequest"]))
    def sort(body: Any) -> None:
        if not isinstance(body, dict) or not EDIT.is_valid(body):
            refused.append(body)
            return
        try:
            taken.append(EditRequest.of(**body).to_json())
        except ClaidValidationError:
            refused.append(body)

    sort()
    assert len(taken) > 20
    assert len(refused) > 20
    assert any(body["operations"] for body in taken)
