"""Who may call what, and how many credits they have left."""

from __future__ import annotations

import hashlib
import hmac
import threading
from collections.abc import Iterable
from dataclasses import dataclass

from airflow_claid.sandbox import errors
from airflow_claid.sandbox.settings import KeySettings


@dataclass
class Key:
    """A key with its purse. ``label`` names it in the ledger without giving it away."""

    secret: str
    scopes: frozenset[str]
    credits: float
    label: str


class Accounts:
    """All keys of the sandbox's one account. Credits are taken before the work and given back if it fails."""

    def __init__(self, keys: Iterable[KeySettings]) -> None:
        self._lock = threading.Lock()
        self._keys: dict[str, Key] = {}
        self._settings = tuple(keys)
        self.reset()

    def reset(self) -> None:
        """Go back to the first keys and their first credits."""
        with self._lock:
            self._keys.clear()
        for key in self._settings:
            self.add(key)

    def add(self, settings: KeySettings) -> Key:
        """Accept one more key, or give an old one other scopes and credits."""
        key = Key(settings.key, settings.scopes, settings.credits, label_of(settings.key))
        with self._lock:
            self._keys[settings.key] = key
        return key

    def authenticate(self, authorization: str | None) -> Key:
        """Return the key of an ``Authorization`` header, or refuse it with 401."""
        scheme, _, secret = (authorization or "").partition(" ")
        if scheme.lower() == "bearer":
            for key in list(self._keys.values()):
                if hmac.compare_digest(key.secret.encode(), secret.strip().encode()):
                    return key
        raise errors.unauthorized()

    def take(self, key: Key, credits: float) -> None:  # noqa: A002 - the word of the trade
        """Take credits out of a key's purse, or refuse with 402."""
        with self._lock:
            if key.credits < credits:
                raise errors.no_credits()
            key.credits -= credits

    def give_back(self, key: Key, credits: float) -> None:  # noqa: A002
        """Undo :meth:`take`, for work that was not done."""
        with self._lock:
            key.credits += credits

    def purses(self) -> dict[str, float]:
        """Credits left, by key label."""
        return {key.label: key.credits for key in list(self._keys.values())}


def label_of(secret: str) -> str:
    """Name a key without showing it: a few letters of it and of its hash."""
    shown = secret[: min(4, len(secret) // 3)]
    return f"{shown}…{hashlib.sha256(secret.encode()).hexdigest()[:6]}"
