"""Random coroutines that start tasks and meet: a plain loop under brute force beside the search.

Compare any seed and count:

    python -m tests.search.random_meetings --seed 7 --count 100

The brute force runs the same coroutines on asyncio's own loop. Before each turn, its selector lets
effects of commands happen and answers come, any number of them in any order.
"""

import argparse
import asyncio
import logging
import sys
from collections.abc import Callable, Iterator
from random import Random
from typing import Any

import anyio
from starlette.middleware.base import BaseHTTPMiddleware
from starlette.requests import Request
from starlette.responses import Response

from pytest_supercache import check
from pytest_supercache.core.verdict import Verdict
from tests.search.random_coroutines import is_said_to_be_unproven

KEYS = "xy"

Flow = tuple[tuple[str, Any], ...]
Outcome = tuple[Any, Any, Any]
"""What the coroutines return, what the cache holds, and what their memory holds."""

STUCK = "stuck"
"""Stands for what coroutines return of which one waits for ever."""

_TWO_TASKS = ("gather", "group", "first", "nursery")
_ONE_TASK = ("start", "start", "shield", "fill", "cancel", "relay", "request", "watch")
_CALLS = ("look", "await get", "await set", "await incr", "get", "incr", "look", "note")
_SIGNALS = ("set", "is set", "wait", "put", "take", "size", "sleep")


def random_flow(random: Random, length: int, depth: int) -> Flow:
    """Draw a coroutine; at depth 1 it may start tasks, some of which only touch memory."""
    flow: list[tuple[str, Any]] = []
    while len(flow) < length:
        kind = random.random()
        if kind < 0.3 and depth:
            flow += _random_tasks(random)
        elif kind < 0.5:
            tool = random.choice(["lock", "semaphore"])
            flow.append((tool, random_flow(random, random.choice([1, 2]), 0)))
        elif kind < 0.6:
            flow.append((random.choice(_SIGNALS), None))
        else:
            flow.append((random.choice(_CALLS), random.choice(KEYS)))
    return tuple(flow)


def _random_tasks(random: Random) -> Iterator[tuple[str, Any]]:
    kind = random.choice([*_TWO_TASKS, *_ONE_TASK])
    count = 2 if kind in _TWO_TASKS else 1
    if random.random() < 0.4:
        tasks = [((random.choice(["look", "note"]), random.choice(KEYS)),) for _ in range(count)]
        yield kind, tuple(tasks)
    else:
        yield kind, tuple(random_flow(random, random.choice([1, 1, 2]), 0) for _ in range(count))
    if kind == "start" and random.random() < 0.8:
        yield random.choice(["await incr", "note"]), random.choice(KEYS)
        yield random.choice(["join", "join", "is done"]), None


def random_flows(random: Random) -> tuple[Flow, ...]:
    """Draw two or three coroutines."""
    lengths = random.choice([(2, 1), (1, 2), (2, 2), (1, 1), (1, 1, 1)])
    return tuple(random_flow(random, length, 1) for length in lengths)


class Things:
    """What the coroutines share; the commands are those of the search, or of the brute force."""

    def __init__(self) -> None:
        self.memory: dict[str, int] = {}
        self.lock = asyncio.Lock()
        self.semaphore = asyncio.Semaphore(1)
        self.event = asyncio.Event()
        self.queue: asyncio.Queue[int] = asyncio.Queue()

    async def command(self, verb: str, key: str, value: int) -> int:
        """Send a command and await its answer."""
        raise NotImplementedError

    def call(self, verb: str, key: str) -> int:
        """Send a command with a client that blocks."""
        raise NotImplementedError

    async def run(self, flow: Flow, number: int) -> int:
        """Run a coroutine; return a number that tells what it saw, in which order."""
        tasks: list[asyncio.Task[int]] = []
        for verb, what in flow:
            for act in (self._call, self._use_tool, self._signal, self._start):
                found = await act(verb, what, number, tasks)
                if found is not None:
                    number = found % 1009
                    break
        return number

    async def _call(self, verb: str, key: Any, number: int, _tasks: Any) -> int | None:
        match verb.split():
            case ["await", "set"]:
                await self.command("set", key, number + 1)
                return number
            case ["await", name]:
                return number * 7 + await self.command(name, key, 0)
            case ["get" | "incr"]:
                return number * 5 + self.call(verb, key)
            case ["look"]:
                return number * 7 + self.memory.get(key, 0)
            case ["note"]:
                self.memory[key] = number + 1
                return number
        return None

    async def _use_tool(self, verb: str, flow: Any, number: int, _tasks: Any) -> int | None:
        if verb not in {"lock", "semaphore"}:
            return None
        async with self.lock if verb == "lock" else self.semaphore:
            return await self.run(flow, number)

    async def _signal(self, verb: str, _: Any, number: int, _tasks: Any) -> int | None:
        match verb:
            case "set":
                self.event.set()
            case "is set":
                number = number * 13 + self.event.is_set()
            case "wait":
                await self.event.wait()
            case "put":
                self.queue.put_nowait(number)
            case "take":
                number = number * 3 + await self.queue.get()
            case "size":
                number = number * 3 + self.queue.qsize()
            case "sleep":
                await asyncio.sleep(0)
            case _:
                return None
        return number

    async def _start(self, verb: str, flows: Any, number: int, tasks: Any) -> int | None:
        if verb in {"join", "is done"}:
            task = tasks[-1]
            return number * 3 + (await task if verb == "join" else 1 + task.done())
        if verb == "start":
            tasks.append(asyncio.create_task(self.run(flows[0], number + 3)))
            return number
        return await getattr(self, f"_{verb}")(flows, number)

    async def _gather(self, flows: Any, number: int) -> int:
        return _digest(number, await asyncio.gather(*self._runs(flows, number)))

    async def _group(self, flows: Any, number: int) -> int:
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(run) for run in self._runs(flows, number)]
        return _digest(number, [task.result() for task in tasks])

    async def _first(self, flows: Any, number: int) -> int:
        tasks = [asyncio.create_task(run) for run in self._runs(flows, number)]
        done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        number = _digest(
            number, [at + task.result() for at, task in enumerate(tasks) if task in done]
        )
        await asyncio.gather(*tasks)
        return number

    async def _shield(self, flows: Any, number: int) -> int:
        (run,) = self._runs(flows, number)
        return number * 3 + await asyncio.shield(asyncio.create_task(run))

    async def _fill(self, flows: Any, number: int) -> int:
        future = asyncio.get_running_loop().create_future()
        (run,) = self._runs(flows, number)

        async def fill() -> None:
            future.set_result(await run)

        filling = asyncio.create_task(fill())
        number = number * 3 + await future
        await filling
        return number

    async def _cancel(self, flows: Any, number: int) -> int:
        (run,) = self._runs(flows, number)
        task = asyncio.create_task(run)
        number = number * 5 + await self.command("incr", "x", 0)
        task.cancel()
        try:
            return number * 3 + await task
        except asyncio.CancelledError:
            return number * 3 + 1

    async def _nursery(self, flows: Any, number: int) -> int:
        results: list[int] = []

        async def keep(run: Any) -> None:
            results.append(await run)

        async with anyio.create_task_group() as group:
            for run in self._runs(flows, number):
                group.start_soon(keep, run)
        return _digest(number, results)

    async def _watch(self, flows: Any, number: int) -> int:
        """Cancel a task that waits for an event, as starlette does when it has a message."""
        (run,) = self._runs(flows, number)
        results: list[int] = []

        async def keep() -> None:
            results.append(await run)
            group.cancel_scope.cancel()

        async with anyio.create_task_group() as group:
            group.start_soon(anyio.Event().wait)
            group.start_soon(keep)
        return _digest(number, results)

    async def _relay(self, flows: Any, number: int) -> int:
        """Go on with what a task has sent, before it has ended."""
        (run,) = self._runs(flows, number)
        sending, receiving = anyio.create_memory_object_stream[int]()

        async def send() -> None:
            async with sending:
                await sending.send(await run)
            await self.command("incr", "x", 0)

        async with anyio.create_task_group() as group, receiving:
            group.start_soon(send)
            number = _digest(number, [await receiving.receive()])
            return _digest(number, [await self.command("incr", "y", 0)])

    async def _request(self, flows: Any, number: int) -> int:
        """Answer a request by the application of a framework, whose middleware makes tasks."""
        (run,) = self._runs(flows, number)
        results: list[int] = []

        async def app(scope: Any, receive: Any, send: Any) -> None:
            await Request(scope, receive).body()
            results.append(await run)
            await Response("done")(scope, receive, send)

        async def dispatch(request: Any, call_next: Any) -> Any:
            response = await call_next(request)
            results.append(await self.command("incr", "x", 0))
            return response

        async def receive() -> Any:
            return {"type": "http.request", "body": b"asked"}

        async def send(_message: Any) -> None:
            pass

        scope = {"type": "http", "method": "POST", "path": "/", "headers": [], "query_string": b""}
        await BaseHTTPMiddleware(app, dispatch)(scope, receive, send)
        return _digest(number, results)

    def _runs(self, flows: Any, number: int) -> list[Any]:
        return [self.run(flow, number + at) for at, flow in enumerate(flows)]


def _digest(number: int, results: list[int]) -> int:
    for result in results:
        number = (number * 3 + result) % 1009
    return number


class InFlight:
    """What a task of the brute force waits for: a command, a pause, or that its user begins."""

    def __init__(self, effect: Callable[[], int] | None = None) -> None:
        self.future: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        self.effect, self._answer = effect, 0
        self._is_read = effect is not None

    def happen(self) -> bool:
        """Let the effect happen, or then the answer come; say whether that was the end."""
        if self.effect is not None:
            self._answer, self.effect = self.effect(), None
            return False
        if self._is_read:  # in the turn that begins now; the task resumes in the next one
            self.future.get_loop().call_soon(self._end)
        else:
            self._end()
        return True

    def _end(self) -> None:
        if not self.future.done():
            self.future.set_result(self._answer)


class Parked(Things):
    """The commands of the brute force; ``choose`` returns one of so many possibilities."""

    def __init__(self, choose: Callable[[int], int]) -> None:
        super().__init__()
        self.cache: dict[str, int] = {}
        self._choose = choose
        self.in_flight: list[InFlight] = []

    async def wait(self, effect: Callable[[], int] | None = None) -> int:
        """Wait until the selector lets the effect happen, and then the answer come."""
        one = InFlight(effect)
        self.in_flight.append(one)
        return await one.future

    async def command(self, verb: str, key: str, value: int) -> int:
        def effect() -> int:
            if verb == "set":
                self.cache[key] = value
            return self._execute(verb, key)

        return await self.wait(effect)

    def call(self, verb: str, key: str) -> int:
        """Execute a command after any of those that were sent before it."""
        while sent := [one for one in self.in_flight if one.effect is not None]:
            chosen = self._choose(len(sent) + 1)
            if not chosen:
                break
            sent[chosen - 1].happen()
        return self._execute(verb, key)

    def _execute(self, verb: str, key: str) -> int:
        if verb == "incr":
            self.cache[key] = self.cache.get(key, 0) + 1
        return self.cache.get(key, 0)


class _NothingLeftError(Exception):
    """Nothing is in flight, so what has not ended waits for ever."""


class _Selector:
    """Lets effects happen and answers come wherever asyncio asks for news of the outside world.

    asyncio asks before each turn, also if callbacks are ready: then there may be no news.
    """

    def __init__(self, real: Any, script: tuple[int, ...]) -> None:
        self._real, self._script = real, script
        self.things: Any = None
        self.widths: list[int] = []

    def __getattr__(self, name: str) -> Any:
        return getattr(self._real, name)

    def select(self, timeout: float | None = None) -> list[Any]:
        """Let happen what the script says; the first that can where it says nothing."""
        is_busy = timeout == 0
        in_flight = [] if self.things is None else self.things.in_flight
        in_flight[:] = [one for one in in_flight if not one.future.done()]
        if not is_busy and not in_flight:
            raise _NothingLeftError
        while in_flight:
            chosen = self.choose(len(in_flight) + is_busy) - is_busy
            if chosen < 0:
                break
            if in_flight[chosen].happen():
                del in_flight[chosen]
                is_busy = True
        return []

    def choose(self, width: int) -> int:
        """Return what the script says at the next choice; 0 where it says nothing."""
        at = len(self.widths)
        self.widths.append(width)
        return self._script[at] if at < len(self._script) else 0


def by_script(flows: tuple[Flow, ...], script: tuple[int, ...]) -> tuple[Outcome, list[int]]:
    """Run one schedule; return its outcome, and what could happen at each choice."""
    loop = asyncio.new_event_loop()
    real = vars(loop)["_selector"]
    selector = _Selector(real, script)
    vars(loop)["_selector"] = selector

    async def user(flow: Flow, number: int) -> int:
        await selector.things.wait()  # it begins when it is chosen
        result: int = await selector.things.run(flow, number)
        return result

    async def every_user() -> list[int]:
        selector.things = Parked(selector.choose)
        users = [user(flow, number + 1) for number, flow in enumerate(flows)]
        return await asyncio.gather(*users)

    numbers: Any
    try:
        numbers = loop.run_until_complete(every_user())
        loop.run_until_complete(_rest())
    except _NothingLeftError:
        numbers = STUCK
    things = selector.things
    vars(loop)["_selector"] = real
    _end(loop)
    return (_told(numbers), _items(things.cache), _items(things.memory)), selector.widths


async def _rest() -> None:
    """Await the tasks that nobody has awaited."""
    await asyncio.gather(*asyncio.all_tasks() - {asyncio.current_task()})


def _end(loop: asyncio.AbstractEventLoop) -> None:
    """End what waits for ever, without a word."""
    left = asyncio.all_tasks(loop)
    for task in left:
        task.cancel()
    loop.run_until_complete(asyncio.wait(left)) if left else None
    loop.close()


def _told(numbers: Any) -> Any:
    return numbers if numbers == STUCK else tuple(numbers)


def _items(found: dict[str, int]) -> tuple[tuple[str, int], ...]:
    return tuple(sorted(found.items()))


def by_brute_force(flows: tuple[Flow, ...], most: int) -> set[Outcome] | None:
    """Return every outcome; None: there are more schedules than ``most``."""
    outcomes: set[Outcome] = set()
    left: list[tuple[int, ...]] = [()]
    executed = 0
    while left:
        script = left.pop()
        outcome, widths = by_script(flows, script)
        executed += 1
        if executed > most:
            return None
        outcomes.add(outcome)
        taken = (*script, *(0 for _ in widths[len(script) :]))
        for at in range(len(script), len(widths)):
            left += [(*taken[:at], other) for other in range(1, widths[at])]
    return outcomes


class Controlled(Things):
    """The commands of the search."""

    def __init__(self, world: Any) -> None:
        super().__init__()
        self._aio = world.existing_cache.aclient(decode_responses=True)
        self._blocking = world.existing_cache.client(decode_responses=True)

    async def command(self, verb: str, key: str, value: int) -> int:
        if verb == "set":
            await self._aio.set(key, value)
            return value
        return int(await getattr(self._aio, verb)(key) or 0)

    def call(self, verb: str, key: str) -> int:
        return int(getattr(self._blocking, verb)(key) or 0)


def by_search(flows: tuple[Flow, ...], possible: set[Outcome] | None) -> tuple[set[Outcome], Any]:
    """Return the outcomes of all executions of an exhaustive search, and its result.

    An outcome that is not possible is a violation, unless the search throws the execution away,
    because it has found there what has to be a step. None: all outcomes are possible.
    """
    outcomes: set[Outcome] = set()

    async def body(world: Any) -> None:
        things = Controlled(world)
        for at, flow in enumerate(flows):
            world.actor(f"user{at}", things.run, flow, at + 1)
        numbers = await world.run()
        told = tuple(numbers[f"user{at}"] for at in range(len(flows)))
        cache = {key: world.existing_cache.peek(key) for key in KEYS}
        held = {key: int(value) for key, value in cache.items() if value is not None}
        outcome = (told, _items(held), _items(things.memory))
        outcomes.add(outcome)
        assert possible is None or outcome in possible

    return outcomes, check(body, search="exhaustive", stop_at_first=False)


def disagreements(seed: int, count: int, most: int) -> Iterator[str]:
    """Compare both on ``count`` flows of at most ``most`` schedules; yield each difference."""
    compared = number = 0
    while compared < count:
        number += 1
        flows = random_flows(Random(f"meetings {seed} {number}"))
        expected = by_brute_force(flows, most)
        if expected is None or any(numbers == STUCK for numbers, *_ in expected):
            continue  # in the search that is a violation
        may_be_more = "sleep" in str(flows)  # after it everybody else may come first
        found, result = by_search(flows, None if may_be_more else expected)
        if is_said_to_be_unproven(result):
            continue
        compared += 1
        if not expected <= found or result.verdict is not Verdict.HOLDS:
            yield (
                f"{number}: {flows}: {len(expected - found)} of {len(expected)} outcomes were not "
                f"found; {result.verdict}"
            )


def main() -> int:
    """Compare as many flows as the command line says."""
    logging.disable(logging.CRITICAL)
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--count", type=int, default=100)
    parser.add_argument("--most", type=int, default=2_000, help="schedules of one program")
    given = parser.parse_args()
    told = list(disagreements(given.seed, given.count, given.most))
    for one in told:
        sys.stdout.write(f"{one}\n")
    sys.stdout.write(f"{given.count} random meetings, {len(told)} disagreements\n")
    return bool(told)


if __name__ == "__main__":
    sys.exit(main())
