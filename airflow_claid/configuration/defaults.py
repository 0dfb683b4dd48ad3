"""What the section ``[claid]`` says, for tasks and connections that do not say it themselves."""

from __future__ import annotations

import re
from collections.abc import Iterable

from airflow_claid.client import ClaidValidationError
from airflow_claid.configuration.options import SECTION
from airflow_claid.version_compat import conf

ON_LOST_RESPONSE = ("resubmit", "fail")
_SHORTEST, _LONGEST = 0.1, 3600.0
_HOST = re.compile(r"(https?://)?[^\s/@,]+")


def on_lost_response() -> str:
    """Return ``[claid] on_lost_response``.

    :raises ClaidValidationError: if it is neither ``resubmit`` nor ``fail``.
    """
    value = _text("on_lost_response") or ON_LOST_RESPONSE[0]
    if value not in ON_LOST_RESPONSE:
        raise _refused("on_lost_response", value, f"one of {', '.join(ON_LOST_RESPONSE)}")
    return value


def deferrable() -> bool:
    """Return ``[claid] deferrable``, else ``[operators] default_deferrable``.

    :raises ClaidValidationError: if it is neither true nor false.
    """
    value = _text("deferrable")
    if not value:
        return bool(conf.getboolean("operators", "default_deferrable", fallback=False))
    if value.lower() not in ("true", "t", "1", "false", "f", "0"):
        raise _refused("deferrable", value, "True or False")
    return value.lower() in ("true", "t", "1")


def poll_interval() -> float:
    """Return ``[claid] poll_interval``, in seconds.

    :raises ClaidValidationError: if it is not a number from 0.1 to 3600.
    """
    value = _text("poll_interval") or "10"
    try:
        seconds = float(value)
    except ValueError:
        seconds = 0.0
    if not _SHORTEST <= seconds <= _LONGEST:
        raise _refused("poll_interval", value, f"seconds, from {_SHORTEST:g} to {_LONGEST:g}")
    return seconds


def download_hosts() -> tuple[str, ...]:
    """Return ``[claid] download_hosts``; empty without it.

    :raises ClaidValidationError: if one of them is no host name, or address of a host.
    """
    value = _text("download_hosts")
    hosts = hosts_in(value)
    if not all(_HOST.fullmatch(host) for host in hosts):
        raise _refused("download_hosts", value, "host names separated by commas, such as *.claid.ai, cdn.example.com")
    return hosts


def hosts_in(value: str | Iterable[str]) -> tuple[str, ...]:
    """Return the hosts of a list, or of text in which commas separate them."""
    hosts = value.split(",") if isinstance(value, str) else value
    return tuple(host.strip() for host in hosts if host.strip())


def _text(option: str) -> str:
    """Return an option as it is written, ``""`` where it is not set."""
    return (conf.get(SECTION, option, fallback=None) or "").strip()


def _refused(option: str, value: str, remedy: str) -> ClaidValidationError:
    return ClaidValidationError(
        f"[{SECTION}] {option} = {value!r} in Airflow's configuration must be {remedy}: change it there, or in the "
        f"environment variable AIRFLOW__{SECTION.upper()}__{option.upper()}"
    )
