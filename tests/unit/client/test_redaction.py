from __future__ import annotations

import json
import logging

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_claid.client.redaction import Redactor, passwords_in, protect_library_logs, without_queries
from tests.support.secret_forms import FORMS, gives_away

KEY = "cl-0123456789-never-to-be-seen"
PASSWORD = "Pr0xy-pass/word"
LINK = "https://dl.claid.ai/a/b%20c.png?X-Goog-Signature=abc%2Fdef&Expires=1"


@pytest.mark.parametrize("secret", [KEY, PASSWORD])
@pytest.mark.parametrize("form", FORMS)
def test_a_secret_in_any_form_is_not_shown(secret: str, form: str) -> None:
    redact = Redactor(KEY, PASSWORD)
    shown = redact(f"before {FORMS[form](secret)} after")
    assert not gives_away(shown, secret)
    assert shown.startswith("before ")
    assert shown.endswith(" after")
    assert "***" in shown


@pytest.mark.parametrize("form", FORMS)
def test_an_answer_that_repeats_a_secret_keeps_everything_else(form: str) -> None:
    answer = json.dumps({"data": {"id": 7, "tmp_url": LINK, "status": FORMS[form](KEY)}}).encode()
    content = Redactor(KEY).content(answer)
    assert not gives_away(content.decode(), KEY)
    assert json.loads(content)["data"]["tmp_url"] == LINK
    assert json.loads(content)["data"]["id"] == 7


@given(st.binary(max_size=300))
def test_an_answer_without_a_secret_stays_as_it_came(content: bytes) -> None:
    assert Redactor(KEY, PASSWORD).content(content) == content


@given(st.text(max_size=300), st.text(max_size=40))
def test_no_text_and_no_secret_raises(text: str, secret: str) -> None:
    Redactor(secret)(text).encode()
    Redactor(secret).content(text.encode("utf-8", "surrogatepass"))


@given(before=st.text(max_size=20), after=st.text(max_size=20), form=st.sampled_from(sorted(FORMS)))
def test_what_stands_beside_a_secret_does_not_bring_it_back(before: str, after: str, form: str) -> None:
    assert KEY not in Redactor(KEY)(f"{before} {FORMS[form](KEY)} {after}")


@pytest.mark.parametrize(
    "text", ["http://" * 100_000, "a." * 300_000, "<" * 500_000, "%25" * 200_000, "?" * 500_000, KEY * 20_000]
)
def test_a_long_hostile_text_is_cut_and_redacted(text: str) -> None:
    shown = Redactor(KEY)(text)
    assert len(shown) <= 10_000
    assert not gives_away(shown, KEY)


def test_a_short_password_is_hidden_where_it_stands_as_it_is() -> None:
    redact = Redactor("p@ss", "hunter")
    assert redact("login with p@ss or p%40ss or HUNTER failed") == "login with *** or *** or *** failed"
    assert redact("pass the hunt") == "pass the hunt"


def test_a_word_that_may_stand_in_a_link_by_chance_leaves_answers_alone() -> None:
    content = b'{"tmp_url": "https://storage.googleapis.com/production-leapi-tmp-public/a.png"}'
    assert Redactor("public", "googleapis").content(content) == content


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        (f"cannot fetch {LINK}.", "cannot fetch https://dl.claid.ai/a/b%20c.png?…"),
        ("http://h/a#access_token=x y", "http://h/a?… y"),
        ("storage://shop/a.png?sig=x", "storage://shop/a.png?…"),
        ('"GET /a.png?X-Amz-Signature=abc HTTP/1.1" 200', '"GET /a.png?… HTTP/1.1" 200'),
        ("https%3A%2F%2Fh%2Fa%3Fsig%3Dx", "https%3A%2F%2Fh%2Fa?…"),
        ("https:\\/\\/h\\/a?sig=x", "https:\\/\\/h\\/a?…"),
        ("https://h/a\\u003fsig=x", "https://h/a?…"),
        ("which one? that=this", "which one? that=this"),
        ("https://h/a.png", "https://h/a.png"),
    ],
)
def test_the_query_of_a_link_is_never_shown(text: str, shown: str) -> None:
    assert without_queries(text) == shown
    assert Redactor(KEY)(text) == shown


@pytest.mark.parametrize(
    "text",
    ["http://user:s3cr3t@proxy:3128", "https://s3cr3t@h/a", "socks5h://u:s3cr3t@h", "redis://:s3cr3t@h/0"],
)
def test_a_login_is_never_shown(text: str) -> None:
    shown = Redactor(KEY)(f"Failed to parse: {text}")
    assert "s3cr3t" not in shown
    assert "@" not in shown


def test_passwords_are_found_in_addresses_however_they_are_written() -> None:
    addresses = ["http://user:p%40ss%2Fword@proxy:3128", "https://u:a/b@c@host", "http://proxy:3128", "u:w@h"]
    assert passwords_in(addresses) == {"p%40ss%2Fword", "p@ss/word", "a/b@c", "w"}


def test_a_line_is_printable_and_short() -> None:
    line = Redactor(KEY).line(f"a\r\n\x1b[31mb\u2028c\ud800 {KEY} " + "d" * 900)
    assert line.startswith("a [31mb c? *** ddd")
    assert len(line) == 301


def test_what_urllib3_logs_is_redacted_at_all_levels_and_its_loggers_stay_as_they_are(
    caplog: pytest.LogCaptureFixture,
) -> None:
    redactor = Redactor(KEY)
    protect_library_logs()
    logger = logging.getLogger("urllib3.connectionpool")
    level, handlers = logger.level, list(logger.handlers)
    protect_library_logs()
    assert (logger.level, logger.handlers) == (level, handlers)
    with caplog.at_level(logging.DEBUG):
        logger.debug('%s://%s "%s %s" %s', "https", "h", "GET", "/a.png?X-Amz-Signature=abc", KEY)
        try:
            int(KEY)
        except ValueError:
            logger.warning("Failed to parse headers (url=%s)", LINK, exc_info=True)
        logger.debug("%d", "not a number")
    first, second, third = caplog.records
    assert first.getMessage() == 'https://h "GET /a.png?…" ***'
    assert "Signature" not in caplog.text
    assert "ValueError: invalid literal for int() with base 10: '***'" in (second.exc_text or "")
    assert third.getMessage() == "(a message that cannot be shown: TypeError)"
    assert not gives_away(caplog.text, KEY)
    assert repr(redactor) == "Redactor(***)"
