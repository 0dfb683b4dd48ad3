"""Webhooks: check and read what Claid posts when a job ends."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import re
from collections.abc import Mapping

from airflow_claid.client.errors import ClaidWebhookError
from airflow_claid.client.finding import prompt_in
from airflow_claid.client.models.jobs import Job, JobKind

SIGNATURE_HEADER = "X-Claid-Hmac-SHA256"
"""The header with the signature."""


def job_from_webhook(body: bytes, signature: str | None, secret: str, kind: JobKind) -> Job:
    """Check a webhook's signature and return its job, as ``get_job`` does, but without a request id.

    Claid's docs say that the signature is the HMAC-SHA256 of the raw body. They do not say whether it is hex or base64,
    so both are accepted, with or without ``sha256=`` in front.

    Neither the body nor the signature holds a time or a counter: the same delivery may come twice. Costs nothing.

    :param body: the raw body as it arrived; parsed and serialised again, it has another signature.
    :param signature: the value of the header ``X-Claid-Hmac-SHA256``; None if there is no such header.
    :param secret: the one set in Claid's dashboard.
    :param kind: of the job that was submitted; the body does not name it.
    :raises ClaidWebhookError: before the body is parsed, if the secret is empty or the signature is missing, malformed
        or wrong; afterwards, if the body is correctly signed but does not hold a job.
    """
    _check(body, signature, secret)
    try:
        posted = json.loads(body)
        data = posted["data"]
        if isinstance(data, Mapping):
            return Job.of(kind, {**data, "prompt": prompt_in(posted)})
    except (KeyError, TypeError, ValueError, RecursionError):
        pass
    raise ClaidWebhookError("The webhook is correctly signed, but its body does not hold a job.")


def _check(body: bytes, signature: str | None, secret: str) -> None:
    if not secret:
        raise ClaidWebhookError("The secret is empty: set one in Claid's dashboard and pass it, or anyone can sign.")
    if not signature or not signature.strip():
        raise ClaidWebhookError(
            f"The webhook has no signature in {SIGNATURE_HEADER}: Claid sends one if its dashboard has a secret."
        )
    received = _digest(signature.strip())
    if received is None:
        raise ClaidWebhookError(f"The webhook's {SIGNATURE_HEADER} is not an HMAC-SHA256 in hex or base64. Refuse it.")
    if not hmac.compare_digest(received, hmac.new(secret.encode(), body, hashlib.sha256).digest()):
        raise ClaidWebhookError(
            "The webhook's signature is wrong: it was made with another secret, or for another body. Refuse it."
        )


def _digest(signature: str) -> bytes | None:
    """Decode 32 bytes from hex or base64."""
    text = signature.removeprefix("sha256=")
    if re.fullmatch(r"[0-9A-Fa-f]{64}", text):
        return bytes.fromhex(text)
    if re.fullmatch(r"[0-9A-Za-z+/]{43}=", text):
        return base64.b64decode(text)
    return None
