"""API keys: what each may call, and how many credits it has left."""

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
    """A key and its credits. ``label`` identifies it in the ledger without revealing it."""

    secret: str
    scopes: frozenset[str]
    credits: float
    label: str


class Accounts:
    """All keys of the sandbox's one account. Credits are taken before the work and given back if the work fails."""

    def __init__(self, keys: Iterable[KeySettings]) -> None:
        self._lock = threading.Lock()
        self._keys: dict[str, Key] = {}
        self._settings = tuple(keys)
        self.reset()

    def reset(self) -> None:
        """Restore the keys and credits of the start."""
        with self._lock:
            self._keys.clear()
        for key in self._settings:
            self.add(key)

    def add(self, settings: KeySettings) -> Key:
        """Accept another key, or change the scopes and credits of a known one."""
        key = Key(settings.key, settings.scopes, settings.credits, label_of(settings.key))
        with self._lock:
            self._keys[settings.key] = key
        return key

    def authenticate(self, authorization: str | None) -> Key:
        """Return the key in an ``Authorization`` header, or refuse with 401."""
        scheme, _, secret = (authorization or "").partition(" ")
        if scheme.lower() == "bearer":
            for key in list(self._keys.values()):
                if hmac.compare_digest(key.secret.encode(), secret.strip().encode()):
                    return key
        raise errors.unauthorized()

    def take(self, key: Key, credits: float) -> None:  # noqa: A002 - Claid's own word
        """Take credits from a key, or refuse with 402."""
        with self._lock:
            if key.credits < credits:
                raise errors.no_credits()
            key.credits -= credits

    def give_back(self, key: Key, credits: float) -> None:  # noqa: A002
        """Undo :meth:`take` after the work has failed."""
        with self._lock:
            key.credits += credits

    def credits_left(self) -> dict[str, float]:
        """Return the credits that each key has left, by label."""
        return {key.label: key.credits for key in list(self._keys.values())}


def label_of(secret: str) -> str:
    """Return a label that does not reveal the key: its first letters, and the first of its hash."""
    shown = secret[: min(4, len(secret) // 3)]
    return f"{shown}…{hashlib.sha256(secret.encode()).hexdigest()[:6]}"
