"""What makes a paid request the same request: its fingerprint."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Any


def fingerprint(*, base_url: str, operation: str, body: Mapping[str, Any], place: Mapping[str, Any]) -> str:
    """Return the SHA-256, in hex, of the canonical JSON of all that makes a request what it is.

    :param base_url: with the version, so that a sandbox's picture is never taken for a real one.
    :param operation: the contract's operation id.
    :param body: what is asked, without anything that changes from try to try (a signed link, a sub-folder).
    :param place: where the pictures go and under which name.
    """
    whole = {"base_url": base_url, "operation": operation, "body": body, "place": place}
    canonical = json.dumps(whole, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)
    return hashlib.sha256(canonical.encode()).hexdigest()
