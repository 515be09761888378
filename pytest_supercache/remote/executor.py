"""An executor whose calls are made by the workers of a Dask cluster, each in a child process."""

import os
import pickle
import re
import secrets
import socket
import sys
import threading
from collections.abc import Callable
from concurrent.futures import Executor, Future
from contextlib import suppress
from dataclasses import replace
from functools import partial
from importlib.util import find_spec
from multiprocessing import Pipe
from pathlib import Path
from typing import Any

from pytest_supercache.core.errors import SupercacheError
from pytest_supercache.core.folders import is_installed
from pytest_supercache.core.masking import quoted
from pytest_supercache.core.socket_ends import opened_again
from pytest_supercache.remote.bridge import Opened, Opening, Refused
from pytest_supercache.remote.identity import Files, OwnIdentity
from pytest_supercache.remote.program import NotCalledError, Program
from pytest_supercache.remote.worker import OF_THE_MACHINE, started_beside

SCHEME = "dask://"

_ADDRESS = re.compile(r"(?:[a-z]+://)?(?:[\w.-]+|\[[0-9a-fA-F:]+\]):\d{1,5}", re.ASCII)

CONNECT_SECONDS = 10.0
"""How long the scheduler may take to answer."""

_GONE = "the client of the cluster has ended"


class DaskExecutor(Executor):
    """Calls functions on a Dask cluster, for ``check(executor=...)``.

    Its client has a process of its own, because a search freezes the time of this one.

    Args:
        address: of the scheduler, as in ``dask://scheduler:8786``.
        files: which files of the project workers must have, at the same paths and alike; those that
            this process has imported count anyway.

    Raises:
        SupercacheError: Dask is not installed, the scheduler does not answer or has no worker, or a
            worker has another Python, other packages or other files.
    """

    def __init__(self, address: str, *, files: Files | None = None) -> None:
        dask = read_address(address)
        if find_spec("distributed") is None:
            raise SupercacheError(
                f"{address}: the package distributed is not installed: "
                'pip install "pytest-supercache[dask]"'
            )
        self._run = secrets.token_hex(8)
        self._own = OwnIdentity(files or Files())
        self._futures = dict[int, Future[Any]]()
        self._calls = 0
        self._lock = threading.Lock()
        self._connection, theirs = Pipe()
        with theirs:
            self._bridge = started_beside("bridge", theirs.fileno())
        self._base = self._program()
        opening = Opening(
            address=dask,
            run=self._run,
            seconds=CONNECT_SECONDS,
            files=self._base.files,
            identity=self._own.identity,
        )
        self._max_workers = self._opened(address, opening)  # the name that all pools have
        threading.Thread(target=self._listen, daemon=True).start()

    def _opened(self, address: str, opening: Opening) -> int:
        try:
            self._connection.send(opening)
            opened: Opened | Refused = self._connection.recv()
        except (EOFError, OSError):
            opened = Refused(reason=_GONE)
        if isinstance(opened, Refused):
            self._connection.close()
            self._bridge.wait()
            raise SupercacheError(f"{address}: {opened.reason}")
        return opened.threads

    def _program(self) -> Program:
        """Return a program with the modules that are imported by now.

        All other files of the project are as they were when the executor was made.
        """
        self._own.update()
        return Program(
            run=self._run,
            folder=str(Path.cwd()),
            path=tuple(path for path in sys.path if path and not is_installed(path)),
            variables=tuple(
                (name, value) for name, value in os.environ.items() if name not in OF_THE_MACHINE
            ),
            files=self._own.files,
            identity=self._own.identity.digest(),
        )

    @property
    def threads(self) -> int:
        """How many calls the cluster answers at a time."""
        return self._max_workers

    def program(self, entry: str, given: object, *, priority: int = 0) -> Program:
        """Return a program for :meth:`submit_to`, with the code that is imported by now."""
        return replace(self._program(), entry=entry, given=pickle.dumps(given), priority=priority)

    def submit(self, function: Callable[..., Any], /, *args: Any, **kwargs: Any) -> "Future[Any]":
        """Submit a call of a function that workers can import."""
        return self.submit_to(self._base, partial(function, **kwargs), *args)

    def submit_to(
        self, program: Program, function: Callable[..., Any], *given: Any
    ) -> "Future[Any]":
        """Submit a call to a child that is this program.

        The future raises :class:`NotCalledError` if no worker has answered.
        """
        call = pickle.dumps((function, given))
        future: Future[Any] = Future()
        number = self._calls
        self._calls += 1
        self._futures[number] = future
        future.add_done_callback(lambda _: self._forget(number))
        if not self._send((number, program, call)):
            _complete(future, _GONE)
        return future

    def _send(self, message: object) -> bool:
        """Send a message to the bridge; say whether it was there."""
        with self._lock, suppress(OSError):
            self._connection.send(message)
            return True
        return False

    def _forget(self, number: int) -> None:
        if self._futures.pop(number, None) is not None:  # it was cancelled
            self._send((number, None, b""))

    def _listen(self) -> None:
        """Receive answers, on a thread of this executor's, until the bridge has ended."""
        with suppress(EOFError, OSError):
            while True:
                number, answer = self._connection.recv()
                if number is None:
                    self._max_workers = answer
                elif (future := self._futures.pop(number, None)) is not None:
                    _complete(future, answer)
        while self._futures:
            _complete(self._futures.popitem()[1], _GONE)

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        """End the client and all children; calls that are not answered yet never will be.

        Ctrl-C may have cut a message in two, so the client hears of it by the end of what it reads.
        """
        with suppress(OSError), opened_again(self._connection.fileno()) as pipe:
            pipe.shutdown(socket.SHUT_WR)
        if wait:
            self._bridge.wait()
            self._connection.close()


def _complete(future: "Future[Any]", answer: bytes | str) -> None:
    """Let a future have its answer, or the reason why there is none."""
    if not future.set_running_or_notify_cancel():
        return
    is_value, value = _read(answer)
    if is_value:
        future.set_result(value)
    else:
        future.set_exception(value)


def _read(answer: bytes | str) -> tuple[bool, Any]:
    """Return a value, or an error; text is the reason why there is no answer."""
    if isinstance(answer, str):
        return False, NotCalledError(answer)
    try:
        is_value, value = pickle.loads(answer)
    except Exception as error:  # noqa: BLE001 - to read it runs the `__setstate__` of its objects
        return False, NotCalledError(f"its answer cannot be read: {error}")
    return is_value, value


def is_of_dask(executor: Executor) -> bool:
    """Say whether an executor is one that a client of Dask has returned."""
    return type(executor).__module__.partition(".")[0] == "distributed"


def address_of(executor: Any) -> str:
    """Return the address of the scheduler of such an executor."""
    return f"{SCHEME}{executor._client.scheduler.address}"


def read_address(text: str) -> str:
    """Return the address of a scheduler as Dask has it.

    Raises:
        SupercacheError: it is no address.
    """
    host = text.removeprefix(SCHEME)
    if host == text or not _ADDRESS.fullmatch(host):
        raise SupercacheError(
            f"{quoted(text)}: expected {SCHEME}HOST:PORT, as in {SCHEME}scheduler:8786"
        )
    return host if "://" in host else f"tcp://{host}"
