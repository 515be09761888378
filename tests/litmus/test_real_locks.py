"""A step that waits for a lock which stayed real: what is said of it."""

import fcntl
import importlib.util
import os
import sys
import threading
from functools import cached_property

import pytest

from pytest_supercache import Verdict
from pytest_supercache.checking.check import check_on
from pytest_supercache.core.settings import Exploration
from pytest_supercache.layers.servers import start_server
from pytest_supercache.runtime.kernel import real_locks, under_test
from tests.selection import few


def _checked(body):
    server = start_server("fakeredis")
    try:
        return check_on(server, body, Exploration(step_timeout=1.0), guarantees=())
    finally:
        server.close()


def _reason(body):
    """Check a body that hangs, and return why nothing is known of it."""
    result = _checked(body)
    assert result.verdict is Verdict.UNKNOWN
    assert "a step did not arrive within 1 s" in result.reasons[0]
    return result.reasons[0]


def _two(flow):
    def body(world):
        client = world.existing_cache.client()
        for name in ("alice", "bob"):
            world.actor(name, flow, client)
        world.run()

    return body


STOCK = """
import functools, threading

LOCK = threading.{kind}()

def count(client):
    with LOCK:
        client.set("n", int(client.get("n") or 0) + 1)

def count_by_hand(client):
    LOCK.acquire()
    try:
        client.set("n", int(client.get("n") or 0) + 1)
    finally:
        LOCK.release()

class Prices:
    def __init__(self, client):
        self.client = client

    @functools.cached_property
    def all(self):
        return self.client.incr("loads")
"""


A_LIBRARY = "imaplib"
"""The name under which a module is taken for one of the standard library here."""


@pytest.fixture
def named_like(tmp_path, monkeypatch):
    """Import a module under a name that is not its own, before the check."""

    def imported(name, kind):
        path = tmp_path / f"{name}.py"
        path.write_text(STOCK.format(kind=kind))
        spec = importlib.util.spec_from_file_location(name, path)
        module = importlib.util.module_from_spec(spec)
        monkeypatch.setitem(sys.modules, name, module)
        monkeypatch.setattr(under_test, "_NEVER_SHADOWED", {A_LIBRARY})
        spec.loader.exec_module(module)
        return module

    return imported


@pytest.mark.parametrize("kind", ["Lock", "RLock"])
def test_a_lock_of_a_module_that_is_not_under_test(named_like, kind):
    reason = _reason(_two(named_like(A_LIBRARY, kind).count))
    assert f"bob waits for the lock LOCK, which alice holds ({A_LIBRARY}.py:8 in count)" in reason


@pytest.mark.parametrize("kind", ["Lock", "RLock"])
def test_a_lock_of_a_module_named_like_one_of_the_standard_library_is_under_control(
    named_like, kind
):
    assert _checked(_two(named_like("sched", kind).count)).verdict is Verdict.HOLDS


def test_who_holds_a_lock_that_was_taken_by_hand_is_not_guessed(named_like):
    reason = _reason(_two(named_like(A_LIBRARY, "Lock").count_by_hand))
    assert "bob waits for the lock LOCK" in reason
    assert "alice holds" not in reason


class Prices:
    def __init__(self, client):
        self.client = client

    @cached_property
    def all(self):
        return self.client.incr("loads")


def _prices_of(make):
    """Let two users ask for the same cached property, in the class that ``make`` returns."""

    def body(world):
        client = world.existing_cache.client()
        prices = make()(client)
        for name in ("alice", "bob"):
            world.actor(name, lambda: prices.all)
        world.run()
        assert client.get("loads") == b"1"

    return body


def _made_in_the_check():
    return type("Prices", (Prices,), {"all": _cached(Prices.all.func)})


def _cached(function):
    class Holder:
        all = cached_property(function)

    return vars(Holder)["all"]


@pytest.mark.parametrize("make", few([lambda: Prices, _made_in_the_check], 1))
def test_two_who_ask_for_a_cached_property_compute_it_once_where_it_has_a_lock(make):
    found = _checked(_prices_of(make)).verdict
    assert found is (Verdict.HOLDS if sys.version_info < (3, 12) else Verdict.VIOLATED)


def test_the_lock_of_a_cached_property_of_code_that_is_not_under_test(named_like):
    prices = named_like(A_LIBRARY, "Lock").Prices
    body = _prices_of(lambda: prices)
    if sys.version_info < (3, 12):
        reason = _reason(body)
        assert "bob waits for the lock of the cached_property 'all', which alice holds" in reason
        assert "cached_property makes it, in Python 3.11" in reason
    else:
        assert _checked(body).verdict is Verdict.VIOLATED


def test_a_lock_of_a_file(tmp_path):
    def count(client):
        file = os.open(tmp_path / "lock", os.O_CREAT | os.O_RDWR)
        try:
            fcntl.flock(file, fcntl.LOCK_EX)
            client.set("n", int(client.get("n") or 0) + 1)
        finally:
            os.close(file)

    reason = _reason(_two(count))
    assert "bob waits for a lock of a file: the operating system" in reason


def test_what_hangs_in_no_lock_waits_for_none():
    reader, writer = os.pipe()

    def count(client):
        client.get("n")
        os.read(reader, 1)

    reason = _reason(_two(count))
    os.write(writer, b"..")
    os.close(writer)
    assert "waits for the lock" not in reason
    assert "os.read(reader, 1)" in reason


HOLDING = "def hold(lock):\n    with lock:\n        yield\n"


@pytest.mark.parametrize("has_lines", [True, False])
def test_code_without_line_numbers_is_not_taken_for_the_holder_of_a_lock(tmp_path, has_lines):
    path = tmp_path / "holding.py"
    path.write_text(HOLDING)
    names = {}
    exec(compile(HOLDING, str(path), "exec"), names)
    hold = names["hold"]
    if not has_lines:
        hold.__code__ = hold.__code__.replace(co_linetable=b"")
    held = hold(threading.Lock())
    next(held)
    assert (held.gi_frame.f_lineno is None) is not has_lines
    assert len(list(real_locks._entered(held.gi_frame))) == int(has_lines)
