"""What is relied on of Hypothesis, pytest, freezegun, bytecode, anyio, aiosqlite and others.

What is not promised is imported by the check that is about it, so that no other check fails for it.
"""

import asyncio
import datetime
import inspect
import json
import subprocess
import sys
import threading
import time
from contextvars import ContextVar
from importlib.util import find_spec
from types import SimpleNamespace

import aiosqlite
import anyio
import async_lru
import asyncpg
import bytecode
import freezegun
import freezegun.api
import hypothesis
import psycopg
import psycopg2.extensions
import pymysql
import pytest
import xdist
import xdist.newhooks
import xdist.workermanage
from anyio.streams import memory
from asgiref.local import Local
from django.core.cache import caches
from django.core.cache.backends import locmem
from django.db import DJANGO_VERSION_PICKLE_KEY, connections
from django.db.models import Model, QuerySet
from django.db.models.options import Options
from django.utils.functional import SimpleLazyObject
from hypothesis import strategies as st
from pymysql.connections import MySQLResult
from werkzeug.local import LocalProxy

from pytest_supercache.declare.adapters import aiocache, diskcache, django
from pytest_supercache.declare.adapters import async_lru as async_lru_table
from pytest_supercache.plugin.surroundings import (
    _AROUND_BY_PYTEST,
    _CHANGE_NOTHING,
    is_runner_overridden,
)
from pytest_supercache.runtime.kernel.under_test import dict_of
from pytest_supercache.runtime.memory import proxies
from pytest_supercache.runtime.memory.cached_properties import cached_of
from pytest_supercache.runtime.memory.effects import is_of_cython
from pytest_supercache.runtime.memory.foreign import OF_TEMPLATES
from pytest_supercache.runtime.observe.targets import find_target
from pytest_supercache.runtime.process.library_doors import BEFOREHAND, DOORS
from pytest_supercache.runtime.process.virtual_time import frozen_pairs
from tests.compatibility.rows import Checks

CHECKS = Checks()


@CHECKS.of("hypothesis._settings.local_settings")
def _settings_can_be_those_of_one_search():
    from hypothesis._settings import local_settings

    profile = hypothesis.settings(hypothesis.settings.default, max_examples=7)
    with local_settings(profile):
        assert hypothesis.settings.default.max_examples == 7


@CHECKS.of("hypothesis.control._current_build_context, is_final, data.target_observations")
def _the_example_that_is_tried_can_be_given_to_other_threads():
    from hypothesis.control import _current_build_context

    seen = []

    @hypothesis.settings(max_examples=1, database=None, deadline=None)
    @hypothesis.given(st.just(1))
    def test(_number):
        example = _current_build_context.value
        seen.append((example.is_final, example.data.target_observations))
        with _current_build_context.with_value(example):
            hypothesis.target(1.0, label="told")
        seen.append(dict(example.data.target_observations))

    test()
    assert seen[:2] == [(False, {"told": 1.0}), {"told": 1.0}], "what an example told is kept there"
    assert _current_build_context.value is None, "outside of examples there is none"


@CHECKS.of("_hypothesis_internal_use_settings, _hypothesis_internal_use_reproduce_failure")
def _a_test_with_given_keeps_its_settings():
    @hypothesis.settings(max_examples=3, deadline=None)
    @hypothesis.given(st.just(1))
    def test(_number):
        pass

    assert test._hypothesis_internal_use_settings.max_examples == 3

    @hypothesis.reproduce_failure(hypothesis.__version__, b"AA")
    def explored():
        pass

    assert "_hypothesis_internal_use_reproduce_failure" in vars(explored)


@CHECKS.of("hypothesis.statistics.collector, describe_statistics")
def _statistics_of_a_search_can_be_heard():
    from hypothesis.statistics import collector, describe_statistics

    heard = []
    with collector.with_value(heard.append):
        hypothesis.find(
            st.data(), lambda _data: True,
            settings=hypothesis.settings(max_examples=5, database=None),
        )  # fmt: skip
    assert heard, "the collector is told"
    heard[0]["nodeid"] = "an item"
    assert describe_statistics(heard[0]).startswith("an item"), "statistics are told as text"


@CHECKS.of("hypothesis.core.encode_failure, hypothesis.database.choices_to_bytes")
def _a_failure_is_written_as_the_numbers_that_were_drawn():
    from hypothesis.core import encode_failure
    from hypothesis.database import choices_to_bytes

    @hypothesis.settings(database=None, deadline=None)
    @hypothesis.reproduce_failure(hypothesis.__version__, encode_failure([2]))
    @hypothesis.given(st.integers(0, 3))
    def test(number):
        assert number != 2, "the drawn one"

    with pytest.raises(AssertionError, match="the drawn one"):
        test()
    assert isinstance(choices_to_bytes([2]), bytes)


@CHECKS.of("pytest.Module._getobj")
def _a_module_of_items_asks_for_its_object():
    found = inspect.getattr_static(pytest.Module, "obj")
    assert "_getobj" in found.fget.__code__.co_names, "what fixtures take for the module"


@CHECKS.of("item._fixtureinfo.name2fixturedefs")
def _an_item_knows_the_fixtures_of_each_name(request):
    known = request.node._fixtureinfo.name2fixturedefs
    assert len(known["request_of_the_check"]) == 1, "each name leads to those that have it"
    assert is_runner_overridden(request.node), "a fixture that is not there is not the only one"


@CHECKS.of("plugins capturemanager, terminalreporter")
def _plugins_of_pytest_have_their_names(request):
    plugins = request.config.pluginmanager
    capture = plugins.getplugin("capturemanager")
    for name in ("suspend", "resume", "global_and_fixture_disabled"):
        assert callable(getattr(capture, name)), f"capturemanager.{name}"
    assert "in_" in inspect.signature(capture.suspend).parameters
    reporter = plugins.getplugin("terminalreporter")
    assert reporter is None or hasattr(reporter, "isatty"), "a worker has none"


@CHECKS.of("plugins warnings, logging-plugin")
def _wrappers_of_pytest_set_what_is_around_an_item(request):
    for plugin, hook in _AROUND_BY_PYTEST:
        wrapper = getattr(request.config.pluginmanager.get_plugin(plugin), hook, None)
        assert inspect.isgeneratorfunction(wrapper), f"{hook} of {plugin} is a wrapper"
        assert "item" in inspect.signature(wrapper).parameters


@CHECKS.of("pytest.Config.fromdictargs, pytest_configure_node(node) with node.workerinput")
def _pytest_begins_with_options_as_a_worker_of_xdist_does(pytestconfig):
    assert list(inspect.signature(pytest.Config.fromdictargs).parameters) == ["option_dict", "args"]
    assert "node" in inspect.signature(xdist.newhooks.pytest_configure_node).parameters
    source = inspect.getsource(xdist.workermanage.WorkerController)
    assert "workerinput" in source
    assert "pytest_configure_node(node=self)" in source


@CHECKS.of(
    "Dask: Client.run(on_error=), scheduler_info(n_workers=), processing(), ClientExecutor._client"
)
def _a_client_of_dask_tells_of_all_workers():
    """In a process of its own: importing it changes how exceptions are pickled."""
    code = """
from inspect import getsource, signature
from distributed import Client
from distributed.cfexecutor import ClientExecutor

assert "on_error" in signature(Client.run).parameters
assert "n_workers" in signature(Client.scheduler_info).parameters
assert {"workers", "priority"} <= signature(Client.submit).parameters.keys()
assert callable(Client.processing)
assert "self._client" in getsource(ClientExecutor.__init__)
"""
    subprocess.run([sys.executable, "-c", code], check=True)


@CHECKS.of("packages _pytest, xdist, _hypothesis_pytestplugin and others")
def _hooks_that_change_nothing_are_known_by_their_packages(request):
    plugins = {type(plugin) for plugin in request.config.pluginmanager.get_plugins()}
    packages = {str(kind.__module__).partition(".")[0] for kind in plugins}
    assert "_pytest" in packages, "pytest's own plugins are in this package"
    assert inspect.getmodule(pytest.Session).__name__.startswith("_pytest.")
    hypothesis_plugin = request.config.pluginmanager.getplugin("hypothesispytest")
    assert hypothesis_plugin.__name__.startswith("_hypothesis_pytestplugin")
    assert {"_pytest", "xdist", "_hypothesis_pytestplugin"} <= _CHANGE_NOTHING


@CHECKS.of("pytest: _pytest.logging.LogCaptureFixture, _pytest.recwarn.WarningsRecorder")
def _fixtures_keep_what_they_have_recorded(request):
    caplog, recwarn = map(request.getfixturevalue, ("caplog", "recwarn"))
    assert (type(caplog).__module__, type(caplog).__name__) == (
        "_pytest.logging", "LogCaptureFixture",
    )  # fmt: skip
    assert (type(recwarn).__module__, type(recwarn).__name__) == (
        "_pytest.recwarn", "WarningsRecorder",
    )  # fmt: skip
    assert {"messages", "record_tuples", "records", "text"} <= set(dir(caplog))
    assert {"list", "pop"} <= set(dir(recwarn))


@CHECKS.of("config.workerinput, node.workeroutput, hooks of xdist")
def _a_worker_of_xdist_is_known_by_its_config(request):
    is_worker = hasattr(request.config, "workerinput")
    assert is_worker is xdist.is_xdist_worker(request), "only a worker's config has this"
    assert is_worker is hasattr(request.config, "workeroutput"), "and what it answers"
    for name in ("pytest_xdist_node_collection_finished", "pytest_testnodedown"):
        assert hasattr(xdist.newhooks, name), f"the hook {name}"
    finished = xdist.newhooks.pytest_xdist_node_collection_finished
    assert "ids" in inspect.signature(finished).parameters


@CHECKS.of("freezegun.api: real_..., fake_..., FakeDatetime, FakeDate")
def _each_clock_has_a_real_and_a_frozen_one():
    pairs = frozen_pairs()
    assert len(pairs) == 11
    with freezegun.freeze_time("2030-01-01"):
        assert vars(time)["time"] is freezegun.api.fake_time, "it stands in the module"
        assert datetime.datetime is freezegun.api.FakeDatetime
        assert datetime.date is freezegun.api.FakeDate
    assert vars(time)["time"] is freezegun.api.real_time


@CHECKS.of("freezegun.api: freeze_factories, ignore_lists, tick_flags, tz_offsets")
def _what_is_frozen_is_in_four_stacks():
    api = freezegun.api
    stacks = [api.freeze_factories, api.ignore_lists, api.tick_flags, api.tz_offsets]
    before = list(map(len, stacks))
    freezer = freezegun.freeze_time("2030-01-01")
    factory = freezer.start()
    try:
        assert list(map(len, stacks)) == [depth + 1 for depth in before], "each has one more"
        assert api.freeze_factories[-1] is factory, "the last factory is the one in force"
        later = datetime.datetime(2031, 1, 1)  # noqa: DTZ001 - as freezegun has them
        factory.time_to_freeze = later
        assert factory() == later, "the clock is moved by its attribute"
        for name in ("reals", "fake_names", "modules_at_start", "ignore"):
            assert hasattr(freezer, name), f"what stop() needs is there: {name}"
        assert freezer.reals[id(api.fake_time)] is api.real_time
    finally:
        freezer.stop()
    assert list(map(len, stacks)) == before


@CHECKS.of("freezegun.api._get_module_attributes_hash, sys")
def _modules_that_were_scanned_are_known_by_a_hash():
    asked = []
    usual = freezegun.api._get_module_attributes_hash
    freezegun.api._get_module_attributes_hash = lambda module: asked.append(module) or usual(module)
    try:
        with freezegun.freeze_time("2030-01-01"):
            pass
    finally:
        freezegun.api._get_module_attributes_hash = usual
    assert asked, "freezegun asks it for each module"
    asked.clear()
    freezegun.api.sys = SimpleNamespace(modules={"json": json})
    freezegun.api._get_module_attributes_hash = lambda module: asked.append(module) or usual(module)
    try:
        with freezegun.freeze_time("2030-01-01"):
            pass
    finally:
        freezegun.api.sys = sys
        freezegun.api._get_module_attributes_hash = usual
    assert set(asked) == {json}, "freezegun looks at the modules that its sys has"


@CHECKS.of("Bytecode._copy_attr_from, from_code, to_code")
def _code_survives_the_round_trip_through_a_list_of_instructions():
    def shop(price, *, times=2):
        """Return what it costs."""
        return [price for _ in range(times)]

    code = shop.__code__
    original = bytecode.Bytecode.from_code(code, conserve_exception_block_stackdepth=True)
    made = bytecode.Bytecode(list(original))
    made._copy_attr_from(original)
    again = made.to_code(stacksize=code.co_stacksize, compute_exception_stack_depths=False)
    for name in ("co_name", "co_filename", "co_argcount", "co_kwonlyargcount", "co_flags"):
        assert getattr(again, name) == getattr(code, name), name
    shop.__code__ = again
    assert shop(7) == [7, 7]


@CHECKS.of("bytecode.instr: CellVar, FreeVar, InstrLocation")
def _instructions_name_the_variables_that_functions_share():
    from bytecode.instr import CellVar, FreeVar, InstrLocation

    def outer(shared):
        def inner():
            return shared

        return inner

    def arguments(code):
        instructions = bytecode.Bytecode.from_code(code)
        return {type(one.arg) for one in instructions if isinstance(one, bytecode.Instr)}

    assert CellVar in arguments(outer.__code__), "a variable that it shares"
    assert FreeVar in arguments(outer(1).__code__), "one that it has from outside"
    assert InstrLocation(None, None, None, None) == InstrLocation(None, None, None, None)


@CHECKS.of("anyio._backends._asyncio, anyio._core._synchronization")
def _tools_of_anyio_are_in_these_modules():
    from anyio._backends import _asyncio
    from anyio._core import _synchronization

    from pytest_supercache.runtime.aio import anyio_tools

    assert _synchronization.__name__ in DOORS, "the door opens when this module is imported"
    assert _asyncio.__name__ == BEFOREHAND["anyio"], "and this one is imported before"
    assert set(anyio_tools._TOOLS) >= {_asyncio.Lock, _asyncio.Event, _synchronization.Condition}

    async def made():
        return {type(tool) for tool in (anyio.Lock(), anyio.Event(), anyio.Semaphore(1))}

    inside = anyio.run(made)
    outside = {type(tool) for tool in (anyio.Lock(), anyio.Event(), anyio.Semaphore(1))}
    assert inside | outside <= set(anyio_tools._TOOLS), "each tool is one whose use is noted"


@CHECKS.of("aiosqlite.Connection._execute, _connect, _conn, _connection, _tx, _thread, _running")
def _a_connection_of_aiosqlite_hands_jobs_to_a_thread_by_a_queue():
    async def used():
        connection = aiosqlite.connect(":memory:")
        jobs, queue = [], connection._tx
        put = queue.put_nowait

        class Noted:
            get = queue.get

            def put_nowait(self, job):
                jobs.append(job)
                put(job)

        connection._tx = Noted()
        assert inspect.iscoroutinefunction(connection._connect)
        assert inspect.iscoroutinefunction(connection._execute)
        assert connection._running
        assert isinstance(connection._thread, threading.Thread)
        assert not connection._thread.is_alive()
        await connection
        assert connection._conn is connection._connection
        await connection.execute("SELECT 1")
        await connection.close()
        return jobs

    jobs = asyncio.run(used())
    assert len(jobs) == 4, "connect, the statement, close, and the end of the thread"
    assert all(callable(function) for _, function in jobs)


@CHECKS.of("pymysql.connections.Connection._result")
def _a_connection_of_pymysql_keeps_its_last_result():
    connection = pymysql.connect(defer_connect=True)
    assert connection._result is None
    assert "rows" in vars(MySQLResult(connection))


@CHECKS.of("MemoryObjectReceiveStream._state")
def _two_ends_of_a_stream_have_one_state():
    send, receive = anyio.create_memory_object_stream[int](1)
    assert isinstance(receive, memory.MemoryObjectReceiveStream)
    assert send._state is receive._state
    send.close()
    receive.close()


@CHECKS.of("Transaction._outer_transaction, PGconn.exec_")
def _a_transaction_knows_whether_it_is_the_outermost():
    parts = psycopg.Transaction.__init__.__code__.co_names
    parts += psycopg.Transaction.__mro__[1].__init__.__code__.co_names
    assert "_outer_transaction" in parts, "__init__ sets it"
    assert callable(psycopg.pq.PGconn.exec_)
    assert psycopg.conninfo.conninfo_to_dict("options=-c") == {"options": "-c"}


@CHECKS.of(
    "psycopg: waiting.wait_async, waiting.wait_conn_async, connection_async.conninfo_attempts_async"
)
def _an_awaited_connection_waits_by_functions_that_can_be_replaced():
    waits = psycopg.AsyncConnection.wait.__code__.co_names
    connects = psycopg.AsyncConnection.connect.__func__.__code__.co_names
    assert {"waiting", "wait_async"} <= set(waits)
    assert {"waiting", "wait_conn_async", "conninfo_attempts_async"} <= set(connects)
    assert callable(psycopg.connection_async.conninfo_attempts_async)


@CHECKS.of(
    "asyncpg: Connection._protocol, Connection._transport, Connection._check_open, "
    "protocol.BaseProtocol"
)
def _all_that_a_connection_sends_goes_through_its_protocol():
    from pytest_supercache.runtime.sql.asyncpg_doors import SteppedProtocol

    assert {"_protocol", "_transport"} <= set(asyncpg.Connection.__slots__)
    assert callable(asyncpg.Connection._check_open)
    protocol = asyncpg.protocol.protocol.BaseProtocol
    sends = {name for name, one in vars(protocol).items() if inspect.iscoroutinefunction(one)}
    own = {name for name in sends if not name.startswith("_")}
    assert own, "its coroutines can be told"
    assert own <= set(vars(SteppedProtocol)), "the stand-in has all of them"


@CHECKS.of("asyncpg: introspection.INTRO_LOOKUP_TYPES, INTRO_LOOKUP_TYPES_13, TYPE_BY_NAME")
def _what_is_asked_about_types_has_names():
    asks = asyncpg.introspection
    assert "pg_type" in asks.INTRO_LOOKUP_TYPES + asks.INTRO_LOOKUP_TYPES_13 + asks.TYPE_BY_NAME


@CHECKS.of("psycopg2: connection.poll, extensions.set_wait_callback")
def _a_wait_callback_can_be_set_for_all_connections():
    assert psycopg2.extensions.get_wait_callback() is None
    assert callable(psycopg2.extensions.connection.poll)
    assert psycopg2.extensions.POLL_OK == 0


@CHECKS.of(
    "jinja2.environment, jinja2.filters, jinja2.runtime and other modules of Jinja and Django "
    "that get what templates name"
)
def _modules_of_templates_have_these_names():
    for name in OF_TEMPLATES:
        assert find_spec(name) is not None, name


@CHECKS.of("Django: Model._meta")
def _fields_of_models():
    assert {"concrete_fields", "get_fields"} <= set(dir(Options))


@CHECKS.of("Django: Model._state, _django_version, QuerySet._result_cache")
def _pickled_models_and_rows_keep_these():
    """One needs settings: tests/adapters/test_adapter_django_redis.py."""
    assert DJANGO_VERSION_PICKLE_KEY == "_django_version"
    assert "self._state = ModelState()" in inspect.getsource(Model.__init__)
    assert "self._result_cache = None" in inspect.getsource(QuerySet.__init__)


@CHECKS.of("Django: _caches, _expire_info, _locks, caches._connections, connections._connections")
def _caches_of_a_process_are_in_three_dicts():
    assert [name for name in django.STATE if "locmem" in name] == [
        f"{locmem.__name__}:{name}" for name in ("_caches", "_expire_info", "_locks")
    ]
    assert {type(vars(locmem)[name]) for name in ("_caches", "_expire_info", "_locks")} == {dict}
    assert isinstance(caches._connections, Local), "each thread has connections of its own"
    assert isinstance(connections._connections, Local)
    assert django.MADE_PER_NODE.keys() == {
        "django.core.cache:caches._connections", "django.db:connections._connections",
    }  # fmt: skip


@CHECKS.of("propcache: _helpers_c.cached_property, under_cached_property and its dict _cache")
def _properties_of_propcache_are_known():
    from propcache.api import cached_property, under_cached_property

    class Product:
        def __init__(self):
            self._cache = {}

        @cached_property
        def price(self):
            return 1

        @under_cached_property
        def tax(self):
            return 2

    known = {name: cached_of(vars(Product)[name]) for name in ("price", "tax")}
    product = Product()
    assert [known[name].function(product) for name in known] == [1, 2]
    assert (product.price, product.tax) == (1, 2)
    assert vars(product) == {"_cache": {"tax": 2}, "price": 1}
    assert [each.keeps_in for each in known.values()] == ["", "_cache"]


@CHECKS.of("Cython: functions whose type is in a module _cython...")
def _compiled_code_is_known():
    import msgpack

    assert is_of_cython(type(msgpack.Packer().pack.__func__))
    assert not is_of_cython(type(msgpack.packb)), "that one is Python's"


@CHECKS.of(
    "wrapt: ObjectProxy.__wrapped__, __wrapped_get_called__, names that begin with _self_; "
    "lazy_object_proxy: Proxy.__resolved__"
)
def _transparent_proxies_lead_to_what_is_behind_them():
    import lazy_object_proxy
    import wrapt

    stock: list[int] = []
    for make in (wrapt.LazyObjectProxy, lazy_object_proxy.Proxy):
        lazy = make(lambda: stock)
        assert proxies.behind(lazy) is lazy, "nobody has asked it yet"
        assert len(lazy) == 0
        assert proxies.behind(lazy) is stock
    proxy = wrapt.ObjectProxy(stock)
    assert proxies.behind(proxy) is stock
    assert proxies.has_itself(type(proxy), "_self_mine")
    assert proxies.has_itself(type(proxy), "__wrapped__")
    assert not proxies.has_itself(type(proxy), "append")
    assert dict_of(proxy) is None, "a list has none"
    assert dict_of(wrapt.ObjectProxy(int)) is None, "that of a class is read-only"


@CHECKS.of(
    "werkzeug: LocalProxy._get_current_object, _LocalProxy__wrapped; Django: LazyObject._wrapped"
)
def _proxies_lead_to_what_they_stand_for():
    variable, stock = ContextVar("variable"), {}
    variable.set(stock)
    assert proxies.behind(LocalProxy(variable)) is stock
    called = LocalProxy(lambda: stock)
    assert proxies.behind(called) is called
    lazy = SimpleLazyObject(lambda: stock)
    assert proxies.behind(lazy) is lazy, "nobody has asked it yet"
    assert list(lazy) == []
    assert proxies.behind(lazy) is stock


@CHECKS.of("aiocache: SimpleMemoryBackend._get and others")
def _methods_that_are_declared_are_there():
    targets = [watch.target for watch in aiocache.WATCHES]
    assert any(target.endswith("._get") for target in targets)
    for target in targets:
        assert find_target(target).is_call, target


@CHECKS.of("async_lru: _LRUCacheWrapper")
def _functions_with_a_cache_are_of_one_class():
    @async_lru.alru_cache
    async def price():
        return 1

    owners = {watch.target.rpartition(".")[0] for watch in async_lru_table.WATCHES}
    assert owners == {f"async_lru:{type(price).__name__}"}
    assert all(find_target(watch.target).is_call for watch in async_lru_table.WATCHES)


@CHECKS.of("diskcache: Cache._iter")
def _a_cache_in_files_goes_through_its_keys_by_one_method():
    (target,) = (one.target for one in diskcache.WATCHES if one.target.endswith("._iter"))
    assert find_target(target).is_call
