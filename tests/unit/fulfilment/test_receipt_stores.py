from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_claid.client import OutputImage
from airflow_claid.client.models.edit import ImageOutput
from airflow_claid.client.models.edit_operations import Operations
from airflow_claid.delivery.image import DeliveredImage
from airflow_claid.errors import ReceiptUnreadableError
from airflow_claid.fulfilment.receipt import VERSION, Author, Receipt, ReceiptState
from airflow_claid.fulfilment.receipt_stores import (
    FolderReceipts,
    KnownReceipts,
    NoReceipts,
    ReceiptsOfOneRequest,
    ReceiptStore,
    TaskStateReceipts,
)
from airflow_claid.orders.edit import EditOrder
from airflow_claid.orders.source import source
from airflow_claid.storage.object_storage import read, write_whole
from airflow_claid.storage.places import edit_place
from tests.conftest import Connect, s3_connection
from tests.support.scripted_server import Reply, ScriptedServer

FINGERPRINT = "52298e7d706b738fc70150565c3d56f6596e8fef32d5edb38efb845ec07011dc"
AUTHOR = Author("catalogue", "manual__2026-10-01", "generate", map_index=3, try_number=2, generation=1)
RECEIPT = Receipt(
    fingerprint=FINGERPRINT,
    state=ReceiptState.DELIVERED,
    author=AUTHOR,
    operation="generate_image",
    base_url="https://api.claid.ai/v1",
    subject="ein rotes Fahrrad, 自転車",
    body={"input": "ein rotes Fahrrad, 自転車", "options": {"number_of_images": 2, "guidance_scale": 5.0}},
    output="s3://aws@bucket/spring/",
    name="SKU-1",
    edition=2,
    lost_answers=1,
    credits=4.0,
    asked_at="2026-10-01T10:00:00+00:00",
    paid_at="2026-10-01T10:00:07+00:00",
    delivered_at="2026-10-01T10:00:08+00:00",
    before="etag|7",
    request_id="r-1",
    job_id=7,
    images=(
        DeliveredImage(1, "s3://aws@bucket/spring/SKU-1_1.png", False, 1024, 1024, "image/png", 99, "abc"),
        DeliveredImage(2, None, True, tmp_url="https://dl.claid.ai/b.png", expires_at="2026-10-02T10:00:00+00:00"),
    ),
)


class Store(dict[str, Any]):
    """Airflow's ``task_state_store``: JSON in, JSON out."""

    def set(self, key: str, value: Any) -> None:
        if value is None:
            raise ValueError("None cannot be kept")
        self[key] = json.dumps(value)

    def get(self, key: str, default: Any = None) -> Any:
        return json.loads(self[key]) if key in self else default


class BrokenStore(Store):
    """One that cannot be reached."""

    def get(self, key: str, default: Any = None) -> Any:
        raise ConnectionError("the API server is away")


@pytest.fixture(params=["local", "s3", "gcs", "task state"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> ReceiptStore:
    if request.param == "task state":
        return TaskStateReceipts(Store())
    if request.param == "local":
        return FolderReceipts(f"file://{tmp_path}/spring/_claid/")
    return FolderReceipts(f"{request.getfixturevalue(request.param)}/spring/_claid/")


def test_a_receipt_comes_back_as_it_was_written(store: ReceiptStore) -> None:
    assert store.read(FINGERPRINT) is None
    store.write(RECEIPT)
    assert store.read(FINGERPRINT) == RECEIPT
    later = RECEIPT.evolve(state=ReceiptState.BLOCKED, images=RECEIPT.images[1:], credits=6.0)
    store.write(later)
    assert store.read(FINGERPRINT) == later
    assert store.read("0" * 64) is None


@given(
    subject=st.text(max_size=30),
    state=st.sampled_from(ReceiptState),
    numbers=st.tuples(st.integers(-1, 9), st.floats(0, 1e6), st.none() | st.integers(0)),
    body=st.dictionaries(
        st.text(max_size=5), st.none() | st.text(max_size=5) | st.booleans() | st.integers(), max_size=4
    ),
)
def test_any_receipt_survives_its_json(
    subject: str, state: ReceiptState, numbers: tuple[int, float, int | None], body: dict[str, Any]
) -> None:
    receipt = RECEIPT.evolve(
        subject=subject, state=state, body=body, edition=numbers[0], credits=numbers[1], job_id=numbers[2]
    )
    assert Receipt.from_json(json.loads(json.dumps(receipt.to_json()))) == receipt


def test_a_changed_receipt_is_another_one_and_has_the_same_facts_but_those() -> None:
    before = RECEIPT.to_json()
    assert RECEIPT.evolve(name="OTHER").to_json() == {**before, "name": "OTHER"}
    assert RECEIPT.evolve() == RECEIPT
    assert RECEIPT.to_json() == before
    with pytest.raises(TypeError, match="a receipt has no colour, size"):
        RECEIPT.evolve(size=1, colour="red", name="OTHER")


def test_a_receipt_is_a_file_that_a_person_can_read(tmp_path: Path) -> None:
    FolderReceipts(f"file://{tmp_path}/_claid/").write(RECEIPT)
    [file] = (tmp_path / "_claid").iterdir()
    assert file.name == f"{FINGERPRINT}.json"
    text = file.read_text(encoding="utf-8")
    assert "自転車" in text
    facts = json.loads(text)
    assert list(facts)[:3] == ["version", "fingerprint", "state"]
    assert (facts["version"], facts["state"], facts["author"]["dag_id"]) == (VERSION, "delivered", "catalogue")
    assert facts["images"][0]["path"] == "s3://aws@bucket/spring/SKU-1_1.png"


def test_on_a_local_disk_each_state_is_added_and_the_last_one_counts(tmp_path: Path) -> None:
    store = FolderReceipts(f"file://{tmp_path}/")
    states = [RECEIPT.evolve(state=state) for state in (ReceiptState.INTENT, ReceiptState.PAID, ReceiptState.DELIVERED)]
    assert store.create(states[0])
    for receipt in states[1:]:
        store.write(receipt)
        assert store.read(FINGERPRINT) == receipt
    blocks = (tmp_path / f"{FINGERPRINT}.json").read_text(encoding="utf-8").split("\n\n")
    assert [Receipt.from_json(json.loads(block)) for block in blocks] == states


def test_in_a_bucket_there_is_the_last_state_alone(s3: str) -> None:
    store = FolderReceipts(f"{s3}/_claid/")
    for receipt in (RECEIPT.evolve(state=ReceiptState.PAID), RECEIPT):
        store.write(receipt)
    assert Receipt.from_json(json.loads(read(f"{s3}/_claid/{FINGERPRINT}.json"))) == RECEIPT


def test_a_state_written_in_place_of_the_others_leaves_nothing_of_them(store: ReceiptStore) -> None:
    link = DeliveredImage(1, None, None, tmp_url="https://elsewhere.example/a.png")
    store.create(RECEIPT.evolve(state=ReceiptState.INTENT))
    store.write(RECEIPT.evolve(state=ReceiptState.PAID, images=(link,)))
    store.write(RECEIPT, replace=True)
    assert store.read(FINGERPRINT) == RECEIPT


def test_the_text_of_an_earlier_state_is_gone_from_the_local_file(tmp_path: Path) -> None:
    store, file = FolderReceipts(f"file://{tmp_path}/"), tmp_path / f"{FINGERPRINT}.json"
    store.create(RECEIPT.evolve(state=ReceiptState.INTENT))
    store.write(RECEIPT.evolve(state=ReceiptState.PAID, subject="the earlier state"))
    assert "the earlier state" in file.read_text(encoding="utf-8")
    store.write(RECEIPT, replace=True)
    assert Receipt.from_json(json.loads(file.read_text(encoding="utf-8"))) == RECEIPT
    assert [entry.name for entry in tmp_path.iterdir()] == [file.name]


@pytest.mark.parametrize("wrap", [lambda store: ReceiptsOfOneRequest(store, RECEIPT), lambda store: store])
def test_what_wraps_a_store_passes_on_that_earlier_states_must_go(
    tmp_path: Path, wrap: Callable[[ReceiptStore], ReceiptStore]
) -> None:
    known = KnownReceipts(f"file://{tmp_path}/", lambda name: False)
    known.create(RECEIPT.evolve(state=ReceiptState.INTENT, subject="the earlier state"))
    wrap(known).write(RECEIPT, replace=True)
    assert "the earlier state" not in (tmp_path / f"{FINGERPRINT}.json").read_text(encoding="utf-8")


def test_a_state_that_was_being_added_at_a_crash_has_not_begun(tmp_path: Path) -> None:
    store, file = FolderReceipts(f"file://{tmp_path}/"), tmp_path / f"{FINGERPRINT}.json"
    intent, paid, delivered = (
        RECEIPT.evolve(state=state) for state in (ReceiptState.INTENT, ReceiptState.PAID, ReceiptState.DELIVERED)
    )
    store.create(intent)
    begin = file.stat().st_size
    store.write(paid)
    whole = file.read_bytes()
    for end in range(begin, len(whole) - 1):
        file.write_bytes(whole[:end])
        assert store.read(FINGERPRINT) == intent
    file.write_bytes(whole[:-1])
    assert store.read(FINGERPRINT) == paid
    for end in (begin + 1, begin + 2, begin + 700, len(whole) - 1):
        file.write_bytes(whole[:end])
        store.write(delivered)
        assert store.read(FINGERPRINT) == delivered
        file.write_bytes(file.read_bytes()[:-40])
        assert store.read(FINGERPRINT) in (intent, paid)


def test_a_last_state_that_has_an_end_and_is_broken_is_not_passed_over(tmp_path: Path) -> None:
    store, file = FolderReceipts(f"file://{tmp_path}/"), tmp_path / f"{FINGERPRINT}.json"
    store.create(RECEIPT.evolve(state=ReceiptState.INTENT))
    store.write(RECEIPT.evolve(state=ReceiptState.PAID))
    file.write_bytes(file.read_bytes().replace(b'"state": "paid"', b'"state": paid'))
    with pytest.raises(ReceiptUnreadableError, match="JSONDecodeError"):
        store.read(FINGERPRINT)


@pytest.mark.parametrize("padding", [b"\0", b"\0" * 4096, b"\n\n", b" \t\r\n\0 "])
def test_nuls_and_blanks_behind_a_whole_state_do_not_count(tmp_path: Path, padding: bytes) -> None:
    store, file = FolderReceipts(f"file://{tmp_path}/"), tmp_path / f"{FINGERPRINT}.json"
    store.create(RECEIPT.evolve(state=ReceiptState.INTENT))
    file.write_bytes(file.read_bytes() + padding)
    assert store.read(FINGERPRINT) == RECEIPT.evolve(state=ReceiptState.INTENT)
    store.write(RECEIPT)
    file.write_bytes(file.read_bytes().rstrip(b"\n") + padding)
    assert store.read(FINGERPRINT) == RECEIPT
    store.write(RECEIPT.evolve(credits=6.0))
    assert store.read(FINGERPRINT) == RECEIPT.evolve(credits=6.0)


@pytest.mark.parametrize("more", [b"x", b"\0\0x", b"}", b" {", b"\n]"])
def test_anything_else_behind_a_state_is_not_passed_over(tmp_path: Path, more: bytes) -> None:
    store, file = FolderReceipts(f"file://{tmp_path}/"), tmp_path / f"{FINGERPRINT}.json"
    store.create(RECEIPT.evolve(state=ReceiptState.INTENT))
    store.write(RECEIPT)
    file.write_bytes(file.read_bytes() + more)
    with pytest.raises(ReceiptUnreadableError, match="Extra data"):
        store.read(FINGERPRINT)


def test_a_state_of_which_nuls_are_left_in_part_has_not_begun(tmp_path: Path) -> None:
    store, file = FolderReceipts(f"file://{tmp_path}/"), tmp_path / f"{FINGERPRINT}.json"
    store.create(RECEIPT.evolve(state=ReceiptState.INTENT))
    begin = file.stat().st_size
    store.write(RECEIPT)
    whole = file.read_bytes()
    for end in (begin, begin + 1, begin + 2, begin + 700):
        file.write_bytes(whole[:end].ljust(len(whole), b"\0"))
        assert store.read(FINGERPRINT) == RECEIPT.evolve(state=ReceiptState.INTENT)


def test_a_receipt_of_another_request_in_the_task_state_is_unreadable() -> None:
    store = Store()
    TaskStateReceipts(store).write(RECEIPT)
    other = FINGERPRINT[:32] + "0" * 32
    with pytest.raises(ReceiptUnreadableError, match="another request"):
        TaskStateReceipts(store).read(other)


def spoiled(**changes: Any) -> bytes:
    return json.dumps({**RECEIPT.to_json(), **changes}).encode()


def without(name: str) -> bytes:
    return json.dumps({key: value for key, value in RECEIPT.to_json().items() if key != name}).encode()


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "JSONDecodeError"),
        (spoiled()[:200], "JSONDecodeError"),
        (b"\xff\xfe\x00", "UnicodeDecodeError"),
        (b"null", "not a receipt"),
        (b"[]", "not a receipt"),
        (b"{}", "not a receipt"),
        (b'{"version": "1"}', "not a receipt"),
        (b'{"version": 1}', "lacks"),
        (spoiled(version=VERSION + 1), "it is of version 2; this airflow-claid reads up to 1: upgrade it"),
        (spoiled(state="forgotten"), "forgotten"),
        (spoiled(author=None), "lacks"),
        (spoiled(author={"who": "me"}), "lacks"),
        (spoiled(images=None), "lacks"),
        (spoiled(images=[1]), "lacks"),
        (spoiled(credits="4"), "'credits' is '4', which is not a number"),
        (spoiled(credits=None), "'credits' is None, which is not a number"),
        (spoiled(credits=True), "'credits' is True, which is not a number"),
        (spoiled(credits_in_doubt=[]), "'credits_in_doubt' is [], which is not a number"),
        (spoiled(edition="2"), "'edition' is '2', which is not a whole number"),
        (spoiled(lost_answers=None), "'lost_answers' is None, which is not a whole number"),
        (spoiled(asked_at="2026-10-01T10:00:00"), "'asked_at' is '2026-10-01T10:00:00', which is not a time with its"),
        (spoiled(paid_at="yesterday"), "'paid_at' is 'yesterday', which is not a time"),
        (spoiled(delivered_at=1759312800), "'delivered_at' is 1759312800, which is not a time"),
        (spoiled(subject=None), "'subject' is None, which is not a text"),
        (spoiled(body=[]), "'body' is [], which is not an object"),
        (spoiled(images=[]), "'images' is [], which is not the pictures of a receipt that is delivered"),
        (spoiled(state="blocked", images=[]), "the pictures of a receipt that is blocked"),
        (spoiled(fingerprint="0" * 64), f"the receipt of another request, {'0' * 64}"),
        (spoiled() + b"\0\0x", "JSONDecodeError: Extra data"),
        (without("fingerprint"), "lacks"),
        (without("state"), "lacks"),
        (without("body"), "lacks"),
    ],
)
def test_a_receipt_that_cannot_be_read_is_not_taken_for_none(tmp_path: Path, content: bytes, reason: str) -> None:
    (tmp_path / f"{FINGERPRINT}.json").write_bytes(content)
    with pytest.raises(ReceiptUnreadableError) as caught:
        FolderReceipts(f"file://{tmp_path}/").read(FINGERPRINT)
    for part in (f"{tmp_path}/{FINGERPRINT}.json", reason, "nothing was sent and nothing was charged", "delete it"):
        assert part in str(caught.value)


def test_a_directory_in_a_receipts_place_is_unreadable(tmp_path: Path) -> None:
    (tmp_path / f"{FINGERPRINT}.json").mkdir()
    with pytest.raises(ReceiptUnreadableError, match="IsADirectoryError"):
        FolderReceipts(f"file://{tmp_path}/").read(FINGERPRINT)


@pytest.mark.parametrize("reply", [Reply(403), Reply(401), Reply(400, b"<Error><Code>ExpiredToken</Code></Error>")])
def test_a_bucket_that_refuses_is_unreadable(connect: Connect, scripted: ScriptedServer, reply: Reply) -> None:
    conn_id = connect(f"s3_{urlsplit(scripted.url).port}", **s3_connection(scripted.url))
    scripted.replies(reply)
    with pytest.raises(ReceiptUnreadableError):
        FolderReceipts(f"s3://{conn_id}@bucket/_claid/").read(FINGERPRINT)
    assert scripted.received


def test_a_bucket_that_may_not_be_listed_is_told_as_that_and_not_as_a_receipt(
    connect: Connect, scripted: ScriptedServer
) -> None:
    conn_id = connect(f"s3_{urlsplit(scripted.url).port}", **s3_connection(scripted.url))
    scripted.replies(Reply(403))
    with pytest.raises(ReceiptUnreadableError) as caught:
        FolderReceipts(f"s3://{conn_id}@bucket/_claid/").read(FINGERPRINT)
    assert "may not list s3://bucket/_claid/" in str(caught.value)
    assert "Give the connection s3:ListBucket" in str(caught.value)
    assert "nothing was charged" in str(caught.value)
    assert "may be paid" not in str(caught.value)


def test_a_task_state_that_cannot_be_asked_is_unreadable() -> None:
    with pytest.raises(ReceiptUnreadableError, match="ConnectionError: the API server is away"):
        TaskStateReceipts(BrokenStore()).read(FINGERPRINT)


def test_a_task_state_that_holds_something_else_is_unreadable() -> None:
    store = Store()
    TaskStateReceipts(store).write(RECEIPT)
    [key] = store
    assert key.startswith("claid_receipt_")
    assert key.endswith(FINGERPRINT[:32])
    store.set(key, {"version": 99})
    with pytest.raises(ReceiptUnreadableError, match="upgrade"):
        TaskStateReceipts(store).read(FINGERPRINT)


def test_facts_that_this_version_does_not_know_are_left_alone(tmp_path: Path) -> None:
    content = spoiled(colour="red", images=[{**RECEIPT.to_json()["images"][0], "depth": 8}])
    (tmp_path / f"{FINGERPRINT}.json").write_bytes(content)
    assert FolderReceipts(f"file://{tmp_path}/").read(FINGERPRINT) == RECEIPT.evolve(images=RECEIPT.images[:1])


def test_where_nothing_is_kept_nothing_is_found() -> None:
    store = NoReceipts()
    store.write(RECEIPT)
    assert store.read(FINGERPRINT) is None


def test_a_receipt_of_a_signed_input_holds_neither_the_signature_nor_a_key(s3: str, tmp_path: Path) -> None:
    class NoStorages:
        def covering(self, uri: str) -> None:
            return None

    write_whole(f"{s3}/chair.png", b"picture")
    found = source(f"{s3}/chair.png", NoStorages())
    order = EditOrder(
        base_url="https://api.claid.ai/v1",
        place=edit_place(f"file://{tmp_path}/out/"),
        name="chair",
        source=found,
        operations=Operations.model_validate({"resizing": {"width": 9}}),
        output=ImageOutput(),
    )
    receipt = RECEIPT.evolve(fingerprint=order.fingerprint, body=order.body, subject=order.subject)
    FolderReceipts(order.place.receipts).write(receipt)
    text = (tmp_path / "out" / "_claid" / f"{order.fingerprint}.json").read_text(encoding="utf-8")
    assert f"{s3}/chair.png" in text
    for secret in ("X-Amz-Signature", "AWSAccessKeyId", "Signature=", "test-key", "test-secret", "Bearer"):
        assert secret not in text


@pytest.mark.parametrize(
    ("change", "same"),
    [
        ({"try_number": 9}, True),
        ({"generation": 2}, False),
        ({"run_id": "another"}, False),
        ({"task_id": "another"}, False),
        ({"map_index": 4}, False),
        ({"dag_id": "another"}, False),
    ],
)
def test_retries_are_of_one_attempt_and_clears_are_not(change: dict[str, Any], same: bool) -> None:
    assert AUTHOR.same_attempt(Author(**{**vars(AUTHOR), **change})) is same


def test_an_image_takes_over_what_the_answer_says() -> None:
    answered = OutputImage(width=1024, height=768, mime="image/png", tmp_url="", object_uri="gs://bucket/a.png")
    image = DeliveredImage.from_answer(3, answered)
    assert (image.position, image.path, image.blocked, image.usable) == (3, None, None, False)
    assert (image.width, image.height, image.tmp_url, image.object_uri) == (1024, 768, None, "gs://bucket/a.png")
    assert image.evolve(path="gs://bucket/a.png").usable
    assert not image.evolve(path="gs://bucket/a.png", blocked=True).usable
