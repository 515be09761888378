"""diskcache: ``incr`` is a transaction; reading and storing are two."""

import diskcache
import pytest

from tests.adapters.flows import counting, is_conflict, judged


def read_and_store(cache):
    with cache:  # whose connection is this thread's
        cache.set("n", cache.get("n", 0) + 1)


def increment(cache):
    with cache:
        cache.incr("n", default=0)


def opened(world):
    return diskcache.Cache(str(world.tmp_path))


@pytest.mark.parametrize(("bump", "conflict"), [(read_and_store, True), (increment, False)])
def test_two_users_lose_a_count_unless_it_is_one_transaction(bump, conflict):
    def total(cache):
        found = cache["n"]
        cache.close()
        return found

    assert is_conflict(counting(opened, bump, total)) is conflict


@pytest.mark.parametrize(("expire", "conflict"), [(5, True), (None, False)])
def test_a_lock_that_ends_lets_a_second_holder_in(expire, conflict):
    def body(world):
        cache, holders = opened(world), []

        def work(name):
            with cache:
                if cache.add("job", name, expire=expire):
                    holders.append(name)
                    world.step("work", writes="work")

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
