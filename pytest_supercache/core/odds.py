"""Values for the odds of a conflict: the assumptions on time, and the result of the simulation.

Odds are never a part of a verdict. They hold under their condition and nowhere else.
"""

from dataclasses import dataclass, field
from math import exp, log
from statistics import NormalDist

from pytest_supercache.core.errors import SupercacheError

_NORMAL = NormalDist()
_P99 = _NORMAL.inv_cdf(0.99)

RUNS = 100
"""The default number of simulated runs: cheap, and enough to tell 1 in 10 from 1 in 2."""

WITHIN = 0.05
"""The default number of seconds within which all users start."""


@dataclass(frozen=True, slots=True)
class Latency:
    """The distribution of a duration: half are below ``median``, 99 in 100 below ``p99``.

    Between these it is log-normal, as in networks and on disks, roughly. In seconds.
    """

    median: float
    p99: float

    def __post_init__(self) -> None:
        if not 0 < self.median <= self.p99:
            raise SupercacheError(
                f"latency with median {self.median:g} s and p99 {self.p99:g} s: expected "
                "0 < median <= p99"
            )

    def at(self, uniform: float) -> float:
        """Return the duration, in seconds, that a share ``uniform`` of all durations is below."""
        inside = min(max(uniform, 1e-12), 1 - 1e-12)
        return self.median * exp(log(self.p99 / self.median) * _NORMAL.inv_cdf(inside) / _P99)


@dataclass(frozen=True, slots=True, kw_only=True)
class Latencies:
    """The latencies in simulated traffic; docs/odds.md gives the reasons for the defaults."""

    existing_cache: Latency = Latency(0.0005, 0.005)  # a command, there and back
    origin: Latency = Latency(0.005, 0.05)  # a query or a commit, there and back
    messages: Latency = Latency(0.001, 0.02)  # from the publication to the delivery on one node
    code: Latency = Latency(0.00002, 0.001)  # between two steps: what the process itself does


@dataclass(frozen=True, slots=True, kw_only=True)
class Simulation:
    """The simulation: ``runs`` runs, in each of which all users start ``within`` seconds.

    With ``ends_when_known`` there are fewer, if these tell the share within a factor of two.
    """

    runs: int = 0
    ends_when_known: bool = False
    within: float = WITHIN
    latencies: Latencies = field(default_factory=Latencies)


@dataclass(frozen=True, slots=True, kw_only=True)
class Odds:
    """The result: ``failing`` of ``runs`` simulated runs break a guarantee.

    ``faults`` are those that struck in every run; runs in which one had nothing to strike are not
    in ``runs``.
    """

    runs: int
    failing: int
    within: float
    latencies: Latencies
    faults: tuple[str, ...] = ()
