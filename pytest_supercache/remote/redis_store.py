"""Keeps lines in Redis, so that a search that was cut off can go on on another machine.

The client has a process of its own (``redis_writer``): a search freezes the clock that a client
lives by, and leads the commands of its process to the existing cache.
"""

from collections.abc import Sequence
from contextlib import suppress
from multiprocessing import Pipe
from typing import Any

from pytest_supercache.core.errors import SupercacheError
from pytest_supercache.core.masking import masked, masked_address
from pytest_supercache.remote.worker import started_beside

SCHEMES = ("redis://", "rediss://", "unix://")

_GONE = "the process that writes to it has ended"


class RedisStore:
    """The lists of a Redis server in which lines are kept, one for each name.

    Args:
        url: of the server.

    Raises:
        SupercacheError: the server cannot be used.
    """

    def __init__(self, url: str) -> None:
        if not url.startswith(SCHEMES):
            expected = f"expected a folder, or a URL that begins with {', '.join(SCHEMES)}"
            raise SupercacheError(f"{masked_address(url)}: {expected}")
        self._connection, theirs = Pipe()
        with theirs:
            self._writer = started_beside("redis_writer", theirs.fileno())
        problem = self.ask(url)
        if problem is not None:
            self.close()
            raise SupercacheError(f"{masked_address(url)}: {masked(problem)}")

    def ask(self, message: object) -> Any:
        """Send a message and return the answer; the reason, if there is none."""
        try:
            self._connection.send(message)
            return self._connection.recv()
        except (EOFError, OSError):
            return _GONE
        except BaseException:  # Ctrl-C, a timeout: the next answer would be that to this message
            self._connection.close()
            raise

    def tell(self, message: object) -> None:
        """Send a message that has no answer."""
        try:
            self._connection.send(message)
        except OSError:
            pass  # the process has ended; `ask` will say so
        except BaseException:  # half of the message may have been sent
            self._connection.close()
            raise

    def close(self) -> None:
        """End the client, when it has sent what it was told."""
        with suppress(OSError):
            self._connection.send(None)
        self._writer.wait()
        self._connection.close()


class RedisLines:
    """The lines of one list."""

    def __init__(self, store: RedisStore, name: str) -> None:
        self._store = store
        self._name = name

    def open(self, most: int) -> Sequence[bytes] | None:
        """Return the lines, ``most`` bytes at most, or None if another process holds them."""
        found = self._store.ask(("open", self._name, most))
        return [] if isinstance(found, str) else found  # `problem` returns that text

    def append(self, line: bytes) -> None:
        """Keep one line more."""
        self._store.tell(("append", self._name, line))

    def cut(self, count: int) -> None:
        """Keep only the first lines."""
        self._store.tell(("cut", self._name, count))

    def problem(self) -> str | None:
        """Return why lines could not be kept; None: they were."""
        problem: str | None = self._store.ask(("problem", self._name))
        return None if problem is None else masked(problem)

    def close(self) -> None:
        """Leave the list for another process."""
        self._store.ask(("close", self._name))
