"""Computes the footprint of a declared call from its declaration and arguments.

Footprints depend on the declaration and the arguments, never on the data that the call finds, so
that they are a superset of what the call may touch.
"""

import inspect
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from pytest_supercache.core.errors import SupercacheError
from pytest_supercache.core.footprint import Footprint
from pytest_supercache.core.memory_use import WHOLE
from pytest_supercache.declare.registry import Watch
from pytest_supercache.runtime.kernel.execution_context import SHARED_LAYERS, ExecutionContext
from pytest_supercache.runtime.kernel.expiries import seconds_of

NOW = "clock:now"
READS_NOW = Footprint(reads=frozenset({NOW}))
READS_CLOCK = Footprint(frozenset({NOW}), frozenset({NOW}))
"""The footprint of a declared reading, which also moves the clock a little."""

CLOCK_STEP = 1e-6
"""How far a declared reading moves the clock, in seconds: the resolution of freezegun."""

_ADDRESS = re.compile(r" at 0x[0-9a-fA-F]+")


@dataclass(frozen=True, slots=True, kw_only=True)
class Declared:
    """The step of a declared call or access, with its effect on expiry times."""

    label: str
    footprint: Footprint
    timed: frozenset[str] = frozenset()  # resources written with a TTL, or without one for ever
    seconds: float | None = None
    lease: bool = False
    suspends: bool = True

    def take_effect(self, execution: ExecutionContext) -> None:
        """Note when the resources written by this step expire."""
        at = None if self.seconds is None else execution.now() + self.seconds
        for resource in self.timed:
            execution.expiries.note(resource, at, lease=self.lease)


def declared_call(
    watch: Watch, execution: ExecutionContext, arguments: dict[str, Any], name: str
) -> Declared:
    """Return the step of a watched call with these arguments."""
    place = place_for(watch, execution, arguments)
    reads = _resources(watch, "reads", arguments, place)
    writes = _resources(watch, "writes", arguments, place)
    keys = sorted({resource.removeprefix(f"{place}:") for resource in reads | writes})
    footprint = Footprint(reads | writes, writes)
    note_node(execution, place, arguments.get("self"), writes=bool(writes))
    seconds = None
    if watch.expires is not None:
        seconds = time_to_live(watch, arguments)
        footprint = footprint | READS_NOW
    return Declared(
        label=f"{name} {', '.join(keys)}".strip(),
        footprint=footprint,
        timed=frozenset() if watch.expires is None else writes,
        seconds=seconds,
        lease=watch.lease,
        suspends=watch.suspends,
    )


def note_node(execution: ExecutionContext, place: str, holder: Any, *, writes: bool) -> None:
    """Note which node uses ``holder``, unless its layer is shared by all nodes."""
    memory = execution.controller.memory
    if memory is not None and holder is not None and place not in SHARED_LAYERS:
        memory.lasting.touch_deeply(holder)
        memory.note_node(holder, WHOLE, writes=writes)


def place_for(watch: Watch, execution: ExecutionContext, arguments: dict[str, Any]) -> str:
    """Return the name of the place that a call touches."""
    layer = ask(watch.layer, arguments) if callable(watch.layer) else watch.layer
    if not isinstance(layer, str) or not layer:
        raise SupercacheError(
            f"watch({watch.target!r}): layer= answered {layer!r}; expected the name of a layer"
        )
    return execution.place_of(layer)


def time_to_live(watch: Watch, arguments: dict[str, Any]) -> float | None:
    """Return the TTL, in seconds, of what a call writes; None: it does not expire."""
    spec = watch.expires
    if isinstance(spec, str):
        return seconds_of(_argument(watch, "expires", spec, arguments))
    return seconds_of(ask(spec, arguments) if callable(spec) else spec)


def _resources(watch: Watch, option: str, arguments: dict[str, Any], place: str) -> frozenset[str]:
    spec = getattr(watch, option)
    if spec is None:
        return frozenset()
    if spec == "*":
        return frozenset({f"{place}:*"})
    keys = ask(spec, arguments) if callable(spec) else _argument(watch, option, spec, arguments)
    if keys is None:
        return frozenset()
    if isinstance(keys, str | bytes | tuple) or not isinstance(keys, Iterable):
        keys = [keys]
    return frozenset(f"{place}:{text_of(key)}" for key in keys)


def _argument(watch: Watch, option: str, name: str, arguments: dict[str, Any]) -> Any:
    if name in arguments:
        return arguments[name]
    raise SupercacheError(
        f"watch({watch.target!r}, {option}={name!r}): the call has no such parameter; it has "
        f"{', '.join(arguments) or 'none'}"
    )


def ask(spec: Callable[..., Any], arguments: dict[str, Any]) -> Any:
    """Call a callable of a declaration with the arguments that it names.

    A ``**`` parameter gets all the others, except ``self``.

    Raises:
        SupercacheError: the callable needs other arguments.
    """
    wanted = inspect.signature(spec)
    takes_rest = any(p.kind is p.VAR_KEYWORD for p in wanted.parameters.values())
    given = {
        name: value
        for name, value in arguments.items()
        if name in wanted.parameters or (takes_rest and name != "self")
    }
    try:
        wanted.bind(**given)
    except TypeError as error:
        raise SupercacheError(
            f"a callable of a declaration takes {wanted}, but the call that it is about has "
            f"{', '.join(arguments) or 'no arguments'}: {error}"
        ) from error
    return spec(**given)


def text_of(key: Any) -> str:
    """Return a key as text for a resource, the same for bytes and text, and for equal numbers.

    A key whose text shows its address differs in every execution; it stands for the whole layer.
    """
    if isinstance(key, bytes):
        return key.decode(errors="backslashreplace")
    if isinstance(key, bool | float) and key == key // 1:
        return str(int(key))
    text = str(key)
    return "*" if _ADDRESS.search(text) else text
