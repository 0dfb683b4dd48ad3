"""Webhooks: what Claid posts when a job ends, and whether it was Claid who posted it."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import re
from collections.abc import Mapping

from airflow_claid.client.errors import ClaidWebhookError
from airflow_claid.client.models.jobs import Job, JobKind

SIGNATURE_HEADER = "X-Claid-Hmac-SHA256"
"""The header that the signature comes in."""


def job_from_webhook(body: bytes, signature: str | None, secret: str, kind: JobKind) -> Job:
    """Check that Claid posted a body, and read the job in it: the one that ``get_job`` gives, without a request id.

    Claid's docs say that the signature is the HMAC-SHA256 of the raw body; whether it is written in hex or base64 they
    do not say. That both are taken, and ``sha256=`` before them, is inferred.

    A body carries no time and Claid's signature no counter: the same delivery may come twice. Costs nothing.

    :param body: the raw body as it arrived; parsed and written anew it has another signature.
    :param signature: the value of the header ``X-Claid-Hmac-SHA256``; None if there is no such header.
    :param secret: the one set in Claid's dashboard.
    :param kind: what was submitted; the body does not say it.
    :raises ClaidWebhookError: before the body is parsed, if the signature is missing, malformed or wrong, or if the
        secret is empty; after it, if a rightly signed body is no job's.
    """
    _check(body, signature, secret)
    try:
        data = json.loads(body)["data"]
        if isinstance(data, Mapping):
            return Job.of(kind, data)
    except (KeyError, TypeError, ValueError, RecursionError):
        pass
    raise ClaidWebhookError("The webhook is rightly signed, but its body is not that of a job.")


def _check(body: bytes, signature: str | None, secret: str) -> None:
    if not secret:
        raise ClaidWebhookError("The secret is empty: set one in Claid's dashboard and pass it, else anyone can sign.")
    if not signature or not signature.strip():
        raise ClaidWebhookError(
            f"The webhook has no signature in {SIGNATURE_HEADER}: Claid sends one if its dashboard has a secret."
        )
    given = _digest(signature.strip())
    if given is None:
        raise ClaidWebhookError(f"The webhook's {SIGNATURE_HEADER} is no HMAC-SHA256 in hex or base64. Refuse it.")
    if not hmac.compare_digest(given, hmac.new(secret.encode(), body, hashlib.sha256).digest()):
        raise ClaidWebhookError(
            "The webhook's signature is wrong: another secret, or another body than Claid's. Refuse it."
        )


def _digest(signature: str) -> bytes | None:
    """Read 32 bytes from hex or base64."""
    text = signature.removeprefix("sha256=")
    if re.fullmatch(r"[0-9A-Fa-f]{64}", text):
        return bytes.fromhex(text)
    if re.fullmatch(r"[0-9A-Za-z+/]{43}=", text):
        return base64.b64decode(text)
    return None
