"""Explains why a thread hangs in a real socket or pipe, and what to do about it.

It parses the hanging line, and looks up its names in the frame without running any code.
"""

import ast
import os
import select
import socket
from collections.abc import Callable
from types import FrameType

from pytest_supercache.runtime.kernel.actor import Actor
from pytest_supercache.runtime.kernel.source import parts_of, value_of
from pytest_supercache.runtime.kernel.whereabouts import frames_of

_CALLS = {
    os.read: "a pipe or a socket",
    os.write: "a pipe or a socket",
    select.select: "a pipe or a socket",
}
"""Functions that wait for the other end, with the name of what they wait for."""

_METHODS = frozenset(
    {"accept", "connect", "recv", "recv_into", "recvfrom", "recvfrom_into", "recvmsg", "send",
     "sendall", "sendfile", "sendmsg", "sendto"}
)  # fmt: skip
"""Methods of a socket that wait for the other end."""


def explain_channel(actor: Actor, is_ours: Callable[[str], bool]) -> list[str]:
    """Say that an actor waits for a socket or a pipe; empty if that cannot be told."""
    frame = next((f for f in frames_of(actor) if not is_ours(f.f_code.co_filename)), None)
    awaited = None if frame is None else _awaited(frame)
    if awaited is None:
        return []
    return [
        f"{actor.name} waits for {awaited}: when the other end answers is not under control here. "
        "Put a pair of queue.Queue in its place in the test: their put and get are steps"
    ]


def _awaited(frame: FrameType) -> str | None:
    line: int | None = frame.f_lineno
    if line is None:
        return None  # what runs there belongs to no line
    for node in parts_of(frame):
        if not isinstance(node, ast.Call) or not _is_on(line, node):
            continue
        if _is_of_socket(node.func, frame):
            return "a socket"
        found = value_of(node.func, frame)
        shown = next((said for call, said in _CALLS.items() if call is found), None)
        if shown is not None:
            return shown
    return None


def _is_of_socket(called: ast.expr, frame: FrameType) -> bool:
    if not isinstance(called, ast.Attribute) or called.attr not in _METHODS:
        return False
    return issubclass(type(value_of(called.value, frame)), socket.socket)


def _is_on(line: int, node: ast.Call) -> bool:
    return node.lineno <= line <= (node.end_lineno or node.lineno)
