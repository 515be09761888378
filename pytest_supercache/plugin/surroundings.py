"""Tells what hooks and fixtures do around an item, which a worker that searches it does not run.

They may prepare the code under test, or look afterwards at what its executions left in the process.
What pytest itself sets around an item, such as filters of warnings, a worker sets as well.
"""

import inspect
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import pytest

_AROUND = (
    "pytest_runtestloop", "pytest_runtest_protocol", "pytest_runtest_call", "pytest_pyfunc_call",
    "pytest_runtest_teardown", "pytest_fixture_post_finalizer", "pytest_runtest_makereport",
    "pytest_runtest_logfinish", "pytest_warning_recorded", "pytest_sessionfinish",
)  # fmt: skip
"""Hooks that may look at what an item left behind, and fail it."""

_BEFORE = ("pytest_runtest_logstart", "pytest_runtest_setup", "pytest_fixture_setup")
"""Hooks that can only prepare an item."""

_CHANGE_NOTHING = frozenset({
    "_pytest", "pytest_supercache", "xdist",
    "__channelexec__",  # what execnet calls the code of a worker of xdist
    "_hypothesis_pytestplugin", "allure_pytest", "anyio", "pytest_asyncio", "pytest_cov",
    "pytest_html", "pytest_metadata", "pytest_mock", "pytest_randomly", "pytest_rerunfailures",
    "pytest_split", "pytest_sugar", "pytest_timeout", "random_order",
})  # fmt: skip
"""Packages whose hooks change nothing that code under test can see; others are unknown.

Nor do their hooks and fixtures fail an item for what it left behind, except for
:func:`nothing_left_behind <pytest_supercache.checking.left_behind.nothing_left_behind>`.
"""

_DJANGO, _LIVE_SERVER = "pytest_django", "live_server"
"""A plugin whose fixtures take back what they have set, and the one of them that code talks to."""

_OF_TEARDOWNS = "_xunit_"
"""How the names of the fixtures begin that pytest makes of `teardown_method` and its like."""

_CURRENT = "PYTEST_CURRENT_TEST"

_AROUND_BY_PYTEST = (
    ("warnings", "pytest_runtest_protocol"),
    ("logging-plugin", "pytest_runtest_setup"),  # its handler raises what a log's format does
)
"""Plugins of pytest, each with its wrapper that code under test can see the effect of."""


def may_be_prepared(node: pytest.Item) -> bool:
    """Say whether a conftest or a plugin has hooks that may prepare or judge an item."""
    return any(_hooks(node, (*_BEFORE, *_AROUND)))


def later_judges(node: pytest.Item) -> dict[str, str]:
    """Return the hooks, and the fixtures that end later, that may look at what an item left behind.

    The first one of each top-level package stands under its name, in words that name its module.
    """
    known = _fixtures_of(node)
    if known is None:
        return {"": "a fixture: this version of pytest does not tell which there are"}
    found = dict[str, str]()
    for hook, function in _hooks(node, _AROUND):
        found.setdefault(_package(function), f"the hook {hook} of {function.__module__}")
    for name, each in known.items():
        for one in each:
            if _may_judge(name, one.func):
                told = f"the fixture {name} of {one.func.__module__}"
                found.setdefault(_package(one.func), told)
    return found


def is_runner_overridden(node: pytest.Item) -> bool:
    """Say whether the project overrides our runner fixture, and so may prepare an item."""
    known = _fixtures_of(node)
    return known is None or len(known.get("supercache_runner", ())) != 1


def _fixtures_of(node: pytest.Item) -> Mapping[str, Sequence[pytest.FixtureDef[Any]]] | None:
    """Return the fixtures of an item by name; None: this version of pytest keeps them elsewhere."""
    return getattr(getattr(node, "_fixtureinfo", None), "name2fixturedefs", None)


def _hooks(node: pytest.Item, names: Iterable[str]) -> Iterator[tuple[str, Any]]:
    """Yield such hooks, each with its function.

    The module of the function tells where its code is from: plugins may be objects.
    """
    for name in names:
        for hook in getattr(node.ihook, name).get_hookimpls():
            if not _changes_nothing(hook.function):
                yield name, hook.function


def _may_judge(name: str, fixture: Any) -> bool:
    """Say whether a fixture of the project has a second half."""
    if _changes_nothing(fixture) and not name.startswith(_OF_TEARDOWNS):
        return False
    if _package(fixture) == _DJANGO:
        return name == _LIVE_SERVER
    is_generator = inspect.isgeneratorfunction(fixture) or inspect.isasyncgenfunction(fixture)
    return is_generator or "request" in inspect.signature(fixture).parameters


def _changes_nothing(function: Any) -> bool:
    return _package(function) in _CHANGE_NOTHING


def _package(function: Any) -> str:
    return str(function.__module__).partition(".")[0]


def is_in_package_with_code(node: pytest.Item) -> bool:
    """Say whether a package around an item has code, such as `setup_module`, that runs first."""
    packages = (one for one in node.listchain() if isinstance(one, pytest.Package))
    return any(_has_code(one.path / "__init__.py") for one in packages)


def _has_code(path: Path) -> bool:
    try:
        return bool(path.read_bytes().strip())
    except OSError:
        return True


@contextmanager
def as_in_its_turn(node: pytest.Item) -> Iterator[None]:
    """Set in a worker what pytest sets around an item: filters of warnings, a handler of logs."""
    with ExitStack() as around:
        for plugin, hook in _AROUND_BY_PYTEST:
            wrapper = getattr(node.config.pluginmanager.get_plugin(plugin), hook, None)
            if wrapper is not None:
                around.enter_context(contextmanager(wrapper)(node))
        os.environ[_CURRENT] = f"{node.nodeid} (call)".replace("\x00", "(null)")
        try:
            yield
        finally:
            os.environ.pop(_CURRENT, None)
