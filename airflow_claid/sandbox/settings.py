"""What a sandbox is told before it starts: keys, quotas, prices of time, storages and buckets."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from urllib.parse import urlsplit

SCOPES = frozenset({"image_editing", "image_generation", "video_generation", "storage"})
DEFAULT_KEY = "sandbox-key"
DEFAULT_CREDITS = 1_000_000.0
DEFAULT_BLOCKED_WORDS = ("nude", "nsfw", "gore", "blocked-example")
STORAGE_TYPES = ("web_folder", "s3", "gcs")


@dataclass(frozen=True)
class KeySettings:
    """An API key that the sandbox accepts.

    :param key: the key itself, sent by clients as ``Authorization: Bearer KEY``.
    :param scopes: which operations it may call; all four by default.
    :param credits: credits in this key's purse; one million by default.
    """

    key: str = DEFAULT_KEY
    scopes: frozenset[str] = SCOPES
    credits: float = DEFAULT_CREDITS

    def __post_init__(self) -> None:
        unknown = set(self.scopes) - SCOPES
        if unknown:
            raise ValueError(f"Unknown scopes {sorted(unknown)}; known are {sorted(SCOPES)}.")

    @classmethod
    def parse(cls, text: str) -> KeySettings:
        """Read ``KEY[:scope,scope][=CREDITS]``, the command line's form."""
        name, _, purse = text.partition("=")
        key, _, scopes = name.partition(":")
        if not key:
            raise ValueError(f"No key in {text!r}; write KEY[:scope,scope][=CREDITS].")
        return cls(
            key,
            frozenset(scopes.split(",")) if scopes else SCOPES,
            float(purse) if purse else DEFAULT_CREDITS,
        )


@dataclass(frozen=True)
class StorageSettings:
    """A connected storage that exists from the start.

    :param name: the name in ``storage://NAME/…``; at most 50 characters.
    :param bucket: bucket name (a base URL for a ``web_folder``).
    :param type: ``s3`` (default), ``gcs`` or ``web_folder``.
    :param path: prefix put before every request's path; empty by default.
    :param access_key: key pair for a bucket at an endpoint; any value will do for a folder.
    :param secret_access_key: the other half of the pair.
    """

    name: str
    bucket: str
    type: str = "s3"
    path: str = ""
    access_key: str = "sandbox"
    secret_access_key: str = field(default="sandbox-secret", repr=False)

    def __post_init__(self) -> None:
        if self.type not in STORAGE_TYPES:
            raise ValueError(f"Storage type {self.type!r} is none of {', '.join(STORAGE_TYPES)}.")

    @classmethod
    def parse(cls, text: str) -> StorageSettings:
        """Read ``NAME=s3://BUCKET/PREFIX``, ``NAME=gcs://…`` or ``NAME=https://…`` (a web folder)."""
        found = re.fullmatch(r"([^=]+)=(s3|gcs|gs|https?)://(.+)", text)
        if not found:
            raise ValueError(f"{text!r} is not NAME=s3://BUCKET/PREFIX, NAME=gcs://… or NAME=https://….")
        name, scheme, rest = found.groups()
        if scheme.startswith("http"):
            return cls(name, f"{scheme}://{rest}", "web_folder")
        bucket, _, path = rest.partition("/")
        return cls(name, bucket, "s3" if scheme == "s3" else "gcs", path)


@dataclass(frozen=True)
class Latency:
    """How long an answer takes: ``seconds``, plus or minus up to ``spread`` seconds."""

    seconds: float = 0.0
    spread: float = 0.0

    @classmethod
    def parse(cls, text: str) -> Latency:
        """Read ``5`` or ``5+-2`` (seconds)."""
        seconds, _, spread = text.partition("+-")
        return cls(float(seconds), float(spread or 0))


@dataclass(frozen=True)
class SandboxSettings:
    """Everything a sandbox can be told; each default is what the real Claid does, only quicker.

    :param host: interface to listen on; loopback by default.
    :param port: port to listen on; 0 (default) takes any free one.
    :param keys: accepted keys; by default one, ``sandbox-key``, with all scopes and a million credits.
    :param quota: requests per time for generating and editing, ``"REQUESTS/SECONDS,…"``; an empty
        string means no limit. Default ``120/60,4/1``. It counts per account: all keys share it.
    :param creative_quota: the same for AI edits and for fashion models, each; default ``60/60,1/1``.
    :param video_quota: the same for videos; default ``15/60,1/1``.
    :param polls_count: whether reading a job counts as a request of ``quota``; true by default.
    :param latency: how long a paid call takes before it is charged; none by default.
    :param job_seconds: seconds from a job's acceptance to its end; 0.2 by default.
    :param blocked_words: words (case-insensitive, whole) whose prompts give black pictures.
    :param storages: storages connected from the start.
    :param buckets: where each bucket is: name to an endpoint (``http://…``), a folder or a ``file://``
        address. The name ``*`` stands for all others: at an endpoint under their own name, in a folder in
        a sub-folder of their own. A bucket that is nowhere "cannot be reached".
    :param ttl: seconds that a temporary address lives; 24 hours by default.
    :param image_size: side of a generated picture in pixels; 1024, as the real one. Smaller only for benchmarks.
    :param max_megapixels: largest picture, in or out, in millions of pixels; 150 by default.
    :param public_url: address put before ``/tmp/…`` and job addresses, if clients see another than the sandbox does.
    :param webhook_url: http(s) address to which the answer of each job that ends is posted; None (default) or an
        empty string: nothing is posted.
    :param webhook_secret: signs what is posted, in the header ``X-Claid-Hmac-SHA256``; None (default) or an empty
        string: nothing is signed.
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
    webhook_url: str | None = None
    webhook_secret: str | None = field(default=None, repr=False)

    def __post_init__(self) -> None:
        if self.webhook_url:
            web_address(self.webhook_url)


def web_address(text: str) -> str:
    """Return an http(s) address as it is; anything else is a ``ValueError``."""
    parts = urlsplit(text)
    if parts.scheme not in ("http", "https") or not parts.hostname or parts.port == 0:
        raise ValueError("A webhook's address begins with http:// or https:// and has a host.")
    return text
