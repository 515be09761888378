"""Random flows on the real stack: what every schedule shows, and what the exhaustive search shows.

Compare any seed and count:

    python -m tests.search.random_bodies --seed 7 --count 100
"""

import argparse
import queue
import sys
import threading
import time
from collections.abc import Callable, Iterator
from random import Random
from typing import Any

from pytest_supercache.checking.environment import open_environment
from pytest_supercache.core.settings import Exploration
from pytest_supercache.core.verdict import End
from pytest_supercache.layers.servers import start_server
from pytest_supercache.search.all_schedules import AllSchedules
from pytest_supercache.search.dpor import Exhaustive
from pytest_supercache.search.search import SearchEnded

Act = tuple[Any, ...]
Flows = dict[str, list[Act]]


class Things:
    """What the flows of one execution share."""

    def __init__(self, world: Any) -> None:
        self.world = world
        self.client = world.existing_cache.client(decode_responses=True)
        self.lock = threading.Lock()
        self.again = threading.RLock()
        self.event = threading.Event()
        self.semaphore = threading.BoundedSemaphore(1)
        self.memory: dict[str, int] = {}
        self.orders: queue.Queue[str] = queue.Queue()

    def work(self, looks: int) -> None:
        """Count what was ordered, on a thread of the code's own, until so many looks were in vain.

        Without a limit it waits for an order.
        """
        while looks:
            try:
                key = self.orders.get(block=looks < 0)
            except queue.Empty:
                looks -= 1
            else:
                self.client.incr(key)

    def work_in_rounds(self, rounds: int) -> None:
        """The same, but once a second."""
        for _ in range(abs(rounds)):
            time.sleep(1)  # noqa: TID251 - what code under test does
            self.work(1)

    def near(self) -> Any:
        """The super cache of the node that the caller runs on."""
        return self.world.node(NODES[threading.current_thread().name]).super_cache


NODES = {"a": "a", "b": "b", "c": "a"}


def _transfer(things: Things, key: str, other: str) -> Any:
    with things.client.pipeline(transaction=True) as pipe:
        return pipe.incr(key).get(other).execute()


def _write_by_hand(things: Things, key: str, value: int) -> None:
    things.world.step(f"write {key}", writes=f"memory:{key}")
    things.memory[key] = value


def _read_by_hand(things: Things, key: str) -> Any:
    things.world.step(f"read {key}", reads=f"memory:{key}")
    return things.memory.get(key)


def _until(things: Things, key: str, other: str) -> None:
    def is_alike() -> bool:
        return things.memory.get(key, 0) == things.memory.get(other, 0)

    things.world.wait_until(is_alike, reads=(f"memory:{key}", f"memory:{other}"))


ACTS: dict[str, Callable[..., Any]] = {
    "get": lambda t, k: t.client.get(k),
    "set": lambda t, k, v: t.client.set(k, v),
    "incr": lambda t, k: t.client.incr(k),
    "delete": lambda t, k: t.client.delete(k),
    "add": lambda t, k: t.client.set(k, "first", nx=True),
    "lease": lambda t, k: t.client.set(k, "lease", nx=True, ex=1),
    "set for a second": lambda t, k: t.client.set(k, "soon gone", ex=1),
    "ttl": lambda t, k: t.client.ttl(k),
    "transfer": _transfer,
    "origin get": lambda t, k: t.world.origin.get(k),
    "origin set": lambda t, k, v: t.world.origin.set(k, v),
    "near get": lambda t, k: t.near().get(k),
    "near put": lambda t, k, v: t.near().put(k, v),
    "near lease": lambda t, k: t.near().get_or_lease(k)[0],
    "invalidate": lambda t, k: t.near().invalidate(k),
    "write by hand": _write_by_hand,
    "read by hand": _read_by_hand,
    "until alike": _until,
    "acquire": lambda t: t.lock.acquire(),
    "try": lambda t: t.lock.acquire(blocking=False),
    "timed": lambda t, s: t.lock.acquire(timeout=s),
    "release": lambda t: t.lock.release(),
    "locked": lambda t: t.lock.locked(),
    "acquire again": lambda t: t.again.acquire(),
    "release again": lambda t: t.again.release(),
    "await": lambda t: t.event.wait(),
    "await in time": lambda t, s: t.event.wait(s),
    "raise flag": lambda t: t.event.set(),
    "lower flag": lambda t: t.event.clear(),
    "look at flag": lambda t: t.event.is_set(),
    "enter": lambda t: t.semaphore.acquire(),
    "enter in time": lambda t, s: t.semaphore.acquire(timeout=s),
    "leave": lambda t: t.semaphore.release(),
    "sleep": lambda t, s: time.sleep(s),  # noqa: TID251 - what code under test does
    "order": lambda t, k: t.orders.put(k),
    "order in time": lambda t, k: t.orders.put(k),
    "what time is it": lambda t: round(time.monotonic() - t.started, 3),
}

KINDS = {
    "commands": "get set incr delete add transfer",
    "layers": "get set |origin get|origin set|near get|near put|near lease|invalidate|invalidate",
    "locks": "get incr acquire release try locked |acquire again|release again",
    "flags": "get incr await |raise flag|lower flag|look at flag",
    "semaphores": "get incr enter leave enter leave",
    "conditions": "|write by hand|write by hand|read by hand|until alike",
    "workers": "get set incr order order",
    "sleep": "get incr set sleep sleep |what time is it",
    "timed": "get incr acquire timed release sleep |raise flag|await in time|enter in time|leave",
    "rounds": "get set incr sleep |order in time|order in time",
    "expiry": "get incr sleep ttl lease |set for a second",
}
VALUED = {"set", "origin set", "near put", "write by hand"}
KEYED = VALUED | {
    "get", "incr", "delete", "add", "lease", "set for a second", "ttl", "transfer", "origin get",
    "near get", "near lease", "invalidate", "read by hand", "until alike", "order",
    "order in time",
}  # fmt: skip
TIMED = {"timed", "await in time", "enter in time", "sleep"}


def random_act(random: Random, kinds: list[str]) -> Act:
    """Draw one act; one in four ends the flow when it is answered with something false."""
    kind = random.choice(kinds)
    rest: list[Any] = []
    if kind in KEYED:
        rest.append(random.choice("xy"))
    if kind in VALUED:
        rest.append(random.randrange(2))
    if kind in {"transfer", "until alike"}:
        rest.append(random.choice("xy"))
    if kind in TIMED:
        rest.append(random.choice([1, 2]))
    return (kind, *rest, "or end") if random.randrange(4) == 0 else (kind, *rest)


def random_flows(random: Random, kinds: list[str]) -> Flows:
    """Draw two or three flows of one to three acts."""
    names = "abc"[: random.randrange(2, 4)]
    return {
        name: [random_act(random, kinds) for _ in range(random.randrange(1, 4))] for name in names
    }


def body_of(flows: Flows, seen: list[str]) -> Callable[[Any], None]:
    """Return a test body in which each flow is an actor; what they saw goes to ``seen``."""

    def body(world: Any) -> None:
        things = Things(world)
        things.started = time.monotonic()
        saw: dict[str, list[Any]] = {name: [] for name in flows}

        def flow(name: str) -> None:
            for kind, *rest in flows[name]:
                or_end = rest[-1:] == ["or end"]
                try:
                    answer = ACTS[kind](things, *rest[: len(rest) - or_end])
                except (RuntimeError, ValueError) as error:
                    answer = type(error).__name__
                saw[name].append(answer)
                if or_end and not answer:
                    return

        for name in flows:
            world.actor(name, flow, name, node=NODES[name])
        start_worker(things, flows)
        world.run()
        layers = {place: sorted(held.items()) for place, held in sorted(world.content().items())}
        seen.append(repr((saw, sorted(things.memory.items()), layers)))

    return body


def start_worker(things: Things, flows: Flows) -> None:
    """Start somebody who takes orders, if there are any.

    Perhaps they look before the race, and perhaps there is an order by then.
    """
    acts = [kind for flow in flows.values() for kind, *_ in flow]
    work = things.work_in_rounds if "order in time" in acts else things.work
    looks = {1: -1, 2: 2, 3: 3}[len(flows["a"])]
    if not {"order", "order in time"} & set(acts):
        return
    threading.Thread(target=work, args=(looks,), daemon=True).start()
    if len(acts) % 2:
        time.sleep(0.01)  # noqa: TID251 - virtual: they look meanwhile
        if len(acts) % 4 == 3:
            things.orders.put("x")


class _StepsHaveChangedError(Exception):
    """Something was learnt, such as which key is a lock, so that a search begins again."""


def outcomes(
    environment: Any, flows: Flows, make: Callable[[], Any], most: int | None = None
) -> list[str] | None:
    """Return what each execution of a search showed; None: there are more than ``most``."""
    while True:
        try:
            return _outcomes(environment, flows, make(), most)
        except _StepsHaveChangedError:
            continue


def _outcomes(environment: Any, flows: Flows, search: Any, most: int | None) -> list[str] | None:
    seen: list[str] = []
    body, left = body_of(flows, seen), most

    def attempt(scheduler: Any) -> Any:
        nonlocal left
        if left is not None:
            left -= 1
            if left < 0:
                raise SearchEnded(End.OUT_OF_BUDGET)
        execution = environment.execute(body, scheduler, ignores_time=True)
        if environment.steps_have_changed():
            raise _StepsHaveChangedError
        if not execution.complete:
            seen.pop()
        return execution

    try:
        assert search.explore(attempt) is End.EXHAUSTED
    except SearchEnded:
        return None
    return seen


def kinds_of(text: str) -> list[str]:
    """Read a line of :data:`KINDS`: words, then longer names between bars."""
    words, *names = text.split("|")
    return [*words.split(), *names]


def disagreements(
    seed: int, count: int, most: int = 400, ticks_of: tuple[int | str, ...] = (0, 1, 2, "auto")
) -> Iterator[str]:
    """Compare both searches on so many flows of each kind; yield what differs."""
    for ticks in ticks_of:
        with open_environment(
            start_server("fakeredis"), Exploration(ticks=ticks, memory="declared"), {}
        ) as environment:
            for kind, text in KINDS.items():
                if ticks and kind not in {"sleep", "timed", "expiry", "rounds"}:
                    continue
                random = Random(f"{seed} {ticks} {kind}")
                compared = 0
                while compared < count:
                    flows = random_flows(random, kinds_of(text))
                    every = outcomes(environment, flows, AllSchedules, most)
                    if every is None:
                        continue
                    compared += 1
                    told = difference(environment, flows, every)
                    if told:
                        yield f"ticks={ticks} {kind} {flows}: {told}"


def difference(environment: Any, flows: Flows, every: list[str]) -> str:
    """Say how the exhaustive search differs from all schedules, or nothing."""
    try:
        reduced = outcomes(environment, flows, Exhaustive)
    except Exception as error:  # noqa: BLE001 - any error is a disagreement
        return repr(error)
    assert reduced is not None
    if set(reduced) != set(every):
        missed = sorted(set(every) - set(reduced))
        return f"{len(set(reduced))} of {len(set(every))} outcomes, not {missed[:1]}"
    if len(reduced) > len(every):
        return f"{len(reduced)} executions for {len(every)} schedules"
    return ""


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--count", type=int, default=20, help="flows of each kind")
    given = parser.parse_args()
    wrong = 0
    for told in disagreements(given.seed, given.count):
        wrong += 1
        sys.stdout.write(f"{told}\n")
        sys.stdout.flush()
    sys.stdout.write(f"{wrong} disagreements\n")
