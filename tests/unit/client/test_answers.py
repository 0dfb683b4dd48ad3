from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_claid.client import (
    BatchEditRequest,
    ClaidAuthenticationError,
    ClaidClient,
    ClaidCreditsError,
    ClaidError,
    ClaidRateLimitError,
    ClaidRequestError,
    ClaidScopeError,
    ClaidServerError,
)
from airflow_claid.client.answers import Problem, error_for
from airflow_claid.sandbox import Sandbox
from tests.support.scripted_server import Reply, ScriptedServer, as_json
from tests.unit.client.conftest import ClientOf

NGINX = (
    b"<html>\n<head><title>502 Bad Gateway</title><style>h1 {color: red}</style></head>\n"
    b"<body><center><h1>502 Bad Gateway</h1></center><hr><center>nginx</center></body>\n</html>\n"
)


def envelope(code: str, message: str, details: dict[str, list[str]] | None = None) -> dict[str, Any]:
    return {"error_code": code, "error_type": "general", "error_message": message, "error_details": details or {}}


@pytest.mark.parametrize(
    ("status", "body", "kind", "code", "told_to"),
    [
        (400, envelope("1001", "The object cannot be fetched."), ClaidRequestError, "1001", "cannot be fetched"),
        (401, envelope("111", "Authorization is required."), ClaidAuthenticationError, "111", "connection's password"),
        (402, envelope("3001", "No API calls left."), ClaidCreditsError, "3001", "buy credits"),
        (
            403,
            envelope("112", "Not enough permissions."),
            ClaidScopeError,
            "112",
            "the scope 'Image editing', or 'Admin'",
        ),
        (404, envelope("1004", "Not found."), ClaidRequestError, "1004", "Not found"),
        (409, envelope("1009", "Conflict."), ClaidRequestError, "1009", "Conflict"),
        (
            500,
            envelope("1000", "Temporary error."),
            ClaidServerError,
            "1000",
            "Claid, or a proxy in front of it, failed",
        ),
    ],
)
def test_an_envelope_becomes_the_error_of_its_status(
    told: ClaidClient,
    scripted: ScriptedServer,
    status: int,
    body: dict[str, Any],
    kind: type[ClaidError],
    code: str,
    told_to: str,
) -> None:
    scripted.replies(as_json(body, status, x_request_id="r-42"))
    with pytest.raises(ClaidError) as caught:
        told.generate_image("a red bicycle")
    error = caught.value
    assert type(error) is kind
    assert (error.status, error.error_code, error.request_id) == (status, code, "r-42")
    assert error.may_have_been_charged is (status == 500)
    assert error.retryable is (status == 500)
    for part in ("generate_image", str(status), body["error_message"], "r-42", told_to):
        assert part in str(error)
    assert len(scripted.received) == 1


def test_a_validation_error_tells_each_field(told: ClaidClient, scripted: ScriptedServer) -> None:
    details = {"options.number_of_images": ["must be at most 4", "must be whole"], "input": ["too short"]}
    scripted.replies(as_json(envelope("9000", "Validation error.", details), 422))
    with pytest.raises(ClaidRequestError) as caught:
        told.generate_image("a red bicycle")
    assert caught.value.details == details
    assert caught.value.error_code == "9000"
    assert "options.number_of_images: must be at most 4, must be whole" in str(caught.value)


def test_fastapis_validation_error_is_read_too(told: ClaidClient, scripted: ScriptedServer) -> None:
    detail = [
        {"loc": ["path", "task_id"], "msg": "value is not a valid integer", "type": "int_parsing"},
        {"loc": ["path", "task_id"], "msg": "too large", "type": "int_size"},
        {"loc": ["query", 0], "msg": "extra", "type": "extra"},
    ]
    scripted.replies(as_json({"detail": detail}, 422))
    with pytest.raises(ClaidRequestError) as caught:
        told.get_edit(1)
    assert caught.value.details == {"path.task_id": ["value is not a valid integer", "too large"], "query.0": ["extra"]}
    assert caught.value.error_code is None
    assert caught.value.status == 422


def test_a_429s_envelope_is_found_under_detail(scripted: ScriptedServer, client_of: ClientOf) -> None:
    reply = as_json({"detail": envelope("2001", "Too many requests.")}, 429, RateLimit_Reset="17", x_request_id="r-9")
    scripted.replies(reply)
    with pytest.raises(ClaidRateLimitError) as caught:
        client_of(scripted.url, max_wait=0).generate_image("a red bicycle")
    error = caught.value
    assert (error.status, error.error_code, error.request_id, error.retry_after) == (429, "2001", "r-9", 17.0)
    assert error.retryable
    assert not error.may_have_been_charged


def test_a_proxys_html_is_told_in_one_line(told: ClaidClient, scripted: ScriptedServer) -> None:
    scripted.replies(Reply(502, NGINX, {"Content-Type": "text/html"}))
    with pytest.raises(ClaidServerError) as caught:
        told.generate_image("a red bicycle")
    assert "502 Bad Gateway nginx" in str(caught.value)
    assert "<" not in str(caught.value)
    assert "color" not in str(caught.value)
    assert (caught.value.status, caught.value.error_code, caught.value.request_id) == (502, None, None)
    assert caught.value.may_have_been_charged


def test_a_long_page_is_cut(told: ClaidClient, scripted: ScriptedServer) -> None:
    scripted.replies(Reply(503, b"<p>" + b"sorry " * 10_000, {"Content-Type": "text/html"}))
    with pytest.raises(ClaidServerError) as caught:
        told.generate_image("a red bicycle")
    assert len(str(caught.value)) < 500


def test_an_error_without_a_body_is_told(told: ClaidClient, scripted: ScriptedServer) -> None:
    scripted.replies(Reply(504))
    with pytest.raises(ClaidServerError, match="504: the answer had no text"):
        told.generate_image("a red bicycle")


@pytest.mark.parametrize("status", [301, 302, 307, 308])
def test_a_redirect_is_an_error_and_is_not_followed(told: ClaidClient, scripted: ScriptedServer, status: int) -> None:
    scripted.replies(Reply(status, headers={"Location": f"{scripted.url}/elsewhere"}))
    with pytest.raises(ClaidRequestError, match="check the base URL") as caught:
        told.generate_image("a red bicycle")
    assert caught.value.status == status
    assert [request.path for request in scripted.received] == ["/v1/image/generate"]


def test_the_scope_that_is_missing_is_named(sandbox: Sandbox, client_of: ClientOf) -> None:
    sandbox.add_key("only-storage", scopes={"storage"})
    sandbox.add_key("only-editing", scopes={"image_editing"})
    with pytest.raises(ClaidScopeError, match="the scope 'Image editing', or 'Admin'"):
        client_of(sandbox.url, "only-storage").generate_image("a red bicycle")
    with pytest.raises(ClaidScopeError, match="the scope 'Storage', or 'Admin'"):
        client_of(sandbox.url, "only-editing").list_storages()


def test_an_empty_purse_and_an_unknown_key_are_told_apart(sandbox: Sandbox, client_of: ClientOf) -> None:
    sandbox.add_key("poor", credits=1)
    with pytest.raises(ClaidCreditsError):
        client_of(sandbox.url, "poor").generate_image("a red bicycle", number_of_images=2)
    with pytest.raises(ClaidAuthenticationError):
        client_of(sandbox.url, "nobodys").generate_image("a red bicycle")
    assert sandbox.charged() == 0
    assert [entry.status for entry in sandbox.ledger()] == [402, 401]


REFUSALS = {*range(400, 418), 421, 422, 423, 424, 426, 428, 429, 431, 451} - {408}


@pytest.mark.parametrize("status", [100, 101, 199, 408, 418, 425, 444, 460, 499, 500, 502, 504, 520, 524, 599, 999])
def test_what_does_not_say_that_claid_refused_may_have_been_charged(status: int) -> None:
    error = error_for(
        status, Problem("no"), operation="generate_image", scope="image_editing", request_id=None, reset=None
    )
    assert type(error) is ClaidServerError
    assert error.may_have_been_charged
    assert error.retryable


@pytest.mark.parametrize("status", [400, 402, 403, 422, 429, 500])
def test_out_of_credits_is_known_by_its_type_whatever_the_status(
    told: ClaidClient, scripted: ScriptedServer, status: int
) -> None:
    body = {"error_code": "77", "error_type": "Billing", "error_message": "Nothing left."}
    for form in (body, {"detail": body}):
        scripted.replies(as_json(form, status))
        with pytest.raises(ClaidCreditsError, match="buy credits") as caught:
            told.generate_image("a red bicycle")
        assert not caught.value.may_have_been_charged
        assert not caught.value.retryable


def test_a_403_on_a_batch_may_mean_that_the_account_has_none(told: ClaidClient, scripted: ScriptedServer) -> None:
    scripted.replies(as_json(envelope("112", "Not enough permissions."), 403))
    request = BatchEditRequest.of("storage://shop/in/", {"resizing": {"width": 9}}, "storage://shop/out/")
    with pytest.raises(ClaidScopeError, match=r"no batch editing, which Claid's support enables.*'Image editing'"):
        told.submit_batch_edit(request)


def test_no_scope_is_named_that_the_dashboard_does_not_offer(told: ClaidClient, scripted: ScriptedServer) -> None:
    scripted.replies(as_json(envelope("112", "Not enough permissions."), 403))
    for call in (lambda: told.get_video(1), lambda: told.get_ai_edit(1), told.list_storages):
        with pytest.raises(ClaidScopeError, match="'Admin'") as caught:
            call()
        assert "_generation" not in str(caught.value)
        assert "image_editing" not in str(caught.value)


def test_a_refusal_that_is_nested_beyond_reason_or_not_utf_8_is_still_told(
    told: ClaidClient, scripted: ScriptedServer
) -> None:
    bodies = [
        b'{"detail": ' * 200_000 + b"1" + b"}" * 200_000,
        b"[" * 900 + b"]" * 900,
        b'{"error_message": ' + b"[" * 900 + b"]" * 900 + b"}",
        b'\xef\xbb\xbf{"error_message": "no"}',
        '{"error_message": "no"}'.encode("utf-16"),
        b'{"error_message": "\\ud800 \\u001b[31m"}',
        b"\xff\xfe\x00",
    ]
    for body in bodies:
        scripted.replies(Reply(422, body, {"Content-Type": "application/json"}))
        with pytest.raises(ClaidRequestError, match="answered 422") as caught:
            told.generate_image("a red bicycle")
        assert str(caught.value).encode()
        assert "\x1b" not in str(caught.value)
        assert len(str(caught.value)) < 600


json_values = st.recursive(
    st.none() | st.booleans() | st.floats() | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["detail", "loc", "msg", "error_message", "error_code", "error_details", "x"]),
            inner,
            max_size=4,
        )
    ),
    max_leaves=12,
)


@given(body=json_values, text=st.text(max_size=400), status=st.integers(300, 599))
def test_whatever_an_error_says_an_error_of_ours_comes_of_it(body: object, text: str, status: int) -> None:
    problem = Problem.from_body(body, text)
    error = error_for(status, problem, operation="edit_image", scope="image_editing", request_id=None, reset=None)
    assert error.status == status
    assert f"edit_image answered {status}" in str(error)
    no_credits = problem.is_about_credits and status >= 400
    assert error.may_have_been_charged is (not no_credits and status not in REFUSALS and status >= 400)
    assert all(isinstance(said, str) for messages in error.details.values() for said in messages)
