"""Pipelines without a transaction: each of their commands is a step.

Commands of other clients may come in between, so each command takes a step. They are sent one by
one on the connection that the pipeline holds until its end. Its answers are looked at only when all
have come, so nothing is parted by those before the last.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from pytest_supercache.layers.redis_commands import text
from pytest_supercache.runtime.kernel.node_version import Dialect
from pytest_supercache.runtime.kernel.stepping import Stepping
from pytest_supercache.runtime.redis.few_connections import is_only_way, note_undivided

BY_HAND = "pipelines that send MULTI as a command atomic"

FEW_CONNECTIONS = "pipelines on a blocking pool of one connection atomic"


def is_divided(execution: Stepping, pipeline: Any, *, is_atomic: bool) -> bool:
    """Say whether the commands of a pipeline take steps of their own.

    Where all others would wait for the connection that it holds, they do not come in between. Where
    a pool refuses them instead, or where they have another connection, they do.
    """
    commands = pipeline.command_stack
    if is_atomic or len(commands) < 2:
        return False
    if any(text(arguments(command)[0]).upper() == "MULTI" for command in commands):
        execution.controller.simplify(BY_HAND)
        return False
    if is_only_way(execution, pipeline.connection_pool):
        execution.controller.simplify(FEW_CONNECTIONS)
        note_undivided(execution)
        return False
    return True


def one_by_one(
    pipeline: Any, method: Callable[..., Any], raise_on_error: bool, send: Callable[..., Any]
) -> list[Any]:
    """Let a pipeline send each of its commands alone, and return what all are answered.

    Args:
        pipeline: what has collected them.
        method: its ``execute``.
        raise_on_error: raise the first error that a command is answered.
        send: takes a command's step; it is given the words, what sends them, and whether it is the
            last one.
    """
    commands, answers = list(pipeline.command_stack), []

    def ask() -> Any:
        return method(pipeline, raise_on_error=False)

    for command in commands[:-1]:
        with _alone(pipeline, command, _nothing):
            answers += send(arguments(command), ask, False)
    pipeline.command_stack = commands[-1:]
    answers += send(arguments(commands[-1]), ask, True)
    if raise_on_error:
        pipeline.raise_first_error(commands, answers)
    return answers


async def one_after_another(
    pipeline: Any, method: Callable[..., Any], raise_on_error: bool, send: Callable[..., Any]
) -> list[Any]:
    """Do the same with a pipeline of an asyncio client."""
    commands, answers = list(pipeline.command_stack), []

    def ask() -> Any:
        return method(pipeline, raise_on_error=False)

    for command in commands[:-1]:
        with _alone(pipeline, command, _anothing):
            answers += await send(arguments(command), ask, False)
    pipeline.command_stack = commands[-1:]
    answers += await send(arguments(commands[-1]), ask, True)
    if raise_on_error:
        pipeline.raise_first_error(commands, answers)
    return answers


@contextmanager
def _alone(pipeline: Any, command: Any, reset: Callable[[], Any]) -> Iterator[None]:
    """Let a pipeline have one command to send, and keep its connection when it has sent it."""
    pipeline.command_stack = [command]
    pipeline.reset = reset
    try:
        yield
    finally:
        del pipeline.reset


def _nothing() -> None:
    pass


async def _anothing() -> None:
    pass


def speak(execution: Stepping, pipeline: Any) -> Dialect | None:
    """Return how the calling actor's node speaks; what a pipeline has collected is said so."""
    dialect = execution.dialect()
    if dialect:
        commands = [dialect.sent(arguments(command)) for command in pipeline.command_stack]
        _replace_commands(pipeline, commands)
    return dialect


def _replace_commands(pipeline: Any, commands: Sequence[Sequence[Any]]) -> None:
    for at, (command, words) in enumerate(zip(pipeline.command_stack, commands, strict=True)):
        if hasattr(command, "args"):
            command.args = tuple(words)
        else:
            pipeline.command_stack[at] = (tuple(words), *command[1:])


def arguments(command: Any) -> Sequence[Any]:
    """Return a buffered command's words; redis-py has kept them in two shapes."""
    words: Sequence[Any] = command.args if hasattr(command, "args") else command[0]
    return words
