"""An account: Claid's address and a key, with one quota for all clients in this process that use both."""

from __future__ import annotations

import threading
from urllib.parse import urlsplit, urlunsplit

from airflow_claid.client.errors import ClaidValidationError
from airflow_claid.client.quota.quota import AccountQuota
from airflow_claid.client.quota.store import QuotaStore

DEFAULT_BASE_URL = "https://api.claid.ai"

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
            f"base_url={base_url!r} is not an address of the form https://HOST; Claid's is {DEFAULT_BASE_URL}"
        )
    path = parts.path.rstrip("/")
    if not path.rsplit("/", 1)[-1].startswith("v1"):
        path += "/v1"
    return urlunsplit((parts.scheme, parts.netloc.lower(), path, "", ""))


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


def account_quota(base_url: str, key: str, store: str | None) -> AccountQuota:
    """Return the account's quota: the same object for every caller in this process.

    :param store: address of the Redis through which workers share it.
    """
    account = (base_url, key, (store or "").strip())
    with _quotas_lock:
        if account not in _quotas:
            _quotas[account] = AccountQuota(QuotaStore(account[2], base_url, key) if account[2] else None)
        return _quotas[account]
