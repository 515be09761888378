"""Selects the tests of a run: short ones, long ones too, or only interpreter-dependent ones."""

import gc
import os
from collections.abc import Generator, Iterable
from pathlib import Path
from typing import Any

import pytest
from _pytest.mark import ParameterSet

from tests.time_spent import TimeSpent, budget_of

TESTS = Path(__file__).parent

CHANGES_WITH_PYTHON = (
    "adapters", "compatibility", "conformance", "laws", "litmus", "regressions", "search",
    "soundness", "unit/layers", "unit/runtime", "unit/search",
)  # fmt: skip
"""Folders whose claims depend on the interpreter; single tests elsewhere have the mark `python`."""

ANY_PYTHON = (
    "adapters/test_adapter_asyncpg.py", "adapters/test_adapter_cachelib.py",
    "adapters/test_adapter_diskcache.py", "adapters/test_adapter_django.py",
    "adapters/test_adapter_django_redis.py", "adapters/test_adapter_dogpile.py",
    "adapters/test_adapter_mysqlclient.py", "adapters/test_adapter_postgres_deadlocks.py",
    "adapters/test_adapter_postgres_programs.py",
    "adapters/test_adapter_psycopg.py", "adapters/test_adapter_psycopg2.py",
    "adapters/test_adapter_psycopg_async.py", "adapters/test_adapter_pymemcache.py",
    "adapters/test_adapter_pymysql.py", "adapters/test_adapter_redis.py",
    "adapters/test_adapter_redis_cluster.py", "adapters/test_adapter_valkey.py",
    "conformance/test_existing_cache.py", "laws/test_dependence.py", "laws/test_orders.py",
    "laws/test_reuse_changes_nothing.py", "laws/test_tokens.py", "laws/test_waits.py",
    "litmus/test_adds_and_leases.py", "litmus/test_channels.py",
    "litmus/test_classes_of_databases.py", "litmus/test_classes_of_faults.py",
    "litmus/test_classes_of_rows.py", "litmus/test_classes_of_several_guarantees.py",
    "litmus/test_classes_of_stamps_and_locks.py", "litmus/test_classes_of_transactions.py",
    "litmus/test_classes_of_two_writers.py", "litmus/test_classes_told_apart.py",
    "litmus/test_classes_without_origin.py", "litmus/test_client_retries.py",
    "litmus/test_conflict_classes.py", "litmus/test_counts_and_workloads.py",
    "litmus/test_divided_checks.py",
    "litmus/test_exceptions_as_faults.py", "litmus/test_faults.py", "litmus/test_keys.py",
    "litmus/test_near_entries.py", "litmus/test_nearest_classes.py", "litmus/test_odds.py",
    "litmus/test_passing.py", "litmus/test_phases.py", "litmus/test_picture_values.py",
    "litmus/test_pipelines.py", "litmus/test_reference_systems.py", "litmus/test_runs.py",
    "litmus/test_stories.py", "litmus/test_unexpired.py", "litmus/test_waiting_commands.py",
    "litmus/test_watch.py", "search/test_bounded_counts.py", "search/test_conflict_classes.py",
    "search/test_divided_search.py", "search/test_few_preemptions.py",
    "search/test_hidden_state.py", "search/test_random_programs.py",
    "search/test_real_time_guarantees.py",
    "search/test_reference_counts.py", "search/test_same_outcomes.py",
    "search/test_the_reduction_is_checked.py", "search/test_two_layers.py",
    "soundness/test_assumed_pauses.py", "soundness/test_few_connections.py",
    "soundness/test_pipelines.py", "soundness/test_scripts_of_redis.py",
    "soundness/test_servers_that_are_down.py", "soundness/test_unknown_commands.py",
    "unit/layers/test_fake_connection.py", "unit/layers/test_push_parsers.py",
    "unit/layers/test_redis_commands.py", "unit/layers/test_reuse.py",
    "unit/search/test_all_schedules.py", "unit/search/test_counting.py",
    "unit/search/test_events.py", "unit/search/test_orders.py", "unit/search/test_serial.py",
)  # fmt: skip
"""Files in these folders about layers, servers, commands, faults, odds, counts and classes of
conflicts, or about models.

Their users call plain functions, one on each thread, or a client on a loop, as those of all other
files do.
"""

LONG = "SUPERCACHE_LONG_TESTS"
"""Set in the environment, for the processes of xdist, while the long forms are run."""


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the options of the repository's own tests."""
    group = parser.getgroup("pytest-supercache's own tests")
    group.addoption("--long", action="store_true", help="run the long tests, too")
    group.addoption(
        "--second-python", action="store_true", help="run only the interpreter-dependent tests"
    )


def pytest_configure(config: pytest.Config) -> None:
    """Measure complete runs."""
    if config.getoption("--long"):
        os.environ[LONG] = "1"
    elif not hasattr(config, "workerinput"):
        os.environ.pop(LONG, None)
    is_worker = hasattr(config, "workerinput")
    if config.args_source is pytest.Config.ArgsSource.TESTPATHS and not is_worker:
        is_long, is_second = config.getoption("--long"), config.getoption("--second-python")
        budget = None if is_long else budget_of("second" if is_second else "first")
        config.pluginmanager.register(TimeSpent(budget))


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Generator[None, object, object]:
    """Collect without the garbage collector: it finds nothing, and takes a quarter of the time."""
    gc.disable()
    try:
        return (yield)
    finally:
        gc.enable()


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Deselect what this run does not include; begin with the tests at the top.

    One of them, of the types, takes as long as hundreds of others: nobody shall wait for it.
    """
    items.sort(key=lambda item: item.path.parent != TESTS)
    wanted = [item for item in items if is_wanted(config, item)]
    if len(wanted) < len(items):
        config.hook.pytest_deselected(items=[item for item in items if not is_wanted(config, item)])
        items[:] = wanted


def is_wanted(config: pytest.Config, item: pytest.Item) -> bool:
    """Say whether this run includes a test."""
    if item.get_closest_marker("long") and not config.getoption("--long"):
        return False
    if not config.getoption("--second-python") or item.get_closest_marker("python"):
        return True
    if item.path in {TESTS / path for path in ANY_PYTHON}:
        return False
    return any((TESTS / folder) in item.path.parents for folder in CHANGES_WITH_PYTHON)


def either(short: int, long: int) -> int:
    """Return how many cases a test draws: ``long``, if the long forms are run."""
    return long if LONG in os.environ else short


def few(cases: Iterable[Any], count: int) -> list[Any]:
    """Return the cases of a parametrized test; those after the first ``count`` are long.

    Put first what tells most, each beside its twin: the others show the same claim once more.
    A case that is a tuple holds the values of several arguments.
    """
    return [case if number < count else _long(case) for number, case in enumerate(cases)]


def _long(case: Any) -> Any:
    if isinstance(case, ParameterSet):
        return case._replace(marks=[*case.marks, pytest.mark.long])
    return pytest.param(*(case if isinstance(case, tuple) else (case,)), marks=pytest.mark.long)
