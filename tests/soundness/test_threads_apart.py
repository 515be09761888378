"""What code keeps for each thread by itself: no other thread finds it."""

import threading
from types import SimpleNamespace

import pytest

from tests.soundness.truth import broken, right, systems_of


def _each_sees_itself(world, keep, look):
    """Let two users keep their names, ask the cache something, and look what is kept."""
    redis, seen = world.existing_cache.client(), {}

    def serve(user):
        keep(user)
        redis.get(user)
        seen[user] = look()

    for user in ("alice", "bob"):
        world.actor(user, serve, user)
    world.run()
    assert seen == {"alice": "alice", "bob": "bob"}


class Request(threading.local):
    user = "nobody"


@right("every thread has an attribute of its own")
def the_user_on_a_thread_local(world):
    request = Request()
    _each_sees_itself(world, lambda user: setattr(request, "user", user), lambda: request.user)


class SlotRequest(threading.local):
    __slots__ = ("user",)


@broken("a slot of a thread-local belongs to all threads")
def the_user_in_a_slot_of_a_thread_local(world):
    request = SlotRequest()
    _each_sees_itself(world, lambda user: setattr(request, "user", user), lambda: request.user)


class ByThread:
    """Keeps its attributes by the number of the thread, as web frameworks did."""

    __slots__ = ("number", "shelves")

    def __init__(self, number):
        object.__setattr__(self, "shelves", {})
        object.__setattr__(self, "number", number)

    def __getattr__(self, name):
        return self.shelves[self.number()][name]

    def __setattr__(self, name, value):
        self.shelves.setdefault(self.number(), {})[name] = value


@right("the number of a thread is that of no other one")
def the_user_by_the_number_of_the_thread(world):
    request = ByThread(threading.get_ident)
    _each_sees_itself(world, lambda user: setattr(request, "user", user), lambda: request.user)


@broken("all threads have the same number")
def the_user_by_a_number_for_all(world):
    request = ByThread(lambda: 0)
    _each_sees_itself(world, lambda user: setattr(request, "user", user), lambda: request.user)


class Proxy:
    """Stands for what a function returns; its attributes are those of that, all of them."""

    __slots__ = ("find",)

    def __init__(self, find):
        object.__setattr__(self, "find", find)

    @property
    def __dict__(self):
        return self.find().__dict__

    def __getattr__(self, name):
        return getattr(self.find(), name)

    def __setattr__(self, name, value):
        setattr(self.find(), name, value)


@broken("the proxy stands for one object, which both users write to")
def a_proxy_whose_attributes_are_those_of_another(world):
    request = SimpleNamespace(user=None)
    proxy = Proxy(lambda: request)
    _each_sees_itself(world, lambda user: setattr(proxy, "user", user), lambda: proxy.user)


@right("the proxy stands for what each thread has")
def a_proxy_of_a_thread_local(world):
    request = Request()
    proxy = Proxy(lambda: request)
    _each_sees_itself(world, lambda user: setattr(proxy, "user", user), lambda: proxy.user)


@pytest.mark.parametrize("system", systems_of(__name__), ids=lambda system: system.name)
def test_the_truth_is_told(system):
    system.must_be_told()
