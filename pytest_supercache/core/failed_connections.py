"""Reports connections of this process that fail, if they are made with Python's sockets.

The interpreter's audit events come before a connection, and do not tell whether it succeeds. So the
methods of `socket.socket` are replaced, which asyncio and all clients written in Python use.

Tools of tests replace them, too, and refuse connections before they are made: theirs are wrapped
when :meth:`FailedConnections.listen` is called again.
"""

import errno
import os
import socket
from collections.abc import Callable
from functools import wraps
from types import FunctionType
from typing import Any, Protocol

_BEGUN = frozenset({errno.EINPROGRESS, errno.EWOULDBLOCK, errno.EALREADY})
"""Errors of a socket that does not block: it tells later how it went."""

_CONNECTED = frozenset({0, errno.EISCONN})
_FAMILIES = frozenset({socket.AF_INET, socket.AF_INET6, getattr(socket, "AF_UNIX", None)})
_NAMES_MAX = 1_000
_NO_ANSWER = "no answer"
_NO_REFUSALS = (OSError, TypeError, ValueError, OverflowError)
"""Errors of a socket, which are told as its failures, and of functions about addresses."""
_SOCKET = socket.socket
"""The class itself, whatever a tool may put in its place."""


class Hears(Protocol):
    """Receives the outcome of each connection, called on the stack of the code that connects."""

    def failed(self, address: str, port: object, error: str) -> object:
        """Receive a failure; return a key for the code that tried to connect, or None."""

    def refused(self, address: str, port: object, error: Exception) -> None:
        """Receive what a tool has raised in place of a connection."""

    def connected(self, port: object, who: object) -> None:
        """Hear of a connection; ``who`` is None if it was made at once."""


class FailedConnections:
    """Replaces the functions that connect, until it is told to stop."""

    def __init__(self, listener: Hears) -> None:
        self._listener = listener
        self._begun: dict[int, tuple[Any, object]] = {}  # by the identity of a socket
        self._names: dict[tuple[Any, ...], str] = {}  # hosts, by what was found for them
        self._wrapped = (
            _Wrapped(_SOCKET, "connect", self._connect),
            _Wrapped(_SOCKET, "connect_ex", self._connect_ex),
            _Wrapped(_SOCKET, "getsockopt", self._getsockopt),
            _Wrapped(socket, "getaddrinfo", self._getaddrinfo),
        )
        self._constructor: _Wrapped | None = None  # of a class in the place of the real one

    def listen(self) -> None:
        """Report from now on; called again, wrap what others have replaced since."""
        for one in self._wrapped:
            one.wrap()
        installed: Any = socket.socket
        if self._constructor is not None and self._constructor.owner is not installed:
            self._constructor.unwrap()
            self._constructor = None
        if installed is not _SOCKET and "__new__" in getattr(installed, "__dict__", ()):
            self._constructor = self._constructor or _Wrapped(installed, "__new__", self._new)
            self._constructor.wrap()

    def stop(self) -> None:
        """Restore the functions, but for those that somebody else has replaced since."""
        for one in filter(None, (*self._wrapped, self._constructor)):
            one.unwrap()

    def _connect(self, function: Callable[..., Any]) -> Callable[..., Any]:
        return self._connects(function, lambda _: 0)

    def _connect_ex(self, function: Callable[..., Any]) -> Callable[..., Any]:
        """Wrap ``connect_ex``, which returns an error's number; a double, whatever it likes."""
        return self._connects(function, lambda answer: answer if isinstance(answer, int) else 0)

    def _connects(
        self, function: Callable[..., Any], code_of: Callable[[Any], int]
    ) -> Callable[..., Any]:
        call = self._told_of_refusals(function, lambda _, to: (self._shown(to), _port(to)))

        def connect(used: socket.socket, address: Any) -> Any:
            try:
                answer = call(used, address)
            except OSError as error:
                self._ended(used, address, error.errno, error.strerror or str(error))
                raise
            code = code_of(answer)
            self._ended(used, address, code, os.strerror(code))
            return answer

        return connect

    def _getsockopt(self, function: Callable[..., Any]) -> Callable[..., Any]:
        def getsockopt(used: socket.socket, level: int, name: int, *size: int) -> Any:
            value = function(used, level, name, *size)
            if self._begun and (level, name) == (socket.SOL_SOCKET, socket.SO_ERROR):
                address, who = self._begun.pop(id(used), (None, None))
                if who is not None and value == 0:
                    self._listener.connected(_port(address), who)
            return value

        return getsockopt

    def _getaddrinfo(self, function: Callable[..., Any]) -> Callable[..., Any]:
        def place_of(host: Any, port: Any, *_: Any, **__: Any) -> tuple[str, object]:
            return f"{_text(host)}:{_text(port)}", _number(port)

        call = self._told_of_refusals(function, place_of)

        def getaddrinfo(host: Any, port: Any, *args: Any, **options: Any) -> Any:
            try:
                found = call(host, port, *args, **options)
            except socket.gaierror as error:
                if host and port:
                    self._listener.failed(*place_of(host, port), error.strerror or str(error))
                raise
            self._remember(host, found)
            return found

        return getaddrinfo

    def _new(self, function: Callable[..., Any]) -> Callable[..., Any]:
        """Wrap what makes the sockets of a class that stands in the place of the real one."""
        return self._told_of_refusals(function, lambda *_, **__: ("a socket", None))

    def _told_of_refusals(
        self, function: Callable[..., Any], place_of: Callable[..., tuple[str, object]]
    ) -> Callable[..., Any]:
        """Wrap a function so that the listener hears what a tool raises in place of a connection.

        A tool may raise any exception, and does so before it calls the function that it replaces.
        """

        def told(*args: Any, **options: Any) -> Any:
            try:
                return function(*args, **options)
            except _NO_REFUSALS:
                raise
            except Exception as error:  # of which type is up to the tool; it goes on to the caller
                self._listener.refused(*place_of(*args, **options), error)
                raise

        return told

    def _remember(self, host: Any, found: list[tuple[Any, ...]]) -> None:
        if len(self._names) > _NAMES_MAX:
            self._names.clear()
        for *_, address in found:
            self._names[address[:2]] = _text(host)

    def _ended(self, used: socket.socket, address: Any, code: int | None, said: str) -> None:
        if used.family not in _FAMILIES or used.type != socket.SOCK_STREAM:
            return
        begun = self._begun.pop(id(used), None)
        if code in _CONNECTED:
            self._listener.connected(_port(address), None if begun is None else begun[1])
        elif begun is None or code not in _BEGUN:
            is_begun = code in _BEGUN
            who = self._listener.failed(
                self._shown(address), _port(address), _NO_ANSWER if is_begun else said
            )
            if is_begun:
                self._begun[id(used)] = (address, who)
        else:
            self._begun[id(used)] = begun

    def _shown(self, address: Any) -> str:
        if not _is_pair(address):
            return _text(address)
        host = self._names.get(address[:2]) or _text(address[0])
        return f"{host}:{address[1]}"


class _Wrapped:
    """A function that is wrapped again when others have put theirs in its place.

    Args:
        owner: the class or module that has the function.
        name: the function's.
        make: returns what is called in the place of a function.
    """

    def __init__(
        self, owner: Any, name: str, make: Callable[[Callable[..., Any]], Callable[..., Any]]
    ) -> None:
        self.owner = owner
        self._name = name
        self._make = make
        self._put: list[tuple[Any, Any]] = []  # each of ours, with what it replaced

    def wrap(self) -> None:
        """Wrap the function that is there now, unless it is one of ours."""
        installed = self._installed
        for depth, (ours, _) in enumerate(self._put, 1):
            if ours is installed:
                del self._put[depth:]  # others have taken back what they put above it
                return
        if _can_be_wrapped(installed):
            function = getattr(self.owner, self._name)
            replacement = wraps(function)(self._make(function))
            self._put.append((replacement, installed))
            setattr(self.owner, self._name, replacement)

    def unwrap(self) -> None:
        """Restore the function, unless somebody else has replaced it since."""
        while self._put:
            ours, before = self._put.pop()
            if self._installed is not ours:
                continue
            if before is None:
                delattr(self.owner, self._name)
            else:
                setattr(self.owner, self._name, before)

    @property
    def _installed(self) -> Any:
        return vars(self.owner).get(self._name)


def _can_be_wrapped(before: object) -> bool:
    """Say whether a function can be called for what a class or a module has; None: it inherits.

    A mock, and a static method but for ``__new__``, would get another first argument.
    """
    is_constructor = isinstance(before, staticmethod) and before.__func__.__name__ == "__new__"
    return before is None or isinstance(before, FunctionType) or is_constructor


def _port(address: Any) -> object:
    """Return what stays the same when a name has several addresses."""
    return address[1] if _is_pair(address) else address


def _is_pair(address: Any) -> bool:
    """Say whether an address is a host and a port, with or without more."""
    return isinstance(address, tuple) and len(address) > 1


def _number(port: Any) -> object:
    return int(port) if str(port).isdecimal() else port


def _text(value: Any) -> str:
    return value.decode(errors="replace") if isinstance(value, bytes) else str(value)
