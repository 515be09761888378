"""Django's caches: the same ``incr``, indivisible in the process, in parts on files."""

import pytest
from django.conf import settings

from pytest_supercache import check
from tests.adapters.flows import counting, is_conflict

if not settings.configured:
    settings.configure()

from django.core.cache.backends.filebased import FileBasedCache
from django.core.cache.backends.locmem import LocMemCache
from django.core.cache.backends.redis import RedisCache


def local(_world):
    return LocMemCache("counters", {})


def files(world):
    return FileBasedCache(str(world.tmp_path), {})


def redis(_world):
    return RedisCache("redis://production:6379", {})


@pytest.mark.parametrize(
    ("open_cache", "conflict"), [(local, False), (files, True), (redis, False)]
)
def test_two_users_lose_a_count_on_files_and_nowhere_else(open_cache, conflict):
    def made(world):
        cache = open_cache(world)
        cache.set("n", 0)
        return cache

    result = counting(made, lambda cache: cache.incr("n"), lambda cache: cache.get("n"))
    assert is_conflict(result) is conflict


def test_each_node_has_its_own_local_memory_and_the_files_are_shared():
    seen = []

    def body(world):
        def write():
            local(world).set("k", 1)
            files(world).set("k", 1)

        world.actor("a", write, node="a")
        world.run()
        with world.at("b"):
            seen.append((local(world).get("k"), files(world).get("k")))

    check(body, search="all-schedules", guarantees=())
    assert set(seen) == {(None, 1)}
