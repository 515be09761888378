"""Disables default retries of Redis clients, and makes each requested retry a step.

redis-py retries three times by default, inside of the call, without a switch point. Here only
retries that the code requests (``retry=`` of its client) are made: by the door, so that every
attempt is a step of its own, which faults can strike and other users can precede.
"""

import inspect
from collections.abc import Callable, Iterator
from functools import cache
from typing import Any

from pytest_supercache.core.fault import is_injected
from pytest_supercache.runtime.kernel.execution_context import ExecutionContext

RETRIES_MAX = 10
"""The maximum number of retries; the scope of the verdict tells when it was reached."""


def retry_of(client: Any) -> Any:
    """Return the retry policy that the code has set on a client; None: there is none."""
    pool = getattr(client, "connection_pool", None)
    retry = getattr(pool, "connection_kwargs", {}).get("retry")
    if retry is None or hasattr(client, "command_stack") or _is_default(retry):
        return None  # a pipeline is reset: the code has to fill it again
    return retry


def attempts(execution: ExecutionContext, retry: Any) -> Iterator["Attempt"]:
    """Yield the attempts of a client for a command, until one is not to be retried."""
    wanted = 0 if retry is None else int(getattr(retry, "_retries", 0))
    errors = getattr(retry, "_supported_errors", ())
    if wanted < 0 or wanted > RETRIES_MAX:
        execution.controller.simplify(f"retries of a client limited to {RETRIES_MAX}")
        wanted = RETRIES_MAX
    for number in range(wanted + 1):
        attempt = Attempt(number, errors if number < wanted else ())
        yield attempt
        if not attempt.has_failed:
            return
        execution.controller.simplify("retries of a client without a pause before them")


class Attempt:
    """One attempt; ``with attempt:`` suppresses an injected error if a retry follows."""

    def __init__(self, number: int, errors: tuple[type[BaseException], ...]) -> None:
        self.mark = f" (retry {number})" if number else ""
        self._errors = errors  # after which another attempt is made
        self.has_failed = False

    def __enter__(self) -> "Attempt":
        return self

    def __exit__(self, kind: Any, error: BaseException | None, traceback: Any) -> bool:
        if error is not None and self._errors:
            self.has_failed = isinstance(error, self._errors) and is_injected(error)
        return self.has_failed


def without_default(arguments: dict[str, Any]) -> dict[str, Any]:
    """Return connection arguments with the default retry policy replaced by no retries."""
    retry = arguments.get("retry")
    if retry is None or not _is_default(retry):
        return arguments
    from redis.backoff import NoBackoff

    return {**arguments, "retry": type(retry)(NoBackoff(), 0)}


def _is_default(retry: Any) -> bool:
    return any(retry == default for default in _defaults())


@cache
def _defaults() -> tuple[Any, ...]:
    """Return the default retry policies of the clients."""
    import redis
    import redis.asyncio

    makers: tuple[Callable[..., Any], ...] = (redis.Redis.__init__, redis.asyncio.Redis.__init__)
    found = (inspect.signature(make).parameters.get("retry") for make in makers)
    return tuple(one.default for one in found if one is not None and one.default is not None)
