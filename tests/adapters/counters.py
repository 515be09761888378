"""Counters in PostgreSQL, and everything that can come of flows that use them."""

from inspect import iscoroutinefunction

import psycopg

from pytest_supercache import Verdict, check
from tests.adapters.flows import judged, outcomes_of


class Counters:
    """The counters n and m as seen by libpq alone, of which checks know nothing.

    One connection is kept: the process that PostgreSQL starts for each costs more than a check.
    """

    def __init__(self, address):
        self._connection = psycopg.pq.PGconn.connect(address.encode())
        self.close = self._connection.finish

    def reset(self):
        """Put both back to 0."""
        self.execute(b"UPDATE counters SET n = 0")

    def values(self):
        """Return n and m."""
        found = self.execute(b"SELECT n FROM counters ORDER BY name DESC")
        return tuple(int(found.get_value(row, 0)) for row in range(found.ntuples))

    def execute(self, statement):
        """Execute a statement."""
        result = self._connection.exec_(statement)
        assert not result.error_message, result.error_message
        return result


def racing(counters, flows, judge=lambda results: None):
    """Return a body in which users a and b run flows, functions or coroutines."""

    def begin(world):
        counters.reset()
        for name, flow in zip("ab", flows, strict=False):
            world.actor(name, flow)

    def body(world):
        begin(world)
        judge(world.run())

    async def awaited(world):
        begin(world)
        judge(await world.run())

    return awaited if iscoroutinefunction(flows[0]) else body


def outcomes(counters, *flows):
    """Return everything that can come of flows."""

    def tried(search):
        seen = set()

        def note(results):
            seen.add((results["a"], results["b"], *counters.values()))

        result = judged(racing(counters, flows, note), search=search, ticks=0)
        assert result.exhausted, result
        return seen

    return outcomes_of(tried)


def unknown(counters, *flows):
    """Return the reasons why a check of flows proves nothing."""
    body = racing(counters, flows)
    result = check(body, guarantees=(), executions=5)
    assert result.verdict is Verdict.UNKNOWN, result
    return "\n".join(result.reasons)


def is_a_deadlock(result):
    """Say whether what was found is the error of PostgreSQL that tells of a deadlock."""
    found = result.counterexample
    assert found.violation.guarantee == "answers"
    return found.conflict_class == "deadlock" and "deadlock detected" in str(found.violation)


def is_two(counters):
    """Return the assertion that the first counter has counted both users."""

    def judge(_):
        assert counters.values()[0] == 2

    return judge
