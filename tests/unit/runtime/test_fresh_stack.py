"""Loops map no memory for each of their calls, wherever their caller stands."""

import resource

import pytest

from pytest_supercache.runtime.process.fresh_stack import with_room

CALLS = 300


def called(*arguments):
    return arguments


def pages_mapped():
    """Return how many pages a loop of calls has touched for the first time."""
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    for _ in range(CALLS):
        called(1, 2, 3, 4, 5, 6, 7, 8)
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before


def below(depth, function):
    return below(depth - 1, function) if depth else function()


def worst(function):
    """Return the most pages, from as many depths as two chunks of frames have."""
    return max(below(depth, function) for depth in range(400))


def test_a_loop_with_room_maps_no_memory_however_deep_its_caller_stands():
    assert worst(with_room(pages_mapped)) < CALLS / 2


def test_without_room_there_is_a_depth_at_which_every_call_maps_some():
    assert worst(pages_mapped) >= CALLS


def test_a_function_with_room_returns_raises_and_is_named_as_ever():
    @with_room
    def divided(one: int, *, by: int) -> float:
        """Divide."""
        return one / by

    assert divided(6, by=3) == 2
    assert (divided.__name__, divided.__doc__) == ("divided", "Divide.")
    with pytest.raises(ZeroDivisionError):
        divided(1, by=0)
