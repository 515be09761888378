"""Creates the event dispatcher of a copied redis-py client or pool on first access.

A dispatcher has a table of listeners; a copy of a client starts with the same listeners, and seldom
calls them.
"""

from typing import Any

_DISPATCHER = {"_async_lock", "_event_listeners_mapping", "_lock"}
"""The attributes of a dispatcher, in the versions of redis-py that can be copied."""


class LazyDispatcher:
    """A client or a pool that may have no dispatcher of its own yet."""

    @property
    def _event_dispatcher(self) -> Any:
        try:
            # Where redis-py would have it: `client_templates` copies the attributes.
            own = vars(self)["_event_dispatcher"]
        except KeyError:
            raise AttributeError("_event_dispatcher") from None
        if type(own) is _Lent:
            own = self._event_dispatcher = _like(own.dispatcher)
        return own

    @_event_dispatcher.setter
    def _event_dispatcher(self, dispatcher: Any) -> None:
        vars(self)["_event_dispatcher"] = dispatcher

    def lend_dispatcher(self) -> None:
        """Let all later copies of this client or pool start with its listeners."""
        self._event_dispatcher = _Lent(self._event_dispatcher)


class _Lent:
    """Stands for a copy of a dispatcher that was not accessed yet."""

    __slots__ = ("dispatcher",)

    def __init__(self, dispatcher: Any) -> None:
        self.dispatcher = dispatcher


def _like(dispatcher: Any) -> Any:
    """Return a new dispatcher with the listeners of the original."""
    parts = vars(dispatcher)
    if parts.keys() != _DISPATCHER:
        return type(dispatcher)()
    copied = object.__new__(type(dispatcher))
    listeners = {event: [*told] for event, told in parts["_event_listeners_mapping"].items()}
    vars(copied).update(
        _event_listeners_mapping=listeners, _lock=type(parts["_lock"])(), _async_lock=None
    )
    return copied
