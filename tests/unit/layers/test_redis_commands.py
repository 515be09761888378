"""Footprints of Redis commands: each with the nearest command that does not conflict with it."""

import math
from hashlib import sha1

import pytest

from pytest_supercache.core.footprint import NOTHING, Footprint
from pytest_supercache.layers import redis_command_table
from pytest_supercache.layers.redis_commands import (
    TABLE,
    described,
    footprint,
    normalised,
)
from tools.redis_commands import grouped, server


def reads(*resources):
    return Footprint(reads=frozenset(resources))


def writes(*resources, reads=()):
    return Footprint(frozenset({*resources, *reads}), frozenset(resources))


EVERYTHING = writes("c:*", "c.channels:*", "c.scripts:*", reads=["clock:now"])


def of(command, **options):
    return footprint(command.split(" "), "c", **options)


def conflict(one, other):
    """Dependence in miniature: somebody writes what the other touches; place:* is the place."""

    def meets(resource, another):
        place, _, key = resource.partition(":")
        another_place, _, another_key = another.partition(":")
        return place == another_place and (key == another_key or "*" in {key, another_key})

    def disturbs(writer, touched):
        every = touched.reads | touched.writes
        return any(meets(write, resource) for write in writer.writes for resource in every)

    return disturbs(one, other) or disturbs(other, one)


@pytest.mark.parametrize(
    ("command", "expected"),
    [
        ("GET k", reads("c:k")),
        ("get k", reads("c:k")),
        ("MGET a b", reads("c:a", "c:b")),
        ("LCS a b LEN", reads("c:a", "c:b")),
        ("SET k v", writes("c:k")),
        ("SETNX k v", writes("c:k")),
        ("INCR k", writes("c:k")),
        ("DEL a b", writes("c:a", "c:b")),
        ("MSET a 1 b 2", writes("c:a", "c:b")),
        ("RENAME a b", writes("c:a", "c:b")),
        ("COPY a b", writes("c:b", reads=["c:a"])),
        ("SINTERSTORE d a b", writes("c:d", reads=["c:a", "c:b"])),
        ("BITOP AND d a b", writes("c:d", reads=["c:a", "c:b"])),
        ("BLPOP a b 0", writes("c:a", "c:b")),
        ("OBJECT ENCODING k", reads("c:k")),
        ("MEMORY USAGE k", reads("c:k")),
        ("XGROUP CREATE s g 0", writes("c:s")),
        ("WATCH a b", reads("c:a", "c:b")),
        ("PFCOUNT a b", writes("c:a", "c:b")),  # it caches the count inside the key
        ("VCARD k", writes("c:k")),  # the server says so of everything that a module brings
    ],
)
def test_a_command_with_keys_touches_these_keys(command, expected):
    assert of(command) == expected


@pytest.mark.parametrize(
    ("command", "expected"),
    [
        ("ZUNION 2 a b WEIGHTS 1 2", reads("c:a", "c:b")),
        ("ZUNIONSTORE d 2 a b", writes("c:d", reads=["c:a", "c:b"])),
        ("LMPOP 2 a b LEFT", writes("c:a", "c:b")),
        ("XREAD COUNT 2 STREAMS a b 0 0", reads("c:a", "c:b")),
        ("XREAD STREAMS streams a 0 0", reads("c:*")),  # which of the two is the keyword?
        ("SORT k LIMIT 0 5", reads("c:k")),
        ("SORT k STORE d", writes("c:*")),
        ("SORT_RO k BY w_*", reads("c:*")),
        ("GEORADIUS g 1 1 5 km", reads("c:g")),
        ("GEORADIUS g 1 1 5 km STORE d", writes("c:d", reads=["c:g"])),
        ("GEORADIUS store 1 1 5 km", reads("c:store")),
        ("MIGRATE h 1 k 0 9", writes("c:k")),
        ("ZUNION two a b", reads("c:*")),
        ("ZUNION 9 a b", reads("c:*")),
    ],
)
def test_movable_keys_are_found_by_number_or_keyword_or_are_everything(command, expected):
    assert of(command) == expected


def test_the_keys_of_migrate_follow_their_keyword():
    command = ["MIGRATE", "h", 1, "", 0, 9, "KEYS", "a", "b"]
    assert {"c:a", "c:b"} <= footprint(command, "c").writes


@pytest.mark.parametrize("command", ["XREADGROUP GROUP g me STREAMS s >", "XACK s g 1"])
def test_reading_for_a_group_changes_the_stream(command):
    assert "c:s" in of(command).writes


@pytest.mark.parametrize("command", ["SCAN 0", "KEYS *", "DBSIZE", "RANDOMKEY"])
def test_looking_at_the_keyspace_conflicts_with_every_write_and_no_read(command):
    assert of(command) == reads("c:*")
    assert conflict(of(command), of("SET k v"))
    assert not conflict(of(command), of("GET k"))


@pytest.mark.parametrize("command", ["FLUSHDB", "FLUSHALL ASYNC", "SWAPDB 0 1"])
def test_a_flush_conflicts_with_every_read_but_not_with_another_place(command):
    assert of(command) == writes("c:*")
    assert conflict(of(command), of("GET k"))
    assert not conflict(of(command), footprint(["GET", "k"], "another"))


@pytest.mark.parametrize(
    "command",
    [
        *("PING", "ECHO hello", "HELLO 3", "AUTH secret", "SELECT 1", "MULTI", "EXEC", "DISCARD"),
        *("UNWATCH", "CLIENT SETINFO LIB-NAME x", "CLIENT ID", "COMMAND", "COMMAND DOCS get"),
        "XGROUP HELP",
    ],
)
def test_a_command_about_the_connection_touches_nothing(command):
    assert of(command) == NOTHING


@pytest.mark.parametrize("command", ["CLIENT KILL ID 4", "CLIENT PAUSE 9", "CONFIG SET a b"])
def test_a_command_about_other_connections_touches_everything(command):
    assert of(command) == EVERYTHING


@pytest.mark.parametrize("command", ["JSON.SET k $ 1", "NOSUCH", "CLIENT NOSUCH", "XGROUP", ""])
def test_an_unknown_command_touches_everything(command):
    assert of(command) == EVERYTHING


def test_no_arguments_at_all_touch_everything():
    assert footprint([], "c") == EVERYTHING


@pytest.mark.parametrize(
    "command", ["PUBLISH ch m", "SUBSCRIBE ch", "PUNSUBSCRIBE", "SPUBLISH c m"]
)
def test_messages_meet_in_the_channels_and_leave_keys_alone(command):
    assert of(command) == writes("c.channels:*")
    assert conflict(of(command), of("PUBLISH other m"))
    assert not conflict(of(command), of("SET ch m"))


@pytest.mark.parametrize(
    ("timed", "untimed"),
    [
        ("SET k v EX 5", "SET k v"),
        ("SET k v px 5", "SET k v XX"),
        ("SET k v KEEPTTL", "SET k EX"),
        ("SET k v NX EXAT 99", "SET px v NX GET"),
        ("SETEX k 5 v", "SETNX k v"),
        ("EXPIRE k 5", "PERSIST k"),
        ("PEXPIREAT k 5", "INCR k"),
        ("GETEX k EX 5", "GETDEL k"),
        ("TTL k", "STRLEN k"),
        ("PEXPIRETIME k", "TYPE k"),
        ("RESTORE k 0 v", "DUMP k"),
        ("HPEXPIRE h 5 FIELDS 1 f", "HPERSIST h FIELDS 1 f"),
        ("OBJECT IDLETIME k", "OBJECT FREQ k"),
        ("XADD s * f v", "XDEL s 1-1"),
        ("TIME", "PING"),
    ],
)
def test_setting_or_reporting_a_time_reads_the_clock(timed, untimed):
    assert "clock:now" in of(timed).reads
    assert "clock:now" not in of(untimed).reads


RELEASE = 'if redis.call("get", KEYS[1]) == ARGV[1] then return redis.call("del", KEYS[1]) end'


def sha_of(script):
    return sha1(script.encode(), usedforsecurity=False).hexdigest()


def test_a_script_of_plain_calls_writes_its_keys_and_only_them():
    found = footprint(["EVALSHA", sha_of(RELEASE), 1, "lock", "token"], "c", script=RELEASE)
    assert found == writes("c:lock", reads=[f"c.scripts:{sha_of(RELEASE)}"])
    assert not conflict(found, of("PUBLISH ch m"))


@pytest.mark.parametrize(
    ("script", "resource"),
    [
        (None, "c.channels:*"),
        (None, "clock:now"),
        ("redis.call('PUBLISH', ARGV[1], '')", "c.channels:*"),
        ("redis.call(ARGV[1], KEYS[1])", "c.channels:*"),
        ("local call = redis.call; call(ARGV[1])", "c.channels:*"),
        ("redis.call('PUB' .. 'LISH', KEYS[1])", "c.channels:*"),
        ("redis.call('set', KEYS[1], 1, 'EX', 5)", "clock:now"),
        ("redis.call('pexpire', KEYS[1], 5)", "clock:now"),
        ("return redis.call('TIME')", "clock:now"),
    ],
)
def test_a_script_that_may_publish_or_use_time_says_so(script, resource):
    assert resource in footprint(["EVALSHA", "aa", 1, "k"], "c", script=script).reads


def test_a_script_without_keys_may_use_any_key():
    assert "c:*" in of("EVALSHA aa 0 k").writes
    assert "c:*" not in of("EVALSHA_RO aa 0 k").writes
    assert "c:*" in of("EVALSHA_RO aa 0 k").reads


def test_loading_a_script_conflicts_with_its_first_use_and_not_with_another_script():
    load = footprint(["SCRIPT", "LOAD", RELEASE], "c")
    assert conflict(load, footprint(["EVALSHA", sha_of(RELEASE), 1, "k"], "c", script=RELEASE))
    assert not conflict(load, footprint(["EVALSHA", "aa", 1, "k"], "c", script=RELEASE))
    assert conflict(of("SCRIPT FLUSH"), of("SCRIPT EXISTS aa"))


def test_bytes_text_and_numbers_name_the_same_key():
    assert footprint([b"GET", b"42"]) == footprint(["get", 42]) == footprint(["GET", "42"])
    assert footprint(["GET", "42"]) != footprint(["GET", "43"])
    assert footprint(["GET", b"\xff"]).reads == {"existing_cache:\\xff"}


def test_a_name_of_two_words_may_be_one_argument():
    assert footprint(["XGROUP CREATE", "s", "g", 0], "c") == of("XGROUP CREATE s g 0")
    assert footprint(["CLIENT SETNAME", "me"], "c") == of("CLIENT SETNAME me") == NOTHING


def test_what_is_remembered_of_a_command_is_what_it_says_each_time():
    for args in (
        ["GET", "k"],
        ["SET", "k", 1],
        ["SET", "k", "1", "NX", "EX", 9],
        ["MGET", "a", "b"],
    ):
        for _ in range(2):
            said = described(args, "c")
            assert (said.label, said.footprint) == (normalised(args), footprint(args, "c"))
    assert described(["SET", 1, "v"], "c").label == "SET 1"
    assert described(["SET", True, "v"], "c").label == "SET True"
    assert described(["SET", 1.0, "v"], "c").label == "SET 1.0"
    assert described((5,), "c") == described(("5",), "c")  # no command, as the server will say
    assert described(("SET", "k", "v" * 200), "c").label == "SET k"


@pytest.mark.parametrize(
    ("command", "asks", "frees", "is_script", "is_plain"),
    [
        ("GET k", None, False, False, True),
        ("SET k v", None, False, False, True),
        ("SET k v EX 9", None, False, False, True),
        ("set k v ex 9 nx", "k", False, False, True),
        ("SETNX k v", "k", False, False, True),
        ("DEL k", None, True, False, True),
        ("unlink k", None, True, False, True),
        ("EVAL code 1 k", None, True, True, False),
        ("SCRIPT LOAD code", None, False, True, False),
        ("FCALL name 1 k", None, True, True, False),
        ("FUNCTION LOAD code", None, False, True, False),
        ("SELECT 1", None, False, False, False),
        ("WATCH k", None, False, False, False),
        ("MULTI", None, False, False, False),
        ("BLPOP k 1", None, False, False, False),
        ("SUBSCRIBE news", None, False, False, False),
        ("CLIENT SETNAME me", None, False, False, False),
        ("NOSUCH k", None, False, False, False),
    ],
)
def test_a_command_says_whether_it_asks_for_a_key_frees_one_runs_code_or_is_plain(
    command, asks, frees, is_script, is_plain
):
    said = described(command.split(), "c")
    assert (said.asks, said.frees, said.is_script) == (asks, frees, is_script)
    assert said.is_plain is is_plain


@pytest.mark.parametrize(
    ("command", "seconds"),
    [
        ("BLPOP a b 1.5", 1.5),
        ("BRPOP a 0", math.inf),
        ("BLMOVE a b LEFT RIGHT 2", 2),
        ("BZPOPMIN z 3", 3),
        ("BLMPOP 4 1 a LEFT", 4),
        ("XREAD BLOCK 500 STREAMS s $", 0.5),
        ("XREADGROUP GROUP g me BLOCK 0 STREAMS s >", math.inf),
        ("WAIT 1 250", 0.25),
        ("WAITAOF 1 0 0", math.inf),
        ("XREAD STREAMS s 0", None),
        ("LPOP a", None),
        ("GET block", None),
        ("BLPOP a soon", None),
        ("BLPOP a -1", None),
        ("WAIT 1", None),
        ("", None),
    ],
)
def test_blocking_tells_how_long_a_command_may_wait(command, seconds):
    assert described(command.split(" ")).blocks == seconds


@pytest.mark.parametrize(
    ("command", "label"),
    [
        ("get product:42", "GET product:42"),
        ("SET product:42 secret EX 5", "SET product:42"),
        ("MSET b 1 a 2", "MSET b a"),
        ("ZUNIONSTORE d 2 a b", "ZUNIONSTORE d a b"),
        ("EVALSHA aa 1 lock token", "EVALSHA lock"),
        ("PUBLISH invalidations product:42", "PUBLISH invalidations"),
        ("SUBSCRIBE a b", "SUBSCRIBE a b"),
        ("xgroup create s g 0", "XGROUP CREATE s"),
        ("CLIENT SETNAME me", "CLIENT SETNAME"),
        ("SCAN 0", "SCAN"),
        ("JSON.SET k $ 1", "JSON.SET"),
    ],
)
def test_the_label_names_keys_and_no_values(command, label):
    assert normalised(command.split(" ")) == label


@pytest.mark.parametrize("name", [name for name, (_, specs) in sorted(TABLE.items()) if specs])
def test_no_command_with_keys_is_ever_taken_for_one_that_touches_nothing(name):
    kind = TABLE[name][0]
    found = footprint([*name.split(), "1", "1", "1", "1", "1", "1"], "c")
    assert found.reads
    assert found.writes or kind.startswith("read") or name in {"SORT", "WATCH"} or "RADIUS" in name


@pytest.mark.redis_server
def test_the_table_is_what_the_server_says():
    with server() as client:
        now = {
            name: (kind, specs)
            for (kind, specs), names in grouped(client).items()
            for name in names
        }
        version = client.info("server")["redis_version"]
    known = {name: (kind, tuple(map(tuple, specs))) for name, (kind, specs) in TABLE.items()}
    shared = now.keys() & known.keys()
    assert {name: now[name] for name in shared} == {name: known[name] for name in shared}
    if version == redis_command_table.SERVER:
        assert now.keys() == known.keys()
    # A command that can block and is unknown to `described` would stop every actor.
    waits = {name for name, (kind, _) in now.items() if "blocking" in kind}
    unknown = {name for name in waits if described(example(name)).blocks is None}
    assert not unknown


def example(name):
    if name.startswith("XREAD"):
        return [name, "BLOCK", "5", "STREAMS", "s", "0"]
    return [name, "5", "5", "5", "5"]


@pytest.mark.redis_server
def test_what_is_called_only_read_keeps_its_value_on_a_real_server():
    with server() as client:
        client.sadd("a", 1, 2)
        client.zadd("z", {"m": 1})
        client.set("s", "x")
        for command in (
            *("SINTERSTORE d a a", "SUNIONSTORE d a", "SDIFFSTORE d a", "COPY a d REPLACE"),
            *("ZUNIONSTORE d 2 z a", "ZINTERSTORE d 1 z", "ZDIFFSTORE d 1 z"),
            *("ZRANGESTORE d z 0 -1", "BITOP NOT d s", "SORT a STORE d", "PFMERGE d d2"),
        ):
            before = [client.dump(key) for key in "azs"]
            client.execute_command(*command.split(" "))
            assert [client.dump(key) for key in "azs"] == before, command
            client.delete("d")
