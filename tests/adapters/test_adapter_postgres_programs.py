"""Programs of known truth, in pairs, through every driver of PostgreSQL that has a door."""

from contextlib import closing

import asyncpg
import psycopg
import psycopg2
import pytest

from tests.adapters.flows import is_conflict, judged
from tests.selection import few

pytestmark = pytest.mark.postgresql

N, M = "name = 'n'", "name = 'm'"


def sql(query):
    """Execute a statement, and get its rows."""
    return (yield "sql", query)


def number(where, lock=""):
    ((n,),) = yield from sql(f"SELECT n FROM counters WHERE {where} {lock}")
    return n


# Each pair: the first is broken when users are interleaved, the second is not.


def lost_update():
    n = yield from number(N)
    yield from sql(f"UPDATE counters SET n = {n + 1} WHERE {N}")


def counted_by_the_database():
    yield from sql(f"UPDATE counters SET n = n + 1 WHERE {N}")


def is_two(n, m, cache):
    return n == 2


def write_skew(where=N, other=M):
    yield "level", "REPEATABLE READ"
    if not (yield from number(other)):
        yield from sql(f"UPDATE counters SET n = 1 WHERE {where}")


def serializable(where=N, other=M):
    yield "level", "SERIALIZABLE"
    if not (yield from number(other)):
        yield from sql(f"UPDATE counters SET n = 1 WHERE {where}")


def at_most_one(n, m, cache):
    return n + m <= 1


def checked_then_counted():
    if not (yield from number(N)):
        yield from sql("UPDATE counters SET n = n + 1")


def counted_if_still_unchecked():
    yield from sql(f"UPDATE counters SET n = n + 1 WHERE {N} AND n = 0")


def is_one(n, m, cache):
    return n == 1


def filled():
    n = yield from number(N)
    yield "redis", "set", "n", n


def changed():
    yield from sql(f"UPDATE counters SET n = 7 WHERE {N}")
    yield ("commit",)
    yield "redis", "delete", "n"


def filled_under_a_lock():
    n = yield from number(N, "FOR UPDATE")
    yield "redis", "set", "n", n


def changed_under_a_lock():
    yield from sql(f"UPDATE counters SET n = 7 WHERE {N}")
    yield "redis", "delete", "n"


def is_fresh(n, m, cache):
    return cache in {None, b"7"}


def moved_in_parts():
    yield from sql(f"UPDATE counters SET n = n - 1 WHERE {N}")
    yield ("commit",)
    yield from sql(f"UPDATE counters SET n = n + 1 WHERE {M}")


def moved_at_once():
    yield from sql(f"UPDATE counters SET n = n - 1 WHERE {N}")
    yield from sql(f"UPDATE counters SET n = n + 1 WHERE {M}")


def summed():
    ((total,),) = yield from sql("SELECT sum(n) FROM counters")
    yield "redis", "set", "sum", int(total)


def sums_to_nothing(n, m, cache):
    return cache == b"0"


PAIRS = {
    "lost update": ((lost_update,) * 2, (counted_by_the_database,) * 2, is_two),
    "write skew": (
        (write_skew, lambda: write_skew(M, N)), (serializable, lambda: serializable(M, N)),
        at_most_one,
    ),
    "check then act": (
        (checked_then_counted,) * 2, (counted_if_still_unchecked,) * 2, is_one
    ),
    "stale fill": ((filled, changed), (filled_under_a_lock, changed_under_a_lock), is_fresh),
    "read in between": ((moved_in_parts, summed), (moved_at_once, summed), sums_to_nothing),
}  # fmt: skip


def blocking(program, connection, redis):
    """Run a program on a connection that blocks."""
    flow, answer = program(), None
    try:
        while True:
            what, *how = flow.send(answer)
            if what == "redis":
                answer = getattr(redis, how[0])(*how[1:])
            elif what == "commit":
                answer = connection.commit()
            else:
                cursor = connection.cursor()
                query = f"SET TRANSACTION ISOLATION LEVEL {how[0]}" if what == "level" else how[0]
                cursor.execute(query)
                answer = cursor.fetchall() if cursor.description else None
    except StopIteration:
        connection.commit()


async def awaited(program, connection, redis):
    """Run a program on a connection that is awaited."""
    flow, answer = program(), None
    try:
        while True:
            what, *how = flow.send(answer)
            if what == "redis":
                answer = await getattr(redis, how[0])(*how[1:])
            elif what == "commit":
                answer = await connection.commit()
            else:
                query = f"SET TRANSACTION ISOLATION LEVEL {how[0]}" if what == "level" else how[0]
                cursor = await connection.execute(query)
                answer = await cursor.fetchall() if cursor.description else None
    except StopIteration:
        await connection.commit()


def on_psycopg2(address, program, redis):
    with closing(psycopg2.connect(address)) as connection:
        try:
            blocking(program, connection, redis)
        except psycopg2.errors.SerializationFailure:
            connection.rollback()


def on_psycopg(address, program, redis):
    with psycopg.connect(address) as connection:
        try:
            blocking(program, connection, redis)
        except psycopg.errors.SerializationFailure:
            connection.rollback()


async def on_psycopg_async(address, program, redis):
    async with await psycopg.AsyncConnection.connect(address) as connection:
        try:
            await awaited(program, connection, redis)
        except psycopg.errors.SerializationFailure:
            await connection.rollback()


async def on_asyncpg(address, program, redis):
    words = dict(word.split("=") for word in address.split())
    connection = await asyncpg.connect(
        host=words["host"], user=words["user"], database=words["dbname"]
    )
    try:
        await awaited(program, _Asyncpg(connection), redis)
    except asyncpg.SerializationError:
        await connection.execute("ROLLBACK")
    finally:
        await connection.close()


class _Asyncpg:
    """A connection of asyncpg that begins transactions as psycopg does."""

    def __init__(self, connection):
        self._connection = connection
        self._rows = []
        self.description = True

    async def execute(self, query):
        if not self._connection.is_in_transaction():
            await self._connection.execute("BEGIN")
        self._rows = await self._connection.fetch(query)
        return self

    async def fetchall(self):
        return [tuple(row) for row in self._rows]

    async def commit(self):
        await self._connection.execute("COMMIT;")


def searched(use, address, counters, programs, holds):
    """Check users that run programs."""
    is_async = use in {on_psycopg_async, on_asyncpg}

    def begin(world):
        counters.reset()
        cache = world.existing_cache
        redis = cache.aclient() if is_async else cache.client()
        for name, program in zip("ab", programs, strict=True):
            world.actor(name, use, address, program, redis)

    def judge(world):
        cache = world.existing_cache.client()
        assert holds(*counters.values(), cache.get("n") or cache.get("sum"))

    def body(world):
        begin(world)
        world.run()
        judge(world)

    async def body_on_a_loop(world):
        begin(world)
        await world.run()
        judge(world)

    return judged(body_on_a_loop if is_async else body)


DRIVERS = [on_psycopg2, on_psycopg, on_psycopg_async, on_asyncpg]
SHORT = dict(zip(PAIRS, DRIVERS * 2, strict=False))
"""The driver that each pair goes through in the short form; each driver has a pair."""


@pytest.mark.parametrize(
    ("use", "pair"),
    [
        pytest.param(use, pair, marks=[] if SHORT[pair] is use else pytest.mark.long)
        for use in DRIVERS
        for pair in PAIRS
    ],
)
def test_of_each_pair_one_is_a_conflict_and_the_other_holds(address, counters, use, pair):
    broken, twin, holds = PAIRS[pair]
    assert is_conflict(searched(use, address, counters, broken, holds))
    result = searched(use, address, counters, twin, holds)
    assert not is_conflict(result)
    assert result.exhausted


def set_once(limit):
    """Set a number that is 0, unless it has become too large by then; count the attempts."""

    def program():
        if not (yield from number(N)):
            yield from sql(f"UPDATE counters SET n = 7 WHERE {N} AND n < {limit}")
            yield ("commit",)
            yield "redis", "incr", "n"

    return program


def is_set_once(n, m, cache):
    return cache == b"1"


@pytest.mark.parametrize(
    ("use", "limit", "slug"),
    few(
        [
            (on_psycopg2, 5, "unclassified"),
            (on_asyncpg, 9, "lost-update"),
            (on_asyncpg, 5, "unclassified"),
            (on_psycopg, 9, "lost-update"),
            (on_psycopg, 5, "unclassified"),
            (on_psycopg_async, 5, "unclassified"),
            (on_psycopg_async, 9, "lost-update"),
            (on_psycopg2, 9, "lost-update"),
        ],
        3,
    ),
)
def test_an_update_that_finds_no_row_has_overwritten_nothing(address, counters, use, limit, slug):
    result = searched(use, address, counters, (set_once(limit),) * 2, is_set_once)
    assert result.counterexample.conflict_class == slug
