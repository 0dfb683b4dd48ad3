"""The credits page: what it shows, to whom, and of which days."""

from __future__ import annotations

import csv
import re
from datetime import date, datetime, timezone

import pytest
from fastapi.testclient import TestClient

from airflow_claid.client.spending.limits import SpendLimit
from airflow_claid.fulfilment.bill import Sums
from airflow_claid.plugins.credits.sums import Adder
from airflow_claid.plugins.gallery.reports import TaskRef
from tests.conftest import Connect
from tests.support.spending import BASE_URL, Limited
from tests.unit.plugins.credits.conftest import Bills, xcom

TODAY = datetime.now(timezone.utc).date().isoformat()
SOFA = TaskRef("shop", "r1", "sofa")
SECRET = TaskRef("shop.secret", "r1", "hidden_task")


def rows(client: TestClient, query: str = "") -> list[dict[str, str]]:
    return list(csv.DictReader(client.get(f"/credits.csv{query}").text.splitlines()))


def test_sums_are_by_what_is_asked_for(client: TestClient, bills: Bills) -> None:
    bills += [
        (SOFA, xcom((TODAY, "generate_image", {"credits": 2, "pictures": 1, "blocked": 1}))),
        (TaskRef("shop", "r2", "sofa"), xcom((TODAY, "generate_image", {"reused": 2, "rate_limited": 3}))),
        (TaskRef("shop", "r2", "edit", 7), xcom((TODAY, "submit_edit", {"credits": 0.5, "in_doubt": 1}))),
    ]
    assert rows(client, "?by=operation") == [
        {"operation": "generate_image", "credits": "2", "reused": "2", "in_doubt": "0", "pictures": "1", "blocked": "1",
         "rate_limited": "3"},
        {"operation": "submit_edit", "credits": "0.5", "reused": "0", "in_doubt": "1", "pictures": "0", "blocked": "0",
         "rate_limited": "0"},
    ]  # fmt: skip
    assert [(row["day"], row["dag"], row["credits"]) for row in rows(client)] == [(TODAY, "shop", "2.5")]
    page = client.get("/credits").text
    assert "50.0 %" in page
    assert "From what 3 task instances reported" in page


def test_days_beyond_the_range_do_not_count(client: TestClient, bills: Bills) -> None:
    bills.append((SOFA, xcom(*((f"2026-03-0{day}", "generate_image", {"credits": day}) for day in range(1, 6)))))
    assert [row["credits"] for row in rows(client, "?from=2026-03-02&to=2026-03-04&by=day")] == ["4", "3", "2"]


@pytest.mark.parametrize("query", ["?from=2026-03-02&to=2026-03-01", "?from=never", "?from=2020-01-01&to=2026-01-01"])
def test_a_range_that_is_none_is_named_and_the_latest_days_are_shown(client: TestClient, query: str) -> None:
    page = client.get(f"/credits{query}").text
    assert 'role="alert"' in page
    assert f'name="to" type="date" value="{TODAY}"' in page


def test_a_dag_that_the_person_may_not_read_is_not_in_it(client: TestClient, bills: Bills) -> None:
    bills += [
        (SOFA, xcom((TODAY, "generate_image", {"credits": 1}))),
        (SECRET, xcom((TODAY, "generate_image", {"credits": 40}))),
    ]
    for path in ("/credits", "/credits.csv?by=task", "/credits?dag=shop"):
        answer = client.get(path)
        assert (answer.status_code, "hidden_task" in answer.text, "secret" in answer.text) == (200, False, False)
        assert "40" not in re.sub(r"\d{4}-\d\d-\d\d|v=[^\"]+", "", answer.text)
    for path in ("/credits?dag=shop.secret", "/credits.csv?dag=shop.secret", "/credits.csv?dag=other"):
        assert client.get(path).status_code == 403
    assert len(rows(TestClient(client.app, headers={"X-Rights": "all"}), "?by=dag")) == 2


def test_without_a_right_it_is_403_and_without_a_login_401(client: TestClient) -> None:
    for path in ("/credits", "/credits.csv"):
        assert client.get(path, headers={"X-Rights": "none"}).status_code == 403
        del_rights = TestClient(client.app)
        assert del_rights.get(path).status_code == 401
        assert "default-src 'none'" in del_rights.get(path).headers["Content-Security-Policy"]


def test_where_nothing_was_spent_the_page_says_so(client: TestClient) -> None:
    page = client.get("/credits").text
    assert "Nothing was spent" in page
    assert "<table" not in page


def test_markup_and_formulas_are_text(client: TestClient, bills: Bills) -> None:
    bills.append((TaskRef("shop", "r", "<script>x</script>"), xcom((TODAY, "=cmd()", {"credits": 1}))))
    assert "<script>x" not in client.get("/credits?by=task&by=operation").text
    assert rows(client, "?by=operation")[0]["operation"] == "'=cmd()"


def test_what_is_no_bill_is_passed_over(client: TestClient, bills: Bills) -> None:
    bills += [(SOFA, value) for value in ("text", None, {"total": 3}, [1])]
    assert rows(client) == []


def test_the_page_needs_no_more_memory_for_more_task_instances() -> None:
    adder = Adder(date(2026, 3, 1), date(2026, 3, 14))
    for number in range(10_000):
        adder.add(TaskRef("shop", f"r{number}", "sofa", number), xcom(("2026-03-02", "generate_image", {"credits": 1})))
    assert len(adder._sums) == 1
    assert not adder.tasks
    assert adder.bill(["dag"]).total == Sums(credits=10_000)


def test_a_spend_limit_is_shown_with_what_is_used_and_when_it_opens(
    client: TestClient, bills: Bills, redis_url: str, connect: Connect
) -> None:
    limited = Limited(redis_url, SpendLimit("page", 100.0), time=datetime.now(timezone.utc))
    for who, paid in (("shop.sofa", 30.0), ("shop.secret.hidden_task", 20.0)):
        spending = limited.spending(who)
        spending.end(spending.reserve(who, "a lamp", paid), charged=True)
    limited.spending("shop.sofa").reserve("open", "a lamp", 10.0)
    bills.append((SOFA, xcom((TODAY, "generate_image", {"credits": 30}))))
    extra = {"quota_store": redis_url.replace("redis://", "redis://:pass-word@") if "@" in redis_url else redis_url}
    connect("claid_default", conn_type="claid", password="the-key", host=BASE_URL, extra=extra)
    page = client.get("/credits").text
    text = re.sub(r"<[^>]+>|\s+", " ", page)
    assert re.search(r"page\s+claid_default.*100\s+50\s+10\s+60 %.*shop 40, *other DAGs 20", re.sub(r"\s+", " ", text))
    assert "hidden_task" not in page
    assert "the-key" not in page
    assert redis_url not in page


def test_a_redis_that_cannot_be_reached_is_named_without_its_password(
    client: TestClient, bills: Bills, connect: Connect
) -> None:
    bills.append((SOFA, xcom((TODAY, "generate_image", {"credits": 30}))))
    extra = {"quota_store": "redis://:pass-word@127.0.0.1:1/0", "spend_limit": "10 per day"}
    connect("claid_default", conn_type="claid", password="the-key", host=BASE_URL, extra=extra)
    page = client.get("/credits").text
    assert "that counts the spend limits cannot be reached" in page
    assert "pass-word" not in page
    assert "the-key" not in page
