"""What an execution holds goes with it: descriptors would run out before a collection comes."""

import gc
from pathlib import Path

import pytest

from pytest_supercache import Verdict, check
from pytest_supercache.runtime.kernel.actor import Actor

pytestmark = pytest.mark.python


@pytest.fixture
def _no_collection():
    gc.collect()
    gc.disable()
    yield
    gc.enable()


def actors():
    return sum(issubclass(type(thing), Actor) for thing in gc.get_objects())


def descriptors():
    return len(list(Path("/proc/self/fd").iterdir()))


@pytest.mark.usefixtures("_no_collection")
@pytest.mark.parametrize("raises", [True, False])
def test_failing_executions_leave_no_actors_and_no_descriptors(raises):
    def body(world):
        def flow():
            world.step("one", reads=())
            if raises:
                raise ValueError("no")

        for name in ("alice", "bob", "carol"):
            world.actor(name, flow)
        world.run()
        assert raises

    actors_before, before = actors(), descriptors()  # other tests may hold results of theirs
    result = check(body, search="all-schedules", stop_at_first=False)
    assert result.verdict is Verdict.VIOLATED
    assert result.executions == 6
    assert actors() - actors_before <= 8  # of the execution that the result holds
    assert descriptors() - before < 30
