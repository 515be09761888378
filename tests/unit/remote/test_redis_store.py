"""Lines in Redis are read as they were written, by one process at a time; else it is said."""

import os
import select
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import redis

from pytest_supercache.checking.journal_files import FileLines
from pytest_supercache.core.errors import SupercacheError
from pytest_supercache.layers.servers import RealServer
from pytest_supercache.remote import redis_writer
from pytest_supercache.remote.redis_store import RedisLines, RedisStore
from pytest_supercache.remote.redis_writer import KEPT_SECONDS, PREFIX, Writer

MOST = 1 << 20
LEASE = f"{PREFIX}a:writer"


@pytest.fixture(scope="module")
def server() -> Iterator[RealServer]:
    server = RealServer()
    yield server
    server.close()


@pytest.fixture
def client(server: RealServer) -> Iterator[Any]:
    with redis.Redis.from_url(server.url) as client:
        client.flushall()
        yield client


@pytest.fixture
def store(server: RealServer, client: Any) -> Iterator[RedisStore]:
    store = RedisStore(server.url)
    yield store
    store.close()


@pytest.mark.redis_server
@pytest.mark.parametrize("place", ["a file", "Redis"])
def test_they_are_kept_as_they_were_left(place: str, store: RedisStore, tmp_path: Path) -> None:
    def opened() -> Any:
        lines = FileLines(tmp_path / "a") if place == "a file" else RedisLines(store, "a")
        return lines, lines.open(MOST)

    left = list[bytes]()
    for appended, kept in (([b"one", b"two"], 2), ([b"three"], 2), ([b"four"], 0), ([b"five"], 1)):
        lines, found = opened()
        assert found == left
        for line in appended:
            lines.append(line)
        lines.cut(kept)
        assert lines.problem() is None
        lines.close()
        left = [*left, *appended][:kept]
    assert left == [b"five"]


@pytest.mark.redis_server
def test_more_than_may_be_read_is_cut_off(store: RedisStore, client: Any) -> None:
    client.rpush(f"{PREFIX}a", *(b"x" * 100 for _ in range(300)))
    lines = RedisLines(store, "a")
    assert lines.open(25_050) == [b"x" * 100] * 250
    lines.close()
    assert client.llen(f"{PREFIX}a") == 250


@pytest.mark.redis_server
def test_one_process_has_them_at_a_time(store: RedisStore, server: RealServer) -> None:
    other = RedisStore(server.url)
    assert RedisLines(other, "a").open(MOST) == []
    assert RedisLines(store, "a").open(MOST) is None
    assert RedisLines(store, "b").open(MOST) == []
    other.close()
    assert RedisLines(store, "a").open(MOST) == []


@pytest.mark.redis_server
def test_a_list_that_was_left_is_not_written(store: RedisStore, client: Any) -> None:
    lines, other = RedisLines(store, "a"), RedisLines(store, "b")
    lines.open(MOST)
    lines.close()
    lines.append(b"one")
    lines.cut(0)
    lines.close()
    assert lines.problem() is None
    other.open(MOST)
    other.append(b"two")
    other.close()
    assert client.keys() == [f"{PREFIX}b".encode()]


@pytest.mark.redis_server
def test_nothing_is_written_to_what_another_process_has_taken(
    store: RedisStore, client: Any
) -> None:
    lines = RedisLines(store, "a")
    lines.open(MOST)
    lines.append(b"one")
    assert lines.problem() is None
    client.set(LEASE, "another")  # as after a minute in which this machine slept
    lines.append(b"two")
    assert lines.problem() == "another run keeps the same search"
    lines.close()
    assert client.lrange(f"{PREFIX}a", 0, -1) == [b"one"]
    assert client.get(LEASE) == b"another"


@pytest.mark.redis_server
def test_lists_and_leases_end_by_themselves(store: RedisStore, client: Any) -> None:
    lines = RedisLines(store, "a")
    lines.open(MOST)
    lines.append(b"one")
    assert lines.problem() is None
    assert KEPT_SECONDS - 60 < client.ttl(f"{PREFIX}a") <= KEPT_SECONDS
    assert 0 < client.ttl(LEASE) <= redis_writer.LEASE_SECONDS


@pytest.mark.redis_server
def test_leases_are_renewed(client: Any) -> None:
    writer = Writer(client)
    writer.open("a", MOST)
    client.expire(LEASE, 5)
    writer.renew()
    assert client.ttl(LEASE) > 5
    client.delete(LEASE)
    writer.renew()
    assert str(writer.problem("a")).startswith("this machine stood still for a minute")


KILLED = """
import os, sys
from pytest_supercache.remote.redis_store import RedisLines, RedisStore

store = RedisStore(sys.argv[1])
print(store._writer.pid, flush=True)
lines = RedisLines(store, "a")
lines.open(1 << 20)
if os.fork():
    for number in range(500):
        lines.append(b"%d" % number)
    os.kill(os.getpid(), 9)
os.read(0, 1)  # a fork that is still there has the other end of the pipe, too
"""


@pytest.mark.redis_server
def test_what_a_killed_process_has_told_is_written_and_left(
    server: RealServer, client: Any
) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", KILLED, server.url], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as process:
        assert process.stdout is not None
        writer = int(process.stdout.readline())
        descriptor = os.pidfd_open(writer)
        assert process.wait(20) == -signal.SIGKILL
        ended, _, _ = select.select([descriptor], [], [], 20)
        os.close(descriptor)
    assert ended, "the writer ends after the process that has started it"
    assert client.lrange(f"{PREFIX}a", 0, -1) == [b"%d" % number for number in range(500)]
    assert not client.exists(LEASE)


@pytest.mark.redis_server
def test_a_server_that_goes_away_is_a_problem_and_no_error() -> None:
    server = RealServer()
    store = RedisStore(server.url)
    lines = RedisLines(store, "a")
    lines.open(MOST)
    server.close()
    lines.append(b"one")
    lines.append(b"two")
    assert "server.sock" in str(lines.problem())
    lines.close()
    late = RedisLines(store, "b")
    assert late.open(MOST) == []
    assert "server.sock" in str(late.problem())
    store.close()


@pytest.mark.redis_server
def test_a_client_that_was_killed_is_a_problem_and_no_error(store: RedisStore) -> None:
    lines = RedisLines(store, "a")
    lines.open(MOST)
    store._writer.kill()
    store._writer.wait()
    lines.append(b"one")
    assert lines.problem() == "the process that writes to it has ended"
    lines.close()


@pytest.mark.redis_server
def test_an_interrupted_question_is_the_last_one(
    store: RedisStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its answer would be taken for that of the next one: lines of another search."""
    connection = store._connection
    with monkeypatch.context() as patch:
        patch.setattr(store, "_connection", Interrupted(connection))
        with pytest.raises(KeyboardInterrupt):
            RedisLines(store, "a").open(MOST)
    assert RedisLines(store, "b").open(MOST) == []
    assert RedisLines(store, "b").problem() == "the process that writes to it has ended"


class Interrupted:
    """A connection on which Ctrl-C is pressed while an answer is awaited."""

    def __init__(self, connection: Any) -> None:
        self.send, self.close = connection.send, connection.close

    def recv(self) -> Any:
        raise KeyboardInterrupt


@pytest.mark.parametrize(
    ("url", "told"),
    [
        ("redis://:secret@127.0.0.1:1/0", "redis://***@127.0.0.1:1/0: Error 111 "),
        ("unix:///nowhere/redis.sock", "unix:///nowhere/redis.sock: "),
        ("redis://127.0.0.1:many", "redis://127.0.0.1:many: it is no URL of a Redis server"),
        ("redis://:sec/ret@127.0.0.1:1", "redis://***@127.0.0.1:1: it is no URL of a Redis"),
        ("redis://127.0.0.1:1?foo=1", "redis://127.0.0.1:1: "),
        ("s3://bucket", "s3://bucket: expected a folder, or a URL that begins with redis://, "),
    ],
)
def test_a_server_that_cannot_be_used_is_an_error_at_once(url: str, told: str) -> None:
    with pytest.raises(SupercacheError) as caught:
        RedisStore(url)
    assert str(caught.value).startswith(told)
    assert "sec" not in str(caught.value).replace("seconds", "")
