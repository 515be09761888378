"""Makes each command of a pipeline without a transaction a step.

Commands of other clients may interleave, so each command is a step. They are sent one by one on the
connection that the pipeline holds until its end. The code sees the answers only when all have
arrived, so only the last answer is a switch point.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from inspect import isawaitable, iscoroutinefunction
from typing import Any

from pytest_supercache.layers.redis_commands import text
from pytest_supercache.runtime.kernel.execution_context import ExecutionContext
from pytest_supercache.runtime.kernel.node_version import Dialect
from pytest_supercache.runtime.redis.few_connections import is_only_way, note_undivided

BY_HAND = "pipelines that send MULTI as a command atomic"

FEW_CONNECTIONS = "pipelines on a blocking pool of one connection atomic"


def is_divided(execution: ExecutionContext, pipeline: Any, *, is_atomic: bool) -> bool:
    """Say whether the commands of a pipeline take steps of their own.

    Where all other actors would wait for the pipeline's connection, they cannot interleave. Where
    the pool raises an error instead, or where they have another connection, they can.
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


def broken(client: Any, text: str) -> BaseException:
    """Return the error of a broken connection, after resetting the client if it is a pipeline."""
    from redis.exceptions import ConnectionError as BrokenConnectionError

    if hasattr(client, "command_stack"):
        client.reset()
    return BrokenConnectionError(text)


async def finished(answer: Any) -> Any:
    """Return the answer of a client, which one of asyncio has to await."""
    return await answer if isawaitable(answer) else answer


def is_transaction(pipeline: Any) -> bool:
    """Say whether a pipeline sends its commands as one transaction."""
    wanted = getattr(pipeline, "is_transaction", pipeline.transaction)  # the former: of asyncio
    return bool(wanted or pipeline.explicit_transaction)


async def one_by_one(
    pipeline: Any, method: Callable[..., Any], raise_on_error: bool, send: Callable[..., Any]
) -> list[Any]:
    """Send each command of a pipeline alone, and return all answers.

    Args:
        pipeline: the pipeline with its commands.
        method: its ``execute``.
        raise_on_error: raise the first error among the answers.
        send: takes a command's step; its arguments are the command's words, the function that sends
            them, and whether the command is the last one.
    """
    commands, answers = list(pipeline.command_stack), []

    def ask() -> Any:
        return method(pipeline, raise_on_error=False)

    for command in commands[:-1]:
        with _alone(pipeline, command):
            answers += await send(arguments(command), ask, False)
    pipeline.command_stack = commands[-1:]
    answers += await send(arguments(commands[-1]), ask, True)
    if raise_on_error:
        pipeline.raise_first_error(commands, answers)
    return answers


@contextmanager
def _alone(pipeline: Any, command: Any) -> Iterator[None]:
    """Give a pipeline one command to send, and let it keep its connection afterwards."""
    pipeline.command_stack = [command]
    pipeline.reset = _anothing if iscoroutinefunction(pipeline.reset) else _nothing
    try:
        yield
    finally:
        del pipeline.reset


def _nothing() -> None:
    pass


async def _anothing() -> None:
    pass


def speak(execution: ExecutionContext, pipeline: Any) -> Dialect | None:
    """Return the dialect of the calling actor's node, and translate the pipeline's commands."""
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
    """Return a buffered command's words, which redis-py versions store in two ways."""
    words: Sequence[Any] = command.args if hasattr(command, "args") else command[0]
    return words
