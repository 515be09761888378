"""Makes thread pools cooperative that code under test derives from the real class.

Names are rebound where code keeps them (:mod:`runtime.rebind`); a class keeps its base by itself.
A pool that was made before the check stays what it was.
"""

import concurrent.futures as real
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any

from pytest_supercache.runtime.kernel.under_test import is_under_test
from pytest_supercache.runtime.sync import pools


class _Base(real.ThreadPoolExecutor):
    """What such a class derives from meanwhile: it has a cooperative pool, and leaves jobs to it.

    Everything else that it has is the real one's, so that nothing of ours meets a name of theirs.
    """

    __pool: pools.ThreadPoolExecutor | None = None

    def __init__(
        self, max_workers: int | None = None, thread_name_prefix: str = "",
        initializer: Callable[..., Any] | None = None, initargs: tuple[Any, ...] = (),
    ) -> None:  # fmt: skip
        super().__init__(max_workers, thread_name_prefix, initializer, initargs)
        self.__pool = pools.ThreadPoolExecutor(
            max_workers, thread_name_prefix, initializer, initargs
        )

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> real.Future[Any]:
        """Let the pool run ``fn(*args, **kwargs)``."""
        submit = super().submit if self.__pool is None else self.__pool.submit
        return submit(fn, *args, **kwargs)

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        """Take no more jobs; wait for those that were taken, unless told not to."""
        super().shutdown(wait, cancel_futures=cancel_futures)
        if self.__pool is not None:
            self.__pool.shutdown(wait, cancel_futures=cancel_futures)


@contextmanager
def derived_pools() -> Iterator[None]:
    """Put the cooperative pool where classes of the code under test have the real one as a base.

    A class that does not let its bases be changed is left alone: what its pools start is told.
    """
    changed: list[tuple[type, tuple[type, ...]]] = []
    try:
        for kind in real.ThreadPoolExecutor.__subclasses__():
            if kind not in {_Base, pools.ThreadPoolExecutor} and _is_under_test(kind):
                bases = kind.__bases__
                with suppress(AttributeError, TypeError):
                    kind.__bases__ = tuple(
                        _Base if base is real.ThreadPoolExecutor else base for base in bases
                    )
                    changed.append((kind, bases))
        yield
    finally:
        for kind, bases in changed:
            kind.__bases__ = bases


def _is_under_test(kind: type) -> bool:
    name = kind.__module__
    return type(name) is str and is_under_test(sys.modules.get(name))
