"""Defines the selector of a controlled event loop: it asks the controller, and real sockets."""

import selectors
from collections.abc import Callable
from typing import Any


class Selector:
    """A selector for asyncio that pauses by a callback; real sockets use a real selector."""

    def __init__(self, pause: Callable[[float | None], Any]) -> None:
        self._pause = pause
        self.sockets: selectors.BaseSelector | None = None

    def select(self, timeout: float | None) -> Any:
        """Return the ready events, after the loop's pause."""
        return self._pause(timeout)

    def close(self) -> None:
        """Close the real selector."""
        if self.sockets is not None:
            self.sockets.close()

    def get_map(self) -> Any:
        """Return the registered sockets."""
        return {} if self.sockets is None else self.sockets.get_map()

    def __getattr__(self, name: str) -> Any:  # register, unregister, modify, get_key
        if self.sockets is None:
            self.sockets = selectors.DefaultSelector()
        return getattr(self.sockets, name)
