"""Reports commands that the cache under test does not know, though production's may.

Code that treats an error of its cache as a cache miss would then never use its cache, and pass
every check. A command that no server knows is an error everywhere, and is not reported. The user's
own server is taken as it is.
"""

import re
from typing import Any

from pytest_supercache.layers import redis_commands
from pytest_supercache.layers.fake_server import FakeRedisServer
from pytest_supercache.layers.servers import AnyServer, ForeignServer
from pytest_supercache.runtime.kernel.stepping import Stepping

_UNKNOWN = re.compile(r"unknown command ['`\"]?([^'`\",]+)", re.IGNORECASE)
_IN_A_SCRIPT = re.compile(r"unknown (redis )?command called from script", re.IGNORECASE)
_REMEDY = "Use --supercache-backend=redis-server or valkey-server"
_EXTRAS = {"BF": "bf", "CF": "cf", "CMS": "probabilistic", "JSON": "json"}
"""Extras of fakeredis, by the prefix of their commands."""


def note_lacking(execution: Stepping, server: AnyServer, answer: Any) -> None:
    """Note as hazards the commands that the server does not know, by an error or its answers."""
    if isinstance(server, ForeignServer):
        return
    for error in answer if isinstance(answer, list | tuple) else (answer,):
        reason = _reason(server, str(error)) if isinstance(error, Exception) else None
        if reason is not None:
            execution.controller.hazard(reason)


def _reason(server: AnyServer, text: str) -> str | None:
    is_stand_in = isinstance(server, FakeRedisServer)
    if is_stand_in and _IN_A_SCRIPT.search(text):
        return f"a script sends a command that {server.description} does not know. {_REMEDY}"
    found = _UNKNOWN.search(text)
    if found is None:
        return None
    name = found[1].strip().upper()
    if "." in name:
        return _of_a_module(server, name, may_be_installed=is_stand_in)
    if redis_commands.is_of_cluster(name):
        return None  # that it was sent is a reason of its own
    if redis_commands.needs_scripts(name) and not server.runs_scripts:
        return None  # it was told before, with what is missing
    if is_stand_in and name in redis_commands.TABLE:
        return (
            f"{name}: {server.description} does not know this command and answers with an error, "
            f"which a server would not. {_REMEDY}"
        )
    return None


def _of_a_module(server: AnyServer, name: str, *, may_be_installed: bool) -> str:
    extra = _EXTRAS.get(name.partition(".")[0]) if may_be_installed else None
    install = f"Install fakeredis[{extra}], or use" if extra else "Use"
    return (
        f"{name}: {server.description} does not have the module of this command here, and the "
        f"server of production may. {install} --supercache-backend=redis://... with a server that "
        "has it"
    )
