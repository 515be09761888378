"""Makes the stand-in of a real lock or queue when code under test first uses it.

Most are replaced before the check by the walk from the modules (`reference_walk`); these it did not
reach, or they were made later. Each real primitive has one stand-in per execution. If code that is
not under control uses the primitive too, the verdict is UNKNOWN: a stand-in holds its real lock, so
that the other user blocks; any other primitive must end in the state of its first use.
"""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple

from pytest_supercache.core.identity import identity
from pytest_supercache.runtime.kernel.active import controlled
from pytest_supercache.runtime.kernel.execution_context import ExecutionContext
from pytest_supercache.runtime.kernel.real_locks import REAL_LOCKS
from pytest_supercache.runtime.memory.real_primitives import PrimitiveName, name_of_primitive
from pytest_supercache.runtime.process.replacing import stand_in_for
from pytest_supercache.runtime.sync.lock_stand_ins import (
    LockStandIn,
    RLockStandIn,
    lock_for_condition,
    note_used_elsewhere,
)


class _UsedPrimitive(NamedTuple):
    """A real lock, queue or the like that code under test has used."""

    real: Any
    name: str
    shown: object
    """What is visible of its state at the first use: only its stand-in changes from then on."""
    stand_in: Any


def stand_in_of(known: Callable[[Any], Any], real: Any) -> Any:
    """Return the stand-in of a real primitive for the running execution.

    Args:
        known: returns the stand-in that replaced a primitive before the check; None: none did.
        real: a lock, a queue or the like.
    """
    execution = controlled()
    if execution is None:
        return real
    if (replaced := known(real)) is not None:
        return replaced
    used: _UsedPrimitive | None = execution.stand_ins.get(identity(real))
    if used is None:
        shown, memory = _shown(real), execution.controller.memory
        name = None if memory is None else name_of_primitive(memory, real)
        made = _made(execution, real, name)
        used = _UsedPrimitive(real, "" if name is None else name.text, shown, made)
        execution.stand_ins[identity(real)] = used
    return used.stand_in


def _made(execution: ExecutionContext, real: Any, name: PrimitiveName | None) -> Any:
    made: Any
    if type(real) in REAL_LOCKS:
        made = (LockStandIn if type(real) is REAL_LOCKS[0] else RLockStandIn)(real)
    else:
        made = None if _is_awaited(real) else stand_in_for(real, lock_for_condition)
    if made is None or not _is_free(real):
        note_used_elsewhere(execution, real, "" if name is None else name.text)
    if made is None:
        return real
    memory = execution.controller.memory
    made.name_after_use(name, is_per_node=memory is not None and memory.nodes is not None)
    return made


@contextmanager
def real_primitives_released(execution: ExecutionContext) -> Iterator[None]:
    """Release the real locks that an execution leaves held; note what other code has used, too."""
    try:
        yield
    finally:
        for used in execution.stand_ins.values():
            if isinstance(used.stand_in, LockStandIn):
                used.stand_in.release_real()
            elif used.stand_in is not used.real and _shown(used.real) != used.shown:
                note_used_elsewhere(execution, used.real, used.name)
        execution.stand_ins.clear()


def _shown(real: Any) -> object:
    return () if type(real) in REAL_LOCKS else (repr(real), getattr(real, "qsize", int)())


def _is_free(real: Any) -> bool:
    if type(real) not in REAL_LOCKS:
        return True
    is_acquired: bool = real.acquire(blocking=False)
    if is_acquired:
        real.release()
    return is_acquired


def _is_awaited(real: Any) -> bool:
    """Say whether a thread that is not under control waits on a primitive."""
    conditions = [one for one in _members(real) if type(one) is threading.Condition]
    # No public attribute of a Condition says whether threads wait, and typeshed omits this one.
    return any(condition._waiters for condition in conditions)  # type: ignore[attr-defined] # noqa: SLF001


def _members(real: Any) -> list[Any]:
    return [real, *getattr(real, "__dict__", {}).values()]
