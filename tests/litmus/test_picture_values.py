"""Every value in the picture is what ``peek`` shows right after that step."""

import threading

import pytest

from pytest_supercache import Verdict, check
from pytest_supercache.checking.check import check_on
from pytest_supercache.core.settings import Exploration
from pytest_supercache.layers.servers import start_server
from pytest_supercache.report.timeline import timeline
from pytest_supercache.report.verdict_json import counterexample_to_json
from tests.selection import few

BACKENDS = ["fakeredis", pytest.param("redis-server", marks=pytest.mark.redis_server)]


def _race(peeks, key, old, new):
    """Two users on two nodes who touch every layer, and look around after each of their steps.

    What they saw is kept when the execution fails: the last one that does is a replay.
    """

    def body(world):
        seen = []
        cache = world.existing_cache.client()
        near = {node: world.node(node).super_cache for node in ("a", "b")}
        world.origin.set(key, old)

        def look():
            shown = {near[node].name: near[node].peek(key) for node in near}
            shown["existing_cache"] = world.existing_cache.peek(key)
            shown["origin"] = world.origin.peek(key)
            seen.append(shown)

        def read():
            value = world.origin.get(key)
            look()
            cache.set(key, value)
            look()
            near["a"].put(key, value)
            look()

        def write():
            world.origin.set(key, new)
            look()
            cache.delete(key)
            look()
            near["b"].invalidate(key)
            look()

        world.actor("reader", read, node="a")
        world.actor("writer", write, node="b")
        world.run()
        world.settle()
        if world.existing_cache.peek(key) not in (None, new):
            peeks.append(seen)
            raise AssertionError(key)

    return body


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize(("key", "old", "new"), few([("user:7", "Ann", "Bob"), ("k", "1", "2")], 1))
def test_each_step_shows_what_peek_shows(backend, key, old, new):
    peeks = []
    server = start_server(backend)
    result = check_on(
        server, _race(peeks, key, old, new), Exploration(memory="declared"), guarantees=()
    )
    server.close()
    assert result.verdict is Verdict.VIOLATED
    found = result.counterexample
    users = [step for step in found.execution.race if "@" not in step.actor]
    shown = [{place: content.get(key) for place, content in step.layers.items()} for step in users]
    looked = peeks[-1]  # the last replay
    assert len(shown) == len(looked) == 6
    for step, look in zip(shown, looked, strict=True):
        assert step == {place: look[place] for place in step}
        assert {place for place, value in look.items() if value is not None} <= set(step)


def test_the_picture_draws_those_values():
    peeks = []
    result = check(_race(peeks, "k", "old", "new"))
    drawn = timeline(counterexample_to_json(result.counterexample))
    titles = [column.title for column in drawn.columns]
    rows = [row for row in drawn.rows if row.lane is not None and row.number is not None]
    final = dict(zip(titles, rows[-1].values, strict=True))
    assert {"existing cache", "origin"} <= set(titles)
    assert final["origin"] == "new"
    assert final["existing cache"] == "old"


def test_values_are_known_where_the_clock_moves_right_after_a_thread_has_read_it():
    """The code before the first wait of a timer is a step of its own."""

    def body(world):
        cache = world.existing_cache.client()
        world.actor("writer", lambda: threading.Timer(0.5, cache.set, ("k", 1)).start())
        world.actor("other", cache.set, "k", 2)
        world.run()
        world.settle()
        assert cache.get("k") == b"1"

    found = check(body).counterexample
    labels = [(step.label, step.layers is None) for step in found.execution.race]
    assert ("start", True) not in labels
    assert "start" in dict(labels)
    assert "existing_cache" in found.execution.race[-1].layers
