"""How fast schedules are executed, as a share of a loop without any control.

    python benchmarks/executions.py [--rounds 5]

The yardstick runs the same workload (two refreshers and a writer, three steps each, on one
fakeredis server that is flushed between runs, with the same look at what is left) as generators in
every order, one after the other, on one thread. Every execution counts, those that check the
reduction too. Time is that of the processor, from the first execution of a check on; what a check
sets up before, once, is in the second number of a row. A check that is over soon is repeated, so
that a row measures about as many executions as its yardstick: Python is slow with code that it runs
again after other code, and a tenth as many would measure little else. The yardstick runs before and
after each row, so that what else the machine does meets all alike; the median of the ratios is
printed. A ratio of 1 would mean that control costs nothing.

The yardstick of the asyncio rows is an event loop of asyncio's own: the same flows as coroutines on
``fakeredis.aioredis``, each run three tasks that asyncio interleaves as it likes.
"""

import argparse
import asyncio
import os
import statistics
import sys
import time
from collections.abc import Callable, Iterator
from typing import Any

import fakeredis

from pytest_supercache import check
from pytest_supercache.world.world import World

Flow = Callable[[Any, dict[str, str]], Iterator[None]]


def refresher(client: Any, origin: dict[str, str]) -> Iterator[None]:
    """Look up, load, store."""
    yield
    client.get("k")
    yield
    value = origin["k"]
    yield
    client.set("k", value)


def writer(client: Any, origin: dict[str, str]) -> Iterator[None]:
    """Delete, commit, delete."""
    yield
    client.delete("k")
    yield
    origin["k"] = "2"
    yield
    client.delete("k")


def uncontrolled() -> int:
    """Run every merge of the three flows; return how many there were."""
    client = fakeredis.FakeRedis(decode_responses=True)
    runs, right, stack = 0, 0, [()]
    while stack:
        prefix: tuple[int, ...] = stack.pop()
        client.flushall()
        origin = {"k": "1"}
        flows = [refresher(client, origin), refresher(client, origin), writer(client, origin)]
        for flow in flows:
            next(flow)
        taken: list[int] = []
        while flows:
            at = len(taken)
            choice = prefix[at] if at < len(prefix) else 0
            if at >= len(prefix):
                stack += [(*taken, other) for other in range(1, len(flows))]
            taken.append(choice)
            try:
                next(flows[choice])
            except StopIteration:
                del flows[choice]
        is_right = client.get("k") in {None, origin["k"]}  # looked at, as under control
        right += is_right
        runs += 1
    assert right < runs
    return runs


def body(world: World) -> None:
    """Run the same under control."""
    client = world.existing_cache.client(decode_responses=True)
    world.origin.restore({"k": "1"})

    def refresh() -> None:
        client.get("k")
        client.set("k", world.origin.get("k"))

    def write() -> None:
        client.delete("k")
        world.origin.set("k", "2")
        client.delete("k")

    world.actor("one", refresh)
    world.actor("two", refresh)
    world.actor("writer", write)
    world.run()
    assert world.existing_cache.peek("k") in {None, world.origin.peek("k")}


ASYNCIO_RUNS = 1_500
"""How many runs of the uncontrolled loop a round measures."""


def uncontrolled_asyncio() -> int:
    """Run the flows as tasks of asyncio's own loop, again and again; return how often."""

    async def refresh(client: Any, origin: dict[str, str]) -> None:
        await client.get("k")
        await client.set("k", origin["k"])

    async def write(client: Any, origin: dict[str, str]) -> None:
        await client.delete("k")
        origin["k"] = "2"
        await client.delete("k")

    async def every_run() -> None:
        client = fakeredis.FakeAsyncRedis(decode_responses=True)
        for _ in range(ASYNCIO_RUNS):
            await client.flushall()
            origin = {"k": "1"}
            flows = [refresh(client, origin), refresh(client, origin), write(client, origin)]
            await asyncio.gather(*flows)
            await client.get("k")  # looked at, as under control
        await client.aclose()

    asyncio.run(every_run())
    return ASYNCIO_RUNS


async def async_body(world: World) -> None:
    """Run the same under control."""
    client = world.existing_cache.aclient(decode_responses=True)
    world.origin.restore({"k": "1"})

    async def refresh() -> None:
        await client.get("k")
        await client.set("k", await world.origin.aio.get("k"))

    async def write() -> None:
        await client.delete("k")
        await world.origin.aio.set("k", "2")
        await client.delete("k")

    world.actor("one", refresh)
    world.actor("two", refresh)
    world.actor("writer", write)
    await world.run()
    assert world.existing_cache.peek("k") in {None, world.origin.peek("k")}


def explored(search: str, flows: Any = body) -> int:
    """Run every schedule, or every interleaving; return how many there were."""
    result = check(flows, search=search, stop_at_first=False)
    assert result.exhausted, result.reasons
    return result.executions


EXECUTIONS_MIN = 1_500
"""How many executions a round measures at least."""


def timed(search: str, flows: Any) -> tuple[int, float, float]:
    """Explore once; return how many executions there were, and how long the check took.

    It is the processor's time, in seconds: from the first execution on, and all of it. Executions
    that check the search count too.
    """
    begun = time.process_time()
    executions, first = 0, 0.0

    def counted(world: World) -> Any:
        nonlocal executions, first
        if not executions:
            first = time.process_time()
        executions += 1
        return flows(world)

    explored(search, counted)
    ended = time.process_time()
    return executions, ended - first, ended - begun


def rates_under_control(search: str, flows: Any = body) -> tuple[float, float]:
    """Return executions per second from the first execution of a check on, and of whole checks."""
    executions, searching, whole = 0, 0.0, 0.0
    while executions < EXECUTIONS_MIN:
        more, from_first, from_begin = timed(search, flows)
        executions += more
        searching += from_first
        whole += from_begin
    return executions / searching, executions / whole


def rate(run: Callable[[], int]) -> float:
    """Return executions per second of the processor's time."""
    begun = time.process_time()
    return run() / (time.process_time() - begun)


def row(yardstick: Callable[[], int], search: str, flows: Any, rounds: int) -> str:
    """Measure one search beside its yardstick; return what there is to say."""
    measured = []
    for _ in range(rounds):
        before = rate(yardstick)
        searching, whole = rates_under_control(search, flows)
        usual = statistics.mean([before, rate(yardstick)])
        measured.append((searching, searching / usual, whole / usual))
    searching, share, of_whole = map(statistics.median, zip(*measured, strict=True))
    return (
        f"{searching:,.0f} executions/s, {share:.2f} of the uncontrolled loop "
        f"({of_whole:.2f} with the set-up of the check)"
    )


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    rounds = parser.parse_args().rounds
    os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
    for kind, yardstick, flows in (
        ("", uncontrolled, body),
        ("asyncio, ", uncontrolled_asyncio, async_body),
    ):
        for search in ("all-schedules", "exhaustive"):
            said = row(yardstick, search, flows, rounds)
            sys.stdout.write(f"{kind}{search}: {said}\n")
    sys.stdout.write(f"executions to exhaust: {explored('all-schedules'):,} schedules, ")
    sys.stdout.write(f"{explored('exhaustive'):,} interleavings\n")


if __name__ == "__main__":
    main()
