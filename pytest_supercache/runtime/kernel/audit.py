"""The audit hook of this package: calls a listener for each event that it has asked for.

A hook cannot be taken back, and hears of every attribute of a function that is read, so there is
one, which looks up an event and is done.
"""

import sys
from collections.abc import Callable, Iterable
from typing import Any

Listener = Callable[[str, tuple[Any, ...]], None]

_listeners: dict[str, list[Listener]] = {}


def listen(events: Iterable[str], listener: Listener) -> None:
    """Call ``listener`` with the name and the arguments of each of these events, from now on.

    The code that causes an event is two frames above the listener. Asking again changes nothing.
    """
    if not _listeners:
        sys.addaudithook(_hear)
    for event in events:
        listeners = _listeners.setdefault(event, [])
        if listener not in listeners:
            listeners.append(listener)


def _hear(event: str, arguments: tuple[Any, ...]) -> None:
    listeners = _listeners.get(event)
    if listeners is not None:
        for listener in listeners:
            listener(event, arguments)
