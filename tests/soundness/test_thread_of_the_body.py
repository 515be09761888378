"""A body runs on a thread of its own: what belongs to the test's thread is handed on, or told."""

import sqlite3
import threading
import uuid

import pytest
import sqlalchemy

from pytest_supercache import Verdict, check
from pytest_supercache.core.errors import SupercacheError
from pytest_supercache.runtime.kernel.thread_locals import LocalsOfTest


class Request(threading.local):
    """What code knows of the request that its thread serves."""

    begun = 0

    def __init__(self):
        Request.begun += 1
        self.tenant, self.seen = None, []


class Language(threading.local):
    tenant = None


PLAIN, REQUEST, LANGUAGE = threading.local(), Request(), Language()
TENANTS = ["acme", 7, None, ("acme", 7), uuid.UUID(int=7)]


def checked(use, ask=lambda: None):
    """Let two users count and ``ask``, and let the body ``use`` something afterwards."""

    def body(world):
        cache = world.existing_cache.client()

        def hit():
            cache.incr("n")
            ask()

        world.actor("a", hit)
        world.actor("b", hit)
        world.run()
        use()

    return check(body, guarantees=())


@pytest.fixture(autouse=True)
def _each_begins_with_nothing():
    for one in (PLAIN, REQUEST, LANGUAGE):
        vars(one).clear()


@pytest.mark.parametrize("local", [PLAIN, REQUEST, LANGUAGE], ids=["plain", "request", "language"])
@pytest.mark.parametrize("tenant", TENANTS)
def test_a_body_begins_with_the_plain_values_of_its_test(local, tenant):
    local.tenant = tenant
    executions = []

    def use():
        assert local.tenant == tenant
        local.tenant = "another"
        executions.append(1)

    assert checked(use).verdict is Verdict.HOLDS
    assert len(executions) > 1
    assert local.tenant == tenant


def test_no_user_begins_with_them():
    """The twin: production has set nothing on the thread of a request."""
    PLAIN.tenant = "acme"
    result = checked(lambda: None, ask=lambda: PLAIN.tenant)
    assert result.verdict is Verdict.VIOLATED
    assert "no attribute 'tenant'" in result.counterexample.violation.summary


def test_state_stays_on_the_thread_of_the_test_and_a_body_that_asks_for_it_is_told():
    PLAIN.seen, REQUEST.seen = ["by the test"], ["by the test"]

    def use():
        assert REQUEST.seen == []
        assert PLAIN.seen

    with pytest.raises(
        SupercacheError, match="for 'seen', which was set on the thread of the test"
    ):
        checked(use)


def test_what_the_test_has_not_set_is_no_mistake_of_the_test():
    PLAIN.tenant = "acme"
    result = checked(lambda: PLAIN.language)
    assert result.verdict is Verdict.VIOLATED
    assert "no attribute 'language'" in result.counterexample.violation.summary


def test_a_local_that_no_test_has_used_is_not_made_on_its_thread():
    unused, before = Request(), Request.begun
    LocalsOfTest([unused]).give()
    assert Request.begun == before


@pytest.fixture
def connect():
    """Connect to SQLite, and close it in the end."""
    made = []

    def connected(**options):
        made.append(sqlite3.connect(":memory:", **options))
        return made[-1]

    yield connected
    for one in made:
        one.close()


def test_an_sqlite_connection_of_the_thread_of_the_test_is_told(connect):
    connection = connect()
    with pytest.raises(SupercacheError, match="an SQLite connection that another thread has made"):
        checked(lambda: connection.execute("SELECT 1"))


def test_so_it_is_below_sqlalchemy(connect):
    pool = {"poolclass": sqlalchemy.pool.StaticPool}
    connection = sqlalchemy.create_engine("sqlite://", creator=connect, **pool).connect()
    with pytest.raises(SupercacheError, match="an SQLite connection that another thread has made"):
        checked(lambda: connection.execute(sqlalchemy.text("SELECT 1")))


def test_a_connection_for_all_threads_is_used(connect):
    """The twin."""
    connection = connect(check_same_thread=False)
    assert checked(lambda: connection.execute("SELECT 1")).verdict is Verdict.HOLDS


def test_a_connection_that_a_user_shares_with_another_thread_is_a_violation(connect):
    connection = connect()
    result = checked(lambda: None, ask=lambda: connection.execute("SELECT 1"))
    assert result.verdict is Verdict.VIOLATED
    assert "SQLite objects created in a thread" in result.counterexample.violation.summary


def test_a_pool_may_roll_back_when_the_execution_has_closed_its_connection():
    """SQLAlchemy would log what it says."""
    connections = []

    def use():
        connections.append(sqlite3.connect(":memory:"))
        connections[-1].execute("CREATE TABLE t (n)")

    assert checked(use).verdict is Verdict.HOLDS
    for one in connections:
        one.rollback()
        with pytest.raises(sqlite3.ProgrammingError, match="closed database"):
            one.execute("SELECT 1")
