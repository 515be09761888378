"""Makes randomness repeat: `random`, `secrets` and `uuid` start from the same seed.

What one actor draws does not depend on how much others have drawn: each draws from a stream of its
own, as it would in a process of its own. Else two steps that have nothing in common would be told
apart by who drew first, and every order of them would have to be executed.

The numbers in the names of threads (`Thread-1`) begin anew in every execution, too.

``os.urandom`` stays real on purpose. Code whose steps depend on it is found to be not
deterministic, and that is said, rather than hidden.
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
    """How to start over, and which functions stand in for which: (real, stand-in) pairs."""

    start: Callable[[int], None]
    pairs: tuple[tuple[Any, Any], ...]


_GENERATOR: Any = random._inst  # noqa: SLF001 - it has no other name

_BYTES = "_urandom"
"""Where CPython's ``SystemRandom``, and with it ``secrets``, has its bytes from."""

_NUMBERS = "_counter"
"""Where CPython's ``threading`` has the numbers of threads without a name of their own."""


def _real() -> list[tuple[Any, str, Any]]:
    """Return the functions that are drawn with, where they are: module, name, function.

    Asked at every check, by what they are: a test may have put something else there meanwhile.
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
    """Make ``random``, ``secrets``, ``uuid`` and names of threads repeat; put all back afterwards.

    What somebody has put in the place of one of their functions stays there.
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
            patches.put(threading, _NUMBERS, numbers)  # comes back, whatever it counts to
        for module, name, _, stand_in in replaced:
            patches.put(module, name, stand_in)
        # `os.urandom`, where code itself has it, is real.
        pairs = [(real, own) for _, name, real, own in replaced if name != _BYTES]
        try:
            yield Seeding(start, tuple(pairs))
        finally:
            random.setstate(state)


class _Streams:
    """What each actor draws from; others draw where they always do.

    Numbers and tokens are streams of their own: to seed the one must not make the other alike.
    """

    def __init__(self) -> None:
        self._seed = 0
        self._streams: dict[tuple[str, str | None], random.Random] = {}

    def begin(self, seed: int) -> None:
        """Begin all of them anew."""
        self._seed = seed
        self._streams.clear()

    def of(self, kind: str, actor: str | None) -> random.Random:
        """Return a stream of an actor; None: of everybody else."""
        stream = self._streams.get((kind, actor))
        if stream is None:
            stream = random.Random(f"{self._seed} {kind} {actor}")
            self._streams[kind, actor] = stream
        return stream

    def stand_in(self, name: str, real: Callable[..., Any]) -> Callable[..., Any]:
        """Return what stands in for a function."""
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
            actor.writes += 1  # who throws dice again and again remembers more each time
            return getattr(self.of("numbers", actor.name), name)(*args, **options)

        return draw

    def _seeding(self, real: Callable[..., Any]) -> Callable[..., None]:
        """Without a number it is seeded by one that repeats."""

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
