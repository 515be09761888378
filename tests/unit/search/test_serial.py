"""Taking turns: users one after the other, whoever waits yields."""

from math import factorial

import pytest

from pytest_supercache.core.schedule import CLOCK, Choices
from pytest_supercache.search.serial import ORDERS_MAX, Serial, serial_orders
from tests.programs import Move, Simulator, acquire, release, straight


def taken(order, programs):
    simulator = Simulator(lambda: programs)
    return "".join(simulator.attempt(Serial(order)).schedule.choices)


@pytest.mark.parametrize(("order", "expected"), [(("a", "b"), "aabbb"), (("b", "a"), "bbbaa")])
def test_users_run_to_completion_in_the_given_order(order, expected):
    assert taken(order, {"a": straight(2), "b": straight(3)}) == expected


def test_a_user_that_cannot_go_on_yields_and_comes_back():
    waits = [Move("wait", guard=lambda state: state.get("done", False)), Move("go on")]
    tells = [Move("tell", effect=lambda state: state.update(done=True)), Move("rest")]
    assert taken(("a", "b"), {"a": waits, "b": tells}) in {"baab", "bbaa"}
    assert taken(("b", "a"), {"a": waits, "b": tells}) == "bbaa"


def test_opposite_lock_orders_do_not_deadlock_when_users_take_turns():
    one = [acquire("x", "a"), acquire("y", "a"), release("y"), release("x")]
    two = [acquire("y", "b"), acquire("x", "b"), release("x"), release("y")]
    for order in (("a", "b"), ("b", "a")):
        assert len(taken(order, {"a": one, "b": two})) == 8


def chosen(*enabled, last, resting):
    return Serial(("a", "b")).choose(Choices(enabled, last, 5, resting))


def test_messages_are_delivered_after_an_operation_and_not_inside_one():
    assert chosen("a", "b", "messages@a", last="a", resting=True) == "messages@a"
    assert chosen("a", "b", "messages@a", last="a", resting=False) == "a"


def test_the_clock_moves_rather_than_that_a_sleeping_user_yields():
    assert chosen("b", CLOCK, last="a", resting=False) == CLOCK
    assert chosen("a", "b", CLOCK, last="a", resting=False) == "a"
    assert chosen("b", CLOCK, last="a", resting=True) == "b"


def test_the_network_is_faster_than_a_sleep_and_the_sleeper_stays_the_one_whose_turn_it_is():
    turns = Serial(("a", "b"))
    answers = [
        turns.choose(Choices(enabled, last, 5, resting))
        for enabled, last, resting in (
            (("b", "messages@a", CLOCK), "a", False),
            (("b", CLOCK), "messages@a", True),  # the message is no user between two operations
            (("a", "b"), "messages@a", True),
        )
    ]
    assert answers == ["messages@a", CLOCK, "a"]


def test_a_fault_comes_between_operations_once_so_many_have_ended():
    fault = "@evict(existing_cache,k)"
    for after, expected in ((0, [fault, fault]), (1, ["b", fault]), (2, ["b", "b"])):
        turns = Serial(("a", "b"), after)
        first = turns.choose(Choices(("b", fault), None, 0, resting=True))
        second = turns.choose(Choices(("b", fault), "a", 5, resting=True))
        assert [first, second] == expected
    assert Serial(("a",), 9).choose(Choices((fault,), "a", 5, resting=True)) == fault


@pytest.mark.parametrize("users", [0, 1, 2, 3, 5])
def test_few_users_have_every_order_once(users):
    orders = list(serial_orders(tuple("abcde"[:users]), seed=0))
    assert len(orders) == len(set(orders)) == factorial(users)


def test_many_users_have_a_sample_that_the_seed_repeats():
    users = tuple("abcdef")
    orders = list(serial_orders(users, seed=1))
    assert len(orders) == ORDERS_MAX
    assert orders[0] == users
    assert all(sorted(order) == sorted(users) for order in orders)
    assert orders == list(serial_orders(users, seed=1))
    assert orders != list(serial_orders(users, seed=2))
