"""Tell a process that still runs from one that has ended, so that nothing is sent while another may be sending it."""

from __future__ import annotations

import os
import socket
from contextlib import suppress
from functools import cache
from pathlib import Path

_PROC = Path("/proc")


def this_process() -> str:
    """Return what identifies this process among the processes of all machines: ``MACHINE|PID|START``."""
    pid = os.getpid()
    return f"{_machine()}|{pid}|{_start_of(pid)}"


def has_ended(process: str) -> bool:
    """Return whether a process has certainly ended; false for one of another machine, of which nothing is known.

    :param process: what :func:`this_process` returned in it.
    """
    machine, separator, start = process.rpartition("|")
    machine, _, pid = machine.rpartition("|")
    if not separator or machine != _machine() or not pid.isdecimal():
        return False
    return _start_of(int(pid)) not in (start, "unknown")


@cache
def _machine() -> str:
    """Return the name of this machine; on Linux also its last start and the process ids that can be seen here."""
    parts = [socket.gethostname()]
    with suppress(OSError):
        parts.append((_PROC / "sys/kernel/random/boot_id").read_text().strip())
        parts.append(str((_PROC / "self/ns/pid").readlink()))
    return "/".join(parts)


def _start_of(pid: int) -> str:
    """Return when a process began, in ticks, which no change of the clock changes; empty if it has ended.

    A process that cannot be looked at, as outside Linux, counts as running.
    """
    try:
        os.kill(pid, 0)
        state, *numbers = (_PROC / str(pid) / "stat").read_text().rpartition(")")[2].split()
    except ProcessLookupError:
        return ""
    except (PermissionError, FileNotFoundError):
        return "unknown"
    return "" if state in "ZX" else numbers[18]
