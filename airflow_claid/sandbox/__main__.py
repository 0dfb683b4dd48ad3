"""The command ``claid-sandbox``: a local Claid in the foreground."""

from __future__ import annotations

import argparse
import gc
import signal
import sys
from collections.abc import Callable, Sequence

from airflow_claid.sandbox.dialects import Dialect, read_dialects
from airflow_claid.sandbox.settings import (
    DEFAULT_BLOCKED_WORDS,
    QUOTAS,
    KeySettings,
    Latency,
    SandboxSettings,
    StorageSettings,
    web_address,
)


def main(arguments: Sequence[str] | None = None) -> int:
    """Serve until SIGINT or SIGTERM; return the exit code."""

    def greet(settings: SandboxSettings, url: str) -> None:
        sys.stdout.write(greeting(settings, url))
        sys.stdout.flush()

    return serve(read_settings(arguments), greet)


def serve(settings: SandboxSettings, greet: Callable[[SandboxSettings, str], None]) -> int:
    """Serve until SIGINT or SIGTERM; return the exit code.

    :param greet: is told the sandbox's address when it can be asked.
    """
    try:
        from airflow_claid.sandbox.server import SandboxServer, listen
        from airflow_claid.sandbox.service import Service
    except ImportError as error:
        sys.stderr.write(f"{error}. Install the sandbox: pip install 'airflow-claid[sandbox]'\n")
        return 1
    service = Service(settings)
    try:
        opened = listen(service)
    except OSError as error:
        sys.stderr.write(
            f"Cannot listen on {settings.host}:{settings.port}: {error.strerror}. Another port: --port 8766\n"
        )
        service.close()
        return 1
    greet(settings, service.base_url)
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: None)
    server = SandboxServer(service)
    gc.freeze()  # a collection that also scans the loaded modules would stop all requests for 50 ms
    try:
        server.run(sockets=[opened])
    finally:
        opened.close()
        service.close()
    return 0


def read_settings(arguments: Sequence[str] | None) -> SandboxSettings:
    """Parse the command line into settings."""
    parser = argparse.ArgumentParser(
        prog="claid-sandbox", description="A local Claid: real HTTP, real pictures, no bill."
    )
    add_options(parser.add_argument)
    return settings_of(parser.parse_args(arguments))


def settings_of(options: argparse.Namespace) -> SandboxSettings:
    """Return the settings that parsed options say."""
    return SandboxSettings(
        host=options.host,
        port=options.port,
        keys=tuple(options.key or [KeySettings()]),
        **{setting: getattr(options, setting) for setting in QUOTAS.values()},
        latency=options.latency,
        job_seconds=options.job_seconds,
        blocked_words=tuple(options.blocked_word or DEFAULT_BLOCKED_WORDS),
        storages=tuple(options.storage),
        buckets=dict(options.bucket),
        ttl=options.ttl,
        image_size=options.image_size,
        public_url=options.public_url.rstrip("/") if options.public_url else None,
        dialects=tuple(dialect for dialects in options.dialect for dialect in dialects),
        webhook_url=options.webhook_url,
        webhook_secret=options.webhook_secret,
    )


def add_options(add: Callable[..., object]) -> None:
    """Add the options of the command.

    :param add: takes what :meth:`argparse.ArgumentParser.add_argument` takes.
    """
    defaults = SandboxSettings()
    add("--host", default=defaults.host, help="interface to listen on (default: %(default)s)")
    add("--port", type=int, default=8765, help="port; 0 takes a free one (default: %(default)s)")
    add("--key", type=KeySettings.parse, action="append", metavar="KEY[:scope,scope][=CREDITS]",
        help="accepted key, repeatable (default: sandbox-key, all scopes, a million credits)")  # fmt: skip
    add(
        "--quota",
        default=defaults.quota,
        help="requests/seconds,… of the account; empty for none (default: %(default)s)",
    )
    add(
        "--creative-quota",
        default=defaults.creative_quota,
        help="of AI edits, of fashion models (default: %(default)s)",
    )
    add("--video-quota", default=defaults.video_quota, help="of videos (default: %(default)s)")
    add("--latency", type=Latency.parse, default=Latency(), metavar="SECONDS[+-SPREAD]",
        help="how long paid calls take, such as 5+-2 (default: none)")  # fmt: skip
    add("--job-seconds", type=float, default=2.0, help="how long jobs take (default: %(default)s)")
    add(
        "--blocked-word",
        action="append",
        help=f"gives black pictures, repeatable (default: {', '.join(DEFAULT_BLOCKED_WORDS)})",
    )
    add("--storage", type=StorageSettings.parse, action="append", default=[], metavar="NAME=s3://BUCKET/PREFIX",
        help="connected storage, repeatable; s3://, gcs:// or https:// (web folder)")  # fmt: skip
    add("--bucket", type=_bucket, action="append", default=[], metavar="BUCKET=URL",
        help="where a bucket is: an http endpoint, a folder or a file:// address; '*': all others")  # fmt: skip
    add("--ttl", type=float, default=defaults.ttl, help="seconds that temporary addresses live (default: 24 hours)")
    add(
        "--image-size",
        type=int,
        default=defaults.image_size,
        help="side of generated pictures in pixels (default: %(default)s)",
    )
    add("--public-url", help="address that clients see, if another than the listening one")
    add("--dialect", type=_dialects, action="append", default=[], metavar="FILE",
        help="JSON or TOML file that says how answers differ from the contract, repeatable")  # fmt: skip
    add("--webhook-url", type=web_address, metavar="URL", help="where the answers of ended jobs are posted")
    add("--webhook-secret", metavar="SECRET", help="signs what is posted, in X-Claid-Hmac-SHA256")


def _dialects(file: str) -> list[Dialect]:
    try:
        return read_dialects(file)
    except ValueError as error:
        raise argparse.ArgumentTypeError(str(error)) from error


def _bucket(text: str) -> tuple[str, str]:
    name, _, where = text.partition("=")
    if not name or not where:
        raise argparse.ArgumentTypeError(f"{text!r} is not BUCKET=URL or BUCKET=/folder")
    return name, where


def greeting(settings: SandboxSettings, url: str) -> str:
    """Return what a person wants to know when the sandbox serves."""
    lines = [
        f"Claid sandbox on {url} (API below {url}/v1)",
        *(
            f"  key      {key.key}  ({', '.join(sorted(key.scopes))}; {key.credits:,.10g} credits)"
            for key in settings.keys
        ),
        *(
            f"  storage  storage://{storage.name}/  ->  {storage.type} {storage.bucket}/{storage.path}"
            for storage in settings.storages
        ),
        *([f"  dialects {url}/sandbox/dialects"] if settings.dialects else []),
        f"  ledger   {url}/sandbox/ledger",
        f"  page     {url}/",
        "Stop with Ctrl+C.",
    ]
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    sys.exit(main())
