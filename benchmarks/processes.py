"""CPU seconds of a process and of all processes that it started, running or ended."""

from __future__ import annotations

from contextlib import suppress

import psutil


def cpu_of(process: psutil.Process) -> float:
    """Return the CPU seconds of one process alone."""
    times = process.cpu_times()
    return float(times.user + times.system)


def cpu_of_tree(process: psutil.Process) -> float:
    """Return the CPU seconds of a process and of those that it started, including those that have ended.

    The kernel adds the time of an ended process to the process that waited for it.
    """
    seconds = 0.0
    for one in [process, *process.children(recursive=True)]:
        with suppress(psutil.NoSuchProcess):
            times = one.cpu_times()
            seconds += times.user + times.system + times.children_user + times.children_system
    return float(seconds)


def descendant(process: psutil.Process, word: str) -> psutil.Process:
    """Return the descendant of a process whose command line has this word.

    :raises LookupError: if there is none.
    """
    for one in process.children(recursive=True):
        with suppress(psutil.NoSuchProcess):
            if word in " ".join(one.cmdline()):
                return one
    raise LookupError(f"{process.cmdline()} started nothing with {word!r} in its command line")
