"""cachelib and Flask-Caching: memoizing is reading and storing; ``add`` lets one in."""

import threading
from contextlib import nullcontext

import pytest
from cachelib import SimpleCache
from cachelib.file import FileSystemCache
from flask import Flask
from flask_caching import Cache

from tests.adapters.flows import counting, is_conflict, refreshing


@pytest.mark.parametrize(
    ("make", "conflict"),
    [(lambda _: SimpleCache(), False), (lambda world: FileSystemCache(world.tmp_path), True)],
)
def test_two_users_lose_a_count_on_files_and_not_in_the_process(make, conflict):
    result = counting(make, lambda cache: cache.inc("n"), lambda cache: cache.get("n"))
    assert is_conflict(result) is conflict


def test_only_one_of_two_adds_what_is_not_there():
    def bump(cache):
        cache.set("a" if cache.add("lock", 1) else "b", 1)

    def total(cache):
        return cache.get("a") + cache.get("b")

    assert not is_conflict(counting(lambda _: SimpleCache(), bump, total))


@pytest.mark.parametrize("guarded", [False, True])
def test_a_memoized_answer_that_was_read_before_the_change_is_stored_after_it(guarded):
    def make(world):
        app = Flask("shop")
        cache = Cache(app, config={"CACHE_TYPE": "SimpleCache"})
        guard = threading.Lock() if guarded else nullcontext()

        @cache.cached(key_prefix="k", timeout=60)
        def load():
            return world.origin.get("k")

        def read():
            with app.app_context(), guard:
                return load()

        def forget():
            with app.app_context(), guard:
                cache.delete("k")

        return read, forget

    assert is_conflict(refreshing(make)) is not guarded
