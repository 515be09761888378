"""`Exception` and `BaseException` at a chosen step: what cleans up after one, not after the other.

An injected error is an answer; what is judged is what it leaves behind for everybody else.
"""

import pytest

from pytest_supercache import Faults, Verdict, check
from pytest_supercache.core.verdict import Label


class Marked:
    """Marks a key while it works on it; the mark must be gone whatever happens."""

    def __init__(self, client, *, catches):
        self.client = client
        self.catches = catches
        self.busy = set()

    def work(self):
        self.busy.add("done")
        try:
            self.client.incr("done")
        except self.catches:
            self.busy.clear()
            raise
        self.busy.clear()


def leaves_no_mark(catches):
    def body(world):
        marked = Marked(world.existing_cache.client(), catches=catches)
        world.actor("alice", marked.work)
        world.run()
        assert not marked.busy

    return body


@pytest.mark.parametrize(
    ("raised", "catches", "verdict"),
    [
        ("ValueError", Exception, Verdict.HOLDS),
        ("KeyboardInterrupt", Exception, Verdict.VIOLATED),
        ("BaseException", Exception, Verdict.VIOLATED),
        ("BaseException", BaseException, Verdict.HOLDS),
        (f"{__name__}.Stop", Exception, Verdict.VIOLATED),
        (f"{__name__}.Stop", BaseException, Verdict.HOLDS),
    ],
)
def test_a_named_exception_strikes_every_step_in_turn(raised, catches, verdict):
    faults = Faults(max=1, kinds=({"exception": raised},))
    result = check(leaves_no_mark(catches), faults=faults)
    assert result.verdict is verdict, (result.reasons, result.counterexample)
    if verdict is Verdict.VIOLATED:
        assert result.label is Label.FAULT_BUG
        assert "INCRBY done" in result.counterexample.faults[0]
        assert ";exception(alice,0,0," in result.counterexample.token
        assert result.counterexample.replays == "10/10"


class Stop(BaseException):
    """What a server raises into its workers when it is told to stop; it takes no text."""

    def __init__(self):
        super().__init__("stop")


class Pooled:
    """A client of its own making: it gives its connection back however it came out of a read."""

    def __init__(self, layers, *, is_fixed):
        self.pool = layers.client(decode_responses=True).connection_pool
        self.is_fixed = is_fixed

    def get(self, key):
        connection = self.pool.get_connection()
        try:
            connection.send_command("GET", key)
            return connection.read_response()
        except BaseException:
            if self.is_fixed:
                connection.disconnect()
            raise
        finally:
            self.pool.release(connection)


@pytest.mark.parametrize("is_fixed", [False, True])
def test_whoever_is_interrupted_before_a_reply_must_not_leave_it_to_others(is_fixed):
    def body(world):
        for key in ("alice", "bob"):
            world.existing_cache.client().set(key, f"{key}-secret")
        pooled = Pooled(world.existing_cache, is_fixed=is_fixed)
        seen = []

        def bob():
            seen.append(pooled.get("bob"))

        world.actor("alice", pooled.get, "alice")
        world.actor("bob", bob)
        world.run()
        assert set(seen) <= {"bob-secret"}

    faults = Faults(max=1, kinds=({"cancel": f"{__name__}.Stop"},))
    result = check(body, grain="wire", memory="declared", faults=faults)
    assert result.verdict is (Verdict.HOLDS if is_fixed else Verdict.VIOLATED), result.reasons
    if not is_fixed:
        assert "receive the reply" in result.counterexample.faults[0]
