"""Tests once per item whether nodes share memory of this process, which in production they cannot.

A value is written and read on one node, all shared layers are emptied, and another node is read.
The same value again, or an answer without a step, can only come from memory that both nodes use.
"""

import sys
from collections.abc import Sequence
from functools import partial
from typing import Any

from pytest_supercache.core.errors import SupercacheError, UndeclaredStateError
from pytest_supercache.core.trace import Step
from pytest_supercache.declare import adapters
from pytest_supercache.declare.registry import System
from pytest_supercache.oracle.versions import same
from pytest_supercache.play.awaiting import called, on_a_loop_if_needed
from pytest_supercache.play.building import built
from pytest_supercache.runtime.kernel.execution_context import SHARED_LAYERS
from pytest_supercache.runtime.observe.lookup import find_object
from pytest_supercache.runtime.process.fingerprints import (
    changed_globals,
    fingerprint,
    memo_sizes,
    of_the_project,
)
from pytest_supercache.runtime.process.state import is_memo
from pytest_supercache.world.world import World


async def find_undeclared_state(world: World, system: System, key: str, value: Any) -> None:
    """Write ``key`` on node a, and read it on node b with nothing shared in between.

    Raises:
        UndeclaredStateError: b knew the value; the message names the module globals that changed.
    """
    async with built(world, system, ("a", "b")) as systems:
        if not (hasattr(systems["a"], "get") and hasattr(systems["a"], "set")):
            return
        before, memos = fingerprint(), _Memos(system)
        found: list[bool] = []
        ask = partial(_remembers, world, system, systems, key, value, found, memos)
        await on_a_loop_if_needed(world, systems, ask)
        if found != [True]:
            return
        changed = sorted({*_changed(system, before, fingerprint()), *memos.learnt})
    raise UndeclaredStateError(
        f"{sharing(system.name, changed)} A value written on node a was answered on node b from "
        f"memory. {remedy(system.name, changed)}{_too_late(system)}"
    )


def look_at_memory(world: World, system: System, nodes: Sequence[str]) -> None:
    """Record, from now on, the memory of this process that the system uses.

    The next execution finds it as this one did. Memory that two nodes use is noted for
    :func:`refuse_shared_memory`.
    """
    memory = world.context.controller.memory
    if memory is not None:
        memory.look_throughout()
        if len(nodes) > 1:
            memory.keep_nodes_apart((*system.state, *adapters.state(sys.modules)))


def refuse_shared_memory(world: World, system: System) -> None:
    """Stop if one node has written memory of this process that another one has used.

    Raises:
        UndeclaredStateError: the message names it.
    """
    memory = world.context.controller.memory
    if memory is not None:
        memory.look_no_longer()
    found = None if memory is None or memory.nodes is None else memory.nodes.found
    if found is not None:
        raise UndeclaredStateError(
            f"{sharing(system.name, [found.what])} One node writes it and another one uses it; in "
            "production each has its own. "
            f"{remedy(system.name, [found.name] if found.name else [], found.module)} If it "
            "stands for something outside of the process, such as a database, declare its "
            "methods: watch(...)"
        )


def _too_late(system: System) -> str:
    """Return a hint for systems with isolated modules whose nodes share state nevertheless."""
    if not system.isolate:
        return ""
    return (
        f" isolate={list(system.isolate)} is declared: import these modules inside of the factory; "
        "what a conftest imports at its top is one for all nodes."
    )


def sharing(system: str, names: Sequence[str]) -> str:
    """Return the sentence that a system's nodes share state, and in which module globals."""
    shown = ", ".join(names) or "in no module global; look at class attributes and closures"
    return f"system {system!r} keeps state that its nodes share in this process: {shown}."


def remedy(system: str, names: Sequence[str], module: str = "") -> str:
    """Return the advice that gives each node its own state; ``module`` leads to the shared one."""
    memos = [name for name in names if is_memo(find_object(name, "state")[2])]
    if names and not memos:
        return f"Declare it: @system({system!r}, state=[{', '.join(map(repr, names))}])."
    module = module or "".join(name.partition(":")[0] for name in memos[:1])
    return (
        "Make what holds it in the system's factory, or let each node import the module for "
        f"itself: @system({system!r}, isolate=[{repr(module) if module else '...'}])."
    )


def _changed(system: System, before: dict[str, int], after: dict[str, int]) -> list[str]:
    """Return the project's module globals that have changed, except those of isolated modules."""
    own = tuple(f"{name}{end}" for name in system.isolate for end in ":.")
    changed = [name for name in changed_globals(before, after) if not name.startswith(own)]
    return of_the_project(changed)


class _Memos:
    """Memo functions of the project's modules that are shared by all nodes, from now on."""

    def __init__(self, system: System) -> None:
        self._system = system
        self._before = memo_sizes()
        self.learnt: list[str] = []
        """The memo functions that have stored something from the nodes a and b."""
        found = {name: find_object(name, "state")[2] for name in self._before}
        self._empty = {name: memo for name, memo in found.items() if not memo.cache_info().currsize}

    def changed(self) -> list[str]:
        """Return the names of those that have stored something."""
        return _changed(self._system, self._before, memo_sizes())

    def empty(self) -> None:
        """Clear the memos that were empty at first: the next check begins with the same state."""
        for name in self.changed():
            if name in self._empty:
                self._empty[name].cache_clear()


async def _remembers(
    world: World,
    system: System,
    systems: dict[str, Any],
    key: str,
    value: Any,
    found: list[bool],
    memos: _Memos,
) -> None:
    """Note whether node b knew a value, or a result that node c needs steps to compute."""
    name = system.name
    try:
        with world.at("a"):
            await called(world, systems["a"].set, name, key, value)
            # Code that deletes on write keeps the value only now.
            await called(world, systems["a"].get, name, key)
        answer, steps = await _asked(world, name, systems, "b", key)
        is_spared = False
        memos.learnt = memos.changed()
        if memos.learnt:
            memos.empty()
            async with built(world, system, ("c",)) as others:
                _, cold = await _asked(world, name, others, "c", key)
            is_spared = bool(memos.changed()) and len(steps) < len(cold)
            memos.empty()
    except SupercacheError:
        raise
    except Exception:  # noqa: BLE001 - the scenario itself will show it, in a schedule
        return
    is_known = same(answer, value) and not world.is_kept_elsewhere and not any(map(_asks, steps))
    # Another value that b answers without a step may be its own, from before the check.
    is_remembered = not steps and (same(answer, value) or world.context.controller.memory is None)
    found.append(is_spared or (answer is not None and (is_known or is_remembered)))


async def _asked(
    world: World, name: str, systems: dict[str, Any], node: str, key: str
) -> tuple[Any, list[Step]]:
    """Ask a node while all shared layers are empty; return its answer and its steps."""
    world.forget_everything()
    before = len(world.context.record.steps)
    with world.at(node):
        answer = await called(world, systems[node].get, name, key)
    return answer, world.context.record.steps[before:]


def _asks(step: Step) -> bool:
    """Say whether a step reads something that is declared to be outside of the process."""
    places = {resource.partition(":")[0] for resource in step.footprint.reads}
    return step.kind == "watched" and not SHARED_LAYERS.isdisjoint(places)
