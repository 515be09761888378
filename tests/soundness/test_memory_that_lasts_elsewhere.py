"""Memory that outlives an execution in holders of every kind: each execution finds it cold.

Two users load what nobody has loaded yet. Without a lock both may; under a lock only one does, and
that in every execution, in whatever order they come.
"""

import array
import asyncio
import collections
import contextvars
import functools
import io
import logging
import queue
import threading
import types
import weakref

import cachetools
import click
import httpx
import pydantic
import pytest
import wrapt

from tests.soundness.truth import System, broken, right, systems_of


def memo(function):
    """Remember one answer in a closure."""
    known = {}

    @functools.wraps(function)
    def remembering(*arguments):
        if "k" not in known:
            known["k"] = function(*arguments)
        return known["k"]

    return remembering


class Repository:
    @staticmethod
    @memo
    def of_static(redis):
        return redis.incr("loads")

    @classmethod
    @memo
    def of_class(cls, redis):
        return redis.incr("loads")

    @property
    @memo
    def of_property(self):
        return Repository.redis.incr("loads")

    @memo
    def __call__(self, redis):
        return redis.incr("loads")

    of_partial = functools.partialmethod(memo(lambda _self, redis: redis.incr("loads")))

    @staticmethod
    @functools.lru_cache
    def of_lru(redis):
        return redis.incr("loads")


class Key:
    """What weak dictionaries can refer to."""


KEY = Key()
REPOSITORY = Repository()
USER_DICT, CHAIN, SPACE = collections.UserDict(), collections.ChainMap(), types.SimpleNamespace()
PROXY = types.MappingProxyType({"inner": {}})
WEAK_KEYS, WEAK_VALUES = weakref.WeakKeyDictionary(), weakref.WeakValueDictionary()
WEAK_SET = weakref.WeakSet()
VARIABLE = contextvars.ContextVar("variable", default={})  # noqa: B039 - a shared default
NUMBERS, TEXT, VIEW = array.array("i", [0]), io.StringIO(), memoryview(bytearray(1))
APPEND = [].append
SET_DEFAULT = {}.setdefault
FROZEN = frozenset({("rows", types.MappingProxyType({}).__class__)})
ERROR = ValueError("known")


class Ours(types.SimpleNamespace):
    """A class that has both slots of C and attributes."""


OURS = Ours(warm=False)


class Lent:
    """What a pool lends."""


class Handler(logging.Handler):
    """One of the project's own."""


class Login(httpx.Auth):
    """One of the project's own."""


class Open(pydantic.BaseModel):
    """A model that takes any attribute, and has a private one."""

    model_config = pydantic.ConfigDict(extra="allow")
    _warm: bool = pydantic.PrivateAttr(default=False)


class Near(cachetools.LRUCache):
    """A near cache that loads what it does not have."""

    def __missing__(self, key):
        self[key] = Repository.redis.incr("loads")
        return self[key]


class Commands(click.Group):
    """A group of the command line that makes a command when it is asked for."""

    def get_command(self, ctx, name):
        if name not in self.commands:
            Repository.redis.incr("loads")
            self.add_command(click.Command(name))
        return super().get_command(ctx, name)


def wrapped_memo():
    """Remember one answer in a closure behind a wrapper that is written in C."""
    known = {}

    @wrapt.decorator
    def remembering(function, _instance, arguments, _named):
        if "k" not in known:
            known["k"] = function(*arguments)
        return known["k"]

    return remembering


@wrapped_memo()
def of_wrapped(redis):
    return redis.incr("loads")


NEAR, COMMANDS = Near(9), Commands()
POOL = queue.Queue()
POOL.put(Lent())
LOGGER = logging.getLogger("tests.soundness.warm")
LOGGER.addHandler(Handler())


def _lent():
    found = POOL.get()
    POOL.put(found)
    return found


CLIENT, OPEN = httpx.Client(auth=Login()), Open()

FLAGS = {
    "object in a queue": (lambda: hasattr(_lent(), "k"), lambda: setattr(_lent(), "k", 1)),
    "handler of a logger": (
        lambda: hasattr(LOGGER.handlers[0], "k"),
        lambda: setattr(LOGGER.handlers[0], "k", 1),
    ),
    "login of a client": (lambda: hasattr(CLIENT.auth, "k"), lambda: setattr(CLIENT.auth, "k", 1)),
    "extra attribute of a model": (lambda: hasattr(OPEN, "k"), lambda: setattr(OPEN, "k", 1)),
    "private attribute of a model": (lambda: OPEN._warm, lambda: setattr(OPEN, "_warm", True)),
    "user dict": (lambda: "k" in USER_DICT, lambda: USER_DICT.update(k=1)),
    "chain map": (lambda: "k" in CHAIN, lambda: CHAIN.update(k=1)),
    "namespace": (lambda: hasattr(SPACE, "k"), lambda: setattr(SPACE, "k", 1)),
    "subclass of namespace": (lambda: OURS.warm, lambda: setattr(OURS, "warm", True)),
    "mapping proxy": (lambda: "k" in PROXY["inner"], lambda: PROXY["inner"].update(k=1)),
    "weak keys": (lambda: KEY in WEAK_KEYS, lambda: WEAK_KEYS.update({KEY: 1})),
    "weak values": (lambda: "k" in WEAK_VALUES, lambda: WEAK_VALUES.update(k=KEY)),
    "weak set": (lambda: KEY in WEAK_SET, lambda: WEAK_SET.add(KEY)),
    "default of a context variable": (
        lambda: "k" in VARIABLE.get(),
        lambda: VARIABLE.get().update(k=1),
    ),
    "array": (lambda: NUMBERS[0] == 1000, lambda: NUMBERS.__setitem__(0, 1000)),
    "stream": (lambda: TEXT.getvalue() != "", lambda: TEXT.write("k")),
    "view of bytes": (lambda: VIEW[0] == 1, lambda: VIEW.__setitem__(0, 1)),
    "bound method of a list": (lambda: APPEND.__self__ != [], lambda: APPEND("k")),
    "bound method of a dict": (
        lambda: "k" in SET_DEFAULT.__self__,
        lambda: SET_DEFAULT("k", 1),
    ),
    "error": (lambda: hasattr(ERROR, "k"), lambda: setattr(ERROR, "k", 1)),
}


def _load_once(seen, mark):
    def load(redis):
        if not seen():
            redis.incr("loads")
            mark()

    return load


def _load_with_an_attribute(redis):
    if not hasattr(_load_with_an_attribute, "value"):
        redis.incr("loads")
        _load_with_an_attribute.value = 1


LOADS = {name: _load_once(*flag) for name, flag in FLAGS.items()} | {
    "static method": Repository.of_static,
    "class method": Repository.of_class,
    "property": lambda _redis: REPOSITORY.of_property,
    "partial method": REPOSITORY.of_partial,
    "special method": lambda redis: REPOSITORY(redis),
    "attribute of a function": _load_with_an_attribute,
    "cache that loads what it misses": lambda _redis: NEAR["k"],
    "group of commands": lambda _redis: COMMANDS.get_command(None, "show"),
    "memo behind a wrapper": of_wrapped,
    "memo in a static method": lambda redis: Repository.of_lru(redis),
}


def _bodies(name, load):
    def unlocked(world):
        redis = Repository.redis = world.existing_cache.client(decode_responses=True)
        world.actor("alice", load, redis)
        world.actor("bob", load, redis)
        world.run()
        assert int(redis.get("loads") or 0) == 1

    def locked(world):
        redis = Repository.redis = world.existing_cache.client(decode_responses=True)
        lock = threading.Lock()

        def load_alone():
            with lock:
                load(redis)

        world.actor("alice", load_alone)
        world.actor("bob", load_alone)
        world.run()
        assert int(redis.get("loads") or 0) == 1

    unlocked.__name__, locked.__name__ = f"{name} without a lock", f"{name} under a lock"
    broken("both find it cold")(unlocked)
    right("the first one warms it, in every execution")(locked)


for _name, _load in LOADS.items():
    _bodies(_name, _load)

EVENT, QUEUE = asyncio.Event(), asyncio.Queue()


async def _twice(world, flow):
    redis = world.existing_cache.aclient(decode_responses=True)
    world.actor("alice", flow, redis)
    world.actor("bob", flow, redis)
    await world.run()
    assert int(await redis.get("loads") or 0) == 1


@broken("both see that it is not set")
async def an_event_of_a_module_is_set_too_late(world):
    async def load(redis):
        if not EVENT.is_set():
            await redis.incr("loads")
            EVENT.set()

    await _twice(world, load)


@right("who sees that it is not set sets it at once")
async def an_event_of_a_module_is_set_at_once(world):
    async def load(redis):
        if not EVENT.is_set():
            EVENT.set()
            await redis.incr("loads")

    await _twice(world, load)


@broken("both find it empty")
async def a_queue_of_a_module_is_filled_too_late(world):
    async def load(redis):
        if QUEUE.empty():
            await redis.incr("loads")
            QUEUE.put_nowait(1)

    await _twice(world, load)


@right("who finds it empty fills it at once")
async def a_queue_of_a_module_is_filled_at_once(world):
    async def load(redis):
        if QUEUE.empty():
            QUEUE.put_nowait(1)
            await redis.incr("loads")

    await _twice(world, load)


ITERATOR = iter(["a", "b", "c"])


@right("each takes one", unknown="leads to an iterator or a generator that outlives the flow")
def an_iterator_of_a_module(world):
    redis = world.existing_cache.client()

    def take(name):
        redis.get(name)
        return next(ITERATOR)

    world.actor("alice", take, "alice")
    world.actor("bob", take, "bob")
    world.run()


@pytest.mark.parametrize("system", systems_of(__name__), ids=lambda system: system.name)
def test_the_truth_is_told(system: System):
    system.must_be_told()
