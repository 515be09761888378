"""Random small programs with shared memory, and every outcome that they can have.

A program is a list of statements for each actor over a few places: an attribute, an entry of a
dict, a global, a variable of a closure, an element of a list, a class attribute, a Redis key. Its
outcomes come from a search of our own over the atomic parts of its statements; it knows nothing of
footprints, locksets or schedules. The product runs the program as Python source.

``python -m tests.soundness.generated --seed 1 --count 5000`` compares any number of them.
"""

import argparse
import sys
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache, partial
from itertools import count, permutations
from math import factorial, prod
from random import Random
from types import ModuleType
from typing import Any

from pytest_supercache import CheckResult, Verdict
from pytest_supercache.checking.check import check_on
from pytest_supercache.core.odds import Simulation
from pytest_supercache.core.settings import Exploration
from pytest_supercache.layers.servers import start_server

KINDS = ("attribute", "entry", "global", "cell", "element", "class_attribute", "key")
ACTORS = ("a", "b", "c")
ORDERS_MAX = 1_000
"""A program with more orders of its parts takes too long to be executed in all of them."""

Op = tuple[Any, ...]
"""An atomic part: ("read", place), ("write", place, plus), ("acquire",), ("release",),
("unless", value, how many parts to leave out), ("add", plus), ("swap",): the register with a
second one."""

Outcome = tuple[tuple[int, ...], tuple[int, ...]]
"""What each actor has in its register in the end, and what each place holds."""


@dataclass(frozen=True)
class Program:
    """The places by their kind, and the statements of each actor: source lines and atomic parts."""

    kinds: tuple[str, ...]
    lines: tuple[tuple[str, ...], ...]
    ops: tuple[tuple[Op, ...], ...]


# -- making ----------------------------------------------------------------------------------------


def made(seed: int) -> Program:
    """Make the program of a seed: the first one drawn that is small enough."""
    draw = Random(f"soundness {seed}")
    while True:
        program = _drawn(draw)
        if _orders(program) <= ORDERS_MAX:
            return program


def _drawn(draw: Random) -> Program:
    kinds = tuple(draw.choice(KINDS) for _ in range(draw.choice((1, 2, 2))))
    actors = draw.choice((2, 2, 2, 3))
    sizes = (2, 3) if actors == 2 else (1, 2)
    flows = [_Flow(draw, kinds, draw.choice(sizes)) for _ in range(actors)]
    return Program(
        kinds,
        tuple(tuple(flow.lines) for flow in flows),
        tuple(tuple(flow.ops) for flow in flows),
    )


def _orders(program: Program) -> int:
    """Count the orders of all parts that others may see, as if nothing ever waited."""
    sizes = [sum(op[0] in _SEEN for op in flow) for flow in program.ops]
    return factorial(sum(sizes)) // prod(map(factorial, sizes))


_SEEN = frozenset({"read", "write", "acquire", "release"})


class _Flow:
    """The statements of one actor, drawn one after the other."""

    def __init__(self, draw: Random, kinds: tuple[str, ...], size: int) -> None:
        self._draw = draw
        self._kinds = kinds
        self.lines: list[str] = []
        self.ops: list[Op] = []
        for _ in range(size):
            if draw.random() < 0.35:
                self._locked()
            else:
                self._simple("")

    def _locked(self) -> None:
        self.lines.append("with lock:")
        self.ops.append(("acquire",))
        for _ in range(self._draw.choice((1, 2))):
            self._simple("    ")
        self.ops.append(("release",))

    def _simple(self, indent: str) -> None:
        draw = self._draw
        place = draw.randrange(len(self._kinds))
        kind, plus = self._kinds[place], draw.randint(1, 3)
        form = draw.choice(("read", "write", "increment", "unless", "unless", "add"))
        load, store = _load(kind, place), _store(kind, place)
        if form == "read":
            self.lines.append(f"{indent}r = {load}")
            self.ops.append(("read", place))
        elif form == "write":
            self.lines.append(indent + store.format(f"r + {plus}"))
            self.ops.append(("write", place, plus))
        elif form == "increment":
            parts: list[Op] = [("read", place), ("write", place, plus)]
            if kind == "key" or draw.random() < 0.5:
                self.lines += [f"{indent}r = {load}", indent + store.format(f"r + {plus}")]
                self.ops += parts
            else:  # the register stays as it is
                self.lines.append(f"{indent}{load} += {plus}")
                self.ops += [("swap",), *parts, ("swap",)]
        elif form == "unless":
            value = draw.randint(0, 2)
            self.lines += [f"{indent}r = {load}", f"{indent}if r == {value}:"]
            self.lines.append(f"{indent}    {store.format(f'r + {plus}')}")
            self.ops += [("read", place), ("unless", value, 1), ("write", place, plus)]
        else:
            self.lines.append(f"{indent}r = r + {plus}")
            self.ops.append(("add", plus))


def _load(kind: str, place: int) -> str:
    return {
        "attribute": f"state.p{place}",
        "entry": f"state.entries['p{place}']",
        "global": f"p{place}",
        "cell": f"c{place}",
        "element": f"state.elements[{place}]",
        "class_attribute": f"State.q{place}",
        "key": f"int(redis.get('p{place}'))",
    }[kind]


def _store(kind: str, place: int) -> str:
    if kind == "key":
        return f"redis.set('p{place}', {{}})"
    return f"{_load(kind, place)} = {{}}"


# -- all outcomes ----------------------------------------------------------------------------------


def outcomes(program: Program) -> frozenset[Outcome]:
    """Return every outcome, by trying every order of the atomic parts."""
    ops = program.ops
    start = ((0,) * len(ops), (0,) * len(ops), (0,) * len(ops), (0,) * len(program.kinds), -1)
    waiting, seen, found = [start], {start}, set()
    while waiting:
        state = waiting.pop()
        following = list(_following(ops, state))
        if not following:
            assert all(at >= len(flow) for at, flow in zip(state[0], ops, strict=True))
            found.add((state[1], state[3]))
        for one in following:
            if one not in seen:
                seen.add(one)
                waiting.append(one)
    return frozenset(found)


_State = tuple[tuple[int, ...], tuple[int, ...], tuple[int, ...], tuple[int, ...], int]
"""For each actor its position, register and second register; the places; the lock's holder."""


def _following(ops: tuple[tuple[Op, ...], ...], state: _State) -> Iterator[_State]:
    for actor, flow in enumerate(ops):
        if state[0][actor] < len(flow):
            after = _after(flow, actor, state)
            if after is not None:
                yield after


def _after(flow: tuple[Op, ...], actor: int, state: _State) -> _State | None:
    """Return the state after an actor's next part; None: it waits for the lock."""
    ats, registers, aside, places, holder = state
    kind, *rest = flow[ats[actor]]
    own, at = registers[actor], ats[actor] + 1
    match kind:
        case "acquire" if holder >= 0:
            return None
        case "acquire" | "release":
            holder = actor if kind == "acquire" else -1
        case "write":
            places = _set(places, rest[0], own + rest[1])
        case "swap":
            own, aside = aside[actor], _set(aside, actor, own)
        case "unless":
            at += 0 if own == rest[0] else rest[1]
        case _:
            own = places[rest[0]] if kind == "read" else own + rest[0]
    return _set(ats, actor, at), _set(registers, actor, own), aside, places, holder


def _set(values: tuple[int, ...], at: int, value: int) -> tuple[int, ...]:
    return (*values[:at], value, *values[at + 1 :])


def in_turns(program: Program) -> frozenset[Outcome]:
    """Return the outcomes when actors run one after the other."""
    found = set()
    for order in permutations(range(len(program.ops))):
        state: _State = (
            (0,) * len(order), (0,) * len(order), (0,) * len(order), (0,) * len(program.kinds), -1,
        )  # fmt: skip
        for actor in order:
            while state[0][actor] < len(program.ops[actor]):
                after = _after(program.ops[actor], actor, state)
                assert after is not None, "nobody else holds the lock"
                state = after
        found.add((state[1], state[3]))
    return frozenset(found)


# -- running ---------------------------------------------------------------------------------------

_numbers = count()
_server = cache(partial(start_server, "fakeredis"))


def source(program: Program) -> str:
    """Write the program as a module with a function that starts everything anew."""
    cells = [f"c{n}" for n, kind in enumerate(program.kinds) if kind == "cell"]
    shared = [f"p{n}" for n, kind in enumerate(program.kinds) if kind == "global"]
    lines = ["class State:", "    pass", ""]
    lines += [f"{name} = 0" for name in shared]
    lines += ["def begun(redis, lock):"]
    lines += [f"    global {', '.join(shared)}"] if shared else []
    lines += ["    state = State()", "    state.entries, state.elements = {}, []"]
    for n, kind in enumerate(program.kinds):
        lines.append("    state.elements.append(0)")
        if kind != "element":
            lines.append("    " + _store(kind, n).format("0"))
    for actor, body in zip(ACTORS, program.lines, strict=False):
        lines.append(f"    def {actor}():")
        lines += [f"        nonlocal {', '.join(cells)}"] if cells else []
        lines += [f"        global {', '.join(shared)}"] if shared else []
        lines += ["        r = 0", *(f"        {line}" for line in body), "        return r"]
    values = ", ".join(_load(kind, n) for n, kind in enumerate(program.kinds))
    flows = ", ".join(ACTORS[: len(program.ops)])
    lines += [f"    return ({flows},), lambda: ({values},)"]
    return "\n".join(lines)


def checked(program: Program, allowed: frozenset[Outcome], seen: set[Outcome]) -> CheckResult:
    """Let the product check that only allowed outcomes come; ``seen`` gets all that came."""
    settings = Exploration(odds=Simulation(runs=0))
    module = ModuleType(f"generated_{next(_numbers)}")
    exec(source(program), vars(module))
    sys.modules[module.__name__] = module

    def body(world: Any) -> None:
        redis = world.existing_cache.client(decode_responses=True)
        flows, places = module.begun(redis, threading.Lock())
        for name, flow in zip(ACTORS, flows, strict=False):
            world.actor(name, flow)
        results = world.run()
        if None in results.values():
            return  # the search has ended this execution early
        outcome = (tuple(results[name] for name in ACTORS[: len(flows)]), places())
        seen.add(outcome)
        assert outcome in allowed

    try:
        return check_on(_server(), body, settings, guarantees=())
    finally:
        del sys.modules[module.__name__]


def disagreement(seed: int) -> str | None:
    """Compare what the product says of a seed's program with the truth; None: it is right."""
    program = made(seed)
    every, allowed = outcomes(program), in_turns(program)
    expected = Verdict.HOLDS if every <= allowed else Verdict.VIOLATED
    seen: set[Outcome] = set()
    result = checked(program, allowed, seen)
    told = f"seed {seed}: {result.verdict.value}, but {expected.value}\n{source(program)}"
    if result.verdict is not expected:
        return f"{told}\n{result.reasons} {result.notes}"
    if not seen <= every:
        return f"{told}\nimpossible: {seen - every}"
    if expected is Verdict.HOLDS and seen != every:
        return f"{told}\nmissed: {every - seen}"
    return None


def main() -> int:
    """Compare programs from the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seed", type=int, default=0, help="the first seed")
    parser.add_argument("--count", type=int, default=200, help="how many programs")
    asked = parser.parse_args()
    wrong = 0
    for seed in range(asked.seed, asked.seed + asked.count):
        found = disagreement(seed)
        if found is not None:
            wrong += 1
            sys.stdout.write(f"{found}\n")
            sys.stdout.flush()
    sys.stdout.write(f"{asked.count} programs, {wrong} wrong\n")
    return int(wrong > 0)


if __name__ == "__main__":
    raise SystemExit(main())
