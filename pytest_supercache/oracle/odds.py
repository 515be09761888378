"""Writes the odds that simulated runs show, with their confidence and their condition."""

from math import sqrt

from pytest_supercache.core.odds import Latencies, Odds

_Z = 1.959963984540054  # 95 % of a normal distribution are within so many deviations
_LAYERS = ("existing_cache", "origin", "messages", "code")


def interval(failing: int, runs: int) -> tuple[float, float]:
    """Return the interval of the true share, with 95 % confidence.

    By Wilson (J. Am. Stat. Assoc. 22, 1927), which is right near 0 and 1 too. For 0 failing runs
    the upper end is 3/runs, the rule of three.
    """
    assert 0 <= failing <= runs, f"{failing} of {runs} runs"
    if not runs:
        return 0.0, 1.0
    if not failing:
        return 0.0, min(3 / runs, 1.0)
    share, square = failing / runs, _Z * _Z / runs
    middle = (share + square / 2) / (1 + square)
    half = _Z * sqrt(share * (1 - share) / runs + square / (4 * runs)) / (1 + square)
    return max(middle - half, 0.0), min(middle + half, 1.0)


LOOK_EVERY = 30
"""The number of runs between two looks at the interval: looking after each run biases it."""


def is_known(failing: int, runs: int) -> bool:
    """Say whether the true share is known within a factor of two; False between looks."""
    low, high = interval(failing, runs)
    return runs > 0 and runs % LOOK_EVERY == 0 and high <= 2 * low


def sentence(odds: Odds) -> str:
    """Return the sentence on the odds in simulated traffic."""
    return f"odds: {share(odds)}, {condition(odds)}"


def share(odds: Odds) -> str:
    """Return how many runs fail, and the bounds of the true share."""
    low, high = interval(odds.failing, odds.runs)
    runs = f"{odds.runs:,} simulated runs"
    if not odds.failing:
        return f"none of {runs} fails (< {_percent(high)})"
    fail = "fails" if odds.failing == 1 else "fail"
    found = _percent(odds.failing / odds.runs)
    return (
        f"{odds.failing:,} of {runs} {fail} ({found}; 95 % interval {_percent(low)} to "
        f"{_percent(high)})"
    )


def condition(odds: Odds) -> str:
    """Return the assumptions behind the odds."""
    struck = f", that this strikes: {'; '.join(odds.faults)}" if odds.faults else ""
    return (
        f"given that all users start within {odds.within * 1000:g} ms{struck}, and that latencies "
        f"are as assumed ({latencies_in_words(odds.latencies)})"
    )


def latencies_in_words(latencies: Latencies) -> str:
    """Write the median latencies; the settings show the worst cases."""
    parts = [
        f"{name.replace('_', ' ')} {getattr(latencies, name).median * 1000:g} ms"
        for name in _LAYERS
    ]
    return f"medians: {', '.join(parts)}"


def _percent(share: float) -> str:
    return f"{100 * share:.2g} %" if share < 0.995 else f"{100 * share:.3g} %"
