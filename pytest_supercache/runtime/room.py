"""Long loops get a stack of their own, where a call costs what it usually does.

Since 3.11 CPython keeps the frames of Python functions in chunks of 16 KiB that it maps when a call
does not fit and unmaps when that call returns. Where the stack below happens to end just before a
boundary, every call of a loop is one that maps and unmaps: inside of pytest, which calls from some
sixty frames deep, a walk over all modules then takes ten times as long. A new thread begins with
a chunk that is nearly empty.
"""

from collections.abc import Callable
from typing import Any, TypeVar

from pytest_supercache.runtime.actor import ActorThread
from pytest_supercache.runtime.baton import Baton

T = TypeVar("T")


def on_a_fresh_stack(function: Callable[[], T]) -> T:
    """Return what ``function`` returns on a thread of its own, or raise what it raises."""
    result: list[T] = []
    raised: list[BaseException] = []
    done: Any = Baton()

    def run() -> None:
        try:
            result.append(function())
        except BaseException as error:  # noqa: BLE001 - raised where it is waited for
            raised.append(error)
        done.give()

    thread = ActorThread(target=run, name="supercache")
    thread.start()
    done.take()  # its start is not waited for, and who has not begun cannot be joined
    thread.join()
    if raised:
        raise raised.pop()
    return result[0]
