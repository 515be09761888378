"""What several rooms' tests share."""

import sys
from types import ModuleType

import freezegun
import pytest
from hypothesis import HealthCheck, settings

from tests.left_behind import let_end, traces
from tests.seen_modules import SeenModules

# Our own properties draw the same in every run and are not timed: what fails, fails everywhere.
# Fresh draws: `pytest --hypothesis-profile=default`.
settings.register_profile(
    "repeatable",
    derandomize=True,
    database=None,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
)
settings.load_profile("repeatable")


# Keep pytest's own timer real while a test freezes time; otherwise durations are nonsense.
freezegun.configure(extend_ignore_list=["_pytest.timing"])


def pytest_configure(config):
    config.pluginmanager.register(SeenModules())


@pytest.fixture
def module():
    """A module of code under test, imported as far as anybody can tell."""
    made = ModuleType("shop_under_test")
    sys.modules[made.__name__] = made
    yield made
    del sys.modules[made.__name__]


@pytest.fixture(scope="session", autouse=True)
def _nothing_is_left_behind():
    """After all tests there is no thread, process, socket, patch or frozen clock too many."""
    before = traces()
    yield
    let_end(before["threads"])
    after = traces()
    left = {what: (was, after[what]) for what, was in before.items() if after[what] != was}
    assert not left
