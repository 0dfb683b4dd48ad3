"""CPU seconds of a process and of all that it started, whether they still run or not."""

from __future__ import annotations

from contextlib import suppress

import psutil


def cpu_of(process: psutil.Process) -> float:
    """Give the CPU seconds of one process alone."""
    times = process.cpu_times()
    return float(times.user + times.system)


def cpu_of_tree(process: psutil.Process) -> float:
    """Give the CPU seconds of a process, of those that it started, and of those of them that have ended.

    The kernel adds the time of a process that has ended to the one that waited for it.
    """
    seconds = 0.0
    for one in [process, *process.children(recursive=True)]:
        with suppress(psutil.NoSuchProcess):
            times = one.cpu_times()
            seconds += times.user + times.system + times.children_user + times.children_system
    return float(seconds)


def descendant(process: psutil.Process, word: str) -> psutil.Process:
    """Give the process, of those that another one started, whose command line has this word.

    :raises LookupError: if there is none.
    """
    for one in process.children(recursive=True):
        with suppress(psutil.NoSuchProcess):
            if word in " ".join(one.cmdline()):
                return one
    raise LookupError(f"{process.cmdline()} started nothing with {word!r} in its command line")
