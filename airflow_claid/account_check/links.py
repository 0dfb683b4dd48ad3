"""Assumptions about the temporary links to pictures."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from airflow_claid.account_check.assumption import Assumption, Finding, Group, agrees, differs, not_tried, note
from airflow_claid.account_check.evidence import Evidence, Step
from airflow_claid.delivery.download_rules import DEFAULT_HOSTS

_NO_LINK = "Claid gave no link"
_HOSTS_CURE = (
    "Add the host to `download_hosts` in the connection's extra, and check again within 24 hours: "
    "nothing is paid again."
)


def _of_links(
    examine: Callable[[list[dict[str, Any]]], Finding], *, fetched: bool = False
) -> Callable[[Evidence], Finding]:
    """Return an examination of the links that were looked at.

    :param fetched: whether it needs the answer of the link's host.
    """

    def examine_links(evidence: Evidence) -> Finding:
        unpaid = evidence.why_unpaid.get(Step.GENERATION)
        if unpaid is not None:
            return not_tried(unpaid)
        links = [link for step in (Step.GENERATION, Step.EDIT) for link in evidence.paid.get(step, {}).get("links", [])]
        links = [link for link in links if not fetched or link.get("status") is not None]
        return examine(links) if links else not_tried("no link could be followed" if fetched else _NO_LINK)

    return examine_links


def _hosts(links: list[dict[str, Any]]) -> Finding:
    others = sorted({link["host"] for link in links if not link["allowed"]})
    if not others:
        return agrees(", ".join(sorted({link["host"] for link in links})))
    return differs(f"links are on {', '.join(others)}", setting=_hosts_setting(others))


def _hosts_setting(hosts: list[str]) -> str:
    return json.dumps({"download_hosts": ", ".join([*DEFAULT_HOSTS, *hosts])})


def _schemes(links: list[dict[str, Any]]) -> Finding:
    plain = [link for link in links if link["scheme"] != "https" and not link["own"]]
    return differs("links begin with http://") if plain else agrees("https, or the connection's own host")


def _signatures(links: list[dict[str, Any]]) -> Finding:
    return (
        differs("links have a query, as signed ones have") if any(one["signed"] for one in links) else agrees("none is")
    )


def _redirects(links: list[dict[str, Any]]) -> Finding:
    away = [link for link in links if link.get("redirects_to") is not None]
    if not away:
        return agrees("the picture came at once")
    targets = sorted({link["redirects_to"] for link in away})
    refused = sorted({link["redirects_to"] for link in away if not link["redirect_allowed"]})
    if refused:
        seen = f"links redirect to {', '.join(refused)}"
        return differs(seen, cure=_HOSTS_CURE, setting=_hosts_setting(refused))
    return differs(f"links redirect to {', '.join(targets)}")


def _types(links: list[dict[str, Any]]) -> Finding:
    others = {link["content_type"] or "nothing" for link in links if not link["content_type"].startswith("image/")}
    return differs(f"their type is given as {', '.join(sorted(others))}") if others else agrees("image/…")


def _ranges(links: list[dict[str, Any]]) -> Finding:
    statuses = {link["status"] for link in links if link["status"] not in _MOVED}
    others = sorted(statuses - {200, 206})
    if others:
        return differs(f"a request for a part is answered {', '.join(map(str, others))}")
    return note("the whole picture is sent in place of a part") if 200 in statuses else agrees("a part is sent")


_MOVED = (301, 302, 303, 307, 308)

GROUP = Group(
    "Links to pictures",
    (
        Assumption(
            name="links-hosts",
            says=f"Links are on {', '.join(f'`{host}`' for host in DEFAULT_HOSTS)}, or on the connection's "
            "`download_hosts`.",
            source="captured answers, and docs.claid.ai",
            tried="the links in the answers",
            cure=_HOSTS_CURE,
            examine=_of_links(_hosts),
        ),
        Assumption(
            name="links-https",
            says="Links begin with `https://`.",
            source="captured answers",
            tried="the links in the answers",
            cure="Nothing: a link with `http://` is followed by https.",
            examine=_of_links(_schemes),
        ),
        Assumption(
            name="links-unsigned",
            says="Links are not signed.",
            source="captured answers",
            tried="whether they have a query",
            cure="Nothing: signatures are left out of logs, and of receipts as soon as the picture is in place.",
            examine=_of_links(_signatures),
        ),
        Assumption(
            name="links-redirects",
            says="Links lead to the picture without a redirect.",
            source="captured answers",
            tried="each link is asked for the first bytes",
            cure="Nothing: one redirect to a host on the list is followed.",
            examine=_of_links(_redirects, fetched=True),
        ),
        Assumption(
            name="links-type",
            says="The host of a link gives the type of the picture.",
            source="our assumption",
            tried="the header `Content-Type`",
            cure="Nothing: the bytes tell.",
            examine=_of_links(_types, fetched=True),
        ),
        Assumption(
            name="links-ranges",
            says="The host of a link answers requests for a part of a picture.",
            source="our assumption",
            tried="the first bytes are asked for",
            cure="Nothing: the picture is read whole.",
            examine=_of_links(_ranges, fetched=True),
        ),
    ),
    paid=True,
)
