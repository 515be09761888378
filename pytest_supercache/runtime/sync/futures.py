"""Cooperative futures, and `wait` and `as_completed` for them.

A future is done once and stays so: a flag. Whether it can still be cancelled is a semaphore of one,
taken by whichever comes first: to run it, to cancel it or to let it end. Its value is kept by the
real class, of which this is one, so that callbacks, asyncio and everything else that takes futures
go on working.
"""

import concurrent.futures as real
import sys
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from pytest_supercache.core.footprint import Footprint
from pytest_supercache.core.waits import CounterState, FlagState, Wait
from pytest_supercache.runtime.kernel.active import controlled
from pytest_supercache.runtime.kernel.polling import asked_before, note_nothing
from pytest_supercache.runtime.kernel.stepping import Stepping
from pytest_supercache.runtime.sync.cooperative import name_of_new, this_actor


class Future(real.Future[Any]):
    """Stands in for ``concurrent.futures.Future``."""

    def __init__(self, name: str = "") -> None:
        super().__init__()
        self.flag = f"done:{name}" if name else name_of_new("done")
        self.fate = f"fate:{self.shown}"
        """Taken by whatever begins, cancels or ends it first."""
        self.ended = f"ended:{self.shown}"
        """Set when the worker of a pool is through with it, callbacks included."""
        self.withdraw: Callable[[Stepping], bool] | None = None  # of a job that has not begun
        self.called_back: Callable[[], None] | None = None  # its job learns that it will be

    @property
    def shown(self) -> str:
        """How labels name it."""
        return self.flag.partition(":")[2]

    def result(self, timeout: float | None = None) -> Any:
        """Wait for the value; an exception is raised."""
        return super().result(self._awaited(f"result of {self.shown}", timeout))

    def exception(self, timeout: float | None = None) -> BaseException | None:
        """Wait for the end and return the exception, if it is one."""
        return super().exception(self._awaited(f"exception of {self.shown}", timeout))

    def _awaited(self, label: str, timeout: float | None) -> float | None:
        """Wait as a step; return how long the real one is still to wait."""
        execution = controlled()
        if execution is None:
            return timeout
        await_futures(execution, label, [self], 1, timeout)
        if not super().done():
            raise TimeoutError
        return 0

    def done(self) -> bool:
        """Say whether it has ended or was cancelled."""
        self._asked("look at", super().done)
        return super().done()

    def running(self) -> bool:
        """Say whether it has begun and not ended: then it cannot be cancelled."""
        self._asked("look whether it runs:", super().running)
        return super().running()

    def cancelled(self) -> bool:
        """Say whether it was cancelled."""
        self._asked("look whether it was cancelled:", super().cancelled)
        return super().cancelled()

    def _asked(self, what: str, answer: Callable[[], bool]) -> None:
        """Take the step of a question; asyncio asks only what cannot change any more."""
        execution = controlled()
        if execution is None or _is_asked_by_asyncio():
            return
        question = f"{what} {self.shown}"
        since = asked_before(execution, question)
        execution.step(
            question, Footprint(reads=frozenset({self.flag, self.fate})), kind="lock",
            recheck_from=since, polls=since is not None,
        )  # fmt: skip
        if not answer():
            note_nothing(execution, question)

    def cancel(self) -> bool:
        """Cancel it unless it has begun or ended."""
        execution = controlled()
        if execution is not None and self.withdraw is not None:
            return self.withdraw(execution)
        self._decided("cancel", sets_on_change=True)
        return super().cancel()

    def set_running_or_notify_cancel(self) -> bool:
        """Say that it begins, so that nobody can cancel it; False: it was cancelled before."""
        self._decided("begin", sets=False)
        return super().set_running_or_notify_cancel()

    def keep_cancelled(self) -> None:
        """Remember that it was cancelled: the step that says so is the pool's."""
        super().cancel()
        super().set_running_or_notify_cancel()

    def set_result(self, result: Any) -> None:
        """Let it end with a value."""
        self._decided("set result of")
        super().set_result(result)

    def set_exception(self, exception: BaseException | None) -> None:
        """Let it end with an exception."""
        self._decided("set exception of")
        super().set_exception(exception)

    def _decided(self, what: str, *, sets: bool = True, sets_on_change: bool = False) -> None:
        """Take the step that begins, cancels or ends it."""
        execution = controlled()
        if execution is None or execution.controller.leaving():
            return
        execution.wait_state(self.fate, CounterState(1))
        flags = (self.flag,) if sets else ()
        touched = frozenset({self.fate, *flags})
        execution.step(
            f"{what} {self.shown}", Footprint(touched, touched), kind="lock",
            wait=Wait(self.fate, "try", sets=flags, sets_on_change=sets_on_change),
        )  # fmt: skip

    def add_done_callback(self, fn: Callable[[real.Future[Any]], object]) -> None:
        """Let ``fn`` be called when it is done; at once, and by the caller, if it is done now."""
        execution = controlled()
        if execution is not None and _is_of_threads(fn) and not this_actor().is_task:
            resource = frozenset({self.flag})
            execution.step(
                f"add a callback to {self.shown}", Footprint(resource, resource), kind="lock"
            )
        super().add_done_callback(fn)
        if self.called_back is not None and self.calls_back:
            self.called_back()

    @property
    def calls_back(self) -> bool:
        """Whether code under test wants to be called when it is done; asyncio only hands it on."""
        return any(map(_is_of_threads, vars(self)["_done_callbacks"]))

    def keep_result(self, result: Any) -> None:
        """Keep the value: the step that says so was taken by the pool."""
        super().set_result(result)

    def keep_exception(self, exception: BaseException) -> None:
        """Keep the exception: the step that says so was taken by the pool."""
        super().set_exception(exception)


def _is_asked_by_asyncio() -> bool:
    """Whether asyncio has called the method of a future that calls this."""
    return str(sys._getframe(3).f_globals.get("__name__")).startswith("asyncio")


def _is_of_threads(called: Any) -> bool:
    return not str(getattr(called, "__module__", None)).startswith("asyncio")


def await_futures(
    execution: Stepping, label: str, futures: list[Future], enough: int, timeout: float | None
) -> None:
    """Wait until ``enough`` of the futures are done, or ``timeout`` virtual seconds."""
    flags = tuple(dict.fromkeys(future.flag for future in futures))
    await_flags(execution, label, flags, enough, timeout)


def await_flags(
    execution: Stepping, label: str, flags: tuple[str, ...], enough: int, timeout: float | None
) -> None:
    """Wait until ``enough`` of the flags are set, or ``timeout`` virtual seconds."""
    for flag in flags:
        execution.wait_state(flag, FlagState())
    footprint = Footprint(reads=frozenset(flags))
    if timeout is not None and timeout <= 0:
        execution.step(f"look at {label}", footprint, kind="lock")
        return
    if timeout is not None:
        footprint = footprint | Footprint(reads=frozenset({"clock:now"}))
    all_of_them = enough >= len(flags)
    wait = Wait(flags=flags) if all_of_them else Wait(any_of=flags, enough=enough)
    execution.step(
        label, footprint, kind="lock", wait=wait,
        deadline=None if timeout is None else execution.now() + timeout,
    )  # fmt: skip


def wait(
    fs: Iterable[real.Future[Any]], timeout: float | None = None, return_when: str = "ALL_COMPLETED"
) -> Any:
    """Stand in for ``concurrent.futures.wait``."""
    futures = set(fs)
    execution = controlled()
    ours = [future for future in futures if isinstance(future, Future)]
    if execution is None or len(ours) < len(futures):
        return real.wait(futures, timeout, return_when)
    ours.sort(key=lambda future: future.flag)
    if return_when == "ALL_COMPLETED":
        await_futures(execution, "wait for all", ours, len(ours), timeout)
    else:
        _await_some(execution, ours, timeout, is_exception=return_when == "FIRST_EXCEPTION")
    done: set[real.Future[Any]] = {future for future in ours if real.Future.done(future)}
    outcome: Callable[..., Any] = type(real.wait([]))
    return outcome(done, futures - done)


def _await_some(
    execution: Stepping, futures: list[Future], timeout: float | None, *, is_exception: bool
) -> None:
    """Wait for the first to end; when an exception is wanted, for more until one has failed."""
    end = None if timeout is None else execution.now() + timeout
    for enough in range(1, len(futures) + 1):
        left = None if end is None else end - execution.now()
        await_futures(execution, "wait for some", futures, enough, left)
        finished = [future for future in futures if execution.record.waits.is_set(future.flag)]
        if len(finished) < enough or not is_exception or any(map(_has_failed, finished)):
            return


def _has_failed(future: Future) -> bool:
    return not real.Future.cancelled(future) and real.Future.exception(future, 0) is not None


def as_completed(
    fs: Iterable[real.Future[Any]], timeout: float | None = None
) -> Iterator[real.Future[Any]]:
    """Stand in for ``concurrent.futures.as_completed``; in the order in which they were seen."""
    futures = list(dict.fromkeys(fs))
    execution = controlled()
    ours = [future for future in futures if isinstance(future, Future)]
    if execution is None or len(ours) < len(futures):
        yield from real.as_completed(futures, timeout)
        return
    end = None if timeout is None else execution.now() + timeout
    while ours:
        left = None if end is None else end - execution.now()
        await_futures(execution, "wait for the next", ours, 1, left)
        finished = [future for future in ours if execution.record.waits.is_set(future.flag)]
        if not finished:
            raise TimeoutError(f"{len(ours)} (of {len(futures)}) futures unfinished")
        ours = [future for future in ours if future not in finished]
        yield from finished
