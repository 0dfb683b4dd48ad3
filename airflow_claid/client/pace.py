"""How fast the requests of one group of operations may be sent, and are answered."""

from __future__ import annotations

from airflow_claid.client.quota.pacing import seconds_needed
from airflow_claid.client.quota.rate_limits import Group, policies_in, policies_text
from airflow_claid.client.transport import Transport


class Pace:
    """The pace of the requests of one group: each group has a quota of its own.

    :param transport: sends them.
    """

    def __init__(self, transport: Transport, group: Group) -> None:
        self._transport = transport
        self._group = group

    @property
    def fastest_rate(self) -> float | None:
        """Requests a second that the quota allows in a burst; ``None`` where there is no limit."""
        policies = self._transport.quota.of(self._group).in_force
        return max((policy.requests / policy.window for policy in policies), default=None)

    @property
    def policies(self) -> str:
        """The policies that an answer has named, as text; empty until one has."""
        quota = self._transport.quota.of(self._group)
        return policies_text(quota.in_force) if quota.confirmed else ""

    def expect(self, policies: str) -> None:
        """Send at the pace of policies that an earlier task learned, until an answer names those in force.

        :param policies: as :attr:`policies` returned them; what is unreadable in them is skipped.
        """
        self._transport.quota.of(self._group).expect(policies_in(policies))

    @property
    def poll_rate(self) -> float | None:
        """Polls of jobs a second that their quota allows in the long run; ``None`` where there is no limit."""
        return self._transport.quota.of(self._group, reading=True).allowed_rate

    @property
    def quota_used(self) -> float | None:
        """Share of the quota that this process used recently, 0 to 1; ``None`` where there is no limit."""
        return self._transport.quota.of(self._group).used

    @property
    def latency(self) -> float | None:
        """Recent duration of a request that is not a GET, in seconds, without the wait for the quota."""
        return self._transport.latency.get(self._group)

    def seconds_needed(self, requests: int) -> float:
        """Return how long it takes to send so many requests at the quota, as far as it is known."""
        return seconds_needed(self._transport.quota.of(self._group).in_force, requests)
