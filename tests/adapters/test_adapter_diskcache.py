"""diskcache: ``incr`` is a transaction; reading and storing are two."""

from functools import cache

import diskcache
import pytest

from pytest_supercache.report.picture import picture
from pytest_supercache.report.timeline import timeline
from pytest_supercache.report.verdict_json import counterexample_to_json
from tests.adapters.flows import counting, is_conflict, judged


def read_and_store(cache):
    with cache:  # whose connection is this thread's
        cache.set("n", cache.get("n", 0) + 1)


def increment(cache):
    with cache:
        cache.incr("n", default=0)


def opened(world):
    return diskcache.Cache(str(world.tmp_path))


@cache
def counted(bump):
    """Check two users who count so, once for all that is to be seen of it."""

    def total(cache):
        found = cache["n"]
        cache.close()
        return found

    return counting(opened, bump, total)


@pytest.mark.parametrize(("bump", "conflict"), [(read_and_store, True), (increment, False)])
def test_two_users_lose_a_count_unless_it_is_one_transaction(bump, conflict):
    assert is_conflict(counted(bump)) is conflict


def picture_of(result):
    return picture(timeline(counterexample_to_json(result.counterexample)), 100)


def test_the_picture_does_not_say_that_nothing_is_kept_where_nothing_shows_it():
    drawn = picture_of(counted(read_and_store))
    assert "? kept where nothing shows it, by calls that are declared" in drawn
    assert "| -" not in drawn


def test_the_picture_says_that_nothing_is_kept_in_redis():
    def client(world):
        return world.existing_cache.client()

    def read_and_store_in_redis(cache):
        cache.set("n", int(cache.get("n") or 0) + 1)

    drawn = picture_of(counting(client, read_and_store_in_redis, lambda cache: int(cache.get("n"))))
    assert "?" not in drawn
    assert "| -" in drawn


@pytest.mark.parametrize(("expire", "conflict"), [(5, True), (None, False)])
def test_a_lock_that_ends_lets_a_second_holder_in(expire, conflict):
    def body(world):
        cache, holders = opened(world), []

        def work(name):
            with cache:
                if cache.add("job", name, expire=expire):
                    holders.append(name)

        world.actor("a", work, "a")
        world.actor("b", work, "b")
        world.run()
        cache.close()
        assert len(holders) == 1

    assert is_conflict(judged(body, ticks=1, executions=200)) is conflict


def test_rows_of_its_own_tables_name_no_conflict():
    def body(world):
        cache = opened(world)
        cache.set("k", 0)

        def count():
            with cache, cache.transact():
                cache.incr("k")

        def look_up():
            with cache:
                return cache.get("k")

        world.actor("a", count)
        world.actor("b", look_up)
        found = world.run()["b"]
        cache.close()
        assert found == 0

    assert judged(body).counterexample.conflict_class == "unclassified"
