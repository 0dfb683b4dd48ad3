"""An account: Claid's address and a key, with one quota for all clients in this process that use both."""

from __future__ import annotations

import hashlib
import math
import threading
from urllib.parse import urlsplit, urlunsplit

from airflow_claid.client.errors import ClaidValidationError
from airflow_claid.client.quota.quota import AccountQuota
from airflow_claid.client.quota.store import QuotaStore
from airflow_claid.client.redaction import one_line, without_queries

DEFAULT_BASE_URL = "https://api.claid.ai"

_RANGES = {"connect_timeout": (0.01, 600.0), "read_timeout": (0.01, 3600.0), "max_wait": (0.0, 604_800.0)}
"""The least and the most seconds of each setting."""

_quotas: dict[tuple[str, str, str], AccountQuota] = {}
_quotas_lock = threading.Lock()


def versioned(base_url: str) -> str:
    """Return an address in the form that requests and fingerprints use: with a version, without a trailing slash.

    :raises ClaidValidationError: if it is not an http(s) address.
    """
    try:
        parts = urlsplit(base_url.strip())
        usable = parts.port != 0 and bool(parts.hostname) and "@" not in parts.netloc and not parts.query
    except ValueError:
        usable = False
    if not usable or parts.scheme not in ("http", "https"):
        raise ClaidValidationError(
            f"base_url={_shown(base_url)!r} is not an address of the form https://HOST, without user and password; "
            f"Claid's is {DEFAULT_BASE_URL}"
        )
    path = parts.path.rstrip("/")
    if not path.rsplit("/", 1)[-1].startswith("v1"):
        path += "/v1"
    return urlunsplit((parts.scheme, parts.netloc.lower(), path, "", ""))


def _shown(address: str) -> str:
    """Return an address without what may be a login or a signature."""
    scheme, found, rest = address.strip().partition("://")
    host = (rest if found else scheme).rpartition("@")[2]
    return one_line(without_queries(f"{scheme}://{host}" if found else host))


def seconds_in_range(name: str, value: object, where: str = "") -> float:
    """Return a setting in seconds, checked.

    :param name: ``connect_timeout``, ``read_timeout`` or ``max_wait``.
    :param value: a number, or its text.
    :param where: says where the setting stands.
    :raises ClaidValidationError: if it is not a number, or not in its range.
    """
    least, most = _RANGES[name]
    try:
        seconds = float(value) if isinstance(value, (int, float, str)) and not isinstance(value, bool) else math.nan
    except (ValueError, OverflowError):
        seconds = math.nan
    if not least <= seconds <= most:
        raise ClaidValidationError(
            f"{name}={one_line(repr(value), 60)}{where} must be seconds, from {least:g} to {most:g}"
        )
    return seconds


def printable_key(api_key: str) -> str:
    """Return a key without surrounding whitespace.

    :raises ClaidValidationError: if it cannot be a key; the message does not show it.
    """
    key = api_key.strip()
    if not key or not key.isascii() or not key.isprintable() or " " in key:
        raise ClaidValidationError(
            "api_key is empty or holds characters that no key has: copy it again from Claid's dashboard"
        )
    return key


def account_digest(base_url: str, key: str) -> str:
    """Return what identifies an account without showing its key."""
    return hashlib.sha256(f"{base_url}\n{key}".encode()).hexdigest()[:32]


def account_quota(base_url: str, key: str, store: str | None) -> AccountQuota:
    """Return the account's quota: the same object for every caller in this process.

    :param store: address of the Redis through which workers share it.
    """
    account = (base_url, key, (store or "").strip())
    with _quotas_lock:
        if account not in _quotas:
            _quotas[account] = AccountQuota(QuotaStore(account[2], base_url, key) if account[2] else None)
        return _quotas[account]
