"""Computes the footprint of a Redis command, for every command of the server, before it is sent.

It is always a superset: an unknown command accesses everything in its place. Two limits are taken
on trust, as Redis itself does: a script declares its keys, and no client tracking is enabled. Where
somebody hears of keys, :func:`telling_of_keys` adds what is published.

Besides ``place:key`` there are ``place.channels:*`` (subscriptions, and what is published),
``place.scripts:SHA`` (what EVALSHA finds) and ``clock:now`` (commands that set or report a time).
"""

import hashlib
import math
import re
from collections.abc import Sequence
from functools import lru_cache
from typing import Any, NamedTuple

from pytest_supercache.core.footprint import NOTHING, Footprint
from pytest_supercache.layers.redis_command_table import GROUPS, Keys

CLOCK = "clock:now"
PLACE = "existing_cache"


def _names(joined: str) -> frozenset[str]:
    return frozenset(joined.split(", "))


TABLE = {name: (kind, keys) for kind, keys, names in GROUPS for name in _names(names)}

_CONTAINERS = frozenset(name for name, (kind, _) in TABLE.items() if kind == "container")

_OF_THE_SERVER = _CONTAINERS - {"XGROUP", "XINFO", "OBJECT", "SCRIPT"}

# Commands about one connection: no other connection can observe whether they ran. WATCH is not
# among them, it reads its keys; the sender joins the commands between MULTI and EXEC.
_CONNECTION = _names(
    "PING, ECHO, HELLO, AUTH, QUIT, SELECT, ASKING, READONLY, READWRITE, MULTI, EXEC, DISCARD, "
    "UNWATCH, CLIENT SETINFO, CLIENT SETNAME, CLIENT GETNAME, CLIENT ID, CLIENT INFO, "
    "CLIENT REPLY, CLIENT NO-EVICT, CLIENT NO-TOUCH, CLIENT GETREDIR, CLIENT TRACKINGINFO, "
    "COMMAND, COMMAND COUNT, COMMAND DOCS, COMMAND GETKEYS, COMMAND GETKEYSANDFLAGS, "
    "COMMAND INFO, COMMAND LIST, ACL WHOAMI, ACL CAT, ACL GENPASS, CLUSTER KEYSLOT"
) | {name for name in TABLE if name.endswith(" HELP")}

_PUBSUB = _names(
    "PUBLISH, SPUBLISH, SUBSCRIBE, PSUBSCRIBE, SSUBSCRIBE, UNSUBSCRIBE, PUNSUBSCRIBE, "
    "SUNSUBSCRIBE, RESET, PUBSUB CHANNELS, PUBSUB NUMPAT, PUBSUB NUMSUB, PUBSUB SHARDCHANNELS, "
    "PUBSUB SHARDNUMSUB"
)

_SUBSCRIBES = {"SUBSCRIBE", "PSUBSCRIBE"}
_OF_KEYS = "__key"
_PATTERN = re.compile(r"[*?\[\\]")

# They set, report or compare a moment. XADD makes ids from the time; consumer groups measure the
# idle time of an entry.
_TIMED = _names(
    "SETEX, PSETEX, EXPIRE, EXPIREAT, PEXPIRE, PEXPIREAT, GETEX, TTL, PTTL, EXPIRETIME, "
    "PEXPIRETIME, RESTORE, RESTORE-ASKING, HEXPIRE, HEXPIREAT, HPEXPIRE, HPEXPIREAT, HTTL, HPTTL, "
    "HEXPIRETIME, HPEXPIRETIME, HGETEX, HSETEX, OBJECT IDLETIME, XADD, XREADGROUP, XCLAIM, "
    "XAUTOCLAIM, XPENDING, XINFO CONSUMERS, XINFO STREAM"
)
_SET_TIMES = {"EX", "PX", "EXAT", "PXAT", "KEEPTTL"}

# A command whose answer is "no" (nil, 0, nothing) has changed nothing.
_ATTEMPTS = _names(
    "SETNX, MSETNX, HSETNX, RENAMENX, COPY, MOVE, PERSIST, EXPIRE, EXPIREAT, PEXPIRE, PEXPIREAT, "
    "DEL, UNLINK, GETDEL, HDEL, SADD, SREM, SMOVE, SPOP, ZREM, ZPOPMIN, ZPOPMAX, "
    "LPOP, RPOP, LMOVE, RPOPLPUSH, LREM, LPUSHX, RPUSHX"
)
_DELETES = {"DEL", "UNLINK", "GETDEL", "DELEX"}
_SCRIPTS = {"EVAL", "EVAL_RO", "EVALSHA", "EVALSHA_RO", "FCALL", "FCALL_RO"}
_SCRIPT_PUBLISHES = re.compile(r"publish", re.IGNORECASE)
_SCRIPT_TIMES = re.compile(
    r"expire|ttl|setex|getex|restore|\btime\b|idle|xadd|xreadgroup|xclaim|xautoclaim|xpending|xinfo"
    r"|[\"'](?:ex|px|exat|pxat)[\"']",
    re.IGNORECASE,
)
# A call whose command is not one plain string: redis.call(command, key), local call = redis.call.
_SCRIPT_COMPUTES_COMMAND = re.compile(r"call(?!\s*\(\s*([\"'])[\w.]+\1\s*[,)])")

# The position of the timeout, and its units per second.
_TIMEOUTS = {
    "BLPOP": (-1, 1),
    "BRPOP": (-1, 1),
    "BRPOPLPUSH": (-1, 1),
    "BLMOVE": (-1, 1),
    "BZPOPMIN": (-1, 1),
    "BZPOPMAX": (-1, 1),
    "BLMPOP": (1, 1),
    "BZMPOP": (1, 1),
    "WAIT": (2, 1000),
    "WAITAOF": (3, 1000),
}


class _Command(NamedTuple):
    """A command as the server parses it: container commands keep their second word in ``words``."""

    name: str  # "SET", "CLIENT SETNAME"
    words: list[str]


class _Touched(NamedTuple):
    """Keys in the arguments; ``unclear`` means that there may be others."""

    reads: list[str]
    writes: list[str]
    unclear: bool


def footprint(args: Sequence[Any], place: str = PLACE, script: str | None = None) -> Footprint:
    """Return what a command may read and write.

    Args:
        args: as given to redis-py's ``execute_command``: ``("SET", "k", 1)``, ``("CLIENT ID",)``.
        place: the layer that the keys belong to.
        script: the text that EVALSHA stands for, if known; without it any script may publish and
            read the clock.
    """
    command = _parse(args)
    name, words = command
    if name in _CONNECTION:
        return NOTHING
    if name in _PUBSUB:
        told = {f"{place}:*"} if _hears_of_keys(command) else set()  # or not, of earlier commands
        return _both(f"{place}.channels:*", *told)
    if name == "TIME":
        return Footprint(reads=frozenset({CLOCK}))
    if name in {"SCRIPT LOAD", "SCRIPT EXISTS", "SCRIPT FLUSH"}:
        return _script_cache(name, words, place)
    if name not in TABLE or not (TABLE[name][1] or TABLE[name][0] == "read"):
        return _unknown(name, place)
    result = _keys_footprint(command, place)
    if name in _SCRIPTS:
        result |= _script(name, words, place, script)
    if name in _TIMED or (name == "SET" and not _SET_TIMES.isdisjoint(map(str.upper, words[3:]))):
        result |= Footprint(reads=frozenset({CLOCK}))
    return result


class Described(NamedTuple):
    """The facts about a command that are known before it is sent."""

    label: str  # "GET product:42"
    footprint: Footprint
    asks: str | None  # the key, if it is set only where there was none
    frees: bool  # deletes keys, or gives them to a script
    is_script: bool
    is_plain: bool  # reads or writes keys at once, and the connection remembers nothing of it
    is_timed: bool  # sets or reads a time to live
    is_usual: bool  # plain, and nothing else is to be remembered of it
    is_attempt: bool  # changes nothing if its answer is "no": nil, 0, or none
    settings: tuple[str, ...]  # of the server, which it changes
    hears_of_keys: bool  # subscribes to keyspace notifications, or to a pattern that they match
    blocks: float | None  # the longest wait, in seconds; ``inf``: no limit; None: it never blocks


def is_container(label: str) -> bool:
    """Say by a label whether a command, or one of a pipeline, is about the server (CLIENT)."""
    commands = label.removeprefix("MULTI ").split("; ")
    return any(command.partition(" ")[0] in _OF_THE_SERVER for command in commands)


def has_changed_nothing(args: Sequence[Any], answer: Any) -> bool:
    """Say whether a command has changed nothing, as shown by its answer."""
    command = described(args)
    if not command.footprint.writes:
        return True
    is_no = answer is None or answer == [] or (isinstance(answer, int) and not answer)
    return command.is_attempt and is_no


def described(args: Sequence[Any], place: str = PLACE) -> Described:
    """Describe a command; short ones are cached, because every execution sends the same ones."""
    if len(args) >= 8:
        return _described(place, *args)
    if _TEXT.issuperset(map(type, args)):  # as most are: no loop in Python
        is_short = sum(map(len, args)) < 200
    else:
        is_short = all(type(a) is int or (type(a) in _TEXT and len(a) < 100) for a in args)
    return _remembered(place, *args) if is_short else _described(place, *args)


def _described(place: str, *args: Any) -> Described:
    label = normalised(args)
    name, words = _parse(args)
    is_asked = name == "SETNX" or (name == "SET" and "NX" in map(str.upper, words[3:]))
    touched = footprint(args, place)
    is_script = needs_scripts(name)
    is_plain = TABLE.get(name, ("", ()))[0] in {"read", "write"} and not is_script
    is_timed = CLOCK in touched.reads
    frees = name in _SCRIPTS or name in _DELETES
    is_attempt = name in _ATTEMPTS or (name == "SET" and _is_attempt(words[3:]))
    return Described(
        label,
        touched,
        words[1] if is_asked else None,
        frees,
        is_script,
        is_plain,
        is_timed,
        is_plain and not (is_timed or is_asked or frees or is_attempt),
        is_attempt,
        tuple(words[2::2]) if name == "CONFIG SET" else (),
        _hears_of_keys(_Command(name, words)),
        _blocks(name, words),
    )


def telling_of_keys(touched: Footprint, place: str = PLACE) -> Footprint:
    """Add to the footprint of a command that it publishes what it does to keys."""
    if not any(resource.startswith(f"{place}:") for resource in touched.reads | touched.writes):
        return touched
    return touched | _both(f"{place}.channels:*")


def _hears_of_keys(command: _Command) -> bool:
    return command.name in _SUBSCRIBES and any(map(_may_tell_of_keys, command.words[1:]))


def _may_tell_of_keys(channel: str) -> bool:
    """Say whether a channel, or one that matches a pattern, is one of keyspace notifications."""
    literal = _PATTERN.split(channel, maxsplit=1)[0]
    return literal.startswith(_OF_KEYS) or (literal != channel and _OF_KEYS.startswith(literal))


def needs_scripts(name: str) -> bool:
    """Say whether a command runs, stores or reads scripts or functions of the server."""
    return name in _SCRIPTS or name.partition(" ")[0] in {"SCRIPT", "FUNCTION"}


def is_of_cluster(name: str) -> bool:
    """Say whether a command is for a node of a cluster only, such as a question about its slots."""
    return name.partition(" ")[0] in {"CLUSTER", "READONLY", "READWRITE", "ASKING"}


def keys_of(args: Sequence[Any]) -> list[str]:
    """Return the keys that a command names, by which a client of a cluster chooses a node.

    Of a command that is not known here, this is its first argument; of PUBLISH, the channel.
    """
    command = _parse(args)
    if command.name not in TABLE or command.name in _PUBSUB:
        return command.words[1:2]
    touched = _touched(command)
    return [*touched.reads, *touched.writes]


def _is_attempt(options: Sequence[str]) -> bool:
    """Say whether the answer of a SET with these options tells whether it has set the key."""
    upper = set(map(str.upper, options))
    return not upper.isdisjoint({"NX", "XX"}) and "GET" not in upper


_TEXT = frozenset({str, bytes})

_remembered = lru_cache(maxsize=1_000, typed=True)(_described)


def _blocks(name: str, words: list[str]) -> float | None:
    """Return the seconds for which a command may block (``inf``: for ever); None if it never does.

    In a transaction no command blocks. For a malformed timeout the server returns an error at once.
    """
    if name in {"XREAD", "XREADGROUP"}:
        upper = [word.upper() for word in words]
        if "BLOCK" not in upper[:-1]:
            return None
        at, units = upper.index("BLOCK") + 1, 1000
    elif name in _TIMEOUTS:
        at, units = _TIMEOUTS[name]
    else:
        return None
    try:
        seconds = float(words[at]) / units
    except (IndexError, ValueError):
        return None
    if not 0 <= seconds < math.inf:
        return None
    return seconds or math.inf


def normalised(args: Sequence[Any]) -> str:
    """Return a command with its keys or channels and without its values: ``GET product:42``."""
    command = _parse(args)
    name, words = command
    if name in _PUBSUB:
        channels = words[len(name.split()) :]
        shown = channels[:1] if name in {"PUBLISH", "SPUBLISH"} else channels
    else:
        touched = _touched(command)
        # In the order of the arguments, which people know.
        keys = {*touched.reads, *touched.writes}
        shown = list(dict.fromkeys(word for word in words[1:] if word in keys))
    return " ".join([name, *shown])


def text(argument: Any) -> str:
    """Return an argument as redis-py would send it, as text; bytes and text are equal."""
    if isinstance(argument, bytes | bytearray | memoryview):
        return bytes(argument).decode("utf-8", "backslashreplace")
    return repr(argument) if isinstance(argument, float) else str(argument)


def _parse(args: Sequence[Any]) -> _Command:
    """Split a name of two words, and decide whether the second word belongs to the name."""
    if not args:
        return _Command("", [])
    words = [*text(args[0]).split(), *map(text, args[1:])]
    name = words[0].upper() if words else ""
    if name in _CONTAINERS and len(words) > 1:
        name = f"{name} {words[1].upper()}"
    return _Command(name, words)


def _keys_footprint(command: _Command, place: str) -> Footprint:
    reads, writes, unclear = _touched(command)
    specs = TABLE[command.name][1]
    if unclear or not specs or not (reads or writes):
        # Commands that read the whole keyspace, and those whose keys cannot be found here.
        changes = any(spec.writes for spec in specs)
        return _both(f"{place}:*") if changes else Footprint(reads=frozenset({f"{place}:*"}))
    written = frozenset(f"{place}:{key}" for key in writes)
    return Footprint(frozenset(f"{place}:{key}" for key in reads) | written, written)


def _touched(command: _Command) -> _Touched:
    touched = _Touched([], [], unclear=False)
    for spec in TABLE.get(command.name, ("", ()))[1]:
        found = _find(spec, command)
        if found is None:
            touched = touched._replace(unclear=True)
        else:
            (touched.writes if spec.writes else touched.reads).extend(found)
    return touched


def _find(spec: Keys, command: _Command) -> list[str] | None:
    """Return the keys of one specification; None if the arguments do not determine them."""
    words = command.words
    if spec.find == "unknown":
        return _find_in_sort(words)
    begin: int | None
    if isinstance(spec.begin, int):
        begin = spec.begin
    else:
        at = [i for i, word in enumerate(words) if i and word.upper() == spec.begin]
        if len(at) > 1:
            return None  # one of them may be a key or a name: nobody but the server knows
        begin = at[0] + 1 if at and at[0] >= spec.start else None
    if begin is None:
        return []
    if spec.find == "number":
        return _numbered(words, begin, *spec.numbers)
    last, step, limit = spec.numbers
    if last >= 0:
        end = begin + last
    elif limit > 1:
        end = begin + (len(words) - begin) // limit + last
    else:
        end = len(words) + last
    return words[begin : end + 1 : step]


def _numbered(words: list[str], begin: int, number: int, first: int, step: int) -> list[str] | None:
    try:
        count = int(words[begin + number])
    except (IndexError, ValueError):
        return None
    start = begin + first
    if not 0 < count <= (len(words) - start) // step:
        return None  # no key declared, or an error: a script may use any key all the same
    return words[start : start + count * step : step]


def _find_in_sort(words: list[str]) -> list[str] | None:
    """Return no more keys of SORT; None with BY or GET (keys by values) or STORE (anywhere)."""
    return [] if {"BY", "GET", "STORE"}.isdisjoint(word.upper() for word in words[2:]) else None


def _both(*resources: str) -> Footprint:
    touched = frozenset(resources)
    return Footprint(touched, touched)


def _unknown(name: str, place: str) -> Footprint:
    """Return everything in the place, without channels if the command cannot use them."""
    if name in {"FLUSHDB", "FLUSHALL", "SWAPDB"}:
        return _both(f"{place}:*")
    everything = _both(f"{place}:*", f"{place}.channels:*", f"{place}.scripts:*")
    return everything | Footprint(reads=frozenset({CLOCK}))


def _script_cache(name: str, words: list[str], place: str) -> Footprint:
    if name == "SCRIPT EXISTS":
        return Footprint(reads=frozenset(f"{place}.scripts:{sha.lower()}" for sha in words[2:]))
    if name == "SCRIPT LOAD" and len(words) > 2:
        return _both(f"{place}.scripts:{_sha(words[2])}")
    return _both(f"{place}.scripts:*")


def _script(name: str, words: list[str], place: str, script: str | None) -> Footprint:
    """Return what a script may access besides its keys."""
    body = words[1] if len(words) > 1 else ""
    result = NOTHING
    if name in {"EVAL", "EVAL_RO"}:
        script = body
        result |= _both(f"{place}.scripts:{_sha(body)}")
    elif name in {"EVALSHA", "EVALSHA_RO"}:
        result |= Footprint(reads=frozenset({f"{place}.scripts:{body.lower()}"}))
    if script is None or _SCRIPT_COMPUTES_COMMAND.search(script):
        return result | _both(f"{place}.channels:*") | Footprint(reads=frozenset({CLOCK}))
    if _SCRIPT_PUBLISHES.search(script):
        result |= _both(f"{place}.channels:*")
    if _SCRIPT_TIMES.search(script):
        result |= Footprint(reads=frozenset({CLOCK}))
    return result


def _sha(script: str) -> str:
    return hashlib.sha1(script.encode(), usedforsecurity=False).hexdigest()
