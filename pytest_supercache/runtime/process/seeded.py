"""Makes randomness repeat: `random`, `secrets` and `uuid` start from the same seed.

The numbers that an actor draws do not depend on how many others have drawn: each has a stream of
its own, as in a process of its own. Otherwise the order of two independent steps would show in the
numbers, and every order of them would have to be executed.

The numbers in the names of threads (`Thread-1`) begin anew in every execution, too.

``os.urandom`` stays real on purpose: code whose steps depend on it is reported as not
deterministic, rather than hidden.
"""

import ctypes
import itertools
import random
import sys
import threading
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache, wraps
from types import BuiltinFunctionType
from typing import Any

from pytest_supercache.runtime.kernel.calling import current_actor
from pytest_supercache.runtime.kernel.patches import Patches


@dataclass(frozen=True, slots=True)
class Seeding:
    """The function that restarts all streams, and the (real, stand-in) pairs of functions."""

    start: Callable[[int], None]
    pairs: tuple[tuple[Any, Any], ...]


_GENERATOR: Any = random._inst  # noqa: SLF001 - it has no other name

_BYTES = "_urandom"
"""The function from which CPython's ``SystemRandom``, and so ``secrets``, gets its bytes."""

_NUMBERS = "_counter"
"""The function from which CPython's ``threading`` gets the numbers of unnamed threads."""


def _real() -> list[tuple[Any, str, Any]]:
    """Return the real functions that draw random numbers: module, name and function of each.

    Every check finds them again, by identity: a test may have monkeypatched them meanwhile.
    """
    found = [
        (random, name, function)
        for name, function in vars(random).items()
        if getattr(function, "__self__", None) is _GENERATOR
        or (name == _BYTES and type(function) is BuiltinFunctionType)
    ]
    found += [
        (uuid, name, function)
        for name, function in vars(uuid).items()
        if name in {"uuid1", "uuid4"} and getattr(function, "__module__", None) == "uuid"
    ]
    return found


@contextmanager
def seeded() -> Iterator["Seeding"]:
    """Make ``random``, ``secrets``, ``uuid`` and names of threads repeat; restore all afterwards.

    Functions that a test has monkeypatched stay as they are.
    """
    state, numbers = random.getstate(), vars(threading).get(_NUMBERS)
    streams = _Streams()
    seed = _seed_unless_fresh()
    replaced = [
        (module, name, real, streams.stand_in(name, real)) for module, name, real in _real()
    ]

    def start(number: int) -> None:
        seed(number)
        streams.begin(number)
        if numbers is not None:
            setattr(threading, _NUMBERS, itertools.count(1).__next__)

    with Patches() as patches:
        if numbers is not None:
            patches.put(threading, _NUMBERS, numbers)  # restored, whatever it counts to
        for module, name, _, stand_in in replaced:
            patches.put(module, name, stand_in)
        # `os.urandom`, where code itself refers to it, is real.
        pairs = [(real, own) for _, name, real, own in replaced if name != _BYTES]
        try:
            yield Seeding(start, tuple(pairs))
        finally:
            random.setstate(state)


class _Streams:
    """The random streams of each actor; other threads use the real functions, except for UUIDs.

    Numbers and tokens have separate streams: seeding the numbers must not repeat the tokens.
    """

    def __init__(self) -> None:
        self._seed = 0
        self._streams: dict[tuple[str, str | None], random.Random] = {}

    def begin(self, seed: int) -> None:
        """Restart all streams from a seed."""
        self._seed = seed
        self._streams.clear()

    def of(self, kind: str, actor: str | None) -> random.Random:
        """Return a stream of ``actor``; None: the one for all threads that are no actors."""
        stream = self._streams.get((kind, actor))
        if stream is None:
            stream = random.Random(f"{self._seed} {kind} {actor}")
            self._streams[kind, actor] = stream
        return stream

    def stand_in(self, name: str, real: Callable[..., Any]) -> Callable[..., Any]:
        """Return the stand-in for the function ``name``."""
        if name == _BYTES:
            return self._bytes(real)
        if name == "seed":
            return self._seeding(real)
        if name in {"uuid1", "uuid4"}:
            return self._uuid(int(name[-1]), real)
        return self._drawing(real)

    def _drawing(self, real: Callable[..., Any]) -> Callable[..., Any]:
        name = real.__name__

        @wraps(real)
        def draw(*args: Any, **options: Any) -> Any:
            actor = current_actor()
            if actor is None:
                return real(*args, **options)
            actor.writes += 1  # a loop that draws numbers is in a new state each time
            return getattr(self.of("numbers", actor.name), name)(*args, **options)

        return draw

    def _seeding(self, real: Callable[..., Any]) -> Callable[..., None]:
        """Return a stand-in for ``random.seed``, whose default seed repeats."""

        @wraps(real)
        def seed(a: Any = None, version: int = 2) -> None:
            actor = current_actor()
            if actor is None:
                real(a, version)
                return
            if a is None:
                a = self.of("seeds", actor.name).getrandbits(64)
            self.of("numbers", actor.name).seed(a, version)

        return seed

    def _bytes(self, real: Callable[[int], bytes]) -> Callable[[int], bytes]:
        def draw(number: int) -> bytes:
            actor = current_actor()
            return (
                real(number) if actor is None else self.of("tokens", actor.name).randbytes(number)
            )

        return draw

    def _uuid(self, version: int, real: Callable[..., Any]) -> Callable[..., uuid.UUID]:
        @wraps(real)
        def make(*_args: Any, **_options: Any) -> uuid.UUID:
            actor = current_actor()
            stream = self.of("tokens", None if actor is None else actor.name)
            return uuid.UUID(int=stream.getrandbits(128), version=version)

        return make


def _seed_unless_fresh() -> Callable[[int], None]:
    """Return a function that seeds ``random``, unless nothing was drawn since it last did so.

    Seeding is expensive: it writes the whole state anew (docs/decisions/0020).
    """
    glance = _glance()
    if glance is None:
        return random.seed
    fresh: tuple[int, list[Any]] | None = None  # the seed, and the glance after it

    def seed(number: int) -> None:
        nonlocal fresh
        if fresh != (number, glance()):
            random.seed(number)
            fresh = (number, glance())

    return seed


@cache
def _glance() -> Callable[[], list[Any]] | None:
    """Return a function that reads the global generator's position and first words of state.

    Every draw moves the position, and changes the words when all have been used; the value that
    ``gauss`` keeps for its next call is read, too. None: this Python has another state layout.
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
    """Return a view of the first numbers in CPython's generator object, after the object header."""
    return (ctypes.c_uint32 * 4).from_address(id(generator) + object.__basicsize__)
