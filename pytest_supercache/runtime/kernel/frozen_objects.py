"""Freezes all objects for the length of a check, and lets a look at everything find them.

Neither ``gc.get_objects`` nor ``gc.get_referrers`` reports objects that are frozen: by a check, or
by the application, as servers do before they fork.
"""

import gc
from collections.abc import Iterator
from contextlib import contextmanager

_OF_THE_INTERPRETER = 1_000
"""Above the number of objects that Python 3.12 freezes when it starts."""

_by_a_check = False
"""Whether a check has frozen them: ``gc.get_freeze_count`` walks through all that are frozen."""


def is_any_frozen() -> bool:
    """Say whether a check or the application has frozen objects."""
    return _by_a_check or gc.get_freeze_count() > _OF_THE_INTERPRETER


def freeze() -> None:
    """Freeze all objects that there are."""
    global _by_a_check
    gc.freeze()
    _by_a_check = True


def unfreeze() -> None:
    """Let the collector examine all objects again."""
    global _by_a_check
    _by_a_check = False
    gc.unfreeze()


@contextmanager
def all_visible() -> Iterator[None]:
    """Let the collector look at frozen objects, too, until the end of the block."""
    is_frozen = is_any_frozen()
    if is_frozen:
        gc.unfreeze()
    try:
        yield
    finally:
        if is_frozen:
            gc.freeze()
