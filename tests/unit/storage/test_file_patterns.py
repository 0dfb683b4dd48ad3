from __future__ import annotations

import pytest

from airflow_claid.client import ClaidValidationError
from airflow_claid.storage.file_patterns import file_pattern


def pattern(address: str) -> tuple[str, str, bool]:
    read = file_pattern(address, parameter="input", recursive=True)
    return read.folder, read.beginning, read.recursive


@pytest.mark.parametrize(
    ("address", "expected"),
    [
        ("s3://c@b/photos/", ("s3://c@b/photos/", "", True)),
        ("s3://b/photos/*.jpg", ("s3://b/photos/", "", False)),
        ("s3://b/photos/2026-*.jpg", ("s3://b/photos/", "2026-", False)),
        ("s3://c@b/**/front-[0-9].jpg", ("s3://c@b/", "", True)),
        ("s3://b/20*/a.jpg", ("s3://b/", "20", True)),
        ("s3://b/a[*]/b?.jpg", ("s3://b/a*/", "b", False)),
        ("s3://b/photos/**", ("s3://b/photos/", "", True)),
        ("file:///srv/p/*/x.png", ("file:///srv/p/", "", True)),
        ("gs://b/[[]old]/[!a]*", ("gs://b/[old]/", "", False)),
        ("gs://b/[a-c/x", ("gs://b/[a-c/", "x", False)),
    ],
)
def test_only_what_may_match_is_listed(address: str, expected: tuple[str, str, bool]) -> None:
    assert pattern(address) == expected


@pytest.mark.parametrize(
    ("glob", "matching", "others"),
    [
        ("*.jpg", ["a.jpg", ".jpg", "a b%+.jpg", "new\nline.jpg"], ["a.png", "x/a.jpg", "a.jpg.tmp", "a.jpg\n"]),
        ("a?.jpg", ["ab.jpg", "aé.jpg"], ["a.jpg", "abc.jpg", "a/.jpg"]),
        ("**/a.jpg", ["a.jpg", "x/a.jpg", "x/y/a.jpg", "x//a.jpg"], ["ba.jpg", "x/ba.jpg", "a.jpg/b"]),
        ("x/**", ["x/a", "x/y/a.jpg"], ["xa", "y/x/a"]),
        ("x**/a", ["xy/a", "x/y/a"], ["xa", "a"]),
        ("*/x.png", ["a/x.png"], ["x.png", "a/b/x.png"]),
        ("[0-9a].jpg", ["3.jpg", "a.jpg"], ["b.jpg", "-.jpg"]),
        ("[!0-9].jpg", ["b.jpg"], ["3.jpg", "/.jpg"]),
        ("[^0-9].jpg", ["b.jpg"], ["3.jpg"]),
        ("[]-].jpg", ["].jpg", "-.jpg"], ["a.jpg"]),
        ("[+-1].jpg", ["..jpg", "0.jpg"], ["/.jpg", "2.jpg"]),
        ("[[&~|].jpg", ["[.jpg", "&.jpg"], ["x.jpg"]),
        ("[*][?][[].jpg*", ["*?[.jpg"], ["ab[.jpg"]),
        ("photo[1.jpg*", ["photo[1.jpg"], ["photo1.jpg"]),
        ("[1].(+)$*", ["1.(+)$"], ["2.(+)$", "1x(+)$"]),
    ],
)
def test_wildcards_stand_for_parts_of_a_name_and_two_stars_also_for_folders(
    glob: str, matching: list[str], others: list[str]
) -> None:
    read = file_pattern(f"s3://b/in/{glob}", parameter="input", recursive=True)
    inside = read.folder.removeprefix("s3://b/in/")
    assert [name for name in matching if not read.matches(name.removeprefix(inside))] == []
    assert [name for name in others if name.startswith(inside) and read.matches(name.removeprefix(inside))] == []


@pytest.mark.parametrize(
    ("address", "remedy"),
    [
        ("https://shop.test/photos/", "use a folder or glob at s3://"),
        ("https://shop.test/photos/a?.jpg", "use a folder or glob at s3://"),
        ("storage://shop/photos/", "use a folder or glob at s3://"),
        ("/srv/photos/", "use a folder or glob at s3://"),
        ("s3:///photos/", "names no bucket"),
        ("s3://shop-*/photos/a.jpg", "names no bucket"),
        ("s3://shop/photos/*/", "use 's3://shop/photos/\\*/\\*'"),
        ("s3://shop/photos", "use 's3://shop/photos/'"),
        ("s3://shop", "use 's3://shop/'"),
        ("file://srv/photos/", "use 'file:///srv/photos/'"),
        ("s3://shop/photos/[9-0].jpg", "write it '0-9'"),
    ],
)
def test_an_address_that_cannot_be_listed_is_refused_with_the_remedy(address: str, remedy: str) -> None:
    with pytest.raises(ClaidValidationError, match=remedy) as caught:
        file_pattern(address, parameter="photos", recursive=True)
    assert f"photos={address!r}" in str(caught.value)
