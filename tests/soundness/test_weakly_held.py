"""What is only referred to weakly goes with its last holder: in the middle of a look, or later."""

import threading
import weakref
from types import SimpleNamespace

import pytest

from tests.soundness.truth import broken, right, systems_of


class Session:
    def __init__(self, user="alice"):
        self.user = user


@broken("the session is dropped between the two calls of the reference")
def a_reference_called_twice(world):
    owner = SimpleNamespace(session=Session())
    session = weakref.ref(owner.session)

    def look():
        if session() is not None:
            assert session() is not None

    def drop():
        owner.session = None

    world.actor("look", look)
    world.actor("drop", drop)
    world.run()


@right("the reference is called once, and what it gave is held")
def a_reference_called_once(world):
    owner = SimpleNamespace(session=Session())
    session = weakref.ref(owner.session)

    def look():
        found = session()
        if found is not None:
            assert found.user == "alice"

    def drop():
        owner.session = None

    world.actor("look", look)
    world.actor("drop", drop)
    world.run()


@broken("the entry goes with the session between the test and the look")
def an_entry_of_a_weak_dict_tested_and_read(world):
    owner = {"s1": Session()}
    weak = weakref.WeakValueDictionary(owner)

    def look():
        if "s1" in weak:
            assert weak["s1"].user == "alice"

    def drop():
        owner.pop("s1")

    world.actor("look", look)
    world.actor("drop", drop)
    world.run()


@right("get takes the entry or nothing, at once")
def an_entry_of_a_weak_dict_got(world):
    owner = {"s1": Session()}
    weak = weakref.WeakValueDictionary(owner)

    def look():
        found = weak.get("s1")
        assert found is None or found.user == "alice"

    def drop():
        owner.pop("s1")

    world.actor("look", look)
    world.actor("drop", drop)
    world.run()


@broken("the other user may look before the context is gone")
def sessions_counted_while_another_request_runs(world):
    live = weakref.WeakSet()

    def request():
        context = {"session": Session(), "trail": []}
        live.add(context["session"])
        context["trail"].append(world.existing_cache.client().get("k"))

    def count():
        assert len(live) == 0

    world.actor("request", request)
    world.actor("count", count)
    world.run()


@right("each request lets its context go when it returns")
def sessions_counted_after_the_requests(world):
    live, done = weakref.WeakSet(), []

    def request():
        context = {"session": Session(), "trail": []}
        live.add(context["session"])
        context["trail"].append(context["session"].user)
        done.append(1)

    world.actor("one", request)
    world.actor("two", request)
    world.run()
    assert len(live) == 0
    assert len(done) == 2


@broken("the second user may count while the first one still has its list")
def connections_given_back_by_their_end_counted_by_another(world):
    free = []

    class Connection:
        def __del__(self):
            free.append(1)

    def use():
        held = [Connection()]
        held.append(len(held))
        return held

    def count():
        assert free

    world.actor("use", use)
    world.actor("count", count)
    world.run()


@right("the connection is given back when its list goes, before the next one is taken")
def connections_given_back_by_their_end(world):
    free = []

    class Connection:
        def __del__(self):
            free.append(1)

    def use():
        held = [Connection()]
        held.append(len(held))

    def flow():
        use()
        world.existing_cache.client().get("k")
        assert free

    world.actor("one", flow)
    world.actor("two", flow)
    world.run()
    assert len(free) == 2


@broken("the cache lets its page go between the two looks of the reader")
def a_page_replaced_while_a_reader_asks_twice(world):
    pages = {"home": Session("old")}
    seen = weakref.ref(pages["home"])

    def publish():
        pages["home"] = Session("new")

    def read():
        first = seen() is not None
        assert first is (seen() is not None)

    world.actor("publish", publish)
    world.actor("read", read)
    world.run()


@right("both hold the lock")
def a_page_replaced_under_the_lock_of_the_reader(world):
    pages = {"home": Session("old")}
    seen, lock = weakref.ref(pages["home"]), threading.Lock()

    def publish():
        with lock:
            pages["home"] = Session("new")

    def read():
        with lock:
            first = seen() is not None
            assert first is (seen() is not None)

    world.actor("publish", publish)
    world.actor("read", read)
    world.run()


@broken("the proxy's object is gone at the second look")
def a_proxy_used_twice(world):
    owner = SimpleNamespace(session=Session())
    session = weakref.proxy(owner.session)

    def look():
        try:
            name = session.user
        except ReferenceError:
            return
        assert session.user == name

    def drop():
        del owner.session

    world.actor("look", look)
    world.actor("drop", drop)
    world.run()


@right("the proxy is looked at once")
def a_proxy_used_once(world):
    owner = SimpleNamespace(session=Session())
    session = weakref.proxy(owner.session)

    def look():
        try:
            assert session.user == "alice"
        except ReferenceError:
            return

    def drop():
        del owner.session

    world.actor("look", look)
    world.actor("drop", drop)
    world.run()


@pytest.mark.parametrize("system", systems_of(__name__), ids=lambda system: system.name)
def test_what_is_said_is_true(system):
    system.must_be_told()
