"""Every step and operation belongs to a phase, and the picture tells them apart."""

import asyncio

from pytest_supercache import check
from pytest_supercache.report.timeline import NOT_RECORDED, timeline
from pytest_supercache.report.verdict_json import counterexample_to_json


def phases(body):
    found = check(body, executions=50).counterexample
    assert found is not None
    said = [(operation.kind, operation.phase) for operation in found.execution.history.operations]
    rows = timeline(counterexample_to_json(found)).rows
    groups = [row.group for row in rows if row.text[0].startswith("node ")]
    return said, groups


def test_what_is_asked_after_settling_is_told_as_that_and_what_was_asked_before_it_is_not():
    def body(world):
        cache = world.existing_cache.client()

        def read(kind):
            with world.operation(kind, "k"):
                cache.get("k")

        read("first")
        world.actor("alice", read, "race")
        world.run()
        read("soon")
        world.settle()
        read("last")
        raise AssertionError

    said, groups = phases(body)
    assert said == [
        ("first", "before"), ("race", "race"), ("soon", "settle"), ("last", "finally"),
    ]  # fmt: skip
    assert groups == ["before the race", "after the race, while settling", "after settling"]


def test_tasks_that_go_on_while_a_coroutine_settles_are_not_after_settling():
    async def body(world):
        cache = world.existing_cache.aclient()

        async def later():
            await asyncio.sleep(1)
            with world.operation("background", "k"):
                await cache.get("k")

        async def begin():
            world.tasks = [asyncio.create_task(later())]

        world.actor("alice", begin)
        await world.run()
        await world.settle()
        with world.operation("last", "k"):
            await cache.get("k")
        raise AssertionError

    said, _ = phases(body)
    assert len(said) == 2
    assert said[-1] == ("last", "finally")
    assert "finally" not in [phase for _, phase in said[:-1]]


def test_what_the_layers_hold_after_the_very_last_step_is_shown():
    def body(world):
        cache = world.existing_cache.client()
        world.actor("alice", cache.set, "k", "old")
        world.run()
        world.settle()
        with world.operation("change", "k"):
            cache.set("k", "new")
        raise AssertionError

    found = check(body, executions=50).counterexample
    assert found is not None
    *_, before, last = timeline(counterexample_to_json(found)).rows
    assert NOT_RECORDED not in last.values
    assert ("old" in before.values, "new" in last.values) == (True, True)
