"""Fixtures for ordinary tests: the same layers, without a scheduler."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

from pytest_supercache.plugin.session import Session

if TYPE_CHECKING:
    from pytest_supercache.layers.clock import VirtualClock
    from pytest_supercache.layers.existing_cache import ExistingCache
    from pytest_supercache.layers.origin import Origin
    from pytest_supercache.layers.stack import NodeLayers, Stack
    from pytest_supercache.layers.super_cache import SuperCache
    from pytest_supercache.plugin.item_runner import ItemRunner

LAYER_FIXTURES = ("existing_cache", "super_cache", "origin", "cache_layers", "virtual_clock")


@pytest.fixture(scope="session")
def supercache_runner(request: pytest.FixtureRequest) -> "ItemRunner":
    """What scenario items and ``@explore`` tests run on."""
    from pytest_supercache.plugin.item_runner import ItemRunner

    return ItemRunner(Session.of(request.config))


@pytest.fixture
def supercache_stack(request: pytest.FixtureRequest) -> Iterator["Stack"]:
    """The layers of all nodes, empty, without a scheduler."""
    from pytest_supercache.layers.stack import Stack
    from pytest_supercache.runtime.kernel.active import ActiveSwitch

    stack = Stack(Session.of(request.config).server, ActiveSwitch())
    stack.reset({}, lambda: (0, None))
    yield stack
    stack.close()


@pytest.fixture
def cache_layers(supercache_stack: "Stack") -> "NodeLayers":
    """All layers as node ``a`` sees them, empty: what a system's factory is given."""
    return supercache_stack.node("a")


@pytest.fixture
def existing_cache(cache_layers: "NodeLayers") -> "ExistingCache":
    """The existing cache, empty: ``client()`` makes a ``redis.Redis``."""
    return cache_layers.existing_cache


@pytest.fixture
def super_cache(cache_layers: "NodeLayers") -> "SuperCache":
    """The reference super cache of node ``a``, empty."""
    return cache_layers.super_cache


@pytest.fixture
def origin(cache_layers: "NodeLayers") -> "Origin":
    """The source of truth, empty."""
    return cache_layers.origin


@pytest.fixture
def virtual_clock(supercache_stack: "Stack") -> Iterator["VirtualClock"]:
    """The clock of the layers; while a test uses it, time stands still but for ``advance``."""
    from pytest_supercache.runtime.process.virtual_time import frozen

    with frozen(supercache_stack.clock):
        yield supercache_stack.clock
