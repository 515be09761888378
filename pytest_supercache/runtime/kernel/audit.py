"""Installs the audit hook of this package, which calls the listeners of each event.

An audit hook cannot be removed, and is called even for every read of a function's attribute. So
there is only one, which looks up the event and returns.
"""

import sys
from collections.abc import Callable, Iterable
from typing import Any

Listener = Callable[[str, tuple[Any, ...]], None]

_listeners: dict[str, list[Listener]] = {}


def listen(events: Iterable[str], listener: Listener) -> None:
    """Call ``listener`` with the name and the arguments of each of ``events`` from now on.

    The code that causes an event is two frames above the listener. A repeated call has no effect.
    """
    if not _listeners:
        sys.addaudithook(_hear)
    for event in events:
        listeners = _listeners.setdefault(event, [])
        if listener not in listeners:
            listeners.append(listener)


def _hear(event: str, arguments: tuple[Any, ...]) -> None:
    listeners = (_listeners or {}).get(event)  # Python clears its modules when it ends
    if listeners is not None:
        for listener in listeners:
            listener(event, arguments)
