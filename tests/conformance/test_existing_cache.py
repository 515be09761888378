"""What every server behind the existing cache must do: be emptied, looked at, saved and stopped."""

import asyncio
from pathlib import Path

import fakeredis
import pytest
import redis

from pytest_supercache import SupercacheError, Verdict, check
from pytest_supercache.layers.clock import VirtualClock
from pytest_supercache.layers.connections import private_client
from pytest_supercache.layers.existing_cache import ExistingCache
from pytest_supercache.layers.fake_server import FakeRedisServer
from pytest_supercache.layers.servers import ForeignServer, RealServer, start_server
from pytest_supercache.runtime.process.virtual_time import frozen

PROGRAMS = [
    pytest.param("redis-server", marks=pytest.mark.redis_server),
    pytest.param("valkey-server", marks=pytest.mark.valkey_server),
]
BACKENDS = ["fakeredis", *PROGRAMS]
SCRIPT = "return redis.call('get', KEYS[1])"


@pytest.fixture(params=BACKENDS)
def server(request):
    server = start_server(request.param)
    yield server
    server.close()


@pytest.fixture
def cache(server):
    cache = ExistingCache(server)
    yield cache
    cache.forget_connections()


_opened = []


@pytest.fixture(autouse=True)
def _clients_are_closed():
    """A pool is in a circle: what it leaves open is found by the collector, at any time."""
    yield
    while _opened:
        _opened.pop().disconnect()


def client_of(server, **options):
    client = private_client(lambda: server.connection(options))
    _opened.append(client.connection_pool)
    return client


def fill(client):
    client.set("text", "t", ex=1050)
    client.set("bytes", b"\xff\x00")
    client.hset("hash", mapping={"f": "1", "g": "2"})
    client.rpush("list", "a", "b")
    client.sadd("set", "m", "n")
    client.zadd("zset", {"m": 1.5})


def everything(server):
    """Content of the first databases, and remaining times as exactly as a slow machine can."""
    found = {}
    for number in range(3):
        client = client_of(server, db=number)
        looks = {
            b"string": client.get,
            b"hash": client.hgetall,
            b"list": lambda key, client=client: client.lrange(key, 0, -1),
            b"set": client.smembers,
            b"zset": lambda key, client=client: client.zrange(key, 0, -1, withscores=True),
        }
        for key in client.keys("*"):
            left = client.ttl(key)
            found[number, key] = (looks[client.type(key)](key), left if left < 0 else left // 100)
    return found


# A reset is as good as a new one.


def test_a_reset_leaves_no_data_in_any_database(server):
    for number in range(3):
        fill(client_of(server, db=number))
    assert everything(server)
    server.reset()
    assert everything(server) == {}


def test_a_reset_leaves_no_time_to_live_behind(cache):
    cache.client().set("k", "v", ex=100)
    cache.reset({"k": "v"})
    assert cache.client().ttl("k") == -1
    assert cache.deadline(leases_only=False) is None


@pytest.mark.parametrize("program", PROGRAMS)
def test_a_reset_forgets_scripts(program):
    server = RealServer(program)
    sha = client_of(server).script_load(SCRIPT)
    assert client_of(server).script_exists(sha) == [True]
    server.reset()
    assert client_of(server).script_exists(sha) == [False]
    server.close()


@pytest.mark.parametrize("program", PROGRAMS)
def test_a_reset_forgets_functions(program):
    server = RealServer(program)
    code = "#!lua name=lib\nredis.register_function('f', function() return 1 end)"
    client_of(server).function_load(code)
    assert client_of(server).fcall("f", 0) == 1
    server.reset()
    with pytest.raises(redis.ResponseError):
        client_of(server).fcall("f", 0)
    server.close()


def test_a_client_that_was_kept_across_a_reset_sees_the_new_content(cache):
    kept = cache.client(decode_responses=True)
    kept.set("k", "old")
    cache.reset({"k": "given"})
    assert kept.get("k") == "given"
    kept.set("k", "new")
    assert cache.peek("k") == "new"


def test_a_watch_and_a_subscription_do_not_outlive_a_reset(cache):
    kept = cache.client()
    subscriber = kept.pubsub()
    subscriber.subscribe("channel")
    assert subscriber.get_message(timeout=60)
    pipe = kept.pipeline()
    pipe.watch("k")
    assert cache.client().publish("channel", "m") == 1
    cache.reset({})
    assert cache.client().publish("channel", "m") == 0
    subscriber.close()
    pipe.reset()


def test_a_reset_puts_what_is_given(cache):
    cache.reset({"text": "as it is", "bytes": b"\xff", "data": {"price": [1]}, "number": 1})
    assert cache.client().get("bytes") == b"\xff"
    assert cache.content() == {
        "bytes": "\\xff", "data": '{"price": [1]}', "number": "1", "text": "as it is",
    }  # fmt: skip


# What is saved can be put back.


@pytest.mark.parametrize("number", [0, 1, 7])
def test_the_database_that_clients_use_has_what_is_given_and_is_looked_at(cache, number):
    cache.reset({"k": "given"})
    client = cache.client(db=number, decode_responses=True)
    assert client.get("k") == "given"
    client.set("own", "stored")
    assert cache.content() == {"k": "given", "own": "stored"}
    assert (cache.peek("k"), cache.peek("own")) == ("given", "stored")
    cache.drop("k")
    assert client.get("k") is None
    cache.drop(None)
    assert cache.content() == {}


@pytest.mark.parametrize(("said", "number"), [(None, 0), ("0", 0), ("3", 3)])
def test_a_database_has_one_number_however_a_client_says_it(cache, said, number):
    async def read():
        client = cache.aclient(db=said)
        found = await client.get("own")
        await client.connection_pool.disconnect()
        return found

    cache.reset({"k": "given"})
    assert cache.client(db=said).get("k") == b"given"
    cache.client(db=number).set("own", "stored")
    assert cache.client(db=said).get("own") == b"stored"
    assert asyncio.run(read()) == b"stored"
    assert cache.content() == {"k": "given", "own": "stored"}
    assert cache.client(db=number + 1).get("own") is None


def test_of_two_databases_the_later_one_has_its_number_before_its_keys(cache):
    cache.reset({"k": "given"})
    first, second = (cache.client(db=number, decode_responses=True) for number in (3, 2))
    first.set("k", "of 3")
    assert second.get("k") == "given"
    second.set("k", "of 2")
    assert cache.content() == {"k": "of 3", "db2:k": "of 2"}
    assert (cache.peek("k"), cache.peek("db2:k"), cache.peek("db4:k")) == ("of 3", "of 2", None)
    cache.drop("k")
    assert cache.content() == {}


def test_a_reset_forgets_which_database_was_used(cache):
    cache.reset({})
    cache.client(db=1).set("k", "of 1")
    cache.reset({"k": "given"})
    assert cache.client(decode_responses=True).get("k") == "given"
    assert cache.content() == {"k": "given"}


def test_loading_what_was_saved_restores_every_kind_time_and_database(server):
    for number in range(2):
        fill(client_of(server, db=number))
    before, saved = everything(server), server.save()
    assert len(before) == 12
    for number in range(3):
        client = client_of(server, db=number)
        client.flushdb()
        client.set("text", "changed")
        client.hset("another", "f", "1")
    server.load(saved)
    assert everything(server) == before


def test_what_was_saved_is_a_copy_that_can_be_loaded_twice(server):
    client = client_of(server)
    client.rpush("list", "a")
    saved = server.save()
    for _ in range(2):
        client.rpush("list", "b")
        assert client.llen("list") == 2
        server.load(saved)
        assert client.lrange("list", 0, -1) == [b"a"]


# Looking is no step and changes nothing.


def test_peek_and_content_show_every_kind(cache):
    fill(cache.client())
    assert cache.peek("text") == "t"
    assert cache.peek("hash") == {"f": "1", "g": "2"}
    assert cache.peek("list") == ["a", "b"]
    assert cache.peek("set") == ["m", "n"]
    assert cache.peek("zset") == [("m", 1.5)]
    assert cache.peek("nothing") is None
    assert cache.content() == {key: cache.peek(key) for key in sorted(cache.content())}
    assert len(cache.content()) == 6


def test_looking_is_never_a_step():
    def body(world):
        def look():
            for layer in (world.existing_cache, world.origin, world.super_cache):
                layer.peek("x")
                layer.content()
            world.existing_cache.client().get("x")

        world.actor("a", look)
        world.actor("b", look)
        world.run()

    result = check(body, search="all-schedules")
    assert result.verdict is Verdict.HOLDS
    assert result.executions == 2


def test_dropping_removes_one_key_or_all(cache):
    cache.reset({"x": "1", "y": "2", "z": "3"})
    cache.drop("x")
    assert cache.content() == {"y": "2", "z": "3"}
    cache.drop(None)
    assert cache.content() == {}


# Expiries.


@pytest.fixture
def clock():
    clock = VirtualClock()
    with frozen(clock):
        yield clock


def test_deadlines_come_one_after_the_other_as_the_clock_moves(clock):
    cache = ExistingCache(FakeRedisServer())
    cache.reset({})
    client = cache.client(decode_responses=True)
    client.set("late", "v", ex=5)
    client.set("soon", "v", ex=1)
    client.set("never", "v")
    for seconds, left in ((1, {"late", "never"}), (5, {"never"})):
        at = cache.deadline(leases_only=False)
        assert at == pytest.approx(seconds, abs=1e-4)
        assert len(cache.content()) == len(left) + 1
        clock.move_to(at)
        assert set(cache.content()) == left
        assert {key for key in ("late", "soon", "never") if client.exists(key)} == left
    assert cache.deadline(leases_only=False) is None


def test_an_expired_key_that_nobody_looked_at_does_not_hide_the_next_deadline(clock):
    cache = ExistingCache(FakeRedisServer())
    cache.client().set("soon", "v", ex=1)
    cache.client().set("late", "v", ex=5)
    clock.move_to(cache.deadline(leases_only=False))
    assert cache.deadline(leases_only=False) == pytest.approx(5, abs=1e-4)


def test_the_earliest_of_equal_keys_in_two_databases_counts(clock):
    cache = ExistingCache(FakeRedisServer())
    client_of(cache.server, db=0).set("k", "v", ex=1)
    client_of(cache.server, db=1).set("k", "v", ex=9)
    assert cache.deadline(leases_only=False) == pytest.approx(1, abs=1e-4)


def test_only_leases_are_deadlines_when_asked_for_leases(clock):
    cache = ExistingCache(FakeRedisServer())
    cache.client().set("entry", "v", ex=1)
    cache.client().set("lock", "me", ex=3)
    assert cache.deadline(leases_only=True) is None
    cache.leases.ask("lock", ("alice", 0))
    assert cache.deadline(leases_only=True) is None, "it may be an entry, too"
    cache.leases.free("lock", "alice")
    assert cache.deadline(leases_only=True) == pytest.approx(3, abs=1e-4)


# Starting and stopping.


@pytest.mark.parametrize("program", PROGRAMS)
def test_a_server_of_our_own_leaves_no_process_and_no_folder(program):
    server = RealServer(program)
    process, folder = server._process, Path(server.socket).parent
    assert server.description.startswith(program)
    assert process.poll() is None
    assert folder.is_dir()
    server.close()
    assert process.poll() is not None
    assert not folder.exists()
    server.close()  # once more does no harm


def test_an_unknown_backend_is_named_with_what_is_known():
    with pytest.raises(SupercacheError, match=r"'memcached' is not known.*fakeredis.*redis-server"):
        start_server("memcached")


def test_a_program_that_is_not_installed_is_named_with_its_package(monkeypatch):
    monkeypatch.setenv("PATH", "")
    with pytest.raises(SupercacheError, match="apt-get install redis-server"):
        start_server("redis-server")


def test_nobody_at_the_address_is_said():
    with pytest.raises(SupercacheError, match="no answer"):
        ForeignServer("redis://127.0.0.1:1/0")


@pytest.fixture
def foreign():
    server = RealServer("redis-server")
    yield f"unix://{server.socket}", client_of(server)
    server.close()


@pytest.mark.redis_server
def test_a_database_that_is_not_empty_is_refused_and_keeps_its_content(foreign):
    url, client = foreign
    client.set("theirs", "v")
    with pytest.raises(SupercacheError, match="not empty"):
        start_server(url)
    assert client.get("theirs") == b"v"


@pytest.mark.redis_server
def test_an_empty_database_is_used_and_left_running(foreign):
    url, client = foreign
    server = start_server(f"{url}?db=3")
    client_of(server).set("k", "v")
    assert client.get("k") is None  # that is another database
    saved = server.save()
    server.reset()
    assert client_of(server).get("k") is None
    server.load(saved)
    assert client_of(server).get("k") == b"v"
    server.close()
    assert client.ping()


@pytest.mark.redis_server
def test_what_a_run_stored_is_gone_afterwards(foreign):
    url, client = foreign
    for _ in range(2):
        server = start_server(url)
        client_of(server).set("k", "v")
        server.close()
        assert client.dbsize() == 0


@pytest.mark.redis_server
def test_two_runs_cannot_share_a_database(foreign):
    url, _ = foreign
    first, other = start_server(url), start_server(f"{url}?db=3")
    client_of(first).set("k", "v")
    with pytest.raises(SupercacheError, match="another run uses this database"):
        start_server(url)
    assert client_of(first).get("k") == b"v"
    first.close()
    start_server(url).close()
    other.close()


def test_a_password_is_not_printed():
    with pytest.raises(SupercacheError, match="no answer") as told:
        ForeignServer("redis://shop:secret@127.0.0.1:1/0")
    assert "redis://***@127.0.0.1:1/0" in str(told.value)
    assert "secret" not in str(told.value)


def test_older_fakeredis_has_its_connections_by_another_name(monkeypatch):
    kind = fakeredis.FakeRedisConnection
    monkeypatch.delattr(fakeredis, "FakeRedisConnection")
    monkeypatch.setattr(fakeredis, "FakeConnection", kind, raising=False)
    server = FakeRedisServer()
    client_of(server).set("k", "v")
    assert client_of(server).get("k") == b"v"
    assert server.own_reader("Redis") is not None
