"""Users whose operations on a system are recorded: Python tests call them instead of steps."""

from collections.abc import Callable
from dataclasses import dataclass, field
from inspect import CO_COROUTINE, iscoroutinefunction
from types import FunctionType, MethodType
from typing import Any

from pytest_supercache.core.operation import DEFAULT_NODE
from pytest_supercache.world.recorder import Recorder, RunningOperation
from pytest_supercache.world.unrun import ran


@dataclass(frozen=True, slots=True)
class User:
    """A user of a system, whose operations are recorded."""

    world: Recorder
    name: str
    system: Any
    node: str = DEFAULT_NODE
    vars: dict[str, Any] = field(default_factory=dict)

    def read(self, key: str) -> Any:
        """Call the system's ``get``."""
        call = _call(self, "read", key)
        with self.world.recorded(call):
            call.answer = _ran(self, "get", self.system.get(key))
        return call.answer

    def write(self, key: str, value: Any) -> None:
        """Call the system's ``set``."""
        with self.world.recorded(_call(self, "write", key, value)):
            _ran(self, "set", self.system.set(key, value))

    def delete(self, key: str) -> None:
        """Call the system's ``delete``."""
        with self.world.recorded(_call(self, "delete", key)):
            _ran(self, "delete", self.system.delete(key))


@dataclass(frozen=True, slots=True)
class AsyncUser:
    """A user of a system whose methods are coroutines."""

    world: Recorder
    name: str
    system: Any
    node: str = DEFAULT_NODE
    vars: dict[str, Any] = field(default_factory=dict)

    async def read(self, key: str) -> Any:
        """Await the system's ``get``."""
        call = _call(self, "read", key)
        async with self.world.recorded(call):
            call.answer = _ran(self, "get", await self.system.get(key))
        return call.answer

    async def write(self, key: str, value: Any) -> None:
        """Await the system's ``set``."""
        async with self.world.recorded(_call(self, "write", key, value)):
            _ran(self, "set", await self.system.set(key, value))

    async def delete(self, key: str) -> None:
        """Await the system's ``delete``."""
        async with self.world.recorded(_call(self, "delete", key)):
            _ran(self, "delete", await self.system.delete(key))


def _call(user: User | AsyncUser, kind: str, key: str, value: Any = None) -> RunningOperation:
    return RunningOperation(user=user.name, node=user.node, kind=kind, key=key, value=value)


def _ran(user: User | AsyncUser, method: str, answer: Any) -> Any:
    return ran(answer, f"{type(user.system).__name__}.{method}")


def is_async_system(system: Any) -> bool:
    """Say whether one of a system's own methods is a coroutine function."""
    names = ("get", "set", "delete")
    return any(is_async(getattr(system, name, None)) for name in names)


def is_async(function: Callable[..., Any] | None) -> bool:
    """Say whether calling ``function`` makes a coroutine, also for callable objects and partials.

    The methods of redis-py's asyncio clients do, although they are not coroutine functions.
    """
    plain = function.__func__ if type(function) is MethodType else function
    if type(plain) is FunctionType and not vars(plain):  # most are, and inspect is slow
        return bool(plain.__code__.co_flags & CO_COROUTINE) or _is_of_async_redis(function)
    call = type(function).__dict__.get("__call__")
    is_coroutine_function = iscoroutinefunction(function) or iscoroutinefunction(call)
    return is_coroutine_function or _is_of_async_redis(function)


def _is_of_async_redis(function: object) -> bool:
    for base in type(getattr(function, "__self__", None)).__mro__:
        if str(base.__module__).startswith("redis.asyncio"):
            return True
    return False
