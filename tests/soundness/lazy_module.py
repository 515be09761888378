"""A module that makes an attribute when it is asked for."""

from threading import Lock

_LOCK = Lock()


def __getattr__(name):
    if name == "settings":
        made = globals()["settings"] = object()
        return made
    if name == "locked":
        with _LOCK:
            return globals().setdefault("locked", object())
    raise AttributeError(name)
