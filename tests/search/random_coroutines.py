"""Random coroutines with calls that are awaited or block: brute force beside the search.

Compare any seed and count:

    python -m tests.search.random_coroutines --seed 7 --count 100

The brute force knows nothing of steps and footprints: no coroutine runs before another one has come
to its next await, a command takes effect at a moment of its own, and its answer comes at another.
"""

import argparse
import sys
from collections.abc import Callable, Iterator
from inspect import isawaitable
from random import Random
from typing import Any, NamedTuple

from pytest_supercache import check
from pytest_supercache.core.verdict import Verdict

KEYS = "xy"

AWAITED = ("await get", "await set", "await incr", "await load", "await commit")
BLOCKING = ("get", "set", "incr", "load", "commit", "look", "note")

_PLACES = {"load": "origin", "commit": "origin", "look": "memory", "note": "memory"}

Act = tuple[str, str]
"""What is done, to which key."""

Flows = tuple[tuple[Act, ...], ...]
Outcome = tuple[tuple[int, ...], tuple[tuple[str, int], ...]]
"""What the coroutines return, and what is stored where."""


class Coroutine(NamedTuple):
    """How far a coroutine is: what it does next, what it remembers, what it waits for."""

    at: int
    number: int
    waits_for: str  # "turn", "call" (it goes on within its turn), "effect", "" (it has ended)


def random_flows(random: Random) -> Flows:
    """Draw two or three coroutines of one to four acts."""
    lengths = random.choice([(2, 4), (3, 3), (4, 2), (1, 3), (2, 2, 1), (2, 1, 2), (1, 1, 2)])
    acts = (*AWAITED, *BLOCKING)
    return tuple(
        tuple((random.choice(acts), random.choice(KEYS)) for _ in range(length))
        for length in lengths
    )


def done(act: Act, number: int, stored: dict[str, int]) -> int:
    """Do an act to what is stored; return what its coroutine remembers then."""
    verb, key = act[0].removeprefix("await "), act[1]
    place = f"{_PLACES.get(verb, 'cache')} {key}"
    if verb in {"get", "load", "look"}:
        return (number * 7 + stored.get(place, 0)) % 1009
    if verb == "incr":
        stored[place] = stored.get(place, 0) + 1
        return (number * 5 + stored[place]) % 1009
    stored[place] = number + 1
    return number


def by_brute_force(flows: Flows) -> set[Outcome]:
    """Return every outcome of these coroutines."""
    outcomes: set[Outcome] = set()
    start = tuple(Coroutine(0, number + 1, "turn") for number in range(len(flows)))
    left: list[tuple[tuple[Coroutine, ...], dict[str, int]]] = [(start, {})]
    seen = set()
    while left:
        coroutines, stored = left.pop()
        key = coroutines, tuple(sorted(stored.items()))
        if key in seen:
            continue
        seen.add(key)
        if not any(one.waits_for for one in coroutines):
            outcomes.add((tuple(one.number for one in coroutines), key[1]))
        is_busy = any(one.waits_for == "call" for one in coroutines)
        for at, one in enumerate(coroutines):
            if one.waits_for and not (is_busy and one.waits_for == "turn"):
                after = dict(stored)
                moved = _moved(one, flows[at], after)
                left.append(((*coroutines[:at], moved, *coroutines[at + 1 :]), after))
    return outcomes


def _moved(one: Coroutine, flow: tuple[Act, ...], stored: dict[str, int]) -> Coroutine:
    """Let the awaited command take effect, or the coroutine run to its next call or await."""
    at, number = one.at, one.number
    if one.waits_for == "effect":
        return Coroutine(at + 1, done(flow[at], number, stored), "turn")
    if at < len(flow) and flow[at][0] not in AWAITED:
        number = done(flow[at], number, stored)
        at += 1
    if at < len(flow):
        return Coroutine(at, number, "effect" if flow[at][0] in AWAITED else "call")
    return Coroutine(at, number, "")


class Things:
    """What the coroutines of one execution share."""

    def __init__(self, world: Any) -> None:
        self.world = world
        self.memory: dict[str, int] = {}
        aio = world.existing_cache.aclient(decode_responses=True)
        blocking = world.existing_cache.client(decode_responses=True)
        self._reads: dict[str, Callable[[str], Any]] = {
            "await get": aio.get,
            "await incr": aio.incr,
            "await load": world.origin.aio.get,
            "get": blocking.get,
            "incr": blocking.incr,
            "load": world.origin.get,
            "look": self.memory.get,
        }
        self._writes: dict[str, Callable[[str, int], Any]] = {
            "await set": aio.set,
            "await commit": world.origin.aio.set,
            "set": blocking.set,
            "commit": world.origin.set,
            "note": self.memory.__setitem__,
        }

    async def run(self, flow: tuple[Act, ...], number: int) -> int:
        """Run a coroutine; return what it remembers."""
        for verb, key in flow:
            name = verb.removeprefix("await ")
            if name in {"get", "load", "look"}:
                read = await _answer(self._reads[verb](key))
                number = (number * 7 + int(read or 0)) % 1009
            elif name == "incr":
                number = (number * 5 + await _answer(self._reads[verb](key))) % 1009
            else:
                await _answer(self._writes[verb](key, number + 1))
        return number

    def stored(self) -> dict[str, int]:
        """Return what is stored where in the end."""
        contents = {
            "cache": self.world.existing_cache.peek,
            "origin": self.world.origin.peek,
            "memory": self.memory.get,
        }
        found = {f"{place} {key}": look(key) for place, look in contents.items() for key in KEYS}
        return {place: int(value) for place, value in found.items() if value is not None}


async def _answer(given: Any) -> Any:
    """Return what a call has returned; await it if there is something to await."""
    return await given if isawaitable(given) else given


def by_search(flows: Flows) -> tuple[set[Outcome], Any]:
    """Return the outcomes of all executions of an exhaustive search, and its result."""
    outcomes: set[Outcome] = set()

    async def body(world: Any) -> None:
        things = Things(world)
        for at, flow in enumerate(flows):
            world.actor(f"user{at}", things.run, flow, at + 1)
        numbers = await world.run()
        told = tuple(numbers[f"user{at}"] for at in range(len(flows)))
        outcomes.add((told, tuple(sorted(things.stored().items()))))

    return outcomes, check(body, search="exhaustive", stop_at_first=False)


def is_said_to_be_unproven(result: Any) -> bool:
    """Say whether an effect may come between two blocking calls, which a check cannot try."""
    said = " ".join(result.reasons)
    return result.verdict is Verdict.UNKNOWN and "which has been sent, could come before" in said


def disagreements(seed: int, count: int) -> Iterator[str]:
    """Compare both on ``count`` flows; yield each difference."""
    for number in range(count):
        flows = random_flows(Random(f"coroutines {seed} {number}"))
        expected = by_brute_force(flows)
        found, result = by_search(flows)
        if is_said_to_be_unproven(result) and found <= expected:
            continue
        if found != expected or result.verdict is not Verdict.HOLDS:
            yield (
                f"{number}: {flows}: {len(expected - found)} of {len(expected)} outcomes were not "
                f"found, {len(found - expected)} are impossible; {result.verdict}"
            )


def main() -> int:
    """Compare as many flows as the command line says."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--count", type=int, default=100)
    given = parser.parse_args()
    told = list(disagreements(given.seed, given.count))
    for one in told:
        sys.stdout.write(f"{one}\n")
    sys.stdout.write(f"{given.count} random coroutines, {len(told)} disagreements\n")
    return bool(told)


if __name__ == "__main__":
    sys.exit(main())
