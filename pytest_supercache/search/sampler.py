"""Makes the searches that draw schedules at random, by name."""

from pytest_supercache.search.pct import Pct
from pytest_supercache.search.random_walk import RandomWalk
from pytest_supercache.search.uniform import Uniform

Sampler = Pct | RandomWalk | Uniform


def sampler(name: str, seed: int, first: tuple[str, ...]) -> Sampler:
    """Return the sampler with a name.

    Args:
        name: ``random``, ``uniform`` or ``pct``; ``auto`` falls back to ``pct``.
        seed: the same seed tries the same schedules.
        first: the choices of a run that is already known.
    """
    if name == "random":
        return RandomWalk(seed)
    return Uniform(seed, first) if name == "uniform" else Pct(seed, first)
