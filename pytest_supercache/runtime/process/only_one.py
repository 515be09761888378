"""Allows one check at a time, because a check patches the whole process."""

import os
from collections.abc import Iterator
from contextlib import contextmanager

from pytest_supercache.core.errors import SupercacheError

_present: dict[int, object] = {}  # by process, the check that goes on; a fork begins without


@contextmanager
def only_one() -> Iterator[None]:
    """Be the only check of this process meanwhile.

    Raises:
        SupercacheError: there is another one.
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
