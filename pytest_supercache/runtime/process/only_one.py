"""Allows one check at a time, because a check patches the whole process."""

import os
from collections.abc import Iterator
from contextlib import contextmanager

from pytest_supercache.core.errors import SupercacheError

_present: dict[int, object] = {}  # by process id, the running check; a fork has none


@contextmanager
def only_one() -> Iterator[None]:
    """Register a check as the only one of this process, for its duration.

    Raises:
        SupercacheError: another check is running.
    """
    process, own = os.getpid(), object()
    try:
        if _present.setdefault(process, own) is not own:
            raise SupercacheError(
                "a check was begun while another one goes on in this process: in its body, or on "
                "another thread. Let one end before the next begins, or run them in processes of "
                "their own (pytest -n)"
            )
        yield
    finally:
        if _present.get(process) is own:
            del _present[process]
