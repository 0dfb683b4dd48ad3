"""Assumptions about pictures that Claid writes into a connected storage."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from typing import Any

from airflow_claid.account_check.answered_pictures import at
from airflow_claid.account_check.assumption import Assumption, Finding, Group, agrees, differs, not_tried, note
from airflow_claid.account_check.evidence import Evidence, Step

_NAMES = ("object_key", "object_bucket", "object_uri", "claid_storage_uri")
_NAME = re.compile(r"Claid_[0-9a-f]{32}\.png")
_DOCS = "docs.claid.ai; no real answer has been seen"
Facts = dict[str, Any]


def _stored(examine: Callable[[Facts, Facts], Finding]) -> Callable[[Evidence], Finding]:
    """Return an examination of the stored picture: of what its answer says, and of what was noted."""

    def examine_stored(evidence: Evidence) -> Finding:
        why = evidence.why_unpaid.get(Step.GENERATION)
        if why is not None:
            return not_tried(why)
        facts = evidence.paid.get(Step.GENERATION, {})
        if not facts.get("storage"):
            return not_tried("give --storage NAME to try it")
        answer = evidence.last(Step.GENERATION, "generate_image")
        pictures = at(answer.body, "data", "output") if answer else None
        if not isinstance(pictures, list) or not pictures or not isinstance(pictures[0], dict):
            return not_tried("the answer names no picture")
        return examine(pictures[0], facts)

    return examine_stored


def _addresses(picture: Facts, _: Facts) -> Finding:
    problems = [f"{name} is empty" for name in _NAMES if not picture.get(name)]
    problems += ["tmp_url is given, too"] if picture.get("tmp_url") else []
    return differs("; ".join(problems)) if problems else agrees("all four are filled, and tmp_url is empty")


def _form(picture: Facts, _: Facts) -> Finding:
    scheme = str(picture.get("object_uri") or "").partition("://")[0]
    return agrees(f"{scheme}://…") if scheme in ("s3", "gs") else differs(f"it is {scheme or 'empty'}://…")


def _folder(picture: Facts, facts: Facts) -> Finding:
    key, folder = str(picture.get("object_key") or ""), str(facts.get("own_folder") or "")
    if not key or not folder:
        return not_tried("the answer names no object_key")
    return agrees("it is") if f"/{folder}/" in f"/{key}" else differs("object_key is outside of the folder asked for")


def _names(picture: Facts, _: Facts) -> Finding:
    name = str(picture.get("object_key") or "").rpartition("/")[2]
    return (
        agrees("Claid_….png") if _NAME.fullmatch(name) else differs(re.sub(r"[0-9a-f]{6,}", "…", name)[:80] or "none")
    )


def _blank(_: Facts, facts: Facts) -> Finding:
    found = facts.get("found_at")
    if found is None:
        return not_tried("the storage is not mapped, or the picture was not found")
    return agrees("%20 became a blank") if found == "decoded" else differs("%20 stayed as it was sent")


def _mapping(_: Facts, facts: Facts) -> Finding:
    if not facts.get("is_mapped"):
        setting = json.dumps({"storages": {facts["storage"]: "AIRFLOW-CONNECTION-ID"}}, ensure_ascii=False)
        return differs("the storage is not mapped", detail=facts["storage"], setting=setting)
    if not facts.get("number_found"):
        return differs("nothing is there where the mapping leads", detail=str(facts.get("looked_at", "")))
    return agrees("the picture was read")


def _lost(_: Facts, facts: Facts) -> Finding:
    if not facts.get("is_mapped"):
        return note("the storage is not mapped, so a lost answer is requested again, or the task fails")
    number = facts.get("number_found", 0)
    return agrees("its picture is found there") if number == 1 else differs(f"{number} pictures are found for 1")


GROUP = Group(
    "Pictures in a connected storage (`--storage NAME`)",
    (
        Assumption(
            name="stored-addresses",
            says="The answer names the object in four fields, and `tmp_url` is empty.",
            source=_DOCS,
            tried="a generation is written to the storage",
            cure="Nothing: any of the addresses will do; without one, the request's own folder is listed.",
            examine=_stored(_addresses),
        ),
        Assumption(
            name="stored-uri",
            says="`object_uri` begins with `s3://` or `gs://`.",
            source="not documented",
            tried="the same answer",
            cure="Nothing: `https://` is read, too.",
            examine=_stored(_form),
        ),
        Assumption(
            name="stored-folder",
            says="Claid writes into the folder that the request names.",
            source=_DOCS,
            tried="`object_key` is compared with it",
            cure="Correct the `path` of the storage in Claid's dashboard, or with `ConnectStorageOperator`.",
            examine=_stored(_folder),
        ),
        Assumption(
            name="stored-names",
            says="Claid chooses the file's name: `Claid_`, 32 hexadecimal digits, `.png`.",
            source="captured answers",
            tried="`object_key`",
            cure="Nothing: no name is relied on.",
            examine=_stored(_names),
        ),
        Assumption(
            name="stored-blanks",
            says="Claid decodes `%20` in a path.",
            source="not documented",
            tried="the folder asked for has a blank in its name",
            cure="Nothing: files are looked for under both names.",
            examine=_stored(_blank),
        ),
        Assumption(
            name="stored-mapping",
            says="Airflow reads through the mapping what Claid wrote.",
            source="the connection's extra `storages`",
            tried="the picture is read",
            cure="Map the storage in `storages` in the connection's extra to the connection, or the folder, that is "
            "its bucket.",
            examine=_stored(_mapping),
        ),
        Assumption(
            name="stored-lost-answer",
            says="If the answer were lost, the picture would be found in the request's own folder.",
            source="our design: each request has a folder of its own",
            tried="that folder is listed",
            cure='Map the storage in `storages` in the connection\'s extra; or set `on_lost_response="fail"`, so that '
            "a person decides.",
            examine=_stored(_lost),
        ),
    ),
    paid=True,
)
