"""Reports commands and options that fakeredis does not support: a server would answer them.

Code that treats an error of its cache as a cache miss would then never use its cache, and pass
every check. So each error of fakeredis counts as one that servers do not give, unless it is about
data: a key of another type, text that is no number, a transaction that was aborted. Errors are
heard where fakeredis makes them (`FakeRedisServer.error_makers`), whoever reads the answer: a
client, a pipeline, a script, or code that uses a connection directly. Real servers are reported
only for a module that they do not have. The user's own server is taken as it is.
"""

import re
from collections.abc import Callable
from typing import Any

from pytest_supercache.layers import redis_commands
from pytest_supercache.layers.fake_server import FakeRedisServer
from pytest_supercache.layers.servers import AnyServer, ForeignServer
from pytest_supercache.runtime.kernel.active import controlled
from pytest_supercache.runtime.kernel.execution_context import ExecutionContext
from pytest_supercache.runtime.kernel.patches import Patches
from pytest_supercache.runtime.redis.topologies import REPLICAS

_UNKNOWN = re.compile(r"unknown command ['`\"]?([^'`\",]+)", re.IGNORECASE)
_IN_A_SCRIPT = re.compile(r"unknown (redis )?command called from script", re.IGNORECASE)
_OF_A_SCRIPT = re.compile(r"\b(?:EVAL|EVALSHA|FCALL)(?:_RO)?\b")
_LACKS = re.compile(
    r"syntax error|wrong number of arg|unknown|unsupported|subcommand"
    r"|attempt to (?:call|index).*(?:global|field)",
    re.IGNORECASE,
)
"""What an error of a script says if it may be for what the stand-in does not have."""

_NO_FUNCTION = re.compile(r"function not found", re.IGNORECASE)

_OF_DATA = re.compile(
    r"(?!ERR )[A-Z]{4,} "  # WRONGTYPE, NOSCRIPT, EXECABORT, NOGROUP, BUSYKEY, ...
    r"|ERR (?:BUSYGROUP |(?:hash )?value is not an? (?:integer|valid float|float)|no such key"
    r"|(?:index|bit offset|offset|DB index|value) is out of range|index out of range"
    r"|increment .*would (?:overflow|produce)|string exceeds|invalid expire time"
    r"|resulting score is not a number|source and destination objects are the same"
    r"|The ID specified in XADD|The stream has exhausted|The XGROUP subcommand requires the key"
    r"|could not decode requested zset member|MULTI calls can not be nested|\w+ without MULTI"
    r"|WATCH inside MULTI|timeout is negative|DUMP payload)"
)
"""Errors, as they go over the wire, that servers give for the same data and the same numbers."""

_GREETINGS = frozenset({"HELLO", "CLIENT SETINFO", "CLIENT SETNAME", "CLIENT MAINT_NOTIFICATIONS"})
"""Commands that client libraries send when they connect; they do without an answer."""

_REMEDY = "Use --supercache-backend=redis-server or valkey-server"
_EXTRAS = {"BF": "bf", "CF": "cf", "CMS": "probabilistic", "JSON": "json"}
"""Extras of fakeredis, by the prefix of their commands."""


def hear_errors(patches: Patches, server: AnyServer) -> None:
    """Patch the stand-in so that each error that it answers with is looked at."""
    makers = server.error_makers() if isinstance(server, FakeRedisServer) else ()

    def heard(make: Callable[..., Any]) -> Callable[..., Any]:
        def decode_error(socket: Any, error: Any) -> Any:
            execution = controlled()
            if execution is not None:
                _note(execution, _lacked(server, str(error.value), _label(execution)))
            return make(socket, error)

        return decode_error

    for kind, name in makers:
        patches.wrap(kind, name, heard)


def note_unsupported(execution: ExecutionContext, server: AnyServer, answer: Any) -> None:
    """Note what a server does not have, by an error or the answers that a client has received."""
    if isinstance(server, ForeignServer):
        return
    for error in answer if isinstance(answer, list | tuple) else (answer,):
        if not isinstance(error, Exception):
            continue
        if _NO_FUNCTION.search(str(error)):
            _note(execution, _without_function(_label(execution)))
        elif isinstance(server, FakeRedisServer):
            _note(execution, _failed(server, error, _label(execution)))
        elif (found := _UNKNOWN.search(str(error))) and "." in found[1]:
            name = found[1].strip().upper()
            _note(execution, _of_a_module(server, name, may_be_installed=False))


def _note(execution: ExecutionContext, reason: str | None) -> None:
    if reason is not None:
        execution.controller.hazard(reason)


def _label(execution: ExecutionContext) -> str:
    steps = execution.record.steps
    return steps[-1].label if steps else "a command"


def _failed(server: AnyServer, error: Exception, label: str) -> str | None:
    """Return the reason of an exception that fakeredis has not raised on purpose."""
    traceback = error.__traceback__
    while traceback is not None and traceback.tb_next is not None:
        traceback = traceback.tb_next
    where = "" if traceback is None else str(traceback.tb_frame.f_globals.get("__name__"))
    library = type(error).__module__.partition(".")[0]
    if not where.startswith("fakeredis.") or library in {"redis", "valkey", "fakeredis"}:
        return None
    return (
        f"{label}: {server.description} fails ({type(error).__name__}), which a server would not. "
        f"{_REMEDY}"
    )


def _lacked(server: AnyServer, text: str, label: str) -> str | None:
    """Return the reason of an error that a server of production may not give."""
    if _IN_A_SCRIPT.search(text):
        return f"a script sends a command that {server.description} does not know. {_REMEDY}"
    found = _UNKNOWN.search(text)
    if found is not None:
        return _unknown(server, found[1].strip().upper())
    if _OF_A_SCRIPT.search(label):
        is_known = not _LACKS.search(text)  # a script may answer with errors of its own
    else:
        is_known = _OF_DATA.match(text) is not None and not redis_commands.is_container(label)
    if is_known:
        return None
    return (
        f"{label}: {server.description} answers with an error ({text.removeprefix('ERR ')}), which "
        f"a server may not, because the stand-in does not know every option. {_REMEDY}"
    )


def _without_function(label: str) -> str:
    return (
        f"{label}: the server here begins without functions, and the server of production may have "
        "this one. Send FUNCTION LOAD in the factory or in the body of the test"
    )


def _unknown(server: AnyServer, name: str) -> str | None:
    if "." in name:
        return _of_a_module(server, name, may_be_installed=True)
    if name == "READONLY":  # sent on connecting, perhaps by a client that was made before the check
        return REPLICAS
    if redis_commands.is_of_cluster(name):
        return None  # that it was sent is a reason of its own
    if redis_commands.needs_scripts(name) and not server.runs_scripts:
        return None  # it was told before, with what is missing
    if name in _GREETINGS:
        return None
    is_usual = name in redis_commands.TABLE
    which = "which a server would not" if is_usual else "which a newer server may not"
    return (
        f"{name}: {server.description} does not know this command and answers with an error, "
        f"{which}. {_REMEDY}"
    )


def _of_a_module(server: AnyServer, name: str, *, may_be_installed: bool) -> str:
    extra = _EXTRAS.get(name.partition(".")[0]) if may_be_installed else None
    install = f"Install fakeredis[{extra}], or use" if extra else "Use"
    return (
        f"{name}: {server.description} does not have the module of this command here, and the "
        f"server of production may. {install} --supercache-backend=redis://... with a server that "
        "has it"
    )
