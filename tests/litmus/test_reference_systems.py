"""The three reference systems: the conflict, its workaround, its fix, and what the fix rests on."""

import pytest

from pytest_supercache import COHERENT_WHEN_SETTLED, Assume, Verdict, check
from pytest_supercache.reference import FixedShop, NaiveShop, WorkaroundShop
from pytest_supercache.reference.workaround import DELAY_SECONDS

KEY = "product:42"


def _price_change(make, nodes="ab"):
    """One reader and one writer of one key."""

    def body(world):
        world.origin.set(KEY, {"price": 100})
        shops = {node: make(world.node(node)) for node in dict.fromkeys(nodes)}
        reader, writer = nodes
        world.actor("alice", shops[reader].get, KEY, node=reader)
        world.actor("bob", shops[writer].set, KEY, {"price": 120}, node=writer)
        world.run()
        world.settle()

    return body


def _explore(make, nodes="ab", **options):
    return check(_price_change(make, nodes), guarantees=[COHERENT_WHEN_SETTLED], **options)


class Unleased(FixedShop):
    """The fix without its check: it stores whatever it has read."""

    def _fill(self, key, text, lease):
        self._far.set(key, text)


def test_the_naive_system_has_504_schedules_on_two_nodes_and_some_fail():
    result = _explore(NaiveShop, search="all-schedules", stop_at_first=False)
    assert (result.verdict, result.executions) == (Verdict.VIOLATED, 504)
    assert 0 < result.violating < 504


def test_the_fix_holds_and_without_its_lease_check_it_does_not():
    fixed = _explore(FixedShop)
    assert fixed.verdict is Verdict.HOLDS
    assert fixed.exhausted
    assert _explore(Unleased).verdict is Verdict.VIOLATED


def test_the_fix_stopped_early_is_unknown():
    assert _explore(FixedShop, executions=5).verdict is Verdict.UNKNOWN


def test_the_workaround_holds_as_long_as_nobody_pauses_as_long_as_its_delay():
    one = {"preemptions": 1}  # is enough
    assert _explore(WorkaroundShop, "aa", **one).verdict is Verdict.VIOLATED
    shorter = Assume(pause=DELAY_SECONDS * 0.8)
    assert _explore(WorkaroundShop, "aa", assume=shorter).verdict is Verdict.HOLDS
    longer = Assume(pause=DELAY_SECONDS * 1.2)
    assert _explore(WorkaroundShop, "aa", assume=longer, **one).verdict is Verdict.VIOLATED


@pytest.mark.parametrize("make", [NaiveShop, WorkaroundShop, FixedShop])
def test_a_warm_read_sends_no_command_and_a_cold_one_does(make):
    commands = []

    def body(world):
        world.origin.set(KEY, {"price": 100})
        shop = make(world.node("a"))

        def read_twice():
            for _ in range(2):
                before = len(world.context.record.steps)
                assert shop.get(KEY) == {"price": 100}
                steps = world.context.record.steps[before:]
                commands.append(sum(step.kind == "command" for step in steps))

        world.actor("alice", read_twice)
        world.run()

    assert check(body).verdict is Verdict.HOLDS
    assert set(commands[::2]) != {0}
    assert set(commands[1::2]) == {0}
