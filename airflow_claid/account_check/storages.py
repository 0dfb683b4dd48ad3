"""Assumptions about connected storages, and about the connection's mapping of them."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any

from airflow_claid.account_check.assumption import Assumption, Finding, Group, agrees, differs, not_tried, note
from airflow_claid.account_check.evidence import Evidence, Step
from airflow_claid.client.redaction import HIDDEN

_TYPES = ("s3", "gcs", "web_folder")


def _need_list(examine: Callable[[Evidence], Finding]) -> Callable[[Evidence], Finding]:
    """Return an examination for which the storages must have been listed."""

    def examine_list(evidence: Evidence) -> Finding:
        answer = evidence.last(Step.STORAGES)
        if answer is None or not 200 <= answer.status < 300:
            return not_tried("the storages were not listed")
        return examine(evidence)

    return examine_list


def _rows(evidence: Evidence) -> list[Any]:
    answer = evidence.last(Step.STORAGES)
    data = answer.body.get("data") if answer is not None and isinstance(answer.body, Mapping) else None
    return data if isinstance(data, list) else []


def _listed(evidence: Evidence) -> Finding:
    answer = evidence.last(Step.STORAGES)
    if answer is None or not isinstance(answer.body, Mapping) or not isinstance(answer.body.get("data"), list):
        return differs("the answer has no list under data")
    problems = []
    for row in _rows(evidence):
        lacking = [
            name for name in ("id", "name", "type", "parameters") if not isinstance(row, Mapping) or name not in row
        ]
        problems += [f"a storage lacks {', '.join(lacking)}"] if lacking else []
        kind = row.get("type") if isinstance(row, Mapping) else None
        problems += [f"a storage is of the type {str(kind)[:40]!r}"] if kind not in (None, *_TYPES) else []
    number = len(_rows(evidence))
    return differs("; ".join(dict.fromkeys(problems))) if problems else agrees(f"{number} listed", _names(evidence))


def _names(evidence: Evidence) -> str:
    return ", ".join(one["name"] for one in evidence.storages)


def _buckets(evidence: Evidence) -> Finding:
    without = [one["name"] for one in evidence.storages if one["writable"] and one["bucket"] is None]
    if not any(one["writable"] for one in evidence.storages):
        return not_tried("there is no storage that can be written")
    if without:
        return differs(f"{len(without)} of the storages name none", detail=", ".join(without))
    return agrees("all name theirs")


def _secrets(evidence: Evidence) -> Finding:
    answer = evidence.last(Step.STORAGE)
    if answer is None or not isinstance(answer.body, Mapping):
        return not_tried("no storage was looked at alone")
    if HIDDEN in json.dumps(answer.body) and "secret" in json.dumps(answer.body).lower():
        return differs("the answer has a field for the secret", cure="Nothing: it is hidden. Tell Claid's support.")
    key = "access_key" in json.dumps(answer.body)
    if key or '"bucket"' not in json.dumps(answer.body):
        return agrees("the access key is told, the secret is not")
    return differs("the access key is not told")


def _mapped(evidence: Evidence) -> Finding:
    if not evidence.mapping:
        return not_tried("the connection maps no storage")
    known = {one["name"]: one for one in evidence.storages}
    unknown = [name for name in evidence.mapping if name not in known]
    unwritable = [name for name in evidence.mapping if name in known and not known[name]["writable"]]
    if unknown:
        seen = f"{len(unknown)} of {len(evidence.mapping)} mapped storages are not connected to the account"
        return differs(seen, detail=", ".join(unknown))
    if unwritable:
        return differs(f"{len(unwritable)} mapped storages are web folders", detail=", ".join(unwritable))
    return agrees(f"all {len(evidence.mapping)} are", ", ".join(evidence.mapping))


def _readable(evidence: Evidence) -> Finding:
    mapped = [one for one in evidence.storages if one["mapped"] and one["readable"] is not None]
    if not mapped:
        return not_tried("no mapped storage could be looked at")
    failed = [one for one in mapped if not one["readable"]]
    if failed:
        detail = "; ".join(f"{one['name']}: {one['problem']}" for one in failed)
        return differs(f"{len(failed)} of {len(mapped)} cannot be listed from here", detail=detail)
    return agrees(f"{len(mapped)} can be listed from here")


def _unmapped(evidence: Evidence) -> Finding:
    unmapped = [one["name"] for one in evidence.storages if one["writable"] and not one["mapped"]]
    if not any(one["writable"] for one in evidence.storages):
        return not_tried("there is no storage that can be written")
    if not unmapped:
        return agrees("all are mapped")
    setting = json.dumps({"storages": dict.fromkeys(unmapped, "AIRFLOW-CONNECTION-ID")}, ensure_ascii=False)
    return note(f"{len(unmapped)} are not mapped", detail=", ".join(unmapped), setting=setting)


GROUP = Group(
    "Connected storages",
    (
        Assumption(
            name="storages-listed",
            says="Each connected storage is listed with `id`, `name`, `type` and `parameters`.",
            source="the contract: `Storage`",
            tried="the storages are listed",
            cure="Nothing, as far as `name` is there: what is missing is taken for unknown.",
            examine=_need_list(_listed),
        ),
        Assumption(
            name="storages-buckets",
            says="A storage names its bucket and the folder in it.",
            source="the contract: `parameters.bucket`, `parameters.path`",
            tried="the list of storages",
            cure="No setting: Airflow cannot look there, as if the storage were not mapped. Use an `s3://` or `gs://` "
            "output instead.",
            examine=_need_list(_buckets),
        ),
        Assumption(
            name="storages-key",
            says="One storage alone is answered with its access key, and never with the secret.",
            source="the contract: `StorageDetail`",
            tried="one storage is looked at",
            cure="Use `rotate=True` in `ConnectStorageOperator` after a change of keys; nothing in the connection.",
            examine=_need_list(_secrets),
        ),
        Assumption(
            name="storages-mapped",
            says="Each storage that the connection maps is connected to the account, and can be written.",
            source="the connection's extra `storages`",
            tried="the names are compared",
            cure="Correct the name in `storages` in the connection's extra, or connect the bucket with "
            "`ConnectStorageOperator`.",
            examine=_need_list(_mapped),
        ),
        Assumption(
            name="storages-readable",
            says="Airflow can read the bucket of each mapped storage.",
            source="the connection's extra `storages`",
            tried="the storage's folder is listed through the mapped connection",
            cure="Correct the connection that `storages` names, or its rights: it must list and read the bucket.",
            examine=_need_list(_readable),
        ),
        Assumption(
            name="storages-all-mapped",
            says="Each storage that can be written is mapped.",
            source="recommended: receipts, blocked pictures and lost answers need it",
            tried="the names are compared",
            cure="Map the storage in `storages` in the connection's extra, if you use it.",
            examine=_need_list(_unmapped),
        ),
    ),
)
