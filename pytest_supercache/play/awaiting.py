"""Plays scenarios as coroutines: on a loop for asynchronous systems, on threads for others.

A synchronous system needs no event loop: the same coroutines then run to their end in one go, on
the thread of each user, because every step in them blocks that thread.
"""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Mapping
from functools import partial
from inspect import isawaitable
from typing import Any

from pytest_supercache.core.switch import at_once
from pytest_supercache.world.unrun import ran
from pytest_supercache.world.users import is_async, is_async_system
from pytest_supercache.world.world import World


def played(coroutine: Coroutine[Any, Any, None], *, is_async: bool) -> Any:
    """Return the coroutine for a loop to run, or run it here."""
    return coroutine if is_async else at_once(coroutine)


async def on_a_loop_if_needed(
    world: World, systems: Mapping[str, Any], play: Callable[[], Coroutine[Any, Any, None]]
) -> None:
    """Play; on a new event loop if a system turns out to be asynchronous only now."""
    if not world.is_on_a_loop and any(map(is_async_system, systems.values())):
        world.drive(play())
    else:
        await play()


async def called(
    world: World, function: Callable[..., Any], what: str, *args: Any, **kwargs: Any
) -> Any:
    """Call a function of the code under test, and await its answer if it is awaitable.

    On a loop, a function that would block all tasks runs on a thread, as a framework would do it.
    """
    if world.is_on_a_loop and not is_async(function):
        call = partial(function, *args, **kwargs)
        answer = await asyncio.get_running_loop().run_in_executor(None, call)
    else:
        answer = function(*args, **kwargs)
    if world.is_on_a_loop and isawaitable(answer):
        answer = await _awaited(answer)
    return ran(answer, what, function)


async def _awaited(answer: Awaitable[Any]) -> Any:
    return await answer
