"""The pytest plugin: hooks only, which import their code when they need it.

``pytest -p supercache`` loads it; pytest loads an installed one by itself. Loading it must cost an
unrelated project nothing. Only this package imports pytest.
"""

import sys
from collections.abc import Generator
from functools import partial
from pathlib import Path
from types import FunctionType, ModuleType

import pytest

from pytest_supercache.declare.registry import REGISTRY, note_loaded
from pytest_supercache.plugin.connection_failures import CONNECTION_FAILURES, begin
from pytest_supercache.plugin.exit_status import GATE, IS_HELD, ExitStatus, held, held_while_loading
from pytest_supercache.plugin.fixtures import (
    cache_layers,
    existing_cache,
    origin,
    super_cache,
    supercache_runner,
    supercache_stack,
    virtual_clock,
)
from pytest_supercache.plugin.left_by_tests import LeftByTests
from pytest_supercache.plugin.marking import Presence, announce, mark_if_asked
from pytest_supercache.plugin.options import add_options
from pytest_supercache.plugin.prefetch import Prefetch
from pytest_supercache.plugin.recorded import FLOW
from pytest_supercache.plugin.run_hooks import RunHooks
from pytest_supercache.plugin.session import SESSION, Session
from pytest_supercache.runtime.process.interrupt import repeat_dropped_ctrl_c
from pytest_supercache.scenario.names import is_scenario_file, without_a_file

__all__ = [
    "cache_layers",
    "existing_cache",
    "origin",
    "super_cache",
    "supercache_runner",
    "supercache_stack",
    "virtual_clock",
]


_NAME = "supercache"  # of the entry point, with which pytest loads it


def pytest_addoption(parser: pytest.Parser, pluginmanager: pytest.PytestPluginManager) -> None:
    """Add the options, each also an ini name; block a second name of this plugin."""
    add_options(parser)
    plugin = sys.modules[__name__]
    for name in {_NAME, __name__} - {pluginmanager.get_name(plugin)}:
        pluginmanager.set_blocked(name)
    pluginmanager.register(Presence(plugin))
    config = pluginmanager.get_plugin("pytestconfig")
    if isinstance(config, pytest.Config):
        announce(config)
        begin(config)
        config.add_cleanup(repeat_dropped_ctrl_c())


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_load_initial_conftests(early_config: pytest.Config) -> Generator[None, object, object]:
    """Mark the last verdict before conftest files load; restore the registry at the end."""
    early_config.add_cleanup(partial(REGISTRY.come_back_to, REGISTRY.copy()))
    loaded = yield from held_while_loading(is_gate_run=mark_if_asked(early_config))
    early_config.pluginmanager.register(ExitStatus())
    early_config.stash[IS_HELD] = True
    return loaded


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_cmdline_main(config: pytest.Config) -> Generator[None, object, object]:
    """Guard the exit status also if a conftest file has loaded the plugin."""
    is_outermost = not config.stash.get(IS_HELD, False)
    return (yield from held(config, is_outermost=is_outermost))


def pytest_configure(config: pytest.Config) -> None:
    """Register the plugins of the run: findings, verdicts, servers.

    None of them has a name by which ``-p no:NAME`` could disable it.
    """
    session = Session(config)
    config.stash[SESSION], config.stash[GATE] = session, session.gate
    hooks = (RunHooks(session), session.gate, session.allure, Prefetch(session), LeftByTests())
    sharding = () if session.gate.sharding is None else (session.gate.sharding,)
    cluster = () if session.cluster is None else (session.cluster,)
    for part in (*hooks, *sharding, *cluster, config.stash[CONNECTION_FAILURES]):
        config.pluginmanager.register(part)


def pytest_pycollect_makeitem(collector: pytest.Collector, obj: object) -> None:
    """Register the project's fixtures that a reproducer imports."""
    if type(obj) is FunctionType and FLOW in vars(obj):  # proxies are left alone
        from pytest_supercache.plugin.reproducing import introduce

        introduce(collector.config, obj)


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """Ignore all but scenario files if a run only describes these for the `supercache` command."""
    if config.getoption("supercache_describe") is None or collection_path.is_dir():
        return None
    return None if is_scenario_file(collection_path.name) else True


def pytest_collect_file(file_path: Path, parent: pytest.Collector) -> pytest.Collector | None:
    """Collect scenario files."""
    if not is_scenario_file(file_path.name):
        return None
    from pytest_supercache.plugin.collection import ScenarioFile

    collected: pytest.Collector = ScenarioFile.from_parent(parent, path=file_path)
    return collected


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report(
    collector: pytest.Collector,
) -> Generator[None, pytest.CollectReport, pytest.CollectReport]:
    """Collect a link or folder named like a scenario file, which pytest passes over."""
    report = yield
    if isinstance(collector, pytest.Directory) and report.passed:
        lost = without_a_file(collector.path)
        if lost:
            from pytest_supercache.plugin.collection import broken_files

            report.result += broken_files(collector, lost)
    return report


def pytest_plugin_registered(plugin: object) -> None:
    """Remember every conftest, because those of all folders share one module name."""
    if isinstance(plugin, ModuleType) and plugin.__name__.rpartition(".")[2] == "conftest":
        from pytest_supercache.runtime.kernel.under_test import remember_conftest

        remember_conftest(plugin)
        note_loaded(plugin)


def pytest_unconfigure(config: pytest.Config) -> None:
    """Forget the conftests of this run: another run in this process has its own."""
    from pytest_supercache.runtime.kernel.under_test import forget_conftests

    forget_conftests(config.pluginmanager.get_plugins())
