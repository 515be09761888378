"""The fast way: computes the zone of time of each value, if its writer is known.

After Gibbons and Korach ("Testing Shared Memories", SIAM J. Comput. 1997). All calls that write or
read one value form a cluster. Let ``first_end`` be the first return in it and ``last_start`` the
last call. If one call of the cluster ended before another began, the register held the value all
the time between (a *forward* zone); else the cluster fits at any one moment between the two (a
*backward* zone). One order exists exactly when no value is read that nobody wrote, no read ends
before its write begins, no two forward zones overlap and no backward zone lies inside a forward
one. That takes a sort.

Compare-and-set, and values that were written more than once, are beyond it. Then the same look at
those values whose writer is known may still find a "no": leaving out all calls of one value, and
taking a compare-and-set apart into a read and a write, can only make more orders possible.
"""

from bisect import bisect_right
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from enum import Enum
from itertools import pairwise
from typing import Any

from pytest_supercache.core.identity import identity
from pytest_supercache.oracle.linear.call import BEFORE_ALL, NEVER, READS, Call


class Reason(Enum):
    """The reason why there is no order."""

    FROM_NOWHERE = "a value was read that nobody had written"
    TOO_EARLY = "a value was read before it was written"
    ENTWINED = "two values would have to alternate, and each was written once"
    OVERWRITTEN = "a value was overwritten and read again, and was written once"
    NO_ORDER = "no order explains every answer"


@dataclass(frozen=True, slots=True, kw_only=True)
class Clash:
    """Calls that cannot be ordered, and why; or about where the search found that out."""

    reason: Reason
    calls: tuple[Call, ...] = ()
    near: int = 0


@dataclass(frozen=True, slots=True)
class Zones:
    """The result: a clash, or None; ``exact``: the absence of a clash proves an order."""

    clash: Clash | None
    exact: bool


class _Cluster:
    """The one write of a value (None: it is there from the start), and its reads."""

    __slots__ = ("first_end", "first_ended", "last_start", "last_started", "write", "written_from")

    def __init__(self, write: Call | None) -> None:
        self.write = write
        self.first_ended = self.last_started = write
        self.first_end = BEFORE_ALL if write is None else write.returned_at
        self.last_start = self.written_from = BEFORE_ALL if write is None else write.called_at

    def add(self, read: Call) -> None:
        if read.returned_at < self.first_end:
            self.first_end, self.first_ended = read.returned_at, read
        if read.called_at > self.last_start:
            self.last_start, self.last_started = read.called_at, read

    @property
    def is_forward(self) -> bool:
        return self.first_end < self.last_start

    @property
    def witnesses(self) -> tuple[Call, ...]:
        """The calls that bound the zone."""
        calls = (self.write, self.first_ended, self.last_started)
        found = {identity(call): call for call in calls if call}
        return tuple(found.values())


class _Clusters:
    """All clusters of one register, while calls are sorted into them."""

    def __init__(self, initial: Any) -> None:
        self.of: dict[Any, _Cluster] = {initial: _Cluster(None)}
        self.shared: set[Any] = set()  # values that were written more than once
        self.read: set[Any] = set()

    def write(self, call: Call, value: Any) -> None:
        known = self.of.get(value)
        if known is None:
            self.of[value] = _Cluster(call)
        else:
            self.shared.add(value)
            known.written_from = min(known.written_from, call.called_at)

    def read_clash(self, call: Call, value: Any) -> Clash | None:
        cluster = self.of.get(value)
        if cluster is None:
            return Clash(reason=Reason.FROM_NOWHERE, calls=(call,))
        if call.returned_at < cluster.written_from:
            first = (cluster.write,) if cluster.write else ()
            return Clash(reason=Reason.TOO_EARLY, calls=(call, *first))
        self.read.add(value)
        if value not in self.shared:
            cluster.add(call)
        return None


def check_zones(calls: Sequence[Call], initial: Any) -> Zones:
    """Look for a clash among the calls of one register, which may not include appends."""
    clusters = _Clusters(initial)
    plain = True
    writes: list[tuple[Call, Any]] = []
    for call in calls:
        if call.kind in READS:
            continue
        value = call.value
        if call.kind == "cas":
            plain = False
            if call.is_pure or value[0] == value[1]:
                continue
            value = value[1]
        writes.append((call, value))
        clusters.write(call, value)
    for call, value in _reads(calls):
        clash = clusters.read_clash(call, value)
        if clash is not None:
            return Zones(clash, exact=plain)
    unique = clusters.read - clusters.shared
    zones = [cluster for value, cluster in clusters.of.items() if value in unique]
    # A write that nobody read, or whose reads are not known to be its own, still takes a moment.
    zones += [_Cluster(call) for call, value in writes if call.returned and value not in unique]
    return Zones(_clash(zones), exact=plain and not clusters.read & clusters.shared)


def _reads(calls: Iterable[Call]) -> Iterator[tuple[Call, Any]]:
    """Yield the calls whose answers tell what the register held."""
    for call in calls:
        if call.returned_at == NEVER:
            continue
        if call.kind in READS:
            yield call, call.answer
        elif call.kind == "cas" and call.answer:
            yield call, call.value[0]


def _clash(zones: Iterable[_Cluster]) -> Clash | None:
    forward: list[_Cluster] = []
    backward: list[_Cluster] = []
    for zone in zones:
        (forward if zone.is_forward else backward).append(zone)
    forward.sort(key=lambda zone: zone.first_end)
    for one, next_one in pairwise(forward):
        if next_one.first_end < one.last_start:
            calls = (*one.witnesses, *next_one.witnesses)
            return Clash(reason=Reason.ENTWINED, calls=calls)
    starts = [zone.first_end for zone in forward]
    for zone in backward:
        at = bisect_right(starts, zone.last_start) - 1
        if at >= 0 and zone.first_end < forward[at].last_start:
            calls = (*forward[at].witnesses, *zone.witnesses)
            return Clash(reason=Reason.OVERWRITTEN, calls=calls)
    return None
