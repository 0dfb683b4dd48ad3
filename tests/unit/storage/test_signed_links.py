"""Links that are signed anew are the same picture; nothing that opens a bucket is shown or kept."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from airflow_claid.client.text import shortened
from airflow_claid.storage.signed_links import is_signed, shown, shown_in, unsigned

CASES = json.loads((Path(__file__).parents[2] / "data" / "cases" / "links_signed_twice.json").read_text("utf-8"))
LOGIN = CASES["a login that must be kept nowhere"]
SIGNED_TWICE = [
    *CASES["same picture"],
    (
        "https://b.s3.amazonaws.com/1.jpg?X-Amz-Algorithm=A&X-Amz-Date=1&X-Amz-Security-Token=t&X-Amz-Signature=aa",
        "https://b.s3.amazonaws.com/1.jpg?X-Amz-Algorithm=A&X-Amz-Date=2&X-Amz-Security-Token=u&X-Amz-Signature=bb",
    ),
    ("https://b.test/1.jpg?AWSAccessKeyId=K&Signature=aa&Expires=1", "https://b.test/1.jpg?Signature=b&Expires=2"),
    ("https://g.test/1.jpg?X-Goog-Date=1&X-Goog-Signature=aa", "https://g.test/1.jpg?X-Goog-Date=2&X-Goog-Signature=b"),
    ("https://g.test/1.jpg?GoogleAccessId=G&Expires=1&Signature=aa", "https://g.test/1.jpg?Expires=2&Signature=bb"),
    (
        "https://a.blob.core.windows.net/c/1.jpg?sv=1&se=1&sr=b&sp=r&skt=1&ske=1&sig=aa",
        "https://a.blob.core.windows.net/c/1.jpg?sv=2&se=2&sr=b&sp=r&skt=2&ske=2&sig=bb",
    ),
    ("https://azure.shop.test/c/1.jpg?sv=1&se=1&sp=r&sig=aa", "https://azure.shop.test/c/1.jpg?sv=2&se=2&sp=r&sig=bb"),
    ("https://o.test/1.jpg?OSSAccessKeyId=K&Signature=aa&Expires=1", "https://o.test/1.jpg?Signature=bb&Expires=2"),
    (
        "https://o.test/1.jpg?x-oss-date=1&x-oss-signature=aa&x-oss-process=image/resize,w_9",
        "https://o.test/1.jpg?x-oss-date=2&x-oss-signature=bb&x-oss-process=image/resize,w_9",
    ),
    ("https://c.test/1.jpg?q-ak=K&q-key-time=1;2&q-signature=aa", "https://c.test/1.jpg?q-key-time=3;4&q-signature=bb"),
    ("https://a.test/1.jpg?hdnea=st=1~exp=2~acl=/*~hmac=aa", "https://a.test/1.jpg?hdnea=st=3~exp=4~acl=/*~hmac=bb"),
    ("https://a.test/1.jpg?__token__=exp=1~hmac=aa", "https://a.test/1.jpg?__token__=exp=2~hmac=bb"),
    ("https://a.test/1.jpg?shoptoken=exp=1~hmac=aa", "https://a.test/1.jpg?shoptoken=exp=2~hmac=bb"),
    (
        "https://b.test/1.jpg?token=aa&token_path=/p/&expires=1",
        "https://b.test/1.jpg?token=bb&token_path=/p/&expires=2",
    ),
    (
        "https://b.test/bcdn_token=aa&expires=1&token_path=%2Fp/p/1.jpg",
        "https://b.test/bcdn_token=bb&expires=2&token_path=%2Fp/p/1.jpg",
    ),
    ("https://n.test/1.jpg?md5=aa&expires=1", "https://n.test/1.jpg?md5=bb&expires=2"),
    ("https://x.test/asset/7?access_token=aa", "https://x.test/asset/7?access_token=bb"),
    ("https://x.test/asset/7?API_KEY=aa", "https://x.test/asset/7?API_KEY=bb"),
    ("https://x.test/asset/7?apikey=aa&w=9", "https://x.test/asset/7?apikey=bb&w=9"),
    ("https://x.test/p/1.jpg?key=aa", "https://x.test/p/1.jpg?key=bb"),
    ("https://x.test/render?file=1.jpg&token=aa", "https://x.test/render?file=1.jpg&token=bb"),
    ("https://x.test/asset/7?sig=aa", "https://x.test/asset/7?sig=bb"),
    (LOGIN, LOGIN.replace("secret", "another")),
]
DIFFERENT = [
    ("https://x.test/p?id=1", "https://x.test/p?id=2"),
    ("https://x.test/p?id=1&access_token=t", "https://x.test/p?id=2&access_token=t"),
    ("https://x.test/get?key=a.jpg", "https://x.test/get?key=b.jpg"),
    ("https://x.test/thumb.jpg?key=a.jpg", "https://x.test/thumb.jpg?key=b.jpg"),
    ("https://x.test/share?token=aa", "https://x.test/share?token=bb"),
    ("https://x.test/share?token=aa&expires=1", "https://x.test/share?token=bb&expires=1"),
    ("https://x.test/p/1.jpg?s=200", "https://x.test/p/1.jpg?s=400"),
    ("https://x.test/p/1.jpg?s=small", "https://x.test/p/1.jpg?s=large"),
    ("https://x.test/p/1.jpg?expires=1", "https://x.test/p/1.jpg?expires=2"),
    ("https://x.test/p?first&access_token=t", "https://x.test/p?second&access_token=t"),
    ("https://o.test/1.jpg?x-oss-process=a&Signature=s", "https://o.test/1.jpg?x-oss-process=b&Signature=s"),
    ("https://x.test/1.jpg?Signature=s", "https://x.test/2.jpg?Signature=s"),
    ("https://one:p@x.test/1.jpg", "https://one:p@y.test/1.jpg"),
]
SECRETS = ("AAA", "BBB", "secret", "dam:", "hmac", "=aa", "=bb", "Signature=")


@pytest.mark.parametrize(("link", "again"), SIGNED_TWICE)
def test_a_link_that_is_signed_anew_is_the_same_picture(link: str, again: str) -> None:
    assert is_signed(link)
    assert unsigned(link) == unsigned(again)
    assert shown(link) == shown(again)
    for form in (unsigned(link), shown(link), shortened(shown(link))):
        assert not [secret for secret in SECRETS if secret in form]


@pytest.mark.parametrize(("link", "other"), DIFFERENT)
def test_links_of_different_pictures_stay_different(link: str, other: str) -> None:
    assert unsigned(link) != unsigned(other)
    assert shown(link) != shown(other)


@pytest.mark.parametrize(
    "link",
    [
        "https://shop.example/photo.png",
        "https://shop.example/photo.png?w=800&fit=crop",
        "https://shop.example/get?id=7&empty=&flag#part",
        "https://shop.example/a%20b.png?q=a+b%2Fc&expires=1",
        "http://127.0.0.1:9000/a.png?s=200",
    ],
)
def test_a_link_without_signature_and_login_stays_as_it_is(link: str) -> None:
    assert unsigned(link) == link
    assert not is_signed(link)


@pytest.mark.parametrize(
    ("link", "same"),
    [
        ("https://b.test/1.jpg?X-Amz-Signature=0", "https://b.test/1.jpg"),
        ("https://b.test/1.jpg?versionId=3&X-Amz-Date=1&X-Amz-Signature=0", "https://b.test/1.jpg?versionId=3"),
        (
            "https://b.test/1.jpg?response-content-type=a/b&Signature=s",
            "https://b.test/1.jpg?response-content-type=a%2Fb",
        ),
    ],
)
def test_what_was_paid_by_a_link_of_a_bucket_is_found_as_before(link: str, same: str) -> None:
    assert unsigned(link) == same


def test_of_a_query_that_is_not_known_a_digest_is_shown() -> None:
    link = "https://shop.example/get?id=7&ticket=OPENSESAME"
    address, _, digest = shown(link).partition("?sha256:")
    assert address == "https://shop.example/get"
    assert len(digest) == 16
    assert shown(shown(link)) == shown(link)
    assert "OPENSESAME" not in shown(link)
    assert shown("https://shop.example/a.png#access_token=OPENSESAME").startswith("https://shop.example/a.png?sha256:")


def test_a_user_names_other_parts_that_do_not_say_which_picture_is_meant() -> None:
    links = [f"https://shop.example/get?id=7&Session={session}&tenant=t" for session in "ab"]
    assert unsigned(links[0]) != unsigned(links[1])
    assert {unsigned(link, ("session",)) for link in links} == {"https://shop.example/get?id=7&tenant=t"}


@pytest.mark.parametrize(
    "path", ["s3://me@bucket/a?X-Amz-Signature=0.png", "storage://shop/a.png", "file:///a?b.png", ""]
)
def test_an_address_that_is_no_link_is_shown_as_it_is(path: str) -> None:
    assert shown(path) == path
    assert not is_signed(path)


def test_what_is_no_link_in_the_end_is_shown_without_its_secrets_all_the_same() -> None:
    for link in ("https://[::1/a.png?sig=SESAME", "https://dam:SESAME@[/a.png", "https://x.test:port/a?token=SESAME"):
        assert "SESAME" not in shown(link)


def test_the_links_in_a_body_are_shown_wherever_they_stand() -> None:
    link, prompt = "https://x.test/a?t=SESAME", "draw https://x.test/a?t=1 in red"
    assert shown_in({"input": [LOGIN, {"address": link, "version": None}], "prompt": prompt}) == {
        "input": ["https://dam.shop.example/p/1.jpg", {"address": shown(link), "version": None}],
        "prompt": prompt,
    }


def test_a_digest_is_left_in_messages_and_a_query_that_looks_like_one_is_not() -> None:
    link = shown("https://shop.example/get?id=7")
    assert link in shortened(link)
    assert "SESAME" not in shortened(f"{link}&token=SESAME")
    assert "SESAME" not in shortened("https://x.test/a?sha256:0123456789abcdefSESAME")
