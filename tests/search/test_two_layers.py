"""Readers and writers of two layers over an origin: how many interleavings there are."""

import pytest

from pytest_supercache.core.verdict import End
from pytest_supercache.search.dpor import Exhaustive
from tests.random_programs import Move, Run, reading, writing


def _put(key, value):
    return lambda state, *_: state.update({key: value})


def _reader(number, key):
    """Look near, look far, load, fill far, fill near; a hit ends the way sooner."""
    near, far, origin = f"near{number}.{key}", f"far{key}", f"origin{key}"

    def look_near(state, local, _step):
        local["ended"] = state.get(near) is not None

    def look_far(state, local, _step):
        local["value"] = state.get(far)
        local["skip"] = 2 * (local["value"] is not None)

    return [
        Move("look near", reading(near), look_near),
        Move("look far", reading(far), look_far),
        Move("load", reading(origin), lambda s, local, _: local.update(value=s.get(origin, 0))),
        Move("fill far", writing(far), lambda s, local, _: s.update({far: local["value"]})),
        Move("fill near", writing(near), lambda s, local, _: s.update({near: local["value"]})),
    ]


def _writer(number, key, readers):
    """Commit, delete, publish: one message to each reader, whose delivery it makes possible."""
    channels = [f"channel{number}.{r}" for r in range(readers)]
    return [
        Move("commit", writing(f"origin{key}"), _put(f"origin{key}", number + 1)),
        Move("delete far", writing(f"far{key}"), _put(f"far{key}", None)),
        Move("publish", writing(*channels), spawns=[f"D{number}.{r}" for r in range(readers)]),
    ]


def two_layers(readers, writers, keys=1):
    programs = {f"R{r}": _reader(r, r % keys) for r in range(readers)}
    for w in range(writers):
        programs[f"W{w}"] = _writer(w, w % keys, readers)
        for r in range(readers):
            touched = writing(f"channel{w}.{r}", f"near{r}.{w % keys}")
            programs[f"D{w}.{r}"] = [Move("deliver", touched, _put(f"near{r}.{w % keys}", None))]
    return programs


def counted(programs):
    """Return how many interleavings there are."""
    search, runs = Exhaustive(), []

    def attempt(scheduler):
        runs.append(None)
        return Run(programs).play(scheduler).execution()

    assert search.explore(attempt) is End.EXHAUSTED
    assert search.blocked == 0
    return len(runs)


@pytest.mark.parametrize(
    ("readers", "writers", "keys", "interleavings"),
    [
        (1, 1, 1, 11),
        (2, 1, 1, 244),
        (1, 2, 1, 360),
        (2, 2, 2, 121),
        pytest.param(3, 1, 1, 7_515, marks=pytest.mark.long),
        pytest.param(2, 2, 1, 51_168, marks=pytest.mark.long),
    ],
)
def test_readers_and_writers_of_two_layers(readers, writers, keys, interleavings):
    assert counted(two_layers(readers, writers, keys)) == interleavings
