"""Defines cooperative futures, and `wait` and `as_completed` for them.

A future is done once and stays so: a flag. Its right to be cancelled is a semaphore of one, taken
by whichever comes first: running, cancelling or completing it. The real class, which this derives
from, keeps the value, so that callbacks, asyncio and all other users of futures keep working.
"""

import concurrent.futures as real
import sys
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from pytest_supercache.core.footprint import Footprint
from pytest_supercache.core.identity import hash_of_name
from pytest_supercache.core.waits import CounterState, FlagState, Wait
from pytest_supercache.runtime.kernel.active import controlled
from pytest_supercache.runtime.kernel.calling import this_actor
from pytest_supercache.runtime.kernel.execution_context import ExecutionContext
from pytest_supercache.runtime.kernel.polling import poll
from pytest_supercache.runtime.sync.cooperative import name_of_new


class Future(real.Future[Any]):
    """Stands in for ``concurrent.futures.Future``."""

    def __init__(self, name: str = "") -> None:
        super().__init__()
        self.flag = f"done:{name}" if name else name_of_new("done")
        self.fate = f"fate:{self.shown}"
        """The semaphore that whichever begins, cancels or completes the future first takes."""
        self.ended = f"ended:{self.shown}"
        """The flag that a pool's worker sets after the job and its callbacks."""
        self.withdraw: Callable[[ExecutionContext], bool] | None = None
        """Takes a job that has not begun out of its pool."""
        self.called_back: Callable[[], None] | None = None  # notifies its job of a callback

    def __hash__(self) -> int:
        """Return a number that depends on the future's name only, for the order of sets."""
        return hash_of_name(self.flag)

    @property
    def shown(self) -> str:
        """The future's name in labels."""
        return self.flag.partition(":")[2]

    def result(self, timeout: float | None = None) -> Any:
        """Wait for the value and return it; raise the exception of a failed future."""
        return super().result(self._awaited(f"result of {self.shown}", timeout))

    def exception(self, timeout: float | None = None) -> BaseException | None:
        """Wait for the future to be done and return its exception; None: it has a value."""
        return super().exception(self._awaited(f"exception of {self.shown}", timeout))

    def _awaited(self, label: str, timeout: float | None) -> float | None:
        """Wait as a step; return the timeout that is left for the real method."""
        execution = controlled()
        if execution is None:
            return timeout
        await_futures(execution, label, [self], 1, timeout)
        if not super().done():
            raise TimeoutError
        return 0

    def done(self) -> bool:
        """Say whether the future has completed or was cancelled."""
        return self._asked("look at", super().done)

    def running(self) -> bool:
        """Say whether the future is running, so that it cannot be cancelled."""
        return self._asked("look whether it runs:", super().running)

    def cancelled(self) -> bool:
        """Say whether the future was cancelled."""
        return self._asked("look whether it was cancelled:", super().cancelled)

    def _asked(self, what: str, answer: Callable[[], bool]) -> bool:
        """Take the step of a question; asyncio's questions take none, as their answer is final."""
        execution = controlled()
        if execution is None or _is_asked_by_asyncio():
            return answer()
        footprint = Footprint(reads=frozenset({self.flag, self.fate}))
        return poll(execution, f"{what} {self.shown}", footprint, answer, kind="lock")

    def cancel(self) -> bool:
        """Cancel the future unless it has begun or completed."""
        execution = controlled()
        if execution is not None and self.withdraw is not None:
            return self.withdraw(execution)
        self._decided("cancel", sets_on_change=True)
        return super().cancel()

    def set_running_or_notify_cancel(self) -> bool:
        """Mark the future as running, so that it cannot be cancelled; False: it was before."""
        self._decided("begin", sets=False)
        return super().set_running_or_notify_cancel()

    def keep_cancelled(self) -> None:
        """Mark the future as cancelled, whose step was taken before."""
        super().cancel()
        super().set_running_or_notify_cancel()

    def set_result(self, result: Any) -> None:
        """Complete the future with a value."""
        self._decided("set result of")
        super().set_result(result)

    def set_exception(self, exception: BaseException | None) -> None:
        """Complete the future with an exception."""
        self._decided("set exception of")
        super().set_exception(exception)

    def _decided(self, what: str, *, sets: bool = True, sets_on_change: bool = False) -> None:
        """Take the step that begins, cancels or completes the future."""
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
        """Add ``fn`` to be called when the future is done; the caller calls it if it is already."""
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
        """Whether there are callbacks of code under test; asyncio's only hand the outcome on."""
        return any(map(_is_of_threads, vars(self)["_done_callbacks"]))

    def keep_result(self, result: Any) -> None:
        """Store the value, whose step was taken before."""
        super().set_result(result)

    def keep_exception(self, exception: BaseException) -> None:
        """Store the exception, whose step was taken before."""
        super().set_exception(exception)


def _is_asked_by_asyncio() -> bool:
    """Say whether asyncio called the future's method that leads here."""
    return str(sys._getframe(3).f_globals.get("__name__")).startswith("asyncio")


def _is_of_threads(called: Any) -> bool:
    return not str(getattr(called, "__module__", None)).startswith("asyncio")


def await_futures(
    execution: ExecutionContext,
    label: str,
    futures: list[Future],
    enough: int,
    timeout: float | None,
) -> None:
    """Wait until ``enough`` of the futures are done, or ``timeout`` virtual seconds."""
    flags = tuple(dict.fromkeys(future.flag for future in futures))
    await_flags(execution, label, flags, enough, timeout)


def await_flags(
    execution: ExecutionContext,
    label: str,
    flags: tuple[str, ...],
    enough: int,
    timeout: float | None,
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
    execution: ExecutionContext, futures: list[Future], timeout: float | None, *, is_exception: bool
) -> None:
    """Wait until one future is done; if ``is_exception``, until one has failed or all are done."""
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
    """Stand in for ``concurrent.futures.as_completed``; yield futures in the order observed."""
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
