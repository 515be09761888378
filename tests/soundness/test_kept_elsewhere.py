"""What is kept in unlikely places: on functions, exceptions, threads, in the environment."""

import configparser
import functools
import operator
import os
import random
import threading
from dataclasses import dataclass

import pytest

from tests.soundness.truth import broken, right, systems_of


def _both(world, first, second):
    world.actor("first", first)
    world.actor("second", second)
    return world.run()


def counted(function):
    @functools.wraps(function)
    def wrapper(*arguments):
        wrapper.calls += 1
        return function(*arguments)

    wrapper.calls = 0
    return wrapper


def counted_under_a_lock(function):
    lock = threading.Lock()

    @functools.wraps(function)
    def wrapper(*arguments):
        with lock:
            wrapper.calls += 1
        return function(*arguments)

    wrapper.calls = 0
    return wrapper


@broken("both read the number of calls from the function before either writes it")
def calls_counted_on_a_function(world):
    use = counted(abs)
    _both(world, lambda: use(1), lambda: use(2))
    assert use.calls == 2


@right("the number of calls is read and written under the lock of the decorator")
def calls_counted_on_a_function_under_a_lock(world):
    use = counted_under_a_lock(abs)
    _both(world, lambda: use(1), lambda: use(2))
    assert use.calls == 2


def current_user():
    return current_user.name


current_user.name = None


@broken("the other request puts its user on the same function before this one asks")
def a_user_on_a_function(world):
    def serve(user):
        current_user.name = user
        return current_user()

    assert _both(world, lambda: serve("a"), lambda: serve("b")) == {"first": "a", "second": "b"}


@right("each request puts its user on the thread that it runs on")
def a_user_on_the_current_thread(world):
    def serve(user):
        threading.current_thread().user = user
        return threading.current_thread().user

    assert _both(world, lambda: serve("a"), lambda: serve("b")) == {"first": "a", "second": "b"}


class Unavailable(Exception):
    seen = 0


@broken("the failure is kept for both, and both count on it at once")
def a_count_on_an_exception_that_is_kept(world):
    kept = Unavailable()

    def use():
        try:
            raise kept
        except Unavailable as error:
            error.seen += 1

    _both(world, use, use)
    assert kept.seen == 2


@right("each failure counts for itself")
def a_count_on_an_exception_of_each(world):
    def use():
        try:
            raise Unavailable
        except Unavailable as error:
            error.seen += 1
            return error.seen

    assert _both(world, use, use) == {"first": 1, "second": 1}


def _answer_on_a_thread(world, joins):
    def work():
        thread = threading.Thread(target=lambda: setattr(thread, "answer", 1))
        thread.answer = None
        thread.start()
        if joins:
            thread.join()
        return thread.answer

    world.actor("only", work)
    assert world.run()["only"] == 1


@broken("the answer on the thread is read before the thread has put it there")
def an_answer_on_a_thread(world):
    _answer_on_a_thread(world, joins=False)


@right("the thread has ended when its answer is read")
def an_answer_on_a_joined_thread(world):
    _answer_on_a_thread(world, joins=True)


@broken("one variable of the environment is read before, the other after both are set")
def flags_in_the_environment(world):
    os.environ["H2_ONE"] = os.environ["H2_TWO"] = "off"

    def switch():
        os.environ["H2_ONE"] = "on"
        os.environ["H2_TWO"] = "on"

    def look():
        return os.getenv("H2_ONE") == os.getenv("H2_TWO")

    assert _both(world, switch, look)["second"]


@right("both flags are in one variable")
def flags_in_one_variable_of_the_environment(world):
    os.environ["H2_BOTH"] = "off,off"

    def switch():
        os.environ["H2_BOTH"] = "on,on"

    def look():
        one, two = os.getenv("H2_BOTH").split(",")
        return one == two

    assert _both(world, switch, look)["second"]


@broken("the section is written through its proxy between the two questions to the parser")
def a_section_of_a_configuration(world):
    config = configparser.ConfigParser()
    config["server"] = {"host": "a", "port": "1"}

    def move():
        section = config["server"]
        section["host"] = "b"
        section["port"] = "2"

    def look():
        return (config.get("server", "host"), config.get("server", "port"))

    assert _both(world, move, look)["second"] in {("a", "1"), ("b", "2")}


@broken("who draws first is not who writes first in the book")
def numbers_of_one_generator(world):
    source, book = random.Random(1), []
    expected = [random.Random(1).randrange(1000)]

    def draw():
        number = source.randrange(1000)
        book.append(number)

    _both(world, draw, draw)
    assert book[:1] == expected


@dataclass
class Server:
    name: str
    load: int = 0

    def swap(self, other):
        self.load, other.load = other.load, self.load


def _swapped(world, look):
    one, two = Server("one", 1), Server("two", 9)
    return _both(world, lambda: one.swap(two), lambda: look([one, two]))["second"]


@broken("the loads are added when one is written and the other is not yet: 9 and 9")
def the_sum_by_an_attribute_getter(world):
    assert _swapped(world, lambda servers: sum(map(operator.attrgetter("load"), servers))) == 10


@right("no move of a swap lacks the 9, and max over the getter is one operation of C")
def the_largest_by_an_attribute_getter(world):
    assert _swapped(world, lambda servers: max(map(operator.attrgetter("load"), servers))) == 9


@broken("the text is made between the two writes")
def a_text_made_of_attributes(world):
    text = _swapped(world, lambda servers: "{.load} {.load}".format(*servers))
    assert text in {"1 9", "9 1"}


@right("the text has one of the two, and each load is one of two")
def a_text_made_of_one_attribute(world):
    assert _swapped(world, lambda servers: "{.load}".format(*servers)) in {"1", "9"}


class Snapshot(dict):
    """A dict that is meant to be left as it is."""


@broken("the snapshot is taken between the two writes")
def a_snapshot_by_a_class_made_of_dict(world):
    shared = {"one": 1, "two": 1}

    def change():
        shared["one"] = 2
        shared["two"] = 2

    seen = _both(world, change, lambda: Snapshot(shared))["second"]
    assert seen["one"] == seen["two"]


@right("both entries are changed by one operation")
def a_snapshot_of_what_is_changed_at_once(world):
    shared = {"one": 1, "two": 1}
    change = {"one": 2, "two": 2}
    seen = _both(world, lambda: shared.update(change), lambda: Snapshot(shared))["second"]
    assert seen["one"] == seen["two"]


def _equal(one, two):
    return one == two


@broken("the arguments are unpacked between the two writes")
def arguments_from_a_shared_list(world):
    pair = [1, 1]

    def change():
        pair[0] = 2
        pair[1] = 2

    assert _both(world, change, lambda: _equal(*pair))["second"]


@right("both items are replaced by one operation")
def arguments_from_a_list_changed_at_once(world):
    pair = [1, 1]

    def change():
        pair[:] = [2, 2]

    assert _both(world, change, lambda: _equal(*pair))["second"]


@broken("the other takes the end mark first, and the last pop finds the list empty")
def jobs_taken_by_an_iterator_of_calls(world):
    jobs = [None, 2, 1]

    def work():
        return list(iter(jobs.pop, None))

    answers = _both(world, work, lambda: jobs.pop(0))
    assert answers["first"] == [1, 2]


@broken("the jobs are taken one by one, and the other looks in between")
def jobs_seen_half_taken(world):
    jobs = [None, 2, 1]

    def work():
        for _ in iter(jobs.pop, None):
            pass

    assert _both(world, work, lambda: len(jobs))["second"] in {3, 0}


@pytest.mark.parametrize("system", systems_of(__name__), ids=lambda system: system.name)
def test_what_is_said_is_true(system):
    system.must_be_told()
