"""Random users of a near cache that a task or a thread refreshes: all schedules beside the search.

Compare any seed and count:

    python -m tests.search.random_refreshes --seed 7 --count 100

All schedules know nothing of steps that a tick does not depend on: to them a tick is a choice like
any other one.
"""

import argparse
import asyncio
import sys
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from itertools import count as numbers_from
from random import Random
from time import sleep  # noqa: TID251 - what code under test does, on a virtual clock
from typing import Any

from pytest_supercache import CheckResult, Verdict, check

KEYS = "xy"
ACTS = (
    "get", "set", "set for 3 s", "incr", "load", "commit", "look", "look", "keep", "keep", "forget",
    "sleep", "ask", "wait in time",
)  # fmt: skip
LIFE = 4
"""Seconds for which the near cache shows what it keeps."""

Act = tuple[str, str]
Flows = tuple[tuple[Act, ...], ...]


def random_flows(random: Random) -> Flows:
    """Draw two users of one to three acts."""
    lengths = random.choice([(1, 2), (2, 1), (2, 2), (1, 3), (3, 1)])
    return tuple(
        tuple((random.choice(ACTS), random.choice(KEYS)) for _ in range(length))
        for length in lengths
    )


class Shop:
    """What the users of one execution share; ``tells`` gets what each has seen."""

    def __init__(self, world: Any) -> None:
        self.aio = world.existing_cache.aclient(decode_responses=True)
        self.blocking = world.existing_cache.client(decode_responses=True)
        self.origin = world.origin
        self.near: dict[str, tuple[Any, float]] = {}

    async def use(self, flow: tuple[Act, ...], value: int) -> list[Any]:
        """Do the acts of a user, as a coroutine."""
        saw: list[Any] = []
        calls: dict[str, Callable[..., Any]] = {
            "get": self.aio.get,
            "incr": self.aio.incr,
            "load": self.origin.aio.get,
            "set": lambda key: self.aio.set(key, value),
            "set for 3 s": lambda key: self.aio.set(key, value, ex=3),
            "commit": lambda key: self.origin.aio.set(key, value),
            "sleep": lambda _: asyncio.sleep(value),
            "wait in time": lambda _: asyncio.wait_for(self.aio.get("x"), value),
        }
        for verb, key in flow:
            saw.append(await calls[verb](key) if verb in calls else self.at_once(verb, key, value))
        return saw

    def use_blocking(self, flow: tuple[Act, ...], value: int) -> list[Any]:
        """Do the acts of a user, on a thread."""
        saw: list[Any] = []
        calls: dict[str, Callable[..., Any]] = {
            "get": self.blocking.get,
            "incr": self.blocking.incr,
            "load": self.origin.get,
            "set": lambda key: self.blocking.set(key, value),
            "set for 3 s": lambda key: self.blocking.set(key, value, ex=3),
            "commit": lambda key: self.origin.set(key, value),
            "sleep": lambda _: sleep(value),
            "wait in time": lambda _: self.blocking.get("x"),
        }
        for verb, key in flow:
            saw.append(calls[verb](key) if verb in calls else self.at_once(verb, key, value))
        return saw

    def at_once(self, verb: str, key: str, value: int) -> Any:
        """Do what needs no server."""
        if verb == "look":
            return self.seen(key)
        if verb == "keep":
            self.near[key] = value, time.monotonic() + LIFE
        elif verb == "forget":
            self.near.pop(key, None)
        else:
            return round(time.monotonic() % 100, 2)
        return None

    def seen(self, key: str) -> Any:
        """Return what the near cache shows."""
        value, until = self.near.get(key, (None, 0))
        return value if time.monotonic() < until else None

    async def refresh(self, rounds: int) -> None:
        """Keep what is in the near cache current."""
        for _ in range(rounds):
            await asyncio.sleep(2)
            for key in list(self.near):
                self.near[key] = await self.aio.get(key), time.monotonic() + LIFE

    def refresh_blocking(self, rounds: int) -> None:
        """Do the same on a thread."""
        for _ in range(rounds):
            sleep(2)
            for key in list(self.near):
                self.near[key] = self.blocking.get(key), time.monotonic() + LIFE

    def content(self) -> tuple[Any, ...]:
        """Return what is stored where in the end."""
        far = [self.blocking.get(key) for key in KEYS]
        return (*far, *(self.origin.peek(key) for key in KEYS), *map(self.seen, KEYS))


def coroutines(flows: Flows, outcomes: set[str]) -> Callable[[Any], Any]:
    """Return a body in which the users are coroutines."""

    async def body(world: Any) -> None:
        shop = Shop(world)
        task = asyncio.create_task(shop.refresh(1 + len(flows[0]) % 2))
        await asyncio.sleep(0)
        for at, flow in enumerate(flows):
            world.actor(f"user{at}", shop.use, flow, at + 1)
        answers = await world.run()
        outcomes.add(repr((sorted(answers.items()), shop.content())))
        task.cancel()

    return body


def threads(flows: Flows, outcomes: set[str]) -> Callable[[Any], Any]:
    """Return a body in which the users are threads."""

    def body(world: Any) -> None:
        shop = Shop(world)
        rounds = 1 + len(flows[0]) % 2
        threading.Thread(target=shop.refresh_blocking, args=(rounds,), daemon=True).start()
        for at, flow in enumerate(flows):
            world.actor(f"user{at}", shop.use_blocking, flow, at + 1)
        answers = world.run()
        outcomes.add(repr((sorted(answers.items()), shop.content())))

    return body


def by(
    search: str, make: Callable[..., Any], flows: Flows, ticks: Any
) -> tuple[set[str], CheckResult]:
    """Return every outcome that a search has seen, and its result."""
    outcomes: set[str] = set()
    body = make(flows, outcomes)
    return outcomes, check(
        body,
        search=search,
        stop_at_first=False,
        guarantees=[],
        ticks=ticks,
        time=20,
        executions=400,
    )


def disagreements(seed: int, count: int, numbers: Iterable[int] | None = None) -> Iterator[str]:
    """Compare both on ``count`` flows that are small enough; yield each difference.

    Most of the time goes into flows that turn out to have too many schedules, unless ``numbers``
    says which ones have few.

    Coroutines that sleep may be more than the reduction can follow: then it says so, and executes
    all schedules itself. Threads must not be.
    """
    compared = 0
    for number in numbers or numbers_from(1):
        if compared == count:
            return
        random = Random(f"refreshes {seed} {number}")
        flows = random_flows(random)
        make = random.choice([coroutines, threads])
        ticks = random.choice(["auto", 1, 2])
        every, result = by("all-schedules", make, flows, ticks)
        if result.verdict is not Verdict.HOLDS:
            continue
        compared += 1
        found, result = by("exhaustive", make, flows, ticks)
        off = [note for note in result.notes if "reduction is off" in note]
        is_wrong = result.verdict is Verdict.VIOLATED or not found >= every
        if is_wrong or (make is threads and (off or result.verdict is not Verdict.HOLDS)):
            yield (
                f"{number}: {make.__name__} {flows}, ticks={ticks}: {len(every - found)} of "
                f"{len(every)} outcomes were not found; {result.verdict} {off}"
            )
    if compared < count:
        yield f"only {compared} of {count} flows are small enough"


def main() -> int:
    """Compare as many flows as the command line says."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--count", type=int, default=100)
    given = parser.parse_args()
    told = 0
    for one in disagreements(given.seed, given.count):
        told += 1
        sys.stdout.write(f"{one}\n")
    sys.stdout.write(f"{given.count} random refreshes, {told} disagreements\n")
    return bool(told)


if __name__ == "__main__":
    sys.exit(main())
