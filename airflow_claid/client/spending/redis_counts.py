"""What is spent and reserved under each limit, in Redis. Imported only if there is a limit: needs the extra ``redis``.

Each limit has a hash for each period. Its fields, all in thousandths of a credit, so that sums are exact:

- ``spent``: what was charged, or may have been;
- ``held``: the sum of the open reservations;
- ``r:NAME``: one of these;
- ``by:WHO``: what a task has spent and holds;
- ``most``: what the limit allows, as the latest request said.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any

from redis import BlockingConnectionPool, Redis
from redis.backoff import NoBackoff
from redis.retry import Retry

_TIMEOUT = 2.0
_CONNECTIONS = 32
_LISTED = 500
_MILLI = 1000

_USED = """
local function used(name)
    return tonumber(redis.call('HGET', name, 'spent') or 0) + tonumber(redis.call('HGET', name, 'held') or 0)
end
"""

_RESERVE = f"""{_USED}
local field, by, amount = 'r:' .. ARGV[1], 'by:' .. ARGV[2], tonumber(ARGV[3])
local missing, uses = {{}}, {{}}
for place, name in ipairs(KEYS) do
    missing[place] = amount - tonumber(redis.call('HGET', name, field) or 0)
    if missing[place] > 0 and used(name) + missing[place] > tonumber(ARGV[2 * place + 2]) then
        return {{place, redis.call('HGETALL', name)}}
    end
end
for place, name in ipairs(KEYS) do
    redis.call('HSET', name, field, amount, 'most', ARGV[2 * place + 2])
    redis.call('HINCRBY', name, 'held', missing[place])
    redis.call('HINCRBY', name, by, missing[place])
    redis.call('PEXPIREAT', name, ARGV[2 * place + 3])
    uses[place] = used(name)
end
return {{0, uses}}
"""
"""Reserves an amount under all limits or under none; one that is reserved under the same name is not counted twice."""

_END = f"""{_USED}
local field, by, amount = 'r:' .. ARGV[1], 'by:' .. ARGV[2], tonumber(ARGV[3])
local charged, even_if_not_held = ARGV[4] == '1', ARGV[5] == '1'
local uses = {{}}
for place, name in ipairs(KEYS) do
    local held = tonumber(redis.call('HGET', name, field) or 0)
    if redis.call('HDEL', name, field) == 1 then
        redis.call('HINCRBY', name, 'held', -held)
        redis.call('HINCRBY', name, charged and 'spent' or by, charged and held or -held)
    elseif charged and even_if_not_held then
        redis.call('HINCRBY', name, 'spent', amount)
        redis.call('HINCRBY', name, by, amount)
        redis.call('PEXPIREAT', name, ARGV[place + 5])
    end
    uses[place] = used(name)
end
return uses
"""
"""Ends a reservation under all limits: it becomes spent, or free."""


@dataclass(frozen=True)
class Counter:
    """Where one limit's period is counted.

    :param name: of its hash.
    :param most: credits that the limit allows.
    :param kept_until: when Redis forgets it, in seconds since 1970.
    """

    name: str
    most: float
    kept_until: float


@dataclass(frozen=True)
class Counted:
    """What is counted of one limit in one period.

    :param spent: credits that were charged, or may have been.
    :param reserved: credits of requests without an answer.
    :param allowed: what the limit allows, as the latest request said; ``None`` where none has said so.
    :param by: credits of each task, spent or reserved.
    """

    spent: float
    reserved: float
    allowed: float | None
    by: dict[str, float]


@dataclass(frozen=True)
class Refused:
    """A limit that does not allow a reservation.

    :param place: which of the limits, from 0.
    :param used: credits that are spent or reserved.
    :param by: credits of each task.
    """

    place: int
    used: float
    by: dict[str, float]


class RedisCounts:
    """The counts of all limits on one server; thread-safe.

    :param url: of the server.
    """

    def __init__(self, url: str) -> None:
        pool = BlockingConnectionPool.from_url(
            url,
            max_connections=_CONNECTIONS,
            socket_timeout=_TIMEOUT,
            socket_connect_timeout=_TIMEOUT,
            retry=Retry(NoBackoff(), 0),
        )
        redis: Any = Redis(connection_pool=pool)
        self._redis = redis
        self._reserve = redis.register_script(_RESERVE)
        self._end = redis.register_script(_END)

    def reserve(
        self, counters: Sequence[Counter], name: str, who: str, amount: float
    ) -> tuple[list[float], Refused | None]:
        """Reserve credits under all limits, if all allow it; return what is used of each, or which refuses."""
        numbers = [number for one in counters for number in (_milli(one.most), round(one.kept_until * 1000))]
        place, facts = self._reserve(keys=[one.name for one in counters], args=[name, who, _milli(amount), *numbers])
        if not place:
            return [used / _MILLI for used in facts], None
        counts = _counts(dict(zip(facts[::2], facts[1::2], strict=True)))
        return [], Refused(place - 1, counts.get("spent", 0.0) + counts.get("held", 0.0), _by(counts))

    def all(self, beginning: str) -> dict[str, Counted]:
        """Return what is counted, by the name of its hash, for those whose names begin like this; 500 at most."""
        found = self._redis.scan_iter(match=f"{beginning}*", count=1000)
        names = [_text(name) for name in islice(found, _LISTED)]
        return {name: _counted(_counts(self._redis.hgetall(name))) for name in names}

    def end(
        self,
        counters: Sequence[Counter],
        name: str,
        who: str,
        amount: float,
        *,
        charged: bool,
        even_if_not_held: bool,
    ) -> list[float]:
        """End a reservation under all limits, and return what is used of each.

        :param even_if_not_held: whether what is charged counts also where it is not reserved (any more).
        """
        kept_until = [round(one.kept_until * 1000) for one in counters]
        facts = [name, who, _milli(amount), int(charged), int(even_if_not_held), *kept_until]
        return [used / _MILLI for used in self._end(keys=[one.name for one in counters], args=facts)]


def _milli(credits: float) -> int:  # noqa: A002 - Claid's own word
    return round(credits * _MILLI)


def _text(value: object) -> str:
    return value.decode() if isinstance(value, bytes) else str(value)


def _counts(facts: Mapping[object, object]) -> dict[str, float]:
    return {_text(field): int(_text(number)) / _MILLI for field, number in facts.items()}


def _by(counts: Mapping[str, float]) -> dict[str, float]:
    return {field.removeprefix("by:"): count for field, count in counts.items() if field.startswith("by:") and count}


def _counted(counts: Mapping[str, float]) -> Counted:
    return Counted(counts.get("spent", 0.0), counts.get("held", 0.0), counts.get("most"), _by(counts))
