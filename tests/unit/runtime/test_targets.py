"""A target that cannot be watched is told with what was meant; one that can is found as it is."""

import pytest

from pytest_supercache.core.errors import SupercacheError
from pytest_supercache.declare.registry import REGISTRY, watch
from pytest_supercache.runtime.observe.targets import find_target


class Cache:
    """Every kind of member."""

    shared = {}  # noqa: RUF012 - that is what is looked for
    size = 1
    late: dict

    def __init__(self):
        self._entries = {}

    def get(self, key):
        return self._entries.get(key)

    async def later(self):
        yield 1

    @property
    def count(self):
        return len(self._entries)

    @property
    def limit(self):
        return self.size

    @limit.setter
    def limit(self, size):
        self.size = size


class Slotted:
    __slots__ = ("_entries",)


cache = Cache()
number = 7


@pytest.mark.parametrize(
    ("path", "is_call", "is_own"),
    [
        ("Cache.get", True, True),
        ("Cache.count", True, True),
        ("Cache._entries", False, False),
        ("Cache.late", False, False),
        ("Cache.shared", False, True),
        ("Slotted._entries", False, True),
        ("open", True, False),
    ],
)
def test_what_is_there_is_found(path, is_call, is_own):
    target = find_target(f"{__name__}:{path}")
    assert (target.is_call, target.is_own) == (is_call, is_own)


@pytest.mark.parametrize(
    ("target", "callers"),
    [("os:replace", "*"), (f"{__name__}:Cache.get", None), (f"{__name__}:pytest.fail", __name__)],
)
def test_whose_calls_count(target, callers):
    assert find_target(target).callers == callers


@pytest.mark.parametrize(
    ("target", "message"),
    [
        ("Cache.gett", "Cache has no 'gett'. Did you mean 'get'"),
        ("Cache._entrys", "Did you mean '_entries'"),
        ("Cach.get", "has no 'Cach'. Did you mean 'Cache'"),
        ("Cache", "it is a class"),
        ("Cache.limit", "it is a property that can be set"),
        ("Cache.later", "it is an asynchronous generator function"),
        ("cache.get", "name its class, as in '.*:Cache.get'"),
        ("number", "it is a int; expected a function or a mapping"),
        ("", "expected 'package.module:Class.method'"),
    ],
)
def test_what_cannot_be_watched_is_told(target, message):
    with pytest.raises(SupercacheError, match=message):
        find_target(f"{__name__}:{target}")


def test_a_module_that_does_not_exist_is_told():
    with pytest.raises(
        SupercacheError, match=r"Did you mean 'pytest_supercache\.declare\.registry'"
    ):
        find_target("pytest_supercache.declare.registri:watch")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"clock": True, "reads": "key"}, "leave reads, writes and expires out"),
        ({"clock": -0.001}, "expected True, or the seconds that the clock is cut to"),
        ({"clock": float("inf")}, "expected True, or the seconds that the clock is cut to"),
        ({"clock": "1ms"}, "expected True, or the seconds that the clock is cut to"),
        ({"writes": "key", "lease": True}, "lease=True needs expires="),
        ({"reads": "key", "expires": "ttl"}, "say writes= too"),
        ({"writes": "key", "expires": -1}, "expires=-1"),
        ({"writes": 5}, "writes=5"),
    ],
)
def test_options_that_contradict_each_other_are_refused(options, message):
    before = REGISTRY.copy()
    with pytest.raises(SupercacheError, match=message):
        watch("shop:Cache.get", **options)
    assert before == REGISTRY
