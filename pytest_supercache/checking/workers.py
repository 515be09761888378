"""Searches in other processes: sends work to workers, takes their results, and ends them.

A worker searches one set of faults, a whole scenario, or a part of one, in an environment of its
own. It returns schedules, and this process replays them ten times like every counterexample: what
only a worker has seen is not reported, and values of the code under test need not be sent.
"""

import multiprocessing
import multiprocessing.connection
import os
import pickle
import signal
import sys
import threading
import warnings
from collections.abc import Callable, Collection, Iterator
from concurrent.futures import Executor, Future, ProcessPoolExecutor, ThreadPoolExecutor
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass, field, replace
from functools import partial
from itertools import count
from types import SimpleNamespace
from typing import Any

from pytest_supercache.checking.divided import WorkerProcesses
from pytest_supercache.checking.environment import Body
from pytest_supercache.checking.left_behind import nothing_left_behind
from pytest_supercache.checking.same_state import answer_alike
from pytest_supercache.checking.strategy import OfHypothesis
from pytest_supercache.checking.submitted import submit, until_begun
from pytest_supercache.core.errors import SupercacheError
from pytest_supercache.core.execution import Execution
from pytest_supercache.core.lifeline import Lifeline
from pytest_supercache.core.operation import History
from pytest_supercache.core.real_clock import real_seconds, real_sleep
from pytest_supercache.core.result import CheckResult
from pytest_supercache.core.settings import Exploration
from pytest_supercache.oracle.guarantee import Guarantee
from pytest_supercache.remote.executor import DaskExecutor, address_of, is_of_dask
from pytest_supercache.runtime.process.fingerprints import state_elsewhere
from pytest_supercache.runtime.process.interrupt import ctrl_c_deferred
from pytest_supercache.world.history import Given

LEAVE_SECONDS = 2.0
"""How long a worker may take to leave before it is asked again; after twice that it is killed."""


GIVEN_UP_AFTER = 10.0
"""How many seconds a worker searches an item ahead before it leaves that to all of them."""

ASKED_SECONDS = 0.5
"""How often a worker checks for a request to leave; it notices at once when it is orphaned."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Work:
    """A body and the way it is explored: all that a worker needs to know."""

    body: Body
    settings: Exploration
    guarantees: tuple[Guarantee, ...]
    given: Given = field(default_factory=dict)
    state: tuple[str, ...] = ()
    clients: tuple[str, ...] = ()
    isolate: tuple[str, ...] = ()
    item: str = "check"
    system: str = ""  # of a scenario
    hypothesis: OfHypothesis = (None, None)
    backend: str = "fakeredis"
    own_checks: str = ""  # what the body checks itself, in words


class Beginning:
    """The beginning of processes that take seconds to begin: meanwhile a search goes on here.

    Args:
        submit: submits calls to them, as for :class:`WorkerProcesses`.
        number: of processes.
    """

    def __init__(self, submit: Callable[..., "Future[Any]"], number: int) -> None:
        self._submit = submit
        self._number = number
        self._begun = list[Future[Any]]()

    def is_over(self) -> bool:
        """Say whether one of them has begun; the first call lets them begin."""
        if not self._begun:
            self._begun = [self._submit(_have_begun) for _ in range(self._number)]
        return any(map(_is_answered, self._begun))


def _have_begun(_work: Work) -> None:
    pass


def _is_answered(future: "Future[Any]") -> bool:
    return future.done() and not future.cancelled() and future.exception() is None


Dispatch = Callable[[Work], AbstractContextManager[WorkerProcesses | None]]
"""Opens workers for some work; None: this process does it alone."""


def in_process(_work: Work) -> AbstractContextManager[None]:
    """Search in this process."""
    return nullcontext()


def sent_to(executor: Executor | None) -> Dispatch:
    """Let the workers of an executor help; the body must be importable there.

    Raises:
        SupercacheError: its workers are threads, and executions share the clock of their process;
            or its client of Dask lives in this process.
    """
    if executor is None:
        return in_process
    if isinstance(executor, ThreadPoolExecutor):
        raise SupercacheError(
            f"executor={type(executor).__name__}: expected one whose workers are processes, such "
            "as concurrent.futures.ProcessPoolExecutor; threads share one clock"
        )

    if isinstance(executor, DaskExecutor):
        return _sent_to_cluster(executor)
    if is_of_dask(executor):
        raise SupercacheError(
            f"executor={type(executor).__name__}: expected DaskExecutor({address_of(executor)!r}), "
            "without a client in this process: a search freezes the clock that it lives by, and "
            "the client does not recover"
        )

    @contextmanager
    def dispatch(work: Work) -> Iterator[WorkerProcesses]:
        _refuse_unless_sendable(work)
        until_begun(executor)  # before anything is frozen
        with _real_time_for_pipes():
            number = getattr(executor, "_max_workers", None) or os.cpu_count() or 1
            yield WorkerProcesses(number, partial(_submit_about, executor, work))

    return dispatch


def _refuse_unless_sendable(work: Work) -> None:
    try:
        pickle.dumps(work)
    except Exception as error:
        raise SupercacheError(
            f"executor: the body and its options cannot be sent to another process: {error}. "
            "Define the body at the top level of a module"
        ) from error


def _sent_to_cluster(executor: DaskExecutor) -> Dispatch:
    """Use processes that begin with the modules and the state that this one has by now."""

    @contextmanager
    def dispatch(work: Work) -> Iterator[WorkerProcesses]:
        _refuse_unless_sendable(work)
        program = executor.program(f"{answer_alike.__module__}:answer_alike", state_elsewhere())
        submit_about = partial(executor.submit_to, program, _with_nothing_left)

        def submit(function: Callable[..., Any], *given: Any) -> "Future[Any]":
            return submit_about(function, work, *given)

        are_ready = Beginning(submit, executor.threads).is_over
        yield WorkerProcesses(executor.threads, submit, are_ready=are_ready)

    return dispatch


def _submit_about(
    executor: Executor, work: Work, function: Callable[..., Any], *given: Any
) -> "Future[Any]":
    return submit(executor, _with_nothing_left, function, work, *given)


@contextmanager
def _real_time_for_pipes() -> Iterator[None]:
    """Let pipes between processes wait by real time: with frozen time no wait would end."""
    pipes: Any = multiprocessing.connection
    usual, pipes.time = pipes.time, SimpleNamespace(monotonic=real_seconds, sleep=real_sleep)
    try:
        yield
    finally:
        pipes.time = usual


# -- a pool of our own ----------------------------------------------------------------------------

_inherited: dict[int, Callable[..., Any]] = {}
_is_leaving = False  # a worker that was asked to
_is_worker = False  # a fork that helps another process
_numbers = count()
_open: dict[ProcessPoolExecutor, Callable[[], None]] = {}  # and what ends the workers of each


def forked(workers: int) -> Dispatch:
    """Let ``workers`` forks of this process help, at least one, which know all that it knows.

    Raises:
        SupercacheError: this system cannot fork.
    """
    refuse_without_forks()

    @contextmanager
    def dispatch(work: Work) -> Iterator[WorkerProcesses | None]:
        has_faults = work.settings.faults is not None and work.settings.faults.max
        if "://" in work.backend:
            if not has_faults:
                yield None
                return
            raise SupercacheError(
                f"--supercache-workers: {work.backend} is one server, and each worker needs one of "
                "its own; use fakeredis or redis-server"
            )
        if _is_worker:
            with given_up_when_long(work) as nobody:
                yield nobody
            return
        with forks(workers, partial(with_work, work)) as submit_about:
            yield WorkerProcesses(workers, submit_about)

    return dispatch


@contextmanager
def given_up_when_long(_work: Work) -> Iterator[WorkerProcesses]:
    """Search in this process, but leave a long search to the process that has all workers."""
    yield WorkerProcesses(1, _refuse_to_divide, GIVEN_UP_AFTER)


def with_work(work: Work, function: Callable[..., Any], *given: Any) -> Any:
    """Make a call about some work, in a process that helps."""
    return _with_nothing_left(function, work, *given)


def _with_nothing_left(function: Callable[..., Any], *given: Any) -> Any:
    with nothing_left_behind():
        return function(*given)


def _refuse_to_divide(*_: Any) -> "Future[Any]":
    raise OutgrownError


class OutgrownError(BaseException):
    """A search in a worker has become long: the process that has all workers is to make it.

    It is no exception of a search, which would make a verdict of it.
    """


def refuse_without_forks() -> None:
    """Raise where processes cannot be forked."""
    if "fork" not in multiprocessing.get_all_start_methods():
        raise SupercacheError("--supercache-workers: this system cannot fork processes; use -n")


@contextmanager
def forks(workers: int, function: Callable[..., Any]) -> Iterator[Callable[..., "Future[Any]"]]:
    """Fork workers that know what this process knows, and yield a function that submits to them.

    They are silent, and gone when the context is left.
    """
    number = next(_numbers)
    _inherited[number] = function
    try:
        with _real_time_for_pipes(), _pool(workers) as pool:
            yield partial(submit, pool, _call_inherited, number)
    finally:
        del _inherited[number]


def _call_inherited(number: int, *given: Any) -> Any:
    try:
        return _inherited[number](*given)
    except SystemExit:
        if not _is_leaving:
            raise
    os._exit(1)  # the pool would take it for an answer; here the frames and what they held are gone


@contextmanager
def _pool(workers: int) -> Iterator[ProcessPoolExecutor]:
    """Fork workers now, while nothing is frozen or wrapped, and end them all in the end."""
    before = set(multiprocessing.active_children())
    context, lifeline = multiprocessing.get_context("fork"), Lifeline()
    pool = ProcessPoolExecutor(
        workers, mp_context=context, initializer=_begin, initargs=(lifeline,)
    )
    _open[pool] = end = partial(_end, pool, lifeline, before)
    try:
        with warnings.catch_warnings():  # of threads that a fork does not take along: none of ours
            warnings.simplefilter("ignore", DeprecationWarning)
            until_begun(pool)
        yield pool
    finally:
        end()


def _end(
    pool: ProcessPoolExecutor,
    lifeline: Lifeline,
    others: Collection[multiprocessing.process.BaseProcess],
) -> None:
    """End the workers of a pool; ``others`` are children that are none of them."""
    with ctrl_c_deferred():
        if _open.pop(pool, None) is None:
            return
        children = set(multiprocessing.active_children()).difference(others)
        pool.shutdown(wait=False, cancel_futures=True)
        for end in ("terminate", "terminate", "kill"):
            for child in children:
                getattr(child, end)()
            for child in children:
                child.join(LEAVE_SECONDS)
            children = {child for child in children if child.is_alive()}
        lifeline.cut()
        lifeline.drop_far_end()
        _until_known(others)


def end_all() -> None:
    """End the workers that are left: Ctrl-C may arrive between a pool and the block that ends it.

    Otherwise this process would wait for them before it ends, because Python joins the threads of
    pools.
    """
    for end in list(_open.values()):
        end()


def _until_known(others: Collection[multiprocessing.process.BaseProcess]) -> None:
    """Wait until the pool's own thread, which also polls its workers, knows that all have ended."""
    end = real_seconds() + LEAVE_SECONDS
    while set(multiprocessing.active_children()).difference(others) and real_seconds() < end:
        real_sleep(0.001)


def _begin(lifeline: Lifeline) -> None:
    """Ignore Ctrl-C, which is for the parent process, and let a worker that ends stop its server.

    What the code under test prints would come between the lines of other items; what is found is
    recorded where it may be printed.
    """
    global _is_worker
    _is_worker = True
    nowhere = os.open(os.devnull, os.O_WRONLY)
    for stream in (1, 2):
        os.dup2(nowhere, stream)
    sys.stdout = sys.stderr = os.fdopen(nowhere, "w", encoding="utf-8")
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, _leave)
    threading.Thread(target=_outlive_nobody, args=(lifeline,), daemon=True).start()


def _leave(*_: Any) -> None:
    """Unwind the stack, wherever the signal arrives, so that everything open is closed."""
    global _is_leaving
    _is_leaving = True
    sys.exit(1)


def _outlive_nobody(lifeline: Lifeline) -> None:
    """End this process when its parent has ended, perhaps without a chance to say so.

    Also when it was asked to leave and something has kept it here: the pool, and code under test,
    may take the exception for an error like any other.
    """
    while not _is_leaving and not lifeline.is_cut(within=ASKED_SECONDS):
        pass
    if _is_leaving:
        real_sleep(2 * LEAVE_SECONDS)  # to close what is open, which a second request may have cut
    os._exit(1)


def lean(result: CheckResult) -> CheckResult:
    """Return a result that can be sent: of each execution only the schedule."""
    found = result.counterexample
    if found is None:
        return result
    bare = replace(
        found,
        violation=replace(found.violation, evidence={}),
        violations=(),
        execution=_bare(found.execution),
        passing=found.passing and replace(found.passing, execution=_bare(found.passing.execution)),
    )
    return replace(result, counterexample=bare)


def _bare(execution: Execution) -> Execution:
    return Execution(schedule=execution.schedule, steps=[], history=History())
