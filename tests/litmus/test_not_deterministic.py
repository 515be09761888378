"""Code that fails at first and not later: it is not deterministic, and never HOLDS."""

from itertools import product

import pytest

from pytest_supercache import Verdict, check
from tests.selection import few


@pytest.fixture(scope="module", autouse=True)
def _libraries_are_imported():
    """An execution in which a library was imported is none: its commands were no steps yet."""
    check(failing_at_first(0))


def failing_at_first(times):
    """Return a body that fails in its first executions, and a count of them."""
    runs = []

    def body(world):
        client = world.existing_cache.client()
        world.actor("reader", lambda: client.get("k") and None)
        world.actor("writer", lambda: client.set("k", 1) and None)
        world.run()
        runs.append(1)
        if len(runs) <= times:
            pytest.fail("not warm yet")

    return body


SEARCHES = ["auto", "exhaustive", "all-schedules"]
FIRST = [
    *((1, search) for search in SEARCHES), (2, "auto"), (4, "exhaustive"), (8, "all-schedules"),
]  # fmt: skip
REST = product(range(1, 9), SEARCHES)


@pytest.mark.parametrize(("times", "search"), few(dict.fromkeys([*FIRST, *REST]), len(FIRST)))
def test_a_failure_of_the_first_executions_is_not_forgotten(times, search):
    result = check(failing_at_first(times), search=search)
    assert result.verdict is Verdict.UNKNOWN
    assert "not deterministic" in result.reasons[0]


@pytest.mark.parametrize("search", ["auto", "exhaustive", "all-schedules"])
def test_code_that_never_fails_holds(search):
    assert check(failing_at_first(0), search=search).verdict is Verdict.HOLDS


def test_code_that_always_fails_is_a_plain_bug():
    result = check(failing_at_first(10_000))
    assert result.verdict is Verdict.VIOLATED
    assert result.label.value == "plain bug"


def test_code_that_changes_late_is_not_deterministic():
    calls = []

    def body(world):
        calls.append(1)
        is_late = len(calls) >= 8
        cache = world.existing_cache.client()

        def bob():
            cache.get("x")
            if not is_late:
                cache.get("z")

        world.actor("alice", lambda: (cache.get("x"), cache.get("y")))
        world.actor("bob", bob)
        world.run()

    assert check(body, search="all-schedules").verdict is Verdict.UNKNOWN


def test_the_reason_names_the_module_global_that_changed_and_no_other_one(module):
    module.warm, module.settings = [], {"size": 3}

    def body(world):
        client = world.existing_cache.client()
        world.actor("reader", lambda: client.get("k") and None)
        world.actor("writer", lambda: client.set("k", 1) and None)
        module.warm.append(1)  # what is changed before the race is not restored
        world.run()
        if len(module.warm) == 1:
            pytest.fail("not warm yet")

    (reason,) = check(body).reasons
    assert "changed meanwhile: shop_under_test:warm; if they are state" in reason


class Listener:
    """An object whose place in a set is as far from certain as an address."""

    def __init__(self, number, address):
        self.number, self.address = number, address

    def __hash__(self):
        return self.address


def called_in_the_order_of(container):
    """Return a body that asks for a key by each listener of a container."""
    runs = []

    def body(world):
        runs.append(1)
        turn = len(runs) % 2
        cache = world.existing_cache.client()
        listeners = container([Listener(0, turn), Listener(1, 1 - turn)])
        world.actor("alice", lambda: [cache.get(f"k{one.number}") for one in listeners] and None)
        world.actor("bob", lambda: cache.get("x") and None)
        world.run()

    return body


def test_what_goes_through_a_set_in_another_order_is_told_to_sort_it():
    result = check(called_in_the_order_of(set))
    assert result.verdict is Verdict.UNKNOWN
    assert "If code goes through a set of objects" in result.reasons[0]


def test_what_goes_through_a_list_needs_no_order():
    assert check(called_in_the_order_of(list)).verdict is Verdict.HOLDS


def test_a_failure_of_the_first_execution_is_not_laid_to_a_set():
    (reason,) = check(failing_at_first(1)).reasons
    assert "set of objects" not in reason
