"""Settings of a sandbox: keys, quotas, latency, storages and buckets."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

from airflow_claid.sandbox.dialects import Dialect

SCOPES = frozenset({"image_editing", "image_generation", "video_generation", "storage"})
DEFAULT_KEY = "sandbox-key"
DEFAULT_CREDITS = 1_000_000.0
DEFAULT_BLOCKED_WORDS = ("nude", "nsfw", "gore", "blocked-example")
STORAGE_TYPES = ("web_folder", "s3", "gcs")
QUOTAS = {"image": "quota", "ai_edit": "creative_quota", "fashion": "creative_quota", "video": "video_quota"}
"""Each quota of an account, and the setting that has its limits."""


@dataclass(frozen=True)
class KeySettings:
    """An API key that the sandbox accepts.

    :param key: the key itself, sent by clients as ``Authorization: Bearer KEY``.
    :param scopes: scopes of the operations that it may call; all four by default.
    :param credits: credits of this key; one million by default.
    """

    key: str = DEFAULT_KEY
    scopes: frozenset[str] = SCOPES
    credits: float = DEFAULT_CREDITS

    def __post_init__(self) -> None:
        unknown = set(self.scopes) - SCOPES
        if unknown:
            raise ValueError(f"Unknown scopes {sorted(unknown)}; choose from {sorted(SCOPES)}.")

    @classmethod
    def parse(cls, text: str) -> KeySettings:
        """Parse ``KEY[:scope,scope][=CREDITS]``, the form of the command line."""
        key_and_scopes, _, credits_text = text.partition("=")
        key, _, scopes = key_and_scopes.partition(":")
        if not key:
            raise ValueError(f"No key in {text!r}; write KEY[:scope,scope][=CREDITS].")
        return cls(
            key,
            frozenset(scopes.split(",")) if scopes else SCOPES,
            float(credits_text) if credits_text else DEFAULT_CREDITS,
        )


@dataclass(frozen=True)
class StorageSettings:
    """A storage that is connected from the start.

    :param name: the name in ``storage://NAME/…``; at most 50 characters.
    :param bucket: bucket name (a base URL for a ``web_folder``).
    :param type: ``s3`` (default), ``gcs`` or ``web_folder``.
    :param path: prefix of every path in it; empty by default.
    :param access_key: access key for a bucket at an endpoint; not used for a folder.
    :param secret_access_key: its secret.
    """

    name: str
    bucket: str
    type: str = "s3"
    path: str = ""
    access_key: str = "sandbox"
    secret_access_key: str = field(default="sandbox-secret", repr=False)

    def __post_init__(self) -> None:
        if self.type not in STORAGE_TYPES:
            raise ValueError(f"Storage type {self.type!r} is not one of {', '.join(STORAGE_TYPES)}.")

    @classmethod
    def parse(cls, text: str) -> StorageSettings:
        """Parse ``NAME=s3://BUCKET/PREFIX``, ``NAME=gcs://…`` or ``NAME=https://…`` (a web folder)."""
        match = re.fullmatch(r"([^=]+)=(s3|gcs|gs|https?)://(.+)", text)
        if not match:
            raise ValueError(f"{text!r} is not NAME=s3://BUCKET/PREFIX, NAME=gcs://… or NAME=https://….")
        name, scheme, rest = match.groups()
        if scheme.startswith("http"):
            return cls(name, f"{scheme}://{rest}", "web_folder")
        bucket, _, path = rest.partition("/")
        return cls(name, bucket, "s3" if scheme == "s3" else "gcs", path)


@dataclass(frozen=True)
class Latency:
    """Time before an answer: ``seconds``, plus or minus at most ``spread`` seconds."""

    seconds: float = 0.0
    spread: float = 0.0

    @classmethod
    def parse(cls, text: str) -> Latency:
        """Parse ``5`` or ``5+-2`` (seconds)."""
        seconds, _, spread = text.partition("+-")
        return cls(float(seconds), float(spread or 0))


@dataclass(frozen=True)
class SandboxSettings:
    """All settings of a sandbox. By default it behaves like the real Claid, but faster.

    :param host: interface to listen on, such as ``0.0.0.0`` or ``::1``; ``127.0.0.1`` by default.
    :param port: port to listen on; 0 (default) for any free one.
    :param keys: accepted keys; by default one, ``sandbox-key``, with all scopes and a million credits.
    :param quota: limits for generating and editing, ``"REQUESTS/SECONDS,…"``; an empty string for no
        limit. Default ``120/60,4/1``. It is the account's: all keys share it.
    :param creative_quota: the same for AI edits and for fashion models, each; default ``60/60,1/1``.
    :param video_quota: the same for videos; default ``15/60,1/1``.
    :param polls_count: whether reading a job counts against ``quota``; true by default.
    :param latency: time that a paid request takes; none by default.
    :param job_seconds: seconds from a job's acceptance to its end; 0.2 by default.
    :param blocked_words: whole words, in any case; a prompt with one of them gives black pictures.
    :param storages: storages that are connected from the start.
    :param buckets: where each bucket is: name to an endpoint (``http://…``), a folder or a ``file://``
        address. The name ``*`` stands for all other buckets: at an endpoint each has its own name, in a
        folder its own sub-folder. A bucket that is not listed "cannot be reached".
    :param ttl: seconds after which a temporary address expires; 24 hours by default.
    :param image_size: side of a generated picture in pixels; 1024 by default, as Claid's. A picture of another aspect
        ratio has as many pixels. Smaller only for benchmarks and tests.
    :param max_megapixels: largest picture, in or out, in millions of pixels; 150 by default.
    :param public_url: base of temporary addresses and job addresses, if clients reach the sandbox by another address.
    :param webhook_url: http(s) address to which the answer of each job that ends is posted; None (default) or an
        empty string for no webhook.
    :param dialects: how answers differ from the contract from the start; by default not at all.
    :param webhook_secret: signs what is posted, in the header ``X-Claid-Hmac-SHA256``; None (default) or an empty
        string for no signature.
    """

    host: str = "127.0.0.1"
    port: int = 0
    keys: tuple[KeySettings, ...] = (KeySettings(),)
    quota: str = "120/60,4/1"
    creative_quota: str = "60/60,1/1"
    video_quota: str = "15/60,1/1"
    polls_count: bool = True
    latency: Latency = field(default_factory=Latency)
    job_seconds: float = 0.2
    blocked_words: tuple[str, ...] = DEFAULT_BLOCKED_WORDS
    storages: tuple[StorageSettings, ...] = ()
    buckets: dict[str, str] = field(default_factory=dict)
    ttl: float = 24 * 3600.0
    image_size: int = 1024
    max_megapixels: float = 150.0
    public_url: str | None = None
    dialects: tuple[Dialect, ...] = ()
    webhook_url: str | None = None
    webhook_secret: str | None = field(default=None, repr=False)

    def __post_init__(self) -> None:
        if self.webhook_url:
            web_address(self.webhook_url)


def all_quotas(text: str) -> dict[str, Any]:
    """Return the settings that give these limits to each quota: ``SandboxSettings(**all_quotas("100/1"))``."""
    return dict.fromkeys(QUOTAS.values(), text)


def web_address(text: str) -> str:
    """Return an http(s) address unchanged; raise ``ValueError`` for any other text."""
    parts = urlsplit(text)
    if parts.scheme not in ("http", "https") or not parts.hostname or parts.port == 0:
        raise ValueError("A webhook's address must begin with http:// or https:// and have a host.")
    return text
