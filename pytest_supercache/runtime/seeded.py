"""Randomness that repeats: `random`, `secrets`, `uuid` start from the same seed everywhere.

What one actor draws does not depend on how much others have drawn: each draws from a stream of its
own, as it would in a process of its own. Else two steps that have nothing in common would be told
apart by who drew first, and every order of them would have to be executed.

``os.urandom`` stays real on purpose. Code whose steps depend on it is found to be not
deterministic, and that is said, rather than hidden.
"""

import ctypes
import os
import random
import sys
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache, wraps
from typing import Any

from pytest_supercache.runtime.calling import current_actor


@dataclass(frozen=True, slots=True)
class Seeding:
    """How to start over, and which functions stand in for which: (real, stand-in) pairs."""

    start: Callable[[int], None]
    pairs: tuple[tuple[Any, Any], ...]


@contextmanager
def seeded() -> Iterator["Seeding"]:
    """Make ``random`` and ``uuid`` repeatable; put both back afterwards."""
    state = random.getstate()
    streams = _Streams()
    seed = _seed_unless_fresh()
    real = {
        (random, name): function
        for name, function in vars(random).items()
        if getattr(function, "__self__", None) is _GENERATOR
    }
    pairs = [(function, streams.drawing(function)) for function in real.values()]
    if hasattr(random, _BYTES):
        function = real[random, _BYTES] = getattr(random, _BYTES)
        pairs.append((function, streams.bytes_of(function)))
    for version, name in ((1, "uuid1"), (4, "uuid4")):
        function = real[uuid, name] = getattr(uuid, name)
        pairs.append((function, streams.making(version, function)))

    def start(number: int) -> None:
        seed(number)
        streams.begin(number)

    for (module, name), (_, stand_in) in zip(real, pairs, strict=True):
        setattr(module, name, stand_in)
    try:
        # `os.urandom`, where code itself has it, is real.
        yield Seeding(start, tuple(pair for pair in pairs if pair[0] is not os.urandom))
    finally:
        for (module, name), function in real.items():
            setattr(module, name, function)
        random.setstate(state)


_GENERATOR: Any = random._inst  # noqa: SLF001 - it has no other name

_BYTES = "_urandom"
"""Where CPython's ``SystemRandom``, and with it ``secrets``, has its bytes from."""


class _Streams:
    """What each actor draws from; others draw where they always do."""

    def __init__(self) -> None:
        self._seed = 0
        self._streams: dict[str | None, random.Random] = {}

    def begin(self, seed: int) -> None:
        """Begin all of them anew."""
        self._seed = seed
        self._streams.clear()

    def of(self, name: str | None) -> random.Random:
        """Return the stream of an actor; None: of everybody else."""
        stream = self._streams.get(name)
        if stream is None:
            stream = self._streams[name] = random.Random(f"{self._seed} {name}")
        return stream

    def drawing(self, function: Callable[..., Any]) -> Callable[..., Any]:
        """Return what stands in for a function of ``random``."""
        name = function.__name__

        @wraps(function)
        def draw(*args: Any, **options: Any) -> Any:
            actor = current_actor()
            own = function if actor is None else getattr(self.of(actor.name), name)
            return own(*args, **options)

        return draw

    def bytes_of(self, function: Callable[[int], bytes]) -> Callable[[int], bytes]:
        """Return what stands in for ``os.urandom`` behind ``secrets``."""

        def draw(number: int) -> bytes:
            actor = current_actor()
            return function(number) if actor is None else self.of(actor.name).randbytes(number)

        return draw

    def making(self, version: int, function: Callable[..., Any]) -> Callable[..., uuid.UUID]:
        """Return what stands in for a function of ``uuid`` that makes one of this version."""

        @wraps(function)
        def make(*_args: Any, **_options: Any) -> uuid.UUID:
            actor = current_actor()
            stream = self.of(None if actor is None else actor.name)
            return uuid.UUID(int=stream.getrandbits(128), version=version)

        return make


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
    start = _start_of(_GENERATOR)
    return lambda: [*start, _GENERATOR.gauss_next]


def _start_of(generator: random.Random) -> Any:
    """Return the first numbers that CPython keeps in a generator, after what every object has."""
    return (ctypes.c_uint32 * 4).from_address(id(generator) + object.__basicsize__)
