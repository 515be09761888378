"""Accesses that the standard library makes: methods of C handed over, lazy looks, deep looks."""

import contextlib
import copy
import dataclasses
import functools
import json
import threading
from collections import Counter
from concurrent.futures import Future, ThreadPoolExecutor
from types import MappingProxyType

import pytest

from tests.soundness.truth import broken, right, systems_of


def _both(world, first, second):
    world.actor("first", first)
    world.actor("second", second)
    return world.run()


def _looked_up(near):
    if "k" not in near:
        return None
    return near["k"]


@broken("the first looks, the second clears, the first reads")
def a_method_of_c_as_an_actor(world):
    near = {"k": 1}
    _both(world, lambda: _looked_up(near), near.clear)


@right("the first asks once, with a default")
def a_method_of_c_as_an_actor_and_one_question(world):
    near = {"k": 1}
    _both(world, lambda: near.get("k"), near.clear)


@broken("the partial clears between the look and the read")
def a_partial_of_a_method_of_c_as_an_actor(world):
    near = {"k": 1}
    _both(
        world,
        lambda: _looked_up(near),
        functools.partial(near.pop, "k", None),
    )


@broken("the clean-up of the stack empties the dict between the look and the read")
def a_clean_up_on_an_exit_stack(world):
    near = {"k": 1}

    def clear():
        with contextlib.ExitStack() as stack:
            stack.callback(near.clear)

    _both(world, lambda: _looked_up(near), clear)


@right("the clean-up of the stack empties another dict")
def a_clean_up_of_something_else(world):
    near, own = {"k": 1}, {}

    def clear():
        with contextlib.ExitStack() as stack:
            stack.callback(own.clear)

    _both(world, lambda: _looked_up(near), clear)


@broken("the thread appends after the look, because nobody joins it")
def a_thread_whose_target_is_append(world):
    found = []

    def start():
        threading.Thread(target=found.append, args=(1,)).start()
        return list(found)

    world.actor("first", start)
    assert world.run()["first"] == [1]


@right("the thread has ended when the list is looked at")
def a_thread_whose_target_is_append_joined(world):
    found = []

    def start():
        thread = threading.Thread(target=found.append, args=(1,))
        thread.start()
        thread.join()
        return list(found)

    world.actor("first", start)
    assert world.run()["first"] == [1]


@broken("the timer drops the entry between the look and the read")
def a_timer_whose_function_is_pop(world):
    near = {"k": 1}

    def look():
        timer = threading.Timer(0, near.pop, ("k",))
        timer.start()
        if "k" in near:
            return near["k"]
        return None

    world.actor("first", look)
    world.run()


@broken("the pool adds after the check, because no one waits for the future")
def a_pool_that_adds(world):
    seen = set()

    def look():
        with ThreadPoolExecutor(1) as pool:
            pool.submit(seen.add, 1)
            return 1 in seen

    world.actor("first", look)
    assert world.run()["first"]


@right("the future has its result when the set is looked at")
def a_pool_that_has_added(world):
    seen = set()

    def look():
        with ThreadPoolExecutor(1) as pool:
            pool.submit(seen.add, 1).result()
            return 1 in seen

    world.actor("first", look)
    assert world.run()["first"]


@broken("the callback of the future comes after the second's look at the list")
def a_callback_of_a_future(world):
    results, future = [], Future()
    future.add_done_callback(results.append)
    _both(world, lambda: future.set_result(1), lambda: results or results[0])


@right("the second waits for the result, and does not look at the list")
def a_future_that_is_waited_for(world):
    results, future = [], Future()
    future.add_done_callback(results.append)
    assert _both(world, lambda: future.set_result(1), future.result)["second"] == 1


@dataclasses.dataclass
class Server:
    host: str = "a"
    port: int = 1


def _is_torn(world, move, look):
    found = _both(world, move, look)["second"]
    assert found in [("a", 1), ("b", 2)]


def _move(server):
    server.host = "b"
    server.port = 2


@broken("the copy is made between the two writes")
def a_copy_of_an_object(world):
    server = Server()

    def look():
        seen = copy.copy(server)
        return seen.host, seen.port

    _is_torn(world, lambda: _move(server), look)


@broken("the fields are read between the two writes")
def astuple_of_an_object(world):
    server = Server()
    _is_torn(world, lambda: _move(server), lambda: dataclasses.astuple(server))


@broken("asdict goes into the object below between the two writes")
def asdict_of_an_object_below(world):
    servers = [Server()]

    @dataclasses.dataclass
    class Site:
        servers: list

    site = Site(servers)

    def look():
        return tuple(dataclasses.asdict(site)["servers"][0].values())

    _is_torn(world, lambda: _move(servers[0]), look)


@broken("what is deep in the configuration is copied between the two writes")
def a_deep_copy_of_a_configuration(world):
    config = {"server": {"host": "a", "port": 1}}

    def move():
        config["server"]["host"] = "b"
        config["server"]["port"] = 2

    _is_torn(world, move, lambda: tuple(copy.deepcopy(config)["server"].values()))


@broken("what is deep in the configuration is written as text between the two writes")
def a_dump_of_a_configuration(world):
    config = {"server": {"host": "a", "port": 1}}

    def move():
        config["server"]["host"] = "b"
        config["server"]["port"] = 2

    _is_torn(world, move, lambda: tuple(json.loads(json.dumps(config))["server"].values()))


@right("the server is replaced as a whole")
def a_deep_copy_of_a_replaced_configuration(world):
    config = {"server": {"host": "a", "port": 1}}

    def move():
        config["server"] = {"host": "b", "port": 2}

    _is_torn(world, move, lambda: tuple(copy.deepcopy(config)["server"].values()))


class Flags:
    def __init__(self):
        self._flags = {"old": True, "new": False}

    def live(self):
        return MappingProxyType(self._flags)

    def snapshot(self):
        return MappingProxyType(dict(self._flags))

    def switch(self):
        self._flags["old"] = False
        self._flags["new"] = True

    def replace(self):
        self._flags = {"old": False, "new": True}


def _exactly_one(seen):
    return [seen["old"], seen["new"]].count(True) == 1


@broken("the proxy shows the dict as it changes: old is read before, new after the switch")
def flags_shown_by_a_live_proxy(world):
    flags = Flags()
    seen = flags.live()
    assert _both(world, flags.switch, lambda: _exactly_one(seen))["second"]


@right("the proxy shows a copy that nobody changes, made before the race")
def flags_shown_by_a_snapshot(world):
    flags = Flags()
    seen = flags.snapshot()
    assert _both(world, flags.switch, lambda: _exactly_one(seen))["second"]


@right("the proxy stays at the dict that was replaced")
def flags_that_are_replaced(world):
    flags = Flags()
    assert _both(world, flags.replace, lambda: _exactly_one(flags.live()))["second"]


@broken("given a mapping, Counter.update is Python code that reads and writes: one is lost")
def a_counter_updated_by_a_mapping(world):
    counts = Counter(k=0)
    add = functools.partial(counts.update, {"k": 1})
    _both(world, lambda: add(), lambda: add())
    assert counts["k"] == 2


@right("given a list, Counter.update counts in one operation of C")
def a_counter_updated_by_a_list(world):
    counts = Counter(k=0)
    _both(world, lambda: counts.update(["k"]), lambda: counts.update(["k"]))
    assert counts["k"] == 2


@pytest.mark.parametrize("system", systems_of(__name__), ids=lambda system: system.name)
def test_what_is_said_is_true(system):
    system.must_be_told()
