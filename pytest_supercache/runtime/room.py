"""Long loops get a stack of their own, where a call costs what it usually does.

Since 3.11 CPython keeps the frames of Python functions in chunks of memory: it maps one when a call
does not fit into the last, and unmaps it when that call returns. Where the caller happens to stand
just before the end of a chunk, every call of a loop maps and unmaps one, and the walk over all
modules spends most of its time in the kernel. A new thread begins with a nearly empty chunk.
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
        except BaseException as error:  # noqa: BLE001 - raised by the caller, who waits for it
            raised.append(error)
        done.give()

    thread = ActorThread(target=run, name="supercache")
    thread.start()
    done.take()  # its start is not waited for, and who has not begun cannot be joined
    thread.join()
    if raised:
        raise raised.pop()
    return result[0]
