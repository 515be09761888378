"""The process that a worker of Dask starts: it answers calls one after another.

Through the descriptor that it is given it receives a :class:`Program`, says whether it can be that,
and then answers one call after another.
"""

import os
import pickle
import signal
import sys
import threading
from collections.abc import Callable
from importlib import import_module
from multiprocessing.connection import Connection
from typing import Any

from pytest_supercache.core.real_clock import real_sleep
from pytest_supercache.remote.identity import identity_of
from pytest_supercache.remote.program import NotCalledError, Program
from pytest_supercache.remote.worker import END_SECONDS

IDLE_SECONDS = 30.0
"""How long a child waits for another call before it ends."""

_ORPHAN_SECONDS = 0.5
"""How often a child checks whether its worker is still there."""


def main(descriptor: int) -> None:
    """Be the program that is received."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the worker
    signal.signal(signal.SIGTERM, _leave)
    threading.Thread(target=_end_when_orphaned, args=(os.getppid(),), daemon=True).start()
    connection = Connection(descriptor)
    program: Program = connection.recv()
    if identity_of(program.files).digest() != program.identity:
        connection.send("its project, packages or Python are no longer those of the run")
        return
    module, _, name = program.entry.partition(":")
    getattr(import_module(module), name)(connection, pickle.loads(program.given or b"N."))


def answer(connection: Any, _given: object) -> None:
    """Answer calls as they are."""
    answer_calls(connection, lambda function, *given: function(*given))


def answer_calls(connection: Any, call: Callable[..., Any]) -> None:
    """Say that this child is ready, and answer calls until there are no more.

    Args:
        connection: the way to the worker.
        call: gets the function of each call, and its arguments.
    """
    connection.send(None)  # nothing stands against it
    while connection.poll(IDLE_SECONDS):
        try:
            received = connection.recv_bytes()
        except EOFError:
            return
        connection.send_bytes(_answer(received, call))


def _answer(received: bytes, call: Callable[..., Any]) -> bytes:
    try:
        function, given = pickle.loads(received)
        return pickle.dumps((True, call(function, *given)))
    except SystemExit:  # it was asked to end
        raise
    except BaseException as error:  # noqa: BLE001 - sent to the caller, which raises it
        return _failed(error)


def _failed(error: BaseException) -> bytes:
    """Pickle an error; one that cannot be read back is told in words."""
    try:
        pickle.loads(told := pickle.dumps((False, error)))
    except Exception:  # noqa: BLE001 - to read it back runs its own `__setstate__`
        said = f"{type(error).__name__}: {error}"
        return pickle.dumps((False, NotCalledError(said)))
    return told


def _leave(*_: object) -> None:
    """Unwind the stack, wherever the signal arrives, so that everything open is closed."""
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    sys.exit(1)


def _end_when_orphaned(parent: int) -> None:
    while os.getppid() == parent:
        real_sleep(_ORPHAN_SECONDS)
    os.kill(os.getpid(), signal.SIGTERM)
    real_sleep(END_SECONDS)
    os._exit(1)
