"""Makes subclasses of `ThreadPoolExecutor` in code under test cooperative.

Rebinding names (:mod:`runtime.process.rebinding`) does not reach the bases of a class. A pool that
was created before the check is unchanged.
"""

import concurrent.futures as real
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import Any

from pytest_supercache.runtime.kernel.under_test import is_under_test
from pytest_supercache.runtime.sync import pools


class _Base(real.ThreadPoolExecutor):
    """The base of such classes during a check, which delegates jobs to a cooperative pool.

    All other attributes are those of the real class, so that no name of ours clashes with theirs.
    """

    __pool: pools.ThreadPoolExecutor | None = None

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.__pool = pools.ThreadPoolExecutor(*args, **kwargs)

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> real.Future[Any]:
        """Submit ``fn(*args, **kwargs)`` to the pool."""
        submit = super().submit if self.__pool is None else self.__pool.submit
        return submit(fn, *args, **kwargs)

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        """Refuse further jobs, and wait for the submitted ones if ``wait``."""
        super().shutdown(wait, cancel_futures=cancel_futures)
        if self.__pool is not None:
            self.__pool.shutdown(wait, cancel_futures=cancel_futures)


@contextmanager
def derived_pools() -> Iterator[None]:
    """Replace the real pool by the cooperative one as a base of classes under test.

    A class whose bases cannot be changed is left alone: threads of its pools are reported.
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
