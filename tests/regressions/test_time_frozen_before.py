"""A check in time that somebody has frozen before: it has its own, and leaves that as it was."""

import datetime as dt
import os
import threading
import time

import freezegun
import pytest

from pytest_supercache import SupercacheError, Verdict, check
from pytest_supercache.layers.clock import EPOCH, VirtualClock
from pytest_supercache.runtime.frozen import frozen

NOON = dt.datetime(2020, 2, 29, 12, tzinfo=dt.UTC)


def now():
    return dt.datetime.now(dt.UTC).timestamp()


@pytest.fixture(params=["freezegun", "the clock of the fixtures"])
def before(request):
    """Freeze time; say when it is then."""
    if request.param == "freezegun":
        with freezegun.freeze_time(NOON):
            yield NOON.timestamp()
        return
    clock = VirtualClock()
    with frozen(clock):
        clock.advance(3_600)
        yield EPOCH.timestamp() + 3_600


def visit(client):
    if client.get("seen") is None:
        client.set("seen", "1", ex=10)


def visits(world):
    client = world.existing_cache.client()
    for user in "ab":
        world.actor(user, visit, client)
    world.run()


def test_the_frozen_time_is_there_again_afterwards(before):
    for _ in range(2):
        assert check(visits, search="exhaustive").verdict is Verdict.HOLDS
        assert now() == before


def test_real_time_goes_on_when_all_of_it_is_over():
    began = now()
    with freezegun.freeze_time(NOON):
        check(visits, search="exhaustive")
    assert began <= now() < began + 60


def test_code_sees_the_time_of_the_check(before):
    seen = set()

    def body(world):
        def sleeps():
            began, since = now(), time.monotonic()
            threading.Event().wait(5)
            seen.add((began - EPOCH.timestamp(), now() - began, time.monotonic() - since))

        world.actor("alice", sleeps)
        world.run()

    assert check(body, search="exhaustive").verdict is Verdict.HOLDS
    assert seen == {(0, 5, 5)}


def test_keys_expire_in_it(before):
    left = set()

    def body(world):
        client = world.existing_cache.client()

        def waits():
            client.set("k", "v", ex=10)
            threading.Event().wait(11)
            left.add(client.get("k"))

        world.actor("alice", waits)
        world.run()

    assert check(body, search="exhaustive").verdict is Verdict.HOLDS
    assert left == {None}


def test_what_fails_in_it_leaves_it_as_it_was(before):
    with pytest.raises(SupercacheError, match="registered no actor"):
        check(lambda _world: None)
    assert now() == before


def test_the_budget_is_of_real_time(before):
    def body(world):
        def steps():
            for _ in range(30):
                world.step("move", writes="k")

        for user in "abc":
            world.actor(user, steps)
        world.run()

    result = check(body, search="exhaustive", time=0.2, executions=1_000_000)
    assert result.verdict is Verdict.UNKNOWN
    assert 0.2 <= result.seconds < 60


def test_a_check_inside_of_a_check_is_refused():
    inner = []

    def body(world):
        try:
            check(visits)
        except SupercacheError as error:
            inner.append(str(error))
            raise

    with pytest.raises(SupercacheError, match="another one goes on in this process"):
        check(body)
    assert len(inner) == 1
    assert check(visits, search="exhaustive").verdict is Verdict.HOLDS


def test_a_check_beside_a_check_is_refused():
    (begun, begins), (goes_on, let_go_on) = os.pipe(), os.pipe()
    results, waits = [], [True]

    def body(world):
        if waits:
            waits.clear()
            os.write(begins, b"x")
            os.read(goes_on, 1)
        visits(world)

    first = threading.Thread(target=lambda: results.append(check(body, search="exhaustive")))
    first.start()
    os.read(begun, 1)
    with pytest.raises(SupercacheError, match="on another thread"):
        check(visits)
    os.write(let_go_on, b"x")
    first.join()
    assert [result.verdict for result in results] == [Verdict.HOLDS]
    for descriptor in (begun, begins, goes_on, let_go_on):
        os.close(descriptor)
