"""Ways in which an account differs from what is documented, and what a check is to say of each."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta, timezone
from email.utils import format_datetime
from typing import Any

from airflow_claid.sandbox import Sandbox
from tests.support.dialects import said

FREE: dict[str, Any] = {}
LINKS: dict[str, Any] = {"spend": 2}
STORED: dict[str, Any] = {"spend": 2, "storage": "shop"}
COPES = "Nothing"
"""How a cure begins where the product copes."""


@dataclass(frozen=True)
class Difference:
    """One difference.

    :param named: the assumptions that the check is to find to differ, each with a part of what it says.
    :param cure: a part of the first one's cure.
    :param arrange: makes the account differ.
    :param check: how the account is checked.
    :param setting: a part of the setting that is to be written into the connection.
    """

    named: dict[str, str]
    cure: str
    arrange: Callable[[Sandbox], object]
    check: dict[str, Any] = field(default_factory=dict)
    setting: str = ""


def _everywhere(account: Sandbox, **dialect: Any) -> None:
    """Let answers of success, and those about a job that is not there, differ."""
    account.dialect(**dialect)
    account.dialect(of_status=404, **dialect)


def _hours_ahead(account: Sandbox) -> None:
    date = format_datetime(datetime.now(timezone.utc) + timedelta(hours=2), usegmt=True)
    _everywhere(account, headers={"Date": date})


def _without_quota(account: Sandbox) -> None:
    _everywhere(account, headers=dict.fromkeys(("RateLimit-Limit", "RateLimit-Remaining", "RateLimit-Reset")))


def _in_another_form(account: Sandbox) -> None:
    headers = {"RateLimit-Limit": None, "RateLimit-Remaining": None, "RateLimit-Policy": '"burst";q=4;w=1'}
    _everywhere(account, headers=headers)


DIFFERENCES: dict[str, Difference] = {
    "no headers of a quota": Difference(
        {"quota-headers": "get_edit had no RateLimit-Limit", "polls-count": "does not name the quota"},
        COPES,
        _without_quota,
    ),
    "the quota in the newer form": Difference(
        {"quota-headers": "RateLimit-Policy", "polls-count": "does not name the quota"}, COPES, _in_another_form
    ),
    "polls that do not count": Difference(
        {"polls-count": "polls seem not to count", "quota-headers": "get_edit"},
        COPES,
        lambda account: account.change(polls_count=False),
    ),
    "polls that leave the quota as it was": Difference(
        {"polls-count": "left as much"},
        COPES,
        lambda account: account.dialect(
            operation="get_edit",
            of_status=404,
            headers={"RateLimit-Limit": "120, 120;w=60, 4;w=1", "RateLimit-Remaining": "100", "RateLimit-Reset": "60"},
        ),
    ),
    "a quota of storages": Difference(
        {"storage-quota": "60 in 60 s"},
        COPES,
        lambda account: account.dialect(operation="list_storages", headers={"RateLimit-Limit": "60, 60;w=60"}),
    ),
    "another clock": Difference({"clock": "behind"}, "NTP", _hours_ahead),
    "no request ids": Difference(
        {"request-id": "get_edit"}, COPES, lambda account: _everywhere(account, headers={"x-request-id": None})
    ),
    "answers without a type": Difference(
        {"content-type": "get_edit: none"}, COPES, lambda account: _everywhere(account, headers={"Content-Type": None})
    ),
    "another answer to an unknown key": Difference(
        {"refusal-key": "no error_message (its fields: message)"},
        COPES,
        lambda account: account.dialect(of_status=401, body_json={"message": "Who are you?"}),
    ),
    "an unknown key that is forbidden": Difference(
        {"refusal-key": "it answered 418"}, COPES, lambda account: account.dialect(of_status=401, status=418)
    ),
    "a job that is not there but gone": Difference(
        {"refusal-no-job": "it answered 410"},
        COPES,
        lambda account: account.dialect(operation="get_edit", of_status=404, status=410),
    ),
    "a validation error as 400": Difference(
        {"refusal-invalid": "it answered 400"},
        COPES,
        lambda account: account.dialect(operation="edit_image", of_status=422, status=400),
    ),
    "a validation error without details": Difference(
        {"refusal-invalid": "no error_details"},
        COPES,
        lambda account: account.dialect(operation="edit_image", of_status=422, without="error_details"),
    ),
    "a wrong id in another form": Difference(
        {"refusal-bad-id": "its body is text", "content-type": "get_edit"},
        COPES,
        lambda account: account.dialect(operation="get_edit", of_status=422, body_text="bad id"),
    ),
    "a storage of another type": Difference(
        {"storages-listed": "'azure'"},
        COPES,
        lambda account: account.dialect(operation="list_storages", values={"data.0.type": "azure"}),
        {"extra": {"storages": {}}},
    ),
    "a storage without its bucket": Difference(
        {"storages-buckets": "1 of the storages", "storages-readable": "1 of 1 cannot be listed"},
        "`s3://`",
        lambda account: account.dialect(operation="list_storages", without="data.0.parameters.bucket"),
    ),
    "a storage without its access key": Difference(
        {"storages-key": "access key is not told"},
        "rotate=True",
        lambda account: account.dialect(operation="get_storage", without="data.parameters.credentials"),
    ),
    "a storage that tells its secret": Difference(
        {"storages-key": "a field for the secret"},
        "Claid's support",
        lambda account: account.dialect(
            operation="get_storage", values={"data.parameters.credentials.secret_access_key": "the-secret-of-the-shop"}
        ),
    ),
    "a mapping of a storage that is not there": Difference(
        {"storages-mapped": "1 of 1 mapped storages"},
        "`storages`",
        lambda account: None,
        {"extra": {"storages": {"shops": "file:///nowhere"}}},
    ),
    "a mapping that cannot be read": Difference(
        {"storages-readable": "1 of 1 cannot be listed"},
        "`storages`",
        lambda account: None,
        {"extra": {"storages": {"shop": "no_such_connection"}}},
    ),
    "links on another host": Difference(
        {"links-hosts": "cdn.example.com", "generation-read": "LinkNotAllowedError"},
        "`download_hosts`",
        lambda account: account.dialect(operation="generate_image", links="https://cdn.example.com{path}"),
        LINKS,
        setting="storage.googleapis.com, *.storage.googleapis.com, cdn.example.com",
    ),
    "links without https": Difference(
        {"links-https": "http://", "links-hosts": "pictures.example", "generation-read": "LinkNotAllowedError"},
        COPES,
        lambda account: account.dialect(operation="generate_image", links="http://pictures.example{path}"),
        LINKS,
    ),
    "signed links": Difference(
        {"links-unsigned": "a query"},
        COPES,
        lambda account: account.dialect(operation="generate_image", links="{link}?sig=very-secret-signature"),
        LINKS,
    ),
    "a redirect to another host": Difference(
        {"links-redirects": "elsewhere.example", "generation-read": "LinkNotAllowedError"},
        "`download_hosts`",
        lambda account: account.dialect(
            operation="download", status=302, headers={"Location": "https://elsewhere.example/a.png"}
        ),
        LINKS,
        setting="elsewhere.example",
    ),
    "pictures without their type": Difference(
        {"links-type": "binary/octet-stream"},
        COPES,
        lambda account: account.dialect(operation="download", headers={"Content-Type": "binary/octet-stream"}),
        LINKS,
    ),
    "a host that sends no part of a picture": Difference(
        {"links-ranges": "answered 416"},
        COPES,
        lambda account: account.dialect(operation="download", status=416, count=1),
        LINKS,
    ),
    "output beside data": Difference(
        {
            "generation-fields": "data.output is no list",
            "generation-types": "no picture",
            "generation-number": "0 for 1",
        },
        COPES,
        lambda account: account.dialect(**said("output beside data")),
        LINKS,
    ),
    "sizes as texts": Difference(
        {"generation-types": "width is of the type str"},
        COPES,
        lambda account: account.dialect(**said("sizes as texts")),
        LINKS,
    ),
    "unknown fields": Difference(
        {"generation-fields": "we do not know: new", "generation-types": "we do not know: new"},
        COPES,
        lambda account: account.dialect(**said("unknown fields")),
        LINKS,
    ),
    "no echo of the prompt": Difference(
        {"generation-prompt": "not there", "generation-fields": "data.input is no object"},
        COPES,
        lambda account: account.dialect(**said("echo left out")),
        LINKS,
    ),
    "pictures of another size": Difference(
        {"generation-picture": "512x512"}, COPES, lambda account: account.change(image_size=512), LINKS
    ),
    "an answer without links": Difference(
        {
            "generation-read": "UnreadAnswerError",
            "generation-fields": "data.output is no list",
            "generation-types": "no picture",
            "generation-number": "0 for 1",
        },
        "Send us the report",
        lambda account: account.dialect(operation="generate_image", without="data.output"),
        LINKS,
    ),
    "a slow generation": Difference(
        {"generation-seconds": "of the 2 s that it may take"},
        "`read_timeout`",
        lambda account: account.fault("latency", operation="generate_image", seconds=1.3),
        {**LINKS, "extra": {"read_timeout": 2}},
    ),
    "no credits": Difference(
        {"generation-read": "ClaidCreditsError"},
        "errors.md",
        lambda account: account.add_key("poor-sandbox-key", credits=0.5),
        {**LINKS, "key": "poor-sandbox-key"},
    ),
    "the id of a job as text": Difference(
        {"edit-job": "data.id is of the type str"},
        COPES,
        lambda account: account.dialect(**said("id a text", "submit_edit")),
        LINKS,
    ),
    "an unknown status": Difference(
        {"edit-statuses": "QUEUED"},
        COPES,
        lambda account: account.dialect(operation="submit_edit", values={"data.status": "QUEUED"}),
        LINKS,
    ),
    "a result without the input": Difference(
        {"edit-result": "data.result.input_object is missing"},
        COPES,
        lambda account: account.dialect(operation="get_edit", without="data.result.input_object"),
        LINKS,
    ),
    "a job that is done without a result": Difference(
        {"edit-read": "UnreadAnswerError", "edit-result": "of the type NoneType"},
        "Send us the report",
        lambda account: account.dialect(operation="get_edit", without="data.result"),
        LINKS,
    ),
    "an edit of another size than announced": Difference(
        {"edit-picture": "65x64 pixels were announced, it has 64x64"},
        "look at the picture",
        lambda account: account.dialect(operation="get_edit", values={"data.result.output_object.width": 65}),
        LINKS,
    ),
    "https in place of s3": Difference(
        {"stored-uri": "https://…"},
        COPES,
        lambda account: account.dialect(
            operation="generate_image",
            values={"data.output.*.object_uri": "https://shop-pictures.s3.amazonaws.com/a.png"},
        ),
        STORED,
    ),
    "no addresses of what was stored": Difference(
        {"stored-addresses": "object_bucket is empty; claid_storage_uri is empty"},
        COPES,
        lambda account: account.dialect(
            operation="generate_image", without=["data.output.*.object_bucket", "data.output.*.claid_storage_uri"]
        ),
        STORED,
    ),
    "another folder, and other names of files": Difference(
        {"stored-folder": "outside of the folder", "stored-names": "0123.png"},
        "`path` of the storage",
        lambda account: account.dialect(
            operation="generate_image",
            values={"data.output.*.object_key": "spring/elsewhere/0123.png"},
        ),
        STORED,
    ),
    "a storage that the mapping does not reach": Difference(
        {"stored-mapping": "nothing is there", "stored-lost-answer": "0 pictures"},
        "`storages`",
        lambda account: None,
        {**STORED, "extra": {"storages": {"shop": "file:///tmp/check-no-such-bucket"}}},
    ),
    "a storage that is not mapped": Difference(
        {"stored-mapping": "is not mapped"},
        "`storages`",
        lambda account: None,
        {**STORED, "extra": {"storages": {}}},
        setting='{"storages": {"shop": "AIRFLOW-CONNECTION-ID"}}',
    ),
}
"""Each by a name."""
