"""When requests may be sent, by the policies of a quota: pure functions of the moments of those sent before."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence

from airflow_claid.client.quota.rate_limits import Policy

SLACK = 0.02
"""Seconds by which the travel times of requests may differ: the tightest window is kept longer by these."""

LOOSE_SLACK = 0.04
"""The minimum for windows that do not limit the long-run rate, where slack costs next to nothing."""

_SPREAD = 0.3
"""Part of a window over which its requests are spread: if the first is refused, the others are not sent."""

_MOST_SIMULATED = 20
"""So many times the requests of the largest policy are computed one by one; from then on they come at a steady rate."""


def is_tightest(policy: Policy, policies: Sequence[Policy]) -> bool:
    """Return whether a policy is the one, or one of those, that limit the long-run rate."""
    return all(policy.requests / policy.window <= other.requests / other.window for other in policies)


def shortest_gap(policies: Sequence[Policy]) -> float:
    """Return the seconds between two requests, at least, even where the policies allow both at once."""
    return _SPREAD / max((policy.requests / policy.window for policy in policies), default=float("inf"))


def next_moment(sent: Sequence[float], windows: Sequence[Policy], gap: float) -> float:
    """Return when the next request may be sent, at the earliest.

    :param sent: when earlier ones were, the latest last.
    :param windows: the policies, with their slack.
    :param gap: seconds after the last one, at least.
    """
    moments = [sent[-one.requests] + one.window for one in windows if len(sent) >= one.requests]
    return max([*moments, sent[-1] + gap] if sent and windows else moments, default=float("-inf"))


def seconds_needed(policies: Sequence[Policy], requests: int) -> float:
    """Return how long it takes to send so many requests under an account's policies, from the first to the last.

    As :class:`.quota.Quota` paces them when no other client uses the account: 0 without a policy. Polls of jobs are not
    counted, though they may count in the same quota.

    :param policies: such as ``(Policy(120, 60), Policy(4, 1))``.
    """
    if not policies or requests < 1:
        return 0.0
    windows = [
        Policy(one.requests, one.window + (SLACK if is_tightest(one, policies) else LOOSE_SLACK)) for one in policies
    ]
    steady = min(windows, key=lambda one: one.requests / one.window)
    most = max(one.requests for one in windows)
    periods = max(0, requests - _MOST_SIMULATED * most) // steady.requests
    gap = shortest_gap(policies)
    sent: deque[float] = deque([0.0], maxlen=most)
    for _ in range(requests - periods * steady.requests - 1):
        sent.append(next_moment(sent, windows, gap))
    return sent[-1] + periods * steady.window
