"""Connection pools of django-redis: one in each process, so one on each node."""

import sys
from types import ModuleType

import django  # noqa: F401 - its table is applied when it is imported
import pytest

from pytest_supercache import adapters
from pytest_supercache.runtime.state import ModuleState

POOLS = "django_redis.pool:ConnectionFactory._pools"


@pytest.fixture
def pools(monkeypatch):
    """The pools of a process that has used one already; the package itself is not needed."""
    package, module = ModuleType("django_redis"), ModuleType("django_redis.pool")
    module.ConnectionFactory = type("ConnectionFactory", (), {"_pools": {"redis://a": 1}})
    monkeypatch.setitem(sys.modules, "django_redis", package)
    monkeypatch.setitem(sys.modules, "django_redis.pool", module)
    return module.ConnectionFactory._pools


def test_each_node_has_pools_of_its_own(pools):
    state = ModuleState((), adapters.state(sys.modules))
    state.reset()
    state.enter("a")
    pools["redis://b"] = 2
    state.enter("b")
    assert "redis://b" not in pools
    state.enter("a")
    assert "redis://b" in pools
    state.leave()
    assert pools == {"redis://a": 1}


def test_pools_of_a_package_that_is_imported_later_are_taken_apart_from_then_on(pools):
    state = ModuleState(())
    assert state.add_imported(adapters.state(sys.modules))
    assert not state.add_imported(adapters.state(sys.modules))


def test_without_the_package_there_is_nothing_to_take_apart():
    assert POOLS not in adapters.state(sys.modules)
