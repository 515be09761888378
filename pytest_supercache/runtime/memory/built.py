"""Takes apart again what frameworks build when they are first used: it outlives an execution.

An application of starlette makes its middlewares for the first request, one of Flask makes its
environment of Jinja, and that keeps templates. Code under test may keep something there, or in a
middleware of its own, which would be cold only once.
"""

from pytest_supercache.core.memory_use import WHOLE
from pytest_supercache.runtime.memory.snapshots import Snapshot


class Built:
    """The state of frameworks when the check began."""

    def __init__(self) -> None:
        self._all: dict[int, Snapshot] = {}
        self._of_test: set[int] = set()

    def add(self, snapshot: Snapshot, *, is_of_test: bool = False) -> None:
        """Remember the state of one more object.

        Args:
            snapshot: its state.
            is_of_test: the test has made it, and may look at it after the check.
        """
        self._all[id(snapshot)] = snapshot
        if is_of_test:
            self._of_test.add(id(snapshot))

    def replace(self, old: Snapshot, new: Snapshot) -> None:
        """Remember another state of an object, if it is one of a framework."""
        if self._all.pop(id(old), None) is not None:
            self.add(new)

    def end(self) -> None:
        """Restore everything for the next check, but for what the test may look at."""
        for number in self._of_test:
            self._all.pop(number, None)
        self.restore()

    def restore(self) -> None:
        """Restore what has changed, in the last execution or in one long ago.

        Everything is compared each time: a race may be the first to use a part of a framework.
        """
        for snapshot in self._all.values():
            if not snapshot.is_unchanged(WHOLE):
                snapshot.restore(WHOLE)
