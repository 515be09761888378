#!/usr/bin/env python3
"""Writes the table of Redis commands and their keys from the server's own COMMAND output.

.venv/bin/python tools/redis_commands.py   write pytest_supercache/layers/redis_command_table.py

Needs redis-server and the packages of the lock. Commands that behave alike share one entry, so that
a person can review the table; ``grouped`` and ``server`` are also used by the table's test.
"""

import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import redis

TABLE = Path(__file__).resolve().parent.parent / "pytest_supercache/layers/redis_command_table.py"

# The server calls their keys read-only because it means the value; they do change the key.
WRITES_WHAT_IT_READS = {"XREADGROUP"}

HEADER = '''"""Which arguments of a Redis command are keys, and whether it may change them.

Written by tools/redis_commands.py from the COMMAND output of redis-server {version}; change that
instead. Commands that behave alike share one entry: kind, key specifications, names.
"""

from typing import NamedTuple


class Keys(NamedTuple):
    """Where a command has keys, as in the server's key specifications.

    ``begin`` is the index of the first one or the keyword before it (then searched from ``start``).
    ``find`` is "range" with last (relative to begin, negative: from the end), step and limit, or
    "number" with the index of their number (relative to begin), first and step, or "unknown".
    """

    writes: bool
    begin: int | str
    start: int
    find: str
    numbers: tuple[int, int, int]


SERVER = "{version}"

# fmt: off
GROUPS: tuple[tuple[str, tuple[Keys, ...], str], ...] = (
'''


@contextmanager
def server() -> Iterator[redis.Redis]:
    """Run an empty redis-server on a unix socket in a folder of its own."""
    with tempfile.TemporaryDirectory() as folder:
        socket = f"{folder}/socket"
        command = ["redis-server", "--port", "0", "--unixsocket", socket, "--save", ""]
        command += ["--dir", folder]
        process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        try:
            if not any("ready to accept" in line.lower() for line in process.stdout or ()):
                raise RuntimeError("redis-server ended before it was ready")
            client = redis.Redis(unix_socket_path=socket, protocol=3)
            yield client
            client.close()
        finally:
            process.terminate()
            process.communicate(timeout=10)


def grouped(client: redis.Redis) -> dict[tuple[str, tuple[Any, ...]], list[str]]:
    """Return every command of the server, subcommands too, by kind and key specifications."""
    client.set_response_callback("COMMAND", lambda reply, **_: reply)  # as the server sent it
    pending: list[Any] = client.execute_command("COMMAND")
    groups: dict[tuple[str, tuple[Any, ...]], list[str]] = {}
    while pending:
        command = pending.pop()
        pending.extend(command[9])
        name = command[0].decode().upper().replace("|", " ")
        flags = {flag.decode() for flag in command[2]}
        if command[9]:
            kind = "container"
        elif "write" in flags:
            kind = "write"
        else:
            kind = "read" if "readonly" in flags else "other"
        if "blocking" in flags:
            kind += " blocking"
        specs = (keys(name, plain(spec)) for spec in command[8])
        groups.setdefault((kind, tuple(spec for spec in specs if spec)), []).append(name)
    return groups


def keys(name: str, spec: dict[str, Any]) -> tuple[Any, ...] | None:
    """Translate one key specification; None for an argument that only looks like a key."""
    if "not_key" in spec["flags"]:
        return None
    writes = "RO" not in spec["flags"] or name in WRITES_WHAT_IT_READS
    begin, find = spec["begin_search"], spec["find_keys"]
    if begin["type"] == "unknown" or find["type"] == "unknown":
        return (writes, 0, 0, "unknown", (0, 0, 0))
    where, how = begin["spec"], find["spec"]
    place = (where["index"], 0) if "index" in where else (where["keyword"], where["startfrom"])
    if find["type"] == "keynum":
        return (writes, *place, "number", (how["keynumidx"], how["firstkey"], how["keystep"]))
    return (writes, *place, "range", (how["lastkey"], how["keystep"], how["limit"]))


def plain(value: Any) -> Any:
    """Turn a reply into text, dictionaries and lists."""
    if isinstance(value, bytes):
        return value.decode()
    if isinstance(value, dict):
        return {plain(key): plain(item) for key, item in value.items()}
    if isinstance(value, list | set):
        return [plain(item) for item in value]
    return value


def main() -> None:
    """Write the table."""
    with server() as client:
        groups = grouped(client)
        version = client.info("server")["redis_version"]
    lines = [HEADER.format(version=version)]
    for (kind, specs), names in sorted(groups.items(), key=lambda item: repr(item[0])):
        lines.append(f'    ("{kind}", (\n')
        lines.extend(f"        Keys{repr(spec).replace(chr(39), chr(34))},\n" for spec in specs)
        lines.extend(["    ), (\n", *wrapped(sorted(names)), "    )),\n"])
    TABLE.write_text("".join([*lines, ")\n# fmt: on\n"]))
    print(f"{TABLE.name}: {sum(map(len, groups.values()))} commands of redis-server {version}")


def wrapped(names: list[str], width: int = 84) -> list[str]:
    """Write names, comma-separated, as lines of one string literal."""
    lines, line = [], ""
    for name in names:
        if len(line) + len(name) > width:
            lines.append(line)
            line = ""
        line += f"{name}, "
    return [f'        "{part}"\n' for part in [*lines, line.removesuffix(", ")]]


if __name__ == "__main__":
    main()
