"""Declares the interface of the controlled event loop that its parts use, beyond asyncio's."""

import asyncio
from abc import ABC, abstractmethod
from contextvars import Context
from typing import Any
from weakref import WeakSet

from pytest_supercache.runtime.aio.loop_sleepers import Sleepers
from pytest_supercache.runtime.kernel.actor import Actor
from pytest_supercache.runtime.kernel.controller import Controller
from pytest_supercache.runtime.kernel.task_actor import TaskActor


class LoopInterface(asyncio.SelectorEventLoop, ABC):
    """The controlled event loop as its inbox and its thread jobs see it."""

    controller: Controller
    host: Actor
    """The body of the execution, whose thread runs the loop."""
    racing: bool
    """Whether the users are racing."""
    actors: dict[asyncio.Task[Any], TaskActor]
    """The actors of the tasks that run on the loop."""
    connections: WeakSet[Any]
    """The connections of clients whose commands are steps, where they use real sockets."""
    ready: Any
    """The callbacks that are ready and wait to be chosen: a `ready_queue.ReadyQueue`."""
    sleepers: dict[str | None, Sleepers]
    """The tasks that sleep, of each node, as its loop wakes them."""
    failed: list[tuple[str, asyncio.Future[Any]]]
    """Failed jobs on threads, each with the name of its actor."""

    @abstractmethod
    def child_of(self, parent: Actor, coro: Any) -> TaskActor:
        """Make the actor for a coroutine that ``parent`` is about to start."""

    @abstractmethod
    def start(
        self, child: TaskActor, coro: Any, *, name: Any = None, context: Context, **rest: Any
    ) -> asyncio.Task[Any]:
        """Start a coroutine as the task of ``child``, the actor made for it."""

    @abstractmethod
    def put_end(self, handle: asyncio.Handle) -> None:
        """Queue the end of a job behind the callbacks that the job has handed over."""
