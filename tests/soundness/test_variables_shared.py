"""Variables that functions share: bound once before anybody sees them, or again meanwhile."""

import threading

import pytest

from tests.soundness.truth import broken, right, systems_of


@broken("the thread may read the variable before it is bound")
def a_thread_starts_before_the_variable_is_bound(world):
    def flow():
        thread = threading.Thread(target=lambda: seen.append(price))
        seen = []
        thread.start()
        price = 3
        thread.join()
        assert seen == [3]

    world.actor("user", flow)
    world.run()


@right("the variable is bound before the thread starts")
def a_thread_starts_after_the_variable_is_bound(world):
    def flow():
        price = 3
        seen = []
        thread = threading.Thread(target=lambda: seen.append(price))
        thread.start()
        thread.join()
        assert seen == [3]

    world.actor("user", flow)
    world.run()


@broken("all threads read the variable of the loop, which has gone on")
def a_loop_starts_threads_that_read_its_variable(world):
    def flow():
        seen, threads = [], []
        for number in range(2):
            late = lambda: seen.append(number)  # noqa: B023, E731 - late binding is the bug under test
            threads.append(threading.Thread(target=late))
            threads[-1].start()
        for thread in threads:
            thread.join()
        assert sorted(seen) == [0, 1]

    world.actor("user", flow)
    world.run()


@right("each thread has a variable of its own")
def a_loop_starts_threads_that_each_have_their_own(world):
    def flow():
        seen, threads = [], []

        def starts(number):
            threads.append(threading.Thread(target=lambda: seen.append(number)))
            threads[-1].start()

        for number in range(2):
            starts(number)
        for thread in threads:
            thread.join()
        assert sorted(seen) == [0, 1]

    world.actor("user", flow)
    world.run()


@broken("an argument is bound again by a function two levels below")
def an_argument_is_bound_again_by_a_nested_function(world):
    def counter(count):
        def adder():
            def add():
                nonlocal count
                count += 1

            return add

        return adder(), lambda: count

    add, value = counter(0)
    world.actor("a", add)
    world.actor("b", add)
    world.run()
    assert value() == 2


@right("the lock is held for the read and the write of the argument")
def an_argument_is_bound_again_under_a_lock(world):
    lock = threading.Lock()

    def counter(count):
        def adder():
            def add():
                nonlocal count
                with lock:
                    count += 1

            return add

        return adder(), lambda: count

    add, value = counter(0)
    world.actor("a", add)
    world.actor("b", add)
    world.run()
    assert value() == 2


class _Stock:
    def __init__(self, count):
        self.count = count
        self.others = 0


@broken("one takes by the attribute, the other by the dict that held it before the race")
def a_dict_of_attributes_was_taken_before_the_race(world):
    stock = _Stock(2)
    members = stock.__dict__

    def by_attribute():
        stock.count -= 1

    def by_dict():
        members["count"] -= 1

    world.actor("a", by_attribute)
    world.actor("b", by_dict)
    world.run()
    assert stock.count == 0


@right("the two write different attributes")
def a_dict_of_attributes_was_taken_but_another_is_written(world):
    stock = _Stock(2)
    members = vars(stock)

    def by_attribute():
        stock.count -= 1

    def by_dict():
        members["others"] += 1

    world.actor("a", by_attribute)
    world.actor("b", by_dict)
    world.run()
    assert (stock.count, stock.others) == (1, 1)


@pytest.mark.parametrize("system", systems_of(__name__), ids=lambda system: system.name)
def test_what_is_said_is_true(system):
    system.must_be_told()
