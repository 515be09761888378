"""Finds connections that native code has opened, of which the interpreter reports nothing.

A client in C or Rust (valkey-glide, pylibmc) has sockets that no Python code has
connected. What it sends is no step, so a run in which one appears proves nothing.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

from pytest_supercache.core.socket_ends import ends_of, open_descriptors, open_sockets
from pytest_supercache.runtime.kernel import audit
from pytest_supercache.runtime.kernel.notes import Notes
from pytest_supercache.runtime.sql.native_sockets import SERVERS, SOCKETS

_known = set[int]()
"""The inodes of sockets that were there before the check, or that Python code has connected."""

_listed = set[str]()
"""The descriptors at the last look. Usually none is new, and then no socket is examined."""


@contextmanager
def native_connections_found() -> Iterator[None]:
    """Notice, until the end of the block, which sockets are there and which Python code connects.

    On a system without a list of descriptors nothing is found.
    """
    audit.listen({"socket.connect"}, _connecting)
    _known.update(open_sockets())
    try:
        yield
    finally:
        for noted in (_known, SOCKETS, _listed):
            noted.clear()


def _connecting(_event: str, args: tuple[Any, ...]) -> None:
    with suppress(OSError):
        _known.add(os.fstat(args[0].fileno()).st_ino)


def note_native_connections(notes: Notes) -> None:
    """Note as a hazard a connection that was opened by native code, and is open now."""
    found = open_descriptors()
    is_same = found <= _listed
    _listed.clear()
    _listed.update(found)
    if is_same:
        return
    sockets = open_sockets()
    new = sockets.keys() - _known - SOCKETS
    _known.update(new)
    ends = {inode: ends_of(descriptor) for inode, descriptor in sockets.items()}
    known = SERVERS | {own for own, _ in ends.values()}  # or both ends are here
    for inode in new:
        peer = ends[inode][1]
        if peer and peer not in known:
            shown = ":".join(map(str, peer[:2])) if isinstance(peer, tuple) else str(peer)
            notes.leave_control(
                f"a client in native code has connected to {shown}, past Python (as valkey-glide "
                "and pylibmc do): what it sends is no step. Use a client that is under control "
                "(docs/adapters.md), or put a double in its place"
            )
