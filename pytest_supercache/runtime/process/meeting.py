"""Makes stand-ins of real locks and queues when code under test uses one in an execution.

The walk from the modules replaces the others; these it did not reach, or they were made later. Each
real object has one stand-in per execution. If code that is not under control uses the object too,
the verdict is UNKNOWN: a stand-in holds its real lock, so that the other user blocks; any other
real object must be in the same state at the end as when it was first used.
"""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple

from pytest_supercache.core.identity import identity
from pytest_supercache.runtime.kernel.active import controlled
from pytest_supercache.runtime.kernel.stepping import Stepping
from pytest_supercache.runtime.memory.names import REAL_LOCKS
from pytest_supercache.runtime.memory.tools_met import NameOfMet, name_of_met
from pytest_supercache.runtime.process.replacing import alone
from pytest_supercache.runtime.sync.met import MetLock, MetRLock, note_used_elsewhere, of_condition


class _Met(NamedTuple):
    """A real object that code under test has used."""

    real: Any
    name: str
    shown: object
    """What is seen of its state as it was met: only its stand-in changes from then on."""
    stand_in: Any


def stand_in_of(known: Callable[[Any], Any], real: Any) -> Any:
    """Return the stand-in of a real object for the running execution.

    Args:
        known: returns the stand-in that has replaced an object elsewhere; None: none has.
        real: a lock, a queue or the like.
    """
    execution = controlled()
    if execution is None:
        return real
    if (replaced := known(real)) is not None:
        return replaced
    met: _Met | None = execution.stand_ins.get(identity(real))
    if met is None:
        shown, memory = _shown(real), execution.controller.memory
        name = None if memory is None else name_of_met(memory, real)
        made = _made(execution, real, name)
        met = _Met(real, "" if name is None else name.text, shown, made)
        execution.stand_ins[identity(real)] = met
    return met.stand_in


def _made(execution: Stepping, real: Any, name: NameOfMet | None) -> Any:
    made: Any
    if type(real) in REAL_LOCKS:
        made = (MetLock if type(real) is REAL_LOCKS[0] else MetRLock)(real)
    else:
        made = None if _is_awaited(real) else alone(real, of_condition)
    if made is None or not _is_free(real):
        note_used_elsewhere(execution, real, "" if name is None else name.text)
    if made is None:
        return real
    memory = execution.controller.memory
    made.met_as(name, is_per_node=memory is not None and memory.nodes is not None)
    return made


@contextmanager
def met_in(execution: Stepping) -> Iterator[None]:
    """Release the real locks that an execution leaves held, and look who else has used others."""
    try:
        yield
    finally:
        for met in execution.stand_ins.values():
            if isinstance(met.stand_in, MetLock):
                met.stand_in.let_go()
            elif met.stand_in is not met.real and _shown(met.real) != met.shown:
                note_used_elsewhere(execution, met.real, met.name)
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
    """Say whether a thread that is not under control waits with an object."""
    conditions = [one for one in _members(real) if type(one) is threading.Condition]
    # threading has no public way to ask who waits, and typeshed does not list the attribute.
    return any(condition._waiters for condition in conditions)  # type: ignore[attr-defined] # noqa: SLF001


def _members(real: Any) -> list[Any]:
    return [real, *getattr(real, "__dict__", {}).values()]
