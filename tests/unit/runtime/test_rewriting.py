"""Rewritten code does what it did before, on its own lines, and tells of every access."""

import asyncio
import contextlib
import functools
import inspect
import threading
import traceback
import uuid
from collections import defaultdict

import pytest

from pytest_supercache import check
from pytest_supercache.runtime.memory.functions import functions_rewritten
from pytest_supercache.runtime.memory.hooks import entered, returning
from pytest_supercache.runtime.memory.rewriting import rewritten


class Told(dict):
    """Hooks by any name, which note that they were called."""

    def __init__(self):
        super().__init__()
        self.names = []

    def __missing__(self, name):
        def hook(*operands):
            self.names.append(name)
            return operands[0] if operands else None

        return hook


class Shop:
    rate = 2

    def __init__(self):
        self.near, self.count = {}, 0

    @property
    def size(self):
        return len(self.near)

    def fill(self, key, *, times=3):
        if key not in self.near:
            self.near[key] = [times for _ in range(times)]
        self.count += 1
        first, *others = self.near[key]

        def inner(value):
            nonlocal first
            first = value
            return f"{first!r:>5} {self.near} {self.size}"

        try:
            self.nothing()  # there is none
        except AttributeError:
            self.count -= 1
        with contextlib.suppress(KeyError):
            del self.near["absent"]
        return inner(key), (lambda *a, **k: (a, k))(*others, x=first), others[0:1], +len(others)

    def matched(self, value):
        match value:
            case {"k": found}:
                return found
            case [one, *_]:
                return one
            case Shop(count=count):
                return count
        return None

    def generated(self):
        yield from self.near
        yield self.rate

    async def awaited(self):
        async def numbers():
            for number in range(2):
                yield number

        @contextlib.asynccontextmanager
        async def context():
            yield await asyncio.sleep(0, 1)

        async with context() as found:
            return [number + found async for number in numbers()]


def story():
    shop = Shop()
    told = [shop.fill("k"), shop.fill("k", times=1), list(shop.generated()), shop.matched([1, 2])]
    return [*told, shop.matched({"k": 7}), shop.matched(shop), asyncio.run(shop.awaited())]


def test_rewritten_code_does_what_it_did_and_tells_of_accesses():
    before = story()
    told, originals = Told(), {}

    def done(code, constants=frozenset()):
        return rewritten(code, told, done, constants)

    for function in [f for f in vars(Shop).values() if inspect.isfunction(f)]:
        originals[function] = function.__code__
        function.__code__ = done(function.__code__)
    try:
        assert story() == before
    finally:
        for function, code in originals.items():
            function.__code__ = code
    expected = {
        "load_attribute", "store_attribute", "load_item", "store_item", "delete_item", "contains",
        "load_cell", "store_cell", "call", "call_unpacked", "iterate", "advance", "match_class",
        "entered",
    }  # fmt: skip
    assert expected <= set(told.names)


def raises():
    empty = {}
    return empty["absent"]


def test_a_traceback_shows_the_line_of_the_user_and_nothing_between():
    with functions_rewritten() as functions:
        functions.rewrite_body(raises)
        with pytest.raises(KeyError) as caught:
            raises()
    last = traceback.extract_tb(caught.value.__traceback__)[-1]
    assert (last.name, last.line) == ("raises", 'return empty["absent"]')


def codes():
    found = defaultdict(list)
    for name, value in globals().items():
        if inspect.isfunction(value):
            found[name].append(value.__code__)
        elif inspect.isclass(value) and value.__module__ == __name__:
            found[name] += [f.__code__ for f in vars(value).values() if inspect.isfunction(f)]
    return {name: list(map(id, each)) for name, each in found.items()}


def test_after_a_check_every_function_has_its_own_code_again():
    before, made = codes(), []

    def body(world):
        shop = Shop()

        def flow():
            made.append(lambda: shop.fill("k"))
            shop.fill("k")
            world.existing_cache.client().get("k")

        world.actor("a", flow)
        world.actor("b", flow)
        world.run()

    check(body, executions=5)
    assert codes() == before
    assert made
    names = {instruction for function in made for instruction in function.__code__.co_names}
    assert names == {"fill"}, "what was made meanwhile, too"
    assert all(len(function.__code__.co_consts) <= 2 for function in made)


def _has(hook, function):
    constants = function.__code__.co_consts
    return any(getattr(one, "__wrapped__", None) is hook for one in constants)


def test_after_a_check_the_function_of_a_memo_has_its_own_code_again():
    rates = {"tea": 2}

    @functools.cache
    def price(name):
        return rates[name]

    before = price.__wrapped__.__code__
    seen = []

    def change():
        rates["tea"] = 3
        price.cache_clear()

    def body(world):
        price.cache_clear()
        world.actor("a", lambda: price("tea"))
        world.actor("b", change)
        world.run()
        seen.append(_has(returning, price.__wrapped__))

    check(body)
    assert any(seen), "it told of its return"
    assert price.__wrapped__.__code__ is before


def test_after_a_check_a_comparison_of_the_library_has_its_own_code_again():
    before, seen = uuid.UUID.__lt__.__code__, []

    def body(world):
        rows = [uuid.UUID(int=2), uuid.UUID(int=1)]
        world.actor("a", rows.sort)
        world.actor("b", lambda: len(rows))
        world.run()
        seen.append(_has(entered, uuid.UUID.__lt__))

    check(body)
    assert any(seen), "it told that it began"
    assert uuid.UUID.__lt__.__code__ is before


def lines_run(memory):
    """Return the lines of this file that a trace function, as coverage has one, sees in a flow."""
    seen = set()

    def trace(frame, event, _argument):
        if event == "line" and frame.f_code.co_qualname == "Shop.fill":
            seen.add(frame.f_lineno)
        return trace

    def body(world):
        shop = Shop()
        world.actor("a", shop.fill, "k")
        world.actor("b", shop.fill, "k")
        world.run()

    threading.settrace(trace)
    try:
        check(body, executions=3, memory=memory)
    finally:
        threading.settrace(None)
    return seen


def test_coverage_sees_the_same_lines_of_code_that_is_rewritten():
    lines, first = lines_run("declared"), inspect.getsourcelines(Shop.fill)[1]
    assert lines == lines_run("auto")
    assert {first + 1, first + 2, first + 3} <= lines
