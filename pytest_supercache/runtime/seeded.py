"""Randomness that repeats: `random` and `uuid` start from the same seed in every execution.

``os.urandom`` stays real on purpose. Code whose steps depend on it is found to be not
deterministic, and that is said, rather than hidden.
"""

import ctypes
import random
import sys
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from typing import Any


@dataclass(frozen=True, slots=True)
class Seeding:
    """How to start over, and which functions stand in for which: (real, stand-in) pairs."""

    start: Callable[[int], None]
    pairs: tuple[tuple[Any, Any], ...]


@contextmanager
def seeded() -> Iterator["Seeding"]:
    """Make ``random`` and ``uuid`` repeatable; put both back afterwards."""
    state = random.getstate()
    source = random.Random(0)
    begun: list[int] = []  # the seed, until ``source`` has begun with it
    real: dict[str, Any] = {name: getattr(uuid, name) for name in ("uuid1", "uuid4")}

    def bits() -> int:
        if begun:
            source.seed(begun.pop())
        return source.getrandbits(128)

    def uuid1(node: int | None = None, clock_seq: int | None = None) -> uuid.UUID:  # noqa: ARG001
        return uuid.UUID(int=bits(), version=1)

    def uuid4() -> uuid.UUID:
        return uuid.UUID(int=bits(), version=4)

    seed = _seed_unless_fresh()

    def start(number: int) -> None:
        seed(number)
        begun[:] = [number]

    uuid.uuid1, uuid.uuid4 = uuid1, uuid4
    try:
        yield Seeding(start, ((real["uuid1"], uuid1), (real["uuid4"], uuid4)))
    finally:
        uuid.uuid1, uuid.uuid4 = real["uuid1"], real["uuid4"]
        random.setstate(state)


def _seed_unless_fresh() -> Callable[[int], None]:
    """Return what seeds the generator of ``random``, unless nobody has drawn since it did so last.

    To seed it is to write its whole state anew (docs/decisions/0020).
    """
    glance = _glance()
    if glance is None:
        return random.seed
    fresh: tuple[int, list[Any]] | None = None  # the seed, and how the state looks after it

    def seed(number: int) -> None:
        nonlocal fresh
        if fresh != (number, glance()):
            random.seed(number)
            fresh = (number, glance())

    return seed


@cache
def _glance() -> Callable[[], list[Any]] | None:
    """Return what looks where the global generator is, and at the first words of its state.

    Every draw moves the one, and changes the others when all words have been used; what ``gauss``
    keeps for its next call is looked at, too. None: this Python keeps its state in another way.
    """
    if sys.implementation.name != "cpython":
        return None
    probe = random.Random(1)
    seen = _start_of(probe)
    for _ in range(2):
        state = probe.getstate()[1]
        if seen[:] != [state[-1], *state[:3]]:
            return None
        probe.random()
    generator: Any = random._inst  # noqa: SLF001 - it has no other name
    start = _start_of(generator)
    return lambda: [*start, generator.gauss_next]


def _start_of(generator: random.Random) -> Any:
    """Return the first numbers that CPython keeps in a generator, after what every object has."""
    return (ctypes.c_uint32 * 4).from_address(id(generator) + object.__basicsize__)
