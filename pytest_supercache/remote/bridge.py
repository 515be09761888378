"""The process that has the client of a Dask cluster: it passes calls on, and answers back.

It talks to the process that searches, which has started it, and ends with it. A call goes to
another worker if its worker is lost, which Dask does by itself, or stands still (paused by a
signal, or by a machine that sleeps).
"""

import os
import threading
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from importlib import import_module
from multiprocessing.connection import Connection
from typing import Any

from pytest_supercache.core.real_clock import real_sleep
from pytest_supercache.remote.identity import Files, Identity, identity_of
from pytest_supercache.remote.program import Program
from pytest_supercache.remote.worker import call_in_child, end_children

SILENT_SECONDS = 15.0
"""The silence, beside others that are heard, after which a worker counts as standing still."""

_LOOK_SECONDS = 2.0
"""How often the bridge looks for workers that stand still, or are new."""

_END_SECONDS = 10.0
"""How long workers may take to end their children; without a worker, these end by themselves."""

_SHOWN_MAX = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Opening:
    """What the process that searches says first."""

    address: str
    run: str
    seconds: float
    """How long the scheduler may take to answer."""
    files: Files
    identity: Identity


@dataclass(frozen=True, slots=True, kw_only=True)
class Opened:
    """The cluster is connected, and its workers have this many threads in all."""

    threads: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Refused:
    """Why the cluster is not used."""

    reason: str


@dataclass(slots=True)
class _Forwarded:
    """A call that has been passed on, as one task or, if a worker stands still, as several."""

    program: Program
    call: bytes
    tasks: list[Any] = field(default_factory=list)


class _Bridge:
    """The calls on their way, and what comes back."""

    def __init__(self, connection: Any, client: Any, opening: Opening) -> None:
        self._connection = connection
        self._client = client
        self._run = opening.run
        self._forwarded: dict[int, _Forwarded] = {}
        self._lock = threading.RLock()
        self._threads = 0
        self._seconds_without = 0.0

    def serve(self) -> None:
        """Pass calls on until the other end is closed."""
        threading.Thread(target=self._look_after, daemon=True).start()
        with suppress(EOFError, OSError):  # the last message may have been cut in two
            while True:
                number, program, call = self._connection.recv()
                if program is None:
                    self._drop(number)
                    continue
                with self._lock:
                    self._forwarded[number] = _Forwarded(program, call)
                    self._submit(number)
        ending = threading.Thread(target=self._end, daemon=True)
        ending.start()
        ending.join(_END_SECONDS)

    def _end(self) -> None:
        for number in list(self._forwarded):
            self._drop(number)
        with suppress(Exception):  # a worker that is gone has no children any more
            self._client.run(end_children, self._run, on_error="ignore")
            self._client.close()

    def _submit(self, number: int, **where: Any) -> None:
        forwarded = self._forwarded[number]
        key = f"supercache-{self._run}-{number}-{len(forwarded.tasks)}"
        call, priority = (forwarded.program, forwarded.call), forwarded.program.priority
        task = self._client.submit(
            call_in_child, *call, key=key, pure=False, priority=priority, **where
        )
        forwarded.tasks.append(task)
        task.add_done_callback(partial(self._return, number))

    def _return(self, number: int, task: Any) -> None:
        """Return the first answer; a task that failed counts if there is no other."""
        with self._lock:
            forwarded = self._forwarded.get(number)
            if forwarded is None:
                return
            if task.status != "finished" and any(not other.done() for other in forwarded.tasks):
                return
            self._drop(number)
            self._connection.send((number, _answer_of(task)))

    def _drop(self, number: int) -> None:
        with self._lock:
            forwarded = self._forwarded.pop(number, None)
            for task in [] if forwarded is None else forwarded.tasks:
                if not task.done():
                    task.cancel()

    def _look_after(self) -> None:
        while True:
            real_sleep(_LOOK_SECONDS)
            with suppress(OSError, TimeoutError):  # the scheduler is lost: its tasks say so
                workers = self._client.scheduler_info(n_workers=-1)["workers"]
                self._tell_threads(workers)
                self._pass_around(workers)
                self._give_up_without(workers)

    def _tell_threads(self, workers: Mapping[str, Any]) -> None:
        threads = threads_of(workers)
        if threads != self._threads:
            self._threads = threads
            with self._lock:
                self._connection.send((None, threads))

    def _give_up_without(self, workers: Mapping[str, Any]) -> None:
        """Return all calls if there has been no worker for some time."""
        self._seconds_without = 0.0 if workers else self._seconds_without + _LOOK_SECONDS
        if self._seconds_without > SILENT_SECONDS:
            with self._lock:
                for number in list(self._forwarded):
                    self._drop(number)
                    self._connection.send((number, "the cluster has no workers any more"))

    def _pass_around(self, workers: Mapping[str, Any]) -> None:
        """Pass on again what workers hold that stand still."""
        still = standing_still(workers)
        others = [address for address in workers if address not in still]
        if not still or not others:
            return
        held = self._client.processing()
        keys = {str(key) for address in still for key in held.get(address, ())}
        with self._lock:
            for number, forwarded in self._forwarded.items():
                if forwarded.tasks[-1].key in keys:
                    self._submit(number, workers=others, allow_other_workers=True)


def _answer_of(task: Any) -> bytes | str:
    """Return what a task has answered, or why it has not."""
    if task.status == "finished":
        answer: bytes = task.result()
        return answer
    if task.cancelled():  # by the client, which does so when it loses its scheduler
        return "the scheduler was lost"
    return str(task.exception())


def standing_still(workers: Mapping[str, Any]) -> set[str]:
    """Return the workers that were last heard from long before the one heard from last."""
    seen = {address: float(worker["last_seen"]) for address, worker in workers.items()}
    last = max(seen.values(), default=0.0)
    return {address for address, at in seen.items() if last - at > SILENT_SECONDS}


def threads_of(workers: Mapping[str, Any]) -> int:
    """Return how many calls the workers answer at a time."""
    return sum(int(worker["nthreads"]) for worker in workers.values())


def refusal(here: Identity, there: Mapping[str, Identity | BaseException]) -> str | None:
    """Return why workers may not search for this process; None: they may."""
    if not there:
        return "it has no workers"
    said = [text for address, one in there.items() for text in _complaint(here, address, one)]
    more = [f"and {len(said) - _SHOWN_MAX} more"] if len(said) > _SHOWN_MAX else []
    return "; ".join([*said[:_SHOWN_MAX], *more]) or None


def _complaint(here: Identity, address: str, there: Identity | BaseException) -> Iterable[str]:
    if isinstance(there, BaseException):
        yield f"worker {address} cannot load pytest-supercache: {there}"
    elif differences := here.differences(there):
        yield f"worker {address} differs from this process: {', '.join(differences)}"


def main(descriptor: int) -> None:
    """Open the cluster, and pass on calls until the process that searches has ended."""
    connection: Any = Connection(descriptor)
    opening: Opening = connection.recv()
    try:
        client, opened = _opened(opening)
    except Exception as error:  # noqa: BLE001 - nobody sees what this process prints: the run is told
        connection.send(Refused(reason=str(error) or type(error).__name__))
        return
    connection.send(opened)
    try:
        if isinstance(opened, Opened):
            _Bridge(connection, client, opening).serve()
    finally:
        os._exit(0)  # without waiting for a worker that stands still, or for a lost scheduler


def _opened(opening: Opening) -> tuple[Any, Opened | Refused]:
    dask: Any = import_module("distributed")
    client = dask.Client(opening.address, timeout=opening.seconds, set_as_default=False)
    there = client.run(identity_of, opening.files, on_error="return")
    reason = refusal(opening.identity, there)
    if reason is not None:
        return client, Refused(reason=reason)
    workers = client.scheduler_info(n_workers=-1)["workers"]
    return client, Opened(threads=threads_of(workers))
