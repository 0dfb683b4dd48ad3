from __future__ import annotations

import collections
import csv
import gzip
import io
import json
import logging
import sys
import tracemalloc
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from airflow.sdk import ObjectStoragePath
from hypothesis import given
from hypothesis import strategies as st
from pyarrow import parquet

from airflow_claid.batch import catalogue_files
from airflow_claid.batch.items import ItemRow, Items
from airflow_claid.client import ClaidValidationError
from airflow_claid.storage.object_storage import write_whole
from tests.conftest import Connect, s3_connection
from tests.support.scripted_server import Received, Reply, ScriptedServer, as_json

PARTI = Path(__file__).parents[2] / "data" / "parti-prompts.tsv"

Write = Callable[..., str]


@pytest.fixture
def write(tmp_path: Path) -> Write:
    """Writes a file and gives its address: ``write("a.csv", "prompt\\n…")``."""

    def write(name: str, content: str | bytes) -> str:
        plain = content if isinstance(content, bytes) else content.encode()
        packed = name.endswith(".gz") and isinstance(content, str)
        (tmp_path / name).write_bytes(gzip.compress(plain) if packed else plain)
        return f"file://{tmp_path}/{name}"

    return write


def table(folder: Path, name: str = "a.parquet", **columns: Sequence[object]) -> str:
    parquet.write_table(pa.table(columns), folder / name)
    return f"file://{folder}/{name}"


def prompt_row(
    number: int,
    prompt: object = None,
    name: object = None,
    number_of_images: object = None,
    guidance_scale: object = None,
    problem: str | None = None,
) -> ItemRow:
    values = {"prompt": prompt, "number_of_images": number_of_images, "guidance_scale": guidance_scale}
    return ItemRow(number, {column: value for column, value in values.items() if value is not None}, name, problem)


def rows(given: object, **parameters: Any) -> Iterator[ItemRow]:
    yield from Items(given, **parameters)


def prompt_in(row: ItemRow) -> object:
    return row.values.get("prompt")


def prompts_of(address: object) -> list[object]:
    return [prompt_in(row) for row in Items(address)]


def test_a_list_holds_texts_or_objects() -> None:
    items = ["a red chair", {"prompt": "a lamp", "name": "SKU-2", "number_of_images": 2, "guidance_scale": 7.5}]
    assert list(Items(items)) == [prompt_row(1, "a red chair"), prompt_row(2, "a lamp", "SKU-2", 2, 7.5)]


def test_what_is_wrong_with_one_item_stops_no_other() -> None:
    items = [None, "", {"name": "SKU-2"}, 7, {"prompt": " "}, {"prompt": 7}, {"prompt": "x", "PROMPT": "y"}, "a lamp"]
    found = list(Items(items))
    assert [row.number for row in found] == [1, 2, 3, 4, 5, 6, 7, 8]
    assert [row.problem for row in found] == [
        "has no prompt",
        "has no prompt",
        "has no prompt",
        "is 7, neither a text nor an object with a 'prompt'",
        "has no prompt",
        None,
        None,
        None,
    ]
    assert found[2].name == "SKU-2"
    assert (prompt_in(found[5]), prompt_in(found[6])) == (7, "x")


def test_two_columns_that_differ_in_case_alone_are_a_problem_of_the_item() -> None:
    (row,) = Items([{"Prompt": "x", "PROMPT": "y"}])
    assert row.problem == "has the column 'prompt' 2 times"


def test_a_sequence_is_read_item_by_item() -> None:
    read = []

    def items() -> Iterator[str]:
        for number in range(3):
            read.append(number)
            yield f"prompt {number}"

    found = rows(items())
    assert prompt_in(next(found)) == "prompt 0"
    assert read == [0]


@pytest.mark.parametrize("prompts", [None, 7, {"prompt": "a lamp"}, b"a lamp"])
def test_what_is_neither_a_list_nor_an_address_is_refused(prompts: object) -> None:
    with pytest.raises(ClaidValidationError, match=r"prompts=.* neither a list nor an address"):
        next(rows(prompts))


def test_nothing_is_looked_at_before_the_first_row_is_asked_for() -> None:
    Items("file:///nowhere/a.csv")


CSV = 'prompt,name,number_of_images,guidance_scale\n"A chair, red",00123,2,7.5\nA lamp,,,\n'


def test_a_csv_gives_texts_and_numbers_and_none_for_what_is_empty(write: Write) -> None:
    assert list(Items(write("a.csv", CSV))) == [prompt_row(1, "A chair, red", "00123", 2, 7.5), prompt_row(2, "A lamp")]


@pytest.mark.parametrize("ending", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize("mark", [b"", b"\xef\xbb\xbf"])
@pytest.mark.parametrize("suffix", [".csv", ".CSV", ".csv.gz"])
def test_a_csv_of_any_program_is_read(write: Write, ending: str, mark: bytes, suffix: str) -> None:
    content = mark + CSV.replace("\n", ending).encode()
    address = write(f"a{suffix}", gzip.compress(content) if suffix.endswith(".gz") else content)
    assert prompts_of(address) == ["A chair, red", "A lamp"]


def test_quotes_newlines_and_letters_of_all_scripts_in_a_field(write: Write) -> None:
    address = write(
        "a.csv", 'prompt,name\r\n"A sign ""OPEN""\nin neon",1\r\n\r\nein 5" Nagel,2\r\n自転車 🚲 \u2028x,3\r\n'
    )
    assert [(row.number, prompt_in(row), row.name) for row in Items(address)] == [
        (1, 'A sign "OPEN"\nin neon', "1"),
        (2, 'ein 5" Nagel', "2"),
        (3, "自転車 🚲 \u2028x", "3"),
    ]


@given(st.lists(st.text(st.characters(codec="utf-8", exclude_characters="\0"), min_size=1), max_size=6))
def test_what_pythons_own_csv_writes_is_read_as_it_was(tmp_path_factory: pytest.TempPathFactory, texts: list[str]):
    """Unless it ends with a backslash: then it may be a text that was cut at an escaped quote."""
    file = io.StringIO(newline="")
    csv.writer(file).writerows([["prompt", "name"], *([text, "n"] for text in texts)])
    path = tmp_path_factory.mktemp("csv") / "a.csv"
    path.write_text(file.getvalue(), encoding="utf-8", newline="")
    cut = [text for text in texts if (len(text) - len(text.rstrip("\\"))) % 2]
    assert prompts_of(f"file://{path}") == [text if text.strip() and text not in cut else None for text in texts]


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("2", 2),
        (" 3 ", 3),
        ("2.0", 2.0),
        ("1e1", 10.0),
        (".5", 0.5),
        ("-1", -1),
        ("two", "two"),
        ("7,5", "7,5"),
        ("nan", "nan"),
        ("inf", "inf"),
        ("1_000", "1_000"),
        ("9" * 5000, "9" * 5000),
        ("٣", "٣"),
        (" ", None),
    ],
)
def test_a_number_in_a_csv_is_a_number_and_anything_else_stays_a_text(write: Write, text: str, value: object) -> None:
    (row,) = Items(write("a.csv", f'prompt,guidance_scale\na lamp,"{text}"\n'))
    assert row.values.get("guidance_scale") == value
    assert type(row.values.get("guidance_scale")) is type(value)


def test_a_row_with_too_many_columns_is_a_problem_because_its_prompt_may_be_cut(write: Write) -> None:
    address = write("a.csv", "prompt,name\na chair, red, old,SKU-1\na lamp,SKU-2,,\na vase\n")
    cut, trailing, short = Items(address)
    assert prompt_in(cut) is None
    assert cut.problem is not None
    assert "has 4 columns where the header has 2 (line 2)" in cut.problem
    assert (prompt_in(trailing), trailing.name, trailing.problem) == ("a lamp", "SKU-2", None)
    assert (prompt_in(short), short.name, short.problem) == ("a vase", None, None)


def test_a_line_with_wrong_quotes_is_a_problem_of_its_own(write: Write) -> None:
    first, second = Items(write("a.csv", 'prompt,name\n"a "red" chair",1\na lamp,2\n'))
    assert first.problem is not None
    assert "cannot be parted into columns (line 2:" in first.problem
    assert (second.number, prompt_in(second), second.problem) == (2, "a lamp", None)


@pytest.mark.parametrize("rest", ["", 'a "quoted" vase\n', 'a vase,"x"\n', "a vase\n" * 20_000])
def test_a_quote_that_is_never_closed_and_would_swallow_rows_stops_the_file(write: Write, rest: str) -> None:
    address = write("a.csv", f'prompt,name\na chair,1\n"a lamp,2\na vase,3\n{rest}')
    with pytest.raises(ClaidValidationError, match=r"a\.csv' has a double quote in line 3 that is closed wrongly or"):
        next(rows(address))


@pytest.mark.parametrize(
    ("name", "content", "problem"),
    [
        ("a.csv", "prompt;name\na lamp;1\n", "commas, not semicolons"),
        ("a.csv", "caption,name\na lamp,1\n", "has no column 'prompt', only 'caption', 'name': rename one, or say"),
        ("a.csv", "prompt,name,Prompt,prompt\n", "has the column 'prompt' 2 times"),
        ("a.csv", "", "has no header"),
        ("a.csv", 'prompt,"a "b\nx,y\n', "has no header"),
        ("a.csv", "prompt\nCaf\u00e9\n".encode("latin-1"), r"is not in UTF-8, see b'prompt\\nCaf\\xe9"),
        ("a.csv", "prompt\na lamp\n".encode("utf-16"), "is not in UTF-8"),
        ("a.jsonl", b'"a lamp"\n"Caf\xe9"\n', "is not in UTF-8"),
        ("a.csv.gz", b"prompt\na lamp\n", "is not a complete gzip file"),
        ("a.csv.gz", gzip.compress(b"prompt\na lamp\n" * 99, mtime=0)[:-20], "is not a complete gzip file"),
        ("a.jsonl", '[\n{"prompt": "a lamp"}\n]\n', "holds a JSON array: write one object"),
        ("a.jsonl", '{"caption": "a lamp"}\n{"caption": "a vase"}\n', "has no column 'prompt', only 'caption'"),
        ("a.json", '["a lamp"]', "is of a kind that is not read: use .csv"),
        ("a.parquet.gz", b"", "is not a complete gzip file"),
        ("a.jsonl.gz", b"", "is not a complete gzip file"),
        ("a.parquet.gz", gzip.compress(b"PAR1 and no more", mtime=0), "is not a complete Parquet file"),
        ("prompts", "a lamp\n", "is of a kind that is not read"),
        ("a.parquet", b"PAR1 and no more", "is not a complete Parquet file"),
    ],
)
def test_what_is_wrong_with_a_file_as_a_whole_stops_before_the_first_row(
    write: Write, name: str, content: str | bytes, problem: str
) -> None:
    address = write(name, content)
    with pytest.raises(ClaidValidationError, match=problem.replace("[", r"\[")) as caught:
        next(rows(address))
    assert str(caught.value).startswith(f"prompts={address!r} ")
    assert str(caught.value).endswith("Nothing was sent, nothing was charged.")


def test_damage_at_the_end_is_told_before_the_first_row(write: Write) -> None:
    address = write("a.csv", b"prompt\n" + b"a lamp\n" * 50_000 + b"Caf\xe9\n")
    with pytest.raises(ClaidValidationError, match="is not in UTF-8"):
        next(rows(address))


@pytest.mark.parametrize(
    ("address", "problem"),
    [
        ("file:///nowhere/a.csv", "does not exist"),
        ("/srv/a.csv", "use 'file:///srv/a.csv'"),
        ("file://srv/a.csv", "use 'file:///srv/a.csv'"),
        ("a lamp", "is a text, but neither a list of prompts nor an address"),
        ("['a lamp', 'a vase']", "render_template_as_native_obj"),
        ("nosuch://bucket/a.csv", "Airflow has no storage for 'nosuch'"),
    ],
)
def test_an_address_that_names_no_file_is_refused_with_the_remedy(address: str, problem: str) -> None:
    with pytest.raises(ClaidValidationError, match=problem) as caught:
        next(rows(address))
    assert str(caught.value).startswith("prompts=")


@pytest.mark.parametrize("name", ["folder.csv", "folder.csv/"])
def test_a_folder_is_no_file(tmp_path: Path, name: str) -> None:
    (tmp_path / "folder.csv").mkdir()
    with pytest.raises(ClaidValidationError, match="is a folder: name one file"):
        next(rows(f"file://{tmp_path}/{name}"))


@pytest.mark.parametrize("suffix", [".jsonl", ".ndjson", ".jsonl.gz"])
def test_json_lines_hold_objects_or_texts(write: Write, suffix: str) -> None:
    lines = ['{"prompt": "a lamp", "name": 7, "number_of_images": 2}', "", '"a vase"', '{"Prompt": "自転車"}']
    content = "\ufeff" + "\r\n".join(lines)
    address = write(f"a{suffix}", gzip.compress(content.encode()) if suffix.endswith(".gz") else content)
    assert list(Items(address)) == [prompt_row(1, "a lamp", 7, 2), prompt_row(2, "a vase"), prompt_row(3, "自転車")]


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        ('{"prompt": "a va', "is no JSON (line 2: "),
        ('{"prompt": "x", "guidance_scale": NaN}', "is no JSON (line 2: NaN is no number"),
        ("[" * 100_000, "is no JSON (line 2: "),
        ('{"name": "SKU-2"}', "has no prompt"),
        ('{"prompt": null}', "has no prompt"),
        ("null", "has no prompt"),
        ("7", "is 7, neither"),
        ('["x"]', "is ['x'], neither"),
    ],
)
def test_a_line_that_is_wrong_is_a_problem_of_its_own(write: Write, line: str, problem: str) -> None:
    found = list(Items(write("a.jsonl", f'"a lamp"\n{line}\n"a vase"\n')))
    assert [prompt_in(row) for row in found] == ["a lamp", None, "a vase"]
    assert found[1].problem is not None
    assert found[1].problem.startswith(problem)


def test_a_parquet_table_is_read(tmp_path: Path) -> None:
    address = table(
        tmp_path,
        prompt=["a lamp", None, "自転車"],
        sku=["x", "y", "z"],
        Name=[1, 2, None],
        number_of_images=pa.array([Decimal(2), None, None], pa.decimal128(38, 0)),
        guidance_scale=[7.5, float("nan"), None],
    )
    assert list(Items(address)) == [
        prompt_row(1, "a lamp", 1, 2.0, 7.5),
        prompt_row(2, None, 2, problem="has no prompt"),
        prompt_row(3, "自転車"),
    ]


def test_a_parquet_table_without_prompts_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ClaidValidationError, match="has no column 'prompt', only 'caption'"):
        next(rows(table(tmp_path, caption=["a lamp"])))


def test_without_pyarrow_the_error_says_how_to_install_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    address = table(tmp_path, prompt=["a lamp"])
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(ClaidValidationError, match=r'pip install "airflow-claid\[parquet\]"'):
        next(rows(address))


def test_the_parti_prompts_are_read_as_they_are() -> None:
    found = list(Items(f"file://{PARTI}", columns={"name": "Category"}))
    lines = [line.split("\t") for line in PARTI.read_text(encoding="utf-8").splitlines()[1:]]
    assert [(prompt_in(row), row.name) for row in found] == [(line[0], line[1]) for line in lines]
    assert [row for row in found if row.problem] == []


def test_a_tsv_is_read_with_quotes_and_without(write: Write) -> None:
    address = write("a.tsv", 'prompt\tname\n"OPEN" in neon\t1\n"a ""red""\tchair"\t2\na, b\t3\n')
    assert [(prompt_in(row), row.name) for row in Items(address)] == [
        ('"OPEN" in neon', "1"),
        ('a "red"\tchair', "2"),
        ("a, b", "3"),
    ]


@pytest.mark.parametrize(("end", "prompt"), [("", None), ("\n", '"open'), ("\r\n", '"open'), ('"', "open")])
def test_the_last_line_of_a_tsv_may_be_cut_off_within_a_quote(write: Write, end: str, prompt: str | None) -> None:
    *_, last = Items(write("a.tsv", f'name\tprompt\n1\ta lamp\n2\t"open{end}'))
    assert (None if last.problem else prompt_in(last)) == prompt
    assert prompt is not None or "cannot be parted into columns (line 3" in str(last.problem)


def test_columns_may_have_other_names(write: Write) -> None:
    address = write("a.csv", "Title,CAPTION ,prompt\nSKU-1,a lamp,unused\n")
    assert list(Items(address, columns={"prompt": "caption", "name": "title"})) == [prompt_row(1, "a lamp", "SKU-1")]
    assert list(Items([{"Caption": "a lamp"}], columns={"prompt": "caption"})) == [prompt_row(1, "a lamp")]
    with pytest.raises(ClaidValidationError, match="has no column 'sku', only 'Title'"):
        next(rows(address, columns={"name": "sku"}))


@pytest.mark.parametrize(
    "columns", [["prompt"], {"output": "x"}, {"prompt": -1}, {"prompt": True}, {"prompt": None}, {"prompt": " "}]
)
def test_columns_that_say_nothing_are_refused(columns: object) -> None:
    with pytest.raises(ClaidValidationError, match=r"columns=.* must map some of prompt, name"):
        next(rows(["a lamp"], columns=columns))  # type: ignore[arg-type]


def test_other_columns_are_noted_once(write: Write, caplog: pytest.LogCaptureFixture) -> None:
    line = '{"prompt": "a lamp", "%s": 1}\n'
    with caplog.at_level(logging.INFO, "airflow_claid"):
        assert len(list(Items(write("a.jsonl", line % "sku" + line % "price")))) == 2
    assert [record.getMessage().partition(": ")[2] for record in caplog.records] == [
        "taking 'prompt' as prompt; passing over 'sku'"
    ]


@given(count=st.integers(0, 40), shards=st.integers(1, 9))
def test_the_shards_give_each_row_once(count: int, shards: int) -> None:
    items = [f"prompt {number}" for number in range(1, count + 1)]
    found = [list(Items(items, shard=(mine, shards))) for mine in range(shards)]
    assert sorted((row.number, prompt_in(row)) for share in found for row in share) == list(enumerate(items, start=1))
    assert all((row.number - 1) % shards == mine for mine, share in enumerate(found) for row in share)


@pytest.mark.parametrize("shard", [(4, 4), (-1, 4), (0, 0), (0,), (0, 1, 2), "01", (True, 2), (0.0, 2), 3])
def test_a_shard_that_is_none_is_refused(shard: object) -> None:
    with pytest.raises(ClaidValidationError, match=r"shard=.* must be two whole numbers \(k, n\)"):
        next(rows(["a lamp"], shard=shard))  # type: ignore[arg-type]


@pytest.mark.parametrize("storage", ["s3", "gcs"])
def test_a_file_in_a_bucket_is_read(request: pytest.FixtureRequest, storage: str, tmp_path: Path) -> None:
    folder = request.getfixturevalue(storage)
    prompts = [f"prompt {number} 自転車" for number in range(5000)]
    text = "prompt\n" + "\n".join(prompts)
    write_whole(f"{folder}/a.csv", text.encode())
    write_whole(f"{folder}/a.csv.gz", gzip.compress(text.encode()))
    table(tmp_path, prompt=prompts)
    write_whole(f"{folder}/a.parquet", (tmp_path / "a.parquet").read_bytes())
    for name in ("a.csv", "a.csv.gz", "a.parquet"):
        assert prompts_of(f"{folder}/{name}") == prompts
    assert prompts_of(ObjectStoragePath(f"{folder}/a.csv")) == prompts
    with pytest.raises(ClaidValidationError, match="does not exist"):
        next(rows(f"{folder}/b.csv"))
    write_whole(f"{folder}/deep/er.csv", b"x")
    with pytest.raises(ClaidValidationError, match="is a folder"):
        next(rows(f"{folder}/deep"))


def test_a_file_that_may_not_be_read_is_not_taken_for_none(connect: Connect, scripted: ScriptedServer) -> None:
    conn_id = connect("s3_denied_prompts", **s3_connection(scripted.url))
    scripted.replies(Reply(403, b"<Error><Code>AccessDenied</Code></Error>", {"Content-Type": "application/xml"}))
    with pytest.raises(PermissionError):
        next(rows(f"s3://{conn_id}@bucket/a.csv"))


def _many(folder: Path, kind: str, count: int) -> str:
    prompts = (f"prompt {number} {'x' * 200}" for number in range(count))
    path = folder / f"{count}{kind}"
    if kind == ".parquet":
        return table(folder, path.name, prompt=list(prompts))
    if kind == ".jsonl":
        text = "".join(json.dumps({"prompt": prompt}) + "\n" for prompt in prompts)
    else:
        text = "prompt\n" + "".join(prompt + "\n" for prompt in prompts)
    path.write_bytes(gzip.compress(text.encode(), 1) if kind.endswith(".gz") else text.encode())
    return f"file://{path}"


@pytest.mark.parametrize("kind", [".csv", ".csv.gz", ".jsonl", ".parquet"])
def test_memory_does_not_grow_with_the_file(tmp_path: Path, kind: str) -> None:
    def peak(count: int) -> int:
        address = _many(tmp_path, kind, count)
        arrow = pa.total_allocated_bytes()
        most = 0
        tracemalloc.start()
        for row in Items(address):
            if row.number % 500 == 0:
                most = max(most, pa.total_allocated_bytes() - arrow)
        measured = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        assert row.number == count
        return measured + most

    assert len(prompts_of(_many(tmp_path, kind, 1))) == 1, "what is imported on the way is not measured"
    assert peak(20_000) - peak(1000) < 3_000_000


@pytest.mark.parametrize("name", ["a.csv", "a.csv.gz", "a.jsonl", "a.tsv"])
def test_a_file_that_is_counted_and_worked_through_is_read_twice(
    name: str, write: Write, monkeypatch: pytest.MonkeyPatch
) -> None:
    line = {"csv": "prompt\na lamp\na vase\n", "tsv": "prompt\na lamp\na vase\n", "jsonl": '"a lamp"\n"a vase"\n'}
    address, opened = write(name, line[name.split(".")[1]]), []
    open_text = catalogue_files.opened_text

    @contextmanager
    def counting(*arguments: Any) -> Iterator[Any]:
        opened.append(name)
        with open_text(*arguments) as text:
            yield text

    monkeypatch.setattr(catalogue_files, "opened_text", counting)
    prompts = Items(address)
    assert prompts.count() == 2
    assert [prompt_in(row) for row in prompts] == ["a lamp", "a vase"]
    assert len(opened) == 2


def test_a_damaged_file_is_refused_when_it_is_counted(write: Write) -> None:
    packed = gzip.compress(b"prompt\na lamp\na vase\n")
    with pytest.raises(ClaidValidationError, match="is not a complete gzip file"):
        Items(write("a.csv.gz", packed[:-4])).count()


class UnpackingBucket(ScriptedServer):
    """Google Cloud Storage with one object, which gzip packed: its size is the packed one, and it is sent unpacked."""

    def __init__(self, content: bytes) -> None:
        super().__init__()
        self._packed = gzip.compress(content, 9)

    def take(self, received: Received) -> Reply:
        if not received.path.startswith("/download/"):
            facts = {"name": "a.csv", "bucket": "b", "size": str(len(self._packed)), "contentEncoding": "gzip"}
            return as_json(facts)
        return Reply(200, self._packed, {"Content-Encoding": "gzip", "Content-Type": "text/csv"})


@pytest.mark.parametrize("name", ["a.csv", "a.csv.gz"])
def test_an_object_that_google_unpacks_on_the_way_is_read_to_its_end(
    name: str, connect: Connect, monkeypatch: pytest.MonkeyPatch
) -> None:
    prompts = [f"prompt {number} of very many that are alike" for number in range(5000)]
    with UnpackingBucket(("prompt\n" + "\n".join(prompts)).encode()) as bucket:
        monkeypatch.setenv("STORAGE_EMULATOR_HOST", bucket.url)
        extra = {"is_anonymous": True, "project": "p", "gcs.endpoint": bucket.url}
        conn_id = connect(f"unpacking_{len(name)}", conn_type="google_cloud_platform", extra=extra)
        assert prompts_of(f"gs://{conn_id}@b/{name}") == prompts


def test_a_file_that_gzip_packed_is_unpacked_whatever_its_name(write: Write) -> None:
    assert prompts_of(write("a.csv", gzip.compress(b"prompt\na lamp\n"))) == ["a lamp"]
    assert prompts_of(write("a.jsonl", gzip.compress(b'"a lamp"\n'))) == ["a lamp"]


@pytest.mark.parametrize(
    ("content", "prompts"),
    [
        ('sku,prompt\n1,"a 30\\" clock, oak"\n2,"a ""red"" vase"\n', ['a 30" clock, oak', 'a "red" vase']),
        ('sku,prompt\n1,"a \\"red\\" chair"\n2,a vase\n', ['a "red" chair', "a vase"]),
        ('sku,prompt\n1,"a \\"red\\" chair\nof oak"\n2,a vase\n', ['a "red" chair\nof oak', "a vase"]),
        ("sku,prompt\n1,a rug\\, ochre\n2,\\N\n", ["a rug, ochre", None]),
        ('sku,prompt\n1,"C:\\new \\"folder\\""\n2,"a\\\\b"\n', ['C:\\new "folder"', "a\\b"]),
        ('prompt,folder\na lamp,"C:\\img\\"\na vase,"D:\\img\\"\n', ["a lamp", "a vase"]),
        ('prompt,folder\na lamp,"say \\""x"\n', ["a lamp"]),
    ],
)
def test_a_backslash_is_an_escape_where_the_rows_show_it(write: Write, content: str, prompts: list[str | None]) -> None:
    assert prompts_of(write("a.csv", content)) == prompts


@pytest.mark.parametrize(
    "line", ['1,"a 30\\", oak clock"', "1,a rug\\", "1,a rug\\, ochre,red", '1,"a 30\\", oak, clock",,']
)
def test_a_prompt_that_may_be_cut_at_a_backslash_is_never_used(write: Write, line: str) -> None:
    whole = "\n".join(f'{number},"a vase in C:\\img\\x",b,"{number}"' for number in range(2, 9))
    for row in Items(write("a.csv", f"sku,prompt,colour,note\n{line}\n{whole}\n")):
        assert prompt_in(row) in (
            None,
            'a 30", oak clock',
            "a rug, ochre",
            'a 30", oak, clock',
            "a vase in C:\\img\\x",
        )


def test_a_name_that_was_not_asked_for_is_told_and_can_be_left_out(
    write: Write, caplog: pytest.LogCaptureFixture
) -> None:
    address = write("a.csv", "prompt,Name,price\na lamp,Lamp 7/8,5\n")
    with caplog.at_level(logging.INFO, "airflow_claid"):
        assert [row.name for row in Items(address)] == ["Lamp 7/8"]
    assert (
        "taking 'prompt' as prompt, 'Name' as name; passing over 'price' (columns={'name': None} would" in caplog.text
    )
    assert [row.name for row in Items(address, columns={"name": None})] == [None]
    assert [row.name for row in Items([{"prompt": "a lamp", "name": "x"}], columns={"name": None})] == [None]


class Lazy(Sequence[Any]):
    """The results of a mapped task, as Airflow gives them."""

    def __init__(self, *results: object) -> None:
        self._results = results

    def __len__(self) -> int:
        return len(self._results)

    def __getitem__(self, index: Any) -> Any:
        return self._results[index]


@pytest.mark.parametrize(
    ("given", "prompts"),
    [
        ([("a lamp",), ("a vase",)], ["a lamp", "a vase"]),
        ([["a lamp"], ["a vase"]], ["a lamp", "a vase"]),
        ([[{"prompt": "a lamp"}, {"prompt": "a vase"}], []], ["a lamp", "a vase"]),
        (Lazy(["a lamp", "a vase"], [], "a rug"), ["a lamp", "a vase", "a rug"]),
        (Lazy([("a lamp",)], [{"prompt": "a vase"}]), ["a lamp", "a vase"]),
        ([Lazy(["a lamp", "a vase"]), "a rug"], ["a lamp", "a vase", "a rug"]),
        ([collections.namedtuple("Row", "prompt sku")("a lamp", "1")], ["a lamp"]),
    ],
)
def test_what_airflow_hands_on_as_a_list_is_read_item_by_item(given: object, prompts: list[str]) -> None:
    assert prompts_of(given) == prompts


@pytest.mark.parametrize(
    "given", [[("SKU-1", "a lamp")], [["SKU-1", "a lamp"]], Lazy([("SKU-1", "a lamp")]), Lazy(("SKU-1", "a lamp"))]
)
def test_values_without_names_are_read_by_position_or_refused(given: object) -> None:
    with pytest.raises(ClaidValidationError, match=r"holds \(?\[?'SKU-1', 'a lamp'.*, a row of values without names"):
        next(rows(given))
    (row,) = Items(given, columns={"prompt": 1, "name": 0})
    assert (row.name, prompt_in(row)) == ("SKU-1", "a lamp")


def test_a_row_that_is_too_short_for_the_positions_is_a_problem_of_its_own() -> None:
    short, good = Items([("SKU-1", "a lamp"), ("SKU-2", "a vase", 2)], columns={"prompt": 1, "number_of_images": 2})
    assert "has only 2 values" in str(short.problem)
    assert (prompt_in(good), good.values.get("number_of_images")) == ("a vase", 2)


def test_columns_of_a_file_may_be_positions(write: Write) -> None:
    address = write("a.csv", "id,text\n1,a lamp\n")
    assert list(Items(address, columns={"prompt": 1, "name": 0})) == [prompt_row(1, "a lamp", "1")]
    with pytest.raises(ClaidValidationError, match="has no column 2, only 'id', 'text'"):
        next(rows(address, columns={"prompt": 2}))
    lines = write("a.jsonl", '["1", "a lamp"]\n["2", "a vase"]\n')
    assert [prompt_in(row) for row in Items(lines, columns={"prompt": 1})] == ["a lamp", "a vase"]


def test_bytes_that_are_no_text_are_a_problem_of_their_row() -> None:
    bad, good = Items([{"prompt": b"Caf\xe9"}, {"prompt": "Café".encode()}])
    assert bad.problem == "has a prompt in bytes that are not UTF-8"
    assert prompt_in(good) == "Café"


def test_the_shards_of_several_files_give_each_row_once(write: Write) -> None:
    addresses = [write("a.csv", "prompt\na lamp\na vase\na rug\n"), write("b.jsonl", '"a bed"\n"a box"\n')]
    found = [[prompt_in(row) for row in Items(addresses, shard=(part, 2))] for part in range(2)]
    assert found == [["a lamp", "a rug", "a box"], ["a vase", "a bed"]]
    assert [Items(addresses, shard=(part, 2)).count() for part in range(2)] == [3, 2]


def test_a_data_frame_is_refused_with_the_remedy() -> None:
    with pytest.raises(ClaidValidationError, match=r"frame.to_dict\('records'\)"):
        Items(7)


def test_a_name_that_another_shard_has_for_another_prompt_is_a_problem() -> None:
    items = [{"prompt": prompt, "name": name} for prompt, name in [("a lamp", "X"), ("a vase", "X"), ("a lamp", "X")]]
    problems = [row.problem for part in range(3) for row in Items(items, shard=(part, 3))]
    assert problems == [None, "has the name 'X' of row 1 but is another request: give each row a name of its own", None]
    assert [row.problem for row in Items(items)] == [None, None, None], "without shards, the batch tells"
