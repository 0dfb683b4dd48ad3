from __future__ import annotations

import gzip
import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from airflow.sdk import ObjectStoragePath
from pyarrow import parquet

from airflow_claid.batch.item_kind import ItemKind
from airflow_claid.batch.items import ItemRow, Items
from airflow_claid.client import ClaidValidationError

PICTURES = ItemKind(
    "input", "input", ("width", "operations.background.remove.category"), frozenset({"width"}), pictures=True
)

Put = Callable[..., str]


@pytest.fixture
def put(tmp_path: Path) -> Put:
    """Writes a file and gives its address: ``put("a.csv", "input\\n…")``."""

    def put(name: str, content: str | bytes = b"x") -> str:
        plain = content.encode() if isinstance(content, str) else content
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(gzip.compress(plain) if name.endswith(".gz") and isinstance(content, str) else plain)
        return f"file://{path}"

    return put


def pictures(given: object, **parameters: Any) -> Items:
    return Items(given, PICTURES, **parameters)


def inputs_of(given: object, **parameters: Any) -> list[object]:
    return [row.problem or row.values.get("input") for row in pictures(given, **parameters)]


def refused(given: object, problem: str, **parameters: Any) -> None:
    for read in (Items.count, list):
        with pytest.raises(ClaidValidationError, match=problem):
            read(pictures(given, **parameters))


def test_a_text_or_a_path_that_stands_alone_is_one_picture(put: Put) -> None:
    for address in ("https://shop.example/a.csv?x=*", "s3://b/a.png", "storage://Shop/a.png", put("a.JPG")):
        assert list(pictures(address)) == [ItemRow(1, {"input": address})]
        assert pictures(address).count() == 1
        assert (pictures(address).addresses, pictures(address).content()) == ((), None)
    assert inputs_of(ObjectStoragePath("s3://b/a.png")) == ["s3://b/a.png"]


@pytest.mark.parametrize(
    ("given", "problem"),
    [
        ("a.png", r"input='a.png' is a text, but neither a list of input nor an address: use s3://"),
        ("/srv/a.png", "use 'file:///srv/a.png'"),
        ("['s3://b/a.png']", "render_template_as_native_obj"),
        ("", "is a text, but neither"),
        ("s3://b/photos", None),
        (None, "input=None is neither a list nor an address"),
        (7, "neither a list nor an address"),
        (b"s3://b/a.png", "neither a list nor an address"),
        ({"input": "s3://b/a.png"}, "neither a list nor an address"),
    ],
)
def test_what_is_neither_a_list_nor_an_address_is_refused(given: object, problem: str | None) -> None:
    if problem is None:
        assert inputs_of(given) == [given], "a picture without a suffix"
    else:
        refused(given, problem)


def test_a_list_may_hold_all_that_stands_for_pictures_in_its_order(put: Put) -> None:
    first, _, third = put("folder/a.png"), put("folder/notes.txt"), put("folder/deep/b.jpg")
    folder = first.removesuffix("a.png")
    catalogue = put("c.csv", "input,width,name\ns3://b/c.png,100,SKU-1\ns3://b/d.png,,\n")
    given = [
        "s3://b/0.png",
        folder,
        {"input": "s3://b/e.png", "width": 7},
        ObjectStoragePath(catalogue),
        f"{folder}*.png",
        "https://shop.example/f",
    ]
    items = pictures(given)
    found = list(items)
    assert [row.number for row in found] == list(range(1, 9))
    assert items.count() == 8
    assert [(row.values.get("input"), row.values.get("width"), row.name, row.folder) for row in found] == [
        ("s3://b/0.png", None, None, ""),
        (first, None, None, ""),
        (third, None, None, "deep/"),
        ("s3://b/e.png", 7, None, ""),
        ("s3://b/c.png", 100, "SKU-1", ""),
        ("s3://b/d.png", None, None, ""),
        (first, None, None, ""),
        ("https://shop.example/f", None, None, ""),
    ]
    assert list(items) == found, "read as often as is asked"
    assert items.addresses == (folder, catalogue, f"{folder}*.png")
    assert found[1].file is not None
    assert (found[1].file.uri, found[1].file.size) == (first, 1)


@pytest.mark.parametrize(
    ("item", "problem"),
    [
        (None, "has no input"),
        ("", "has no input"),
        ({"input": None}, "has no input"),
        ({"width": 7}, "has no input"),
        (7, "is 7, neither a text nor an object with a 'input'"),
        (b"s3://b/a.png", "neither a text nor an object"),
        ({"input": 7}, "is 7, which is no address of a picture"),
        ({"input": b"caf\xe9"}, "has a input in bytes that are not UTF-8"),
        ("a.png", "is 'a.png', which is no address of a picture: use https://"),
        ("/srv/a.png", "is '/srv/a.png', which is no address of a picture: use 'file:///srv/a.png'"),
        (
            "file://srv/a.png",
            "is no absolute path, so it would be another file on each worker: use 'file:///srv/a.png'",
        ),
    ],
)
def test_an_item_that_is_no_picture_is_a_problem_of_its_own(item: object, problem: str) -> None:
    before, row, after = pictures(["s3://b/a.png", item, " s3://b/b.png "])
    assert problem in str(row.problem)
    assert (before.values, after.values) == ({"input": "s3://b/a.png"}, {"input": "s3://b/b.png"})


def test_the_subject_of_an_object_is_always_one_picture(put: Put) -> None:
    folder = put("folder/a.png").removesuffix("a.png")
    assert inputs_of([{"input": folder}, {"Input": f"{folder}a.csv"}]) == [folder, f"{folder}a.csv"]


def test_an_empty_list_has_no_items_whatever_is_asked_of_files() -> None:
    assert pictures([], suffixes=[".png"]).count() == 0


ROWS = "input,width\ns3://b/a.png,100\ns3://b/b.png,\n"
LINES = '{"input": "s3://b/a.png", "width": 100}\n"s3://b/b.png"\n'
FOUND = [{"input": "s3://b/a.png", "width": 100}, {"input": "s3://b/b.png"}]


def table(folder: Path) -> bytes:
    columns = {"input": ["s3://b/a.png", "s3://b/b.png"], "width": [100, None]}
    parquet.write_table(pa.table(columns), folder / "table")
    return (folder / "table").read_bytes()


def content_of(kind: str, folder: Path) -> bytes:
    texts = {".csv": ROWS, ".tsv": ROWS.replace(",", "\t"), ".jsonl": LINES, ".ndjson": LINES}
    return texts[kind].encode() if kind in texts else table(folder)


KINDS = (".csv", ".tsv", ".jsonl", ".ndjson", ".parquet")


@pytest.mark.parametrize("packed", ["", ".gz"])
@pytest.mark.parametrize("kind", KINDS)
def test_each_kind_of_file_is_read_also_with_gz_alone_in_a_list_and_by_a_glob(
    kind: str, packed: str, put: Put, tmp_path: Path
) -> None:
    content = content_of(kind, tmp_path)
    content = gzip.compress(content) if packed else content
    address = put(f"lists/a{kind}{packed}", content)
    for given in (address, ObjectStoragePath(address), [address], f"file://{tmp_path}/lists/*{kind}{packed}"):
        assert [row.values for row in pictures(given)] == FOUND
        assert pictures(given).count() == 2
    put(f"lists/b{kind}{packed}", content)
    assert [row.number for row in pictures(f"file://{tmp_path}/lists/*{kind}{packed}")] == [1, 2, 3, 4]


@pytest.mark.parametrize("damage", ["empty", "cut off"])
@pytest.mark.parametrize("packed", ["", ".gz"])
@pytest.mark.parametrize("kind", KINDS)
def test_a_file_that_is_empty_or_cut_off_is_refused_or_its_broken_row_told(
    kind: str, packed: str, damage: str, put: Put, tmp_path: Path
) -> None:
    content = content_of(kind, tmp_path)
    if packed:
        content = gzip.compress(content)
    name = f"{kind[1:]}{packed}"
    address = put(f"a.{name}", b"" if damage == "empty" else content[:-5])
    text = "has no header" if damage == "empty" else None
    if packed:
        text = "is not a complete gzip file"
    elif kind == ".parquet":
        text = "is not a complete Parquet file"
    elif kind in (".jsonl", ".ndjson"):
        text = None
    for given in (address, [address], address.replace(f"a.{name}", f"*.{name}")):
        if text:
            refused(given, f"input='file://.*a.{name}' {text}")
        elif damage == "empty":
            assert pictures(given).count() == 0, "a query without results writes such a file"
        elif kind in (".jsonl", ".ndjson"):
            assert "is no JSON (line 2" in str([row.problem for row in pictures(given)][-1])
        else:
            assert [row.values for row in pictures(given)][:1] == FOUND[:1], "a text does not tell where it ends"


@pytest.mark.parametrize(
    ("name", "content", "problem"),
    [
        ("a.csv", "input;width\n", "commas, not semicolons"),
        ("a.csv", "picture,width\na,1\n", "has no column 'input', only 'picture'"),
        ("a.jsonl", '["s3://b/a.png"]\n', "holds a JSON array"),
        ("a.json", '["s3://b/a.png"]\n', "is of a kind that is not read"),
    ],
)
def test_a_file_that_says_nothing_of_pictures_is_refused(name: str, content: str, problem: str, put: Put) -> None:
    refused(put(name, content), problem)


def test_a_header_alone_is_a_file_without_items(put: Put) -> None:
    assert pictures(put("a.csv", "input,width\n")).count() == 0


def test_a_glob_that_matches_nothing_says_so(put: Put) -> None:
    folder = put("lists/a.csv", ROWS).removesuffix("a.csv")
    refused(f"{folder}*.tsv", r"input='file://.*\*\.tsv' matches none of the 1 files below")
    refused([f"{folder}x*.png"], r"matches none of the 1 files below")
    refused(f"{folder}nowhere/", "has no files")
    refused(f"{folder}*", "suffixes=.* are those of none of the 1 files at input='file:")


def test_a_file_whose_name_looks_like_a_glob_is_that_file(put: Put) -> None:
    picture, catalogue = put("Chair [red].png"), put("new [1].csv", ROWS)
    assert inputs_of(picture) == inputs_of([picture]) == [picture]
    assert inputs_of(catalogue) == ["s3://b/a.png", "s3://b/b.png"]


def test_columns_that_replace_parameters_are_told_once(put: Put, caplog: pytest.LogCaptureFixture) -> None:
    name = "operations.background.remove.category"
    put("lists/a.csv", f"input,Width,{name},colour\ns3://b/a.png,100,cars,red\n")
    address = put("lists/b.csv", f"input,Width,{name},colour\ns3://b/a.png,90,,red\n").replace("b.csv", "*.csv")
    with caplog.at_level(logging.INFO, "airflow_claid"):
        items = pictures(address)
        assert items.count() == 2
        assert [row.values for row in items] == [
            {"input": "s3://b/a.png", "width": 100, name: "cars"},
            {"input": "s3://b/a.png", "width": 90},
        ]
    (line,) = (record.getMessage() for record in caplog.records)
    assert line.endswith(
        f"passing over 'colour'; a row's width, {name} replaces the parameter (columns={{'width': None}} would leave "
        "width out)"
    )
    assert [row.values for row in pictures(address, columns={"width": None, name: None})] == [
        {"input": "s3://b/a.png"}
    ] * 2


def test_prompts_are_in_no_folder_and_not_among_addresses(put: Put) -> None:
    folder = put("a.csv", "prompt\na lamp\n").removesuffix("a.csv")
    for given, problem in ((folder, "is a folder: name one file"), (f"{folder}*", "matches files of any kind")):
        with pytest.raises(ClaidValidationError, match=problem):
            Items(given).count()
    assert [row.values["prompt"] for row in Items(f"{folder}*.csv")] == ["a lamp"]
    good, bad = Items(["a lamp", f"{folder}a.csv"])
    assert (good.problem, bad.values) == (None, {})
    assert "an address among prompts: give a list of addresses only" in str(bad.problem)


def test_a_manifest_of_prompts_is_an_ordinary_file_of_them(put: Put) -> None:
    line = '{"row": 1, "name": "SKU-1", "prompt": "a lamp", "fingerprint": null, "status": "blocked"}\n'
    assert list(Items(put("a.jsonl", line))) == [ItemRow(1, {"prompt": "a lamp"}, "SKU-1")]


def test_rows_without_names_are_refused_in_the_words_of_their_kind() -> None:
    with pytest.raises(ClaidValidationError, match=r"input holds .*'input': …, 'name': …"):
        pictures([("SKU-1", "s3://b/a.png")])
    (row,) = pictures([("SKU-1", "s3://b/a.png")], columns={"input": 1, "name": 0})
    assert (row.name, row.values) == ("SKU-1", {"input": "s3://b/a.png"})
