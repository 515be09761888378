"""Random systems whose factory is at work before the race: locks, tasks, threads, sleeps, clocks.

None of them asserts anything and each lock is given back before the next is taken, so that no
interleaving is wrong: whatever is told but HOLDS, or UNKNOWN with a reason, is a mistake of ours.

    python -m tests.busy_factories --seed 7 --count 200
"""

import argparse
import asyncio
import sys
import threading
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator, Sequence
from functools import partial
from random import Random
from typing import Any

from pytest_supercache import check
from pytest_supercache.core.result import CheckResult
from pytest_supercache.core.verdict import Verdict

Act = tuple[str, int]  # what, and with which of the two keys or locks

_EVERYWHERE = ("lock", "again", "set", "get", "monotonic", "wall", "sleep", "count", "event")
_IN_TASKS = ("await lock", "await sleep", "pass", "loop time", "await set", "await get", "spawn")
_IN_THREADS = ("start",)


class Things:
    """What the factory of one execution makes and its users share."""

    def __init__(self, world: Any) -> None:
        self.client = world.existing_cache.client()
        self.aclient = world.existing_cache.aclient()
        self.locks = (threading.Lock(), threading.Lock())
        self.again = threading.RLock()
        self.alocks = (asyncio.Lock(), asyncio.Lock())
        self.event = threading.Event()
        self.counts: Counter[int] = Counter()
        self.started: list[Any] = []

    def act(self, what: str, which: int) -> None:
        """Do one thing that code does anywhere."""
        doing: dict[str, Callable[[], Any]] = {
            "lock": partial(self._under, self.locks[which], which),
            "again": partial(self._under, self.again, which),
            "set": partial(self.client.set, f"k{which}", which),
            "get": partial(self.client.get, f"k{which}"),
            "monotonic": time.monotonic,
            "wall": time.time,  # noqa: TID251 - what code under test does
            "sleep": partial(time.sleep, 0.1 * which),  # noqa: TID251 - what code under test does
            "count": partial(self._count, which),
            "event": self.event.set,
            "start": partial(self._start, which),
        }
        doing[what]()

    def _under(self, lock: Any, which: int) -> None:
        with lock:
            self._count(which)

    def _count(self, which: int) -> None:
        self.counts[which] += 1

    def _start(self, which: int) -> None:
        thread = threading.Thread(target=self.run, args=([("lock", which)],), daemon=True)
        self.started.append(thread)
        thread.start()

    def run(self, acts: Sequence[Act]) -> None:
        """Do one thing after the other."""
        for what, which in acts:
            self.act(what, which)

    async def arun(self, acts: Sequence[Act]) -> None:
        """Do one thing after the other in a task."""
        for what, which in acts:
            await self._aact(what, which)

    async def _aact(self, what: str, which: int) -> None:
        doing: dict[str, Callable[[], Awaitable[Any]]] = {
            "await lock": partial(self._under_alock, which),
            "await sleep": partial(asyncio.sleep, 0.1 * which),
            "pass": partial(asyncio.sleep, 0),
            "await set": partial(self.aclient.set, f"k{which}", which),
            "await get": partial(self.aclient.get, f"k{which}"),
        }
        if what in doing:
            await doing[what]()
        elif what == "loop time":
            asyncio.get_running_loop().time()
        elif what == "spawn":
            acting = self.arun([("lock", which), ("await get", which)])
            self.started.append(asyncio.get_running_loop().create_task(acting))
        else:
            self.act(what, which)

    async def _under_alock(self, which: int) -> None:
        async with self.alocks[which]:
            self._count(which)


def tasks_at_work(random: Random) -> Callable[[Any], Any]:
    """Return a body whose factory and users are coroutines."""
    known = _EVERYWHERE + _IN_TASKS
    building, *background = [_acts(random, known, 3) for _ in range(random.randint(2, 3))]
    users = [_acts(random, known, 2) for _ in range(2)]
    waits = random.choice(("not", "once", "for all"))

    async def factory(things: Things) -> None:
        await things.arun(building)
        tasks = [asyncio.create_task(things.arun(acts)) for acts in background]
        things.started += tasks
        if waits == "once":
            await asyncio.sleep(0)
        elif waits == "for all":
            await asyncio.gather(*tasks)

    async def body(world: Any) -> None:
        things = Things(world)
        await factory(things)
        for name, acts in zip("ab", users, strict=True):
            world.actor(name, things.arun, acts)
        await world.run()
        await asyncio.gather(*things.started)

    return body


def threads_at_work(random: Random) -> Callable[[Any], Any]:
    """Return a body whose factory starts threads, and whose users are threads."""
    known = _EVERYWHERE + _IN_THREADS
    building, *background = [_acts(random, known, 3) for _ in range(random.randint(2, 3))]
    users = [_acts(random, known, 2) for _ in range(2)]
    waits = random.choice((False, True))

    def body(world: Any) -> None:
        things = Things(world)
        things.run(building)
        for acts in background:
            thread = threading.Thread(target=things.run, args=(acts,), daemon=True)
            things.started.append(thread)
            thread.start()
        if waits:
            time.sleep(0.05)  # noqa: TID251 - what code under test does
        for name, acts in zip("ab", users, strict=True):
            world.actor(name, things.run, acts)
        world.run()
        for thread in things.started:
            thread.join()

    return body


def _acts(random: Random, known: Sequence[str], most: int) -> list[Act]:
    return [(random.choice(known), random.randrange(2)) for _ in range(random.randint(1, most))]


def checked(seed: int, *, executions: int = 40) -> CheckResult:
    """Check the system of a seed within a small budget."""
    random = Random(seed)
    make = random.choice((tasks_at_work, tasks_at_work, threads_at_work))
    return check(make(random), executions=executions, time=20.0)


def mistakes(seed: int, count: int) -> Iterator[str]:
    """Check the system of each seed; yield each verdict that is wrong or missing."""
    for each in range(seed, seed + count):
        try:
            result = checked(each)
        except Exception as error:  # noqa: BLE001 - any error is a mistake
            yield f"seed {each}: {error!r}"
            continue
        failed = [reason for reason in result.reasons if "itself has failed" in reason]
        if result.verdict is Verdict.VIOLATED or failed:
            found = result.counterexample
            yield f"seed {each}: {failed if found is None else found.violation.summary}"


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--count", type=int, default=200)
    given = parser.parse_args()
    wrong = 0
    for mistake in mistakes(given.seed, given.count):
        wrong += 1
        sys.stdout.write(f"{mistake}\n")
    sys.stdout.write(f"{given.count} systems, {wrong} mistakes\n")
    sys.exit(bool(wrong))
