"""Runs long loops on a fresh stack, where calls do not cross a chunk boundary.

Since 3.11 CPython keeps the frames of Python functions in chunks of memory: it maps one when a call
does not fit into the last, and unmaps it when that call returns. If the caller's frame happens to
be just before the end of a chunk, every call of a loop maps and unmaps one, and the walk over all
modules spends most of its time in the kernel. There are two remedies: a frame that is larger than
the rest of any usual chunk gets a larger chunk, with room for its callees; and a new thread begins
with a nearly empty chunk.
"""

from collections.abc import Callable
from functools import wraps
from typing import Any, ParamSpec, TypeVar

from pytest_supercache.runtime.kernel.actor import ActorThread
from pytest_supercache.runtime.kernel.baton import Baton

P = ParamSpec("P")
T = TypeVar("T")

_FRAME_WORDS = 8_000
"""The size of a frame that fits into no usual chunk, which has 2,000 words.

CPython doubles the size of a chunk until the frame and 1,000 words more fit in: that is 16,000
words, of which half are room for nested calls, some hundreds deep.
"""


def with_room(function: Callable[P, T]) -> Callable[P, T]:
    """Decorate a function so that its calls fit into one chunk of frames at any stack depth."""

    def roomy(*args: P.args, **kwargs: P.kwargs) -> T:
        return function(*args, **kwargs)

    roomy.__code__ = roomy.__code__.replace(co_stacksize=_FRAME_WORDS)
    return wraps(function)(roomy)


def on_a_fresh_stack(function: Callable[[], T]) -> T:
    """Call ``function`` on a thread of its own, and return its result or raise its error."""
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
    done.take()  # start() does not wait, and a thread that has not begun cannot be joined
    thread.join()
    if raised:
        raise raised.pop()
    return result[0]
