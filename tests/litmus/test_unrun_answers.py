"""Answers that are code which has not run: errors, where that is certain."""

import asyncio
from functools import partial

import pytest

from pytest_supercache import Verdict
from pytest_supercache.checking.check import check_on
from pytest_supercache.core.errors import SupercacheError
from pytest_supercache.core.settings import Exploration
from pytest_supercache.layers.servers import start_server


class Query:
    """A query as of an asynchronous ORM: it runs when it is awaited."""

    def __init__(self, run):
        self.run = run

    def __await__(self):
        return self.run().__await__()


class Connection(Query):
    """A connection, which awaiting opens."""

    async def __aenter__(self):
        return await self

    async def __aexit__(self, *_):
        pass


class Sent(Connection):
    """A request that is a coroutine and can be entered, as of aiohttp."""

    def send(self, value):
        raise NotImplementedError

    def throw(self, *error):
        raise NotImplementedError

    def close(self):
        raise NotImplementedError


class Shop:
    def __init__(self, client=None):
        self.client = client
        self.handlers = {"add": self.add}
        self.on_change = self.add

    def add(self, _=1):
        self.client.incr("n")

    async def aadd(self):
        await asyncio.sleep(0)

    def items(self):
        yield self.client.get("n")

    def handler(self):
        return self.handlers["add"]

    def __call__(self):
        self.add()


def checked(make):
    """Check a race of an actor with what ``make`` makes of a shop."""

    def body(world):
        shop = Shop(world.existing_cache.client())
        world.actor("alice", make(shop))
        world.actor("bob", shop.add)
        world.run()

    return check_on(start_server("fakeredis"), body, Exploration(), guarantees=())


UNRUN = {
    "query": (lambda shop: lambda: Query(shop.aadd), r"an awaitable \(Query\), which nobody aw"),
    "request": (lambda shop: lambda: Sent(shop.aadd), r"an awaitable \(Sent\), which nobody aw"),
    "list of coroutines": (
        lambda shop: lambda: [shop.aadd() for _ in range(3)],
        "a list with a coroutine, which nobody runs",
    ),
    "tuple of queries": (
        lambda shop: lambda: (1, Query(shop.aadd)),
        r"a tuple with an awaitable \(Query\), which nobody awaits",
    ),
    "dict of generators": (
        lambda shop: lambda: {"items": shop.items()},
        "a dict with a generator, which nobody iterates",
    ),
    "bound method": (lambda shop: lambda: shop.add, "Shop.add itself, which nobody calls"),
    "partial": (
        lambda shop: lambda: partial(shop.add, 2),
        r"partial\(Shop.add\) itself, which nobody calls",
    ),
    "function": (lambda _shop: lambda: checked, "checked itself, which nobody calls"),
}


@pytest.mark.parametrize("name", UNRUN)
def test_an_actor_whose_code_did_not_run_is_an_error(name):
    make, message = UNRUN[name]
    with pytest.raises(SupercacheError, match=rf"^world\.actor\('alice'\) returned {message}"):
        checked(make)


async def done():
    """Do nothing."""


def awaited_before(_shop):
    async def flow():
        coroutine = done()
        await coroutine
        started = asyncio.create_task(done())
        await started
        return [coroutine, started]

    return flow


RAN = {
    "what a registry holds": lambda shop: lambda: shop.handlers["add"],
    "what a method returns": lambda shop: shop.handler,
    "an attribute that is a function": lambda shop: lambda: shop.on_change,
    "a class": lambda _shop: lambda: Shop,
    "an object that can be called": lambda shop: lambda: Shop(shop.client),
    "a connection": lambda shop: lambda: Connection(shop.aadd),
    "a partial made elsewhere": lambda shop: partial(dict.get, {"k": partial(shop.add)}, "k"),
    "coroutines that have ended": awaited_before,
    "values": lambda _shop: lambda: [1, "two", {"three": 3}],
}


@pytest.mark.parametrize("name", RAN)
def test_an_answer_that_may_be_meant_is_none(name):
    assert checked(RAN[name]).verdict is Verdict.HOLDS


def test_a_body_whose_code_did_not_run_is_an_error():
    with pytest.raises(SupercacheError, match=r"^the body returned an awaitable \(Query\)"):
        check_on(start_server("fakeredis"), lambda _: Query(done), Exploration(), guarantees=())
