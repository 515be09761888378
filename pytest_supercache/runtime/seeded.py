"""Randomness that repeats: `random` and `uuid` start from the same seed in every execution.

``os.urandom`` stays real on purpose. Code whose steps depend on it is found to be not
deterministic, and that is said, rather than hidden.
"""

import random
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
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

    known: dict[int, Any] = {}  # what ``random`` is after a seed: half the price of seeding it

    def seed(number: int) -> None:
        if number in known:
            random.setstate(known[number])
        else:
            random.seed(number)
            known[number] = random.getstate()
        begun[:] = [number]

    uuid.uuid1, uuid.uuid4 = uuid1, uuid4
    try:
        yield Seeding(seed, ((real["uuid1"], uuid1), (real["uuid4"], uuid4)))
    finally:
        uuid.uuid1, uuid.uuid4 = real["uuid1"], real["uuid4"]
        random.setstate(state)
