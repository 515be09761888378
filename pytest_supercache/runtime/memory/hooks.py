"""The hooks that rewritten code calls: they record which part of which object is accessed.

A hook runs before its instruction, gets the operands of the instruction, and changes
nothing.
"""

import sys
import types
from typing import Any

from pytest_supercache.core.footprint import Footprint
from pytest_supercache.core.memory_use import WHOLE
from pytest_supercache.runtime.kernel.calling import here
from pytest_supercache.runtime.kernel.kinds import bases_of, module_of, of_kind
from pytest_supercache.runtime.kernel.own_code import AIO, SYNC
from pytest_supercache.runtime.kernel.under_test import dict_of
from pytest_supercache.runtime.memory.accesses import Accesses
from pytest_supercache.runtime.memory.current import Current
from pytest_supercache.runtime.memory.dropping import drop, drop_item
from pytest_supercache.runtime.memory.effects import (
    BEARERS,
    IMMUTABLE,
    METHOD_TYPES,
    REFLECTION,
    SCALARS,
    Memo,
    counts,
    holds,
    is_left_alone,
    is_view,
    keeps_its_place,
    top,
)
from pytest_supercache.runtime.memory.generated import is_compared_unseen
from pytest_supercache.runtime.memory.hook_calls import CALLER
from pytest_supercache.runtime.memory.items import touch_item
from pytest_supercache.runtime.memory.meant import MEANT_BY
from pytest_supercache.runtime.memory.one_dict import note_dict_set
from pytest_supercache.runtime.memory.proxies import behind, is_proxy
from pytest_supercache.runtime.memory.reach import shown
from pytest_supercache.runtime.memory.replacing import CODE
from pytest_supercache.runtime.memory.steps import Together, joined
from pytest_supercache.runtime.memory.touching import (
    LOOKED_AT,
    looking,
    note_owner,
    put,
    read_deeply,
    touch_attribute,
    touch_global,
    touch_inherited,
    touch_looked_into,
    touch_set,
    touch_whole,
    writes_itself,
)


def load_attribute(holder: Any, name: str) -> None:
    """Record the read of ``holder.name``."""
    if _is_without_memory(type(holder)):
        if type(holder) in MEANT_BY and not name.startswith("__"):
            load_attribute(MEANT_BY[type(holder)](holder), name)
        return
    if name == "__dict__" and Current.execution is not None:
        note_owner(Current.execution, holder if not is_proxy(type(holder)) else behind(holder))
        return
    accesses = _at_attribute(holder, name, writes=False)
    if accesses is not None:
        touch_attribute(accesses, holder, name, writes=False)


def store_attribute(holder: Any, value: Any, name: str) -> None:
    """Record ``holder.name = value``."""
    if type(holder) in MEANT_BY and not name.startswith("__"):
        holder = MEANT_BY[type(holder)](holder)
    if name == "__dict__" and Current.execution is not None:
        note_dict_set(Current.execution, holder, value)
    accesses = _at_attribute(holder, name, writes=True)
    if accesses is not None and not writes_itself(type(holder), "__setattr__"):
        drop(accesses, dict_of(holder), name)
        _note_set(accesses, holder, name)
        touch_attribute(accesses, holder, name, writes=True)
        is_code = type(value) in CODE or type(value) in METHOD_TYPES
        if is_code and issubclass(type(holder), type | types.ModuleType):
            accesses.note_replaced(name)
        put(accesses, value, holder, f".{name}")


def delete_attribute(holder: Any, name: str) -> None:
    """Record ``del holder.name``."""
    accesses = _at_attribute(holder, name, writes=True)
    if accesses is not None and not writes_itself(type(holder), "__delattr__"):
        drop(accesses, dict_of(holder), name)
        _note_set(accesses, holder, name)
        touch_attribute(accesses, holder, name, writes=True)


def _note_set(accesses: Accesses, holder: Any, name: str) -> None:
    """Note that a flow sets or deletes an attribute of an object whose content is not kept."""
    holder = behind(holder) if is_proxy(type(holder)) else holder
    kind = type(holder)
    if (kind in BEARERS or kind is Memo or is_left_alone(kind)) and accesses.actor() is not None:
        accesses.lasting.note_set(holder, name)


def reflect(function: Any, arguments: tuple[Any, ...]) -> None:
    """Record the access that a call of ``getattr``, ``setattr`` or the like makes."""
    if function is setattr and len(arguments) > 2:
        store_attribute(arguments[0], arguments[2], arguments[1])
    elif REFLECTION[function]:
        delete_attribute(arguments[0], arguments[1])
    else:
        load_attribute(arguments[0], arguments[1])


def load_super(holder: Any, start: Any, name: str) -> None:
    """Record the read of ``super(start, holder).name``."""
    accesses = looking()
    if accesses is not None:
        is_class = issubclass(type(holder), type) and start in bases_of(holder)
        kind = holder if is_class else type(holder)
        touch_inherited(accesses, kind, start, name)


def match_class(subject: Any, kind: Any, names: tuple[str, ...]) -> None:
    """Record the attributes that ``case kind(...)`` reads of the subject."""
    accesses = looking(subject)
    if accesses is not None:
        positional = getattr(kind, "__match_args__", ())
        with Together(accesses):
            for name in (*positional, *names):
                touch_attribute(accesses, subject, name, writes=False)


def _at_attribute(holder: Any, name: str, *, writes: bool) -> Accesses | None:
    """Return the recorder of accesses; None outside a race, or if the holder has no state.

    Where it is left alone, an attribute of it is touched if code under test sets one of that name.
    """
    kind = type(holder)
    if not is_left_alone(kind) or issubclass(kind, LOOKED_AT):
        return None if here.actor is None else Current.accesses
    if Current.accesses is not None and not writes:
        Current.accesses.note_asked(holder, name)
    if not _is_without_memory(kind) and (accesses := looking()) is not None:
        accesses.sections.note_left_alone(kind)
        if writes:
            _note_set(accesses, holder, name)
        touch_set(accesses, holder, name, writes=writes)
    return None


@of_kind
def _is_without_memory(kind: type) -> bool:
    """Say whether attributes of a type are never tracked: most that code loads are its methods."""
    if kind in MEANT_BY:
        return True
    if not is_left_alone(kind) or issubclass(kind, LOOKED_AT):
        return False
    is_ours = module_of(kind).startswith((SYNC, AIO))  # code may set attributes of its own there
    return top(module_of(kind)) in IMMUTABLE and not is_ours


def load_global(name: str) -> None:
    """Record the read of a global, or of a builtin."""
    accesses = looking()
    if accesses is not None:
        touch_global(accesses, sys._getframe(CALLER).f_globals, name, writes=False)


def store_global(value: Any, name: str) -> None:
    """Record the write of a global."""
    accesses = looking()
    if accesses is not None:
        members = sys._getframe(CALLER).f_globals
        drop(accesses, members, name)
        touch_global(accesses, members, name, writes=True)
        accesses.place(value, members, f".{name}")
        if type(value) in CODE:
            accesses.note_replaced(name)


def delete_global(name: str) -> None:
    """Record the deletion of a global."""
    accesses = looking()
    if accesses is not None:
        members = sys._getframe(CALLER).f_globals
        drop(accesses, members, name)
        touch_global(accesses, members, name, writes=True)


def load_name(name: str) -> None:
    """Record the read of a name in the body of a class, or in code that `exec` or `eval` runs."""
    frame = sys._getframe(CALLER)
    space: Any = frame.f_locals
    if space is not frame.f_globals:
        load_item(space, name)
        if type(space) is dict and name in space:
            return
    accesses = looking()
    if accesses is not None:
        touch_global(accesses, frame.f_globals, name, writes=False)


def store_name(value: Any, name: str) -> None:
    """Record that such code stores a name."""
    store_item(sys._getframe(CALLER).f_locals, name, value)


def delete_name(name: str) -> None:
    """Record that such code deletes a name."""
    delete_item(sys._getframe(CALLER).f_locals, name)


def load_cell(cell: Any, name: str) -> None:
    """Record the read of a variable that a closure shares."""
    accesses = looking()
    if accesses is not None:
        accesses.place(cell, None, name)
        accesses.touch(cell, WHOLE, writes=False)


def store_cell(cell: Any, name: str) -> None:
    """Record the write, or the deletion, of a variable that a closure shares."""
    accesses = looking()
    if accesses is not None:
        accesses.place(cell, None, name)
        accesses.touch(cell, WHOLE, writes=True)


def load_item(holder: Any, key: Any) -> None:
    """Record the read of ``holder[key]``."""
    accesses = looking(holder)
    if accesses is not None:
        touch_item(accesses, holder, key, "__getitem__", writes=False)


def store_item(holder: Any, key: Any, value: Any) -> None:
    """Record ``holder[key] = value``."""
    accesses = looking(holder)
    if accesses is not None:
        drop_item(accesses, holder, key)
        touch_item(accesses, holder, key, "__setitem__", writes=True)
        put(accesses, value, holder, f"[{shown(key)}]")


def delete_item(holder: Any, key: Any) -> None:
    """Record ``del holder[key]``."""
    accesses = looking(holder)
    if accesses is not None:
        drop_item(accesses, holder, key)
        touch_item(accesses, holder, key, "__delitem__", writes=True)


def read(holder: Any) -> Footprint | None:
    """Record a read of a whole object: unpacking, truth, comparison, text.

    Returns:
        The footprint of its shared part; None: nothing of it is shared.
    """
    accesses = looking(holder)
    if accesses is not None and (holds(type(holder)) or is_view(type(holder))):
        return touch_whole(accesses, holder, writes=False)
    return None


def read_both(left: Any, right: Any) -> None:
    """Record the reads of an operation that leaves its operands unchanged."""
    if type(left) in SCALARS and type(right) in SCALARS:
        return
    accesses = looking()
    if accesses is not None:
        if accesses.entering.is_watched:
            accesses.entering.note_calling(sys._getframe(CALLER))
        with Together(accesses):
            for operand in (left, right):
                kind = type(operand)
                if kind is tuple or holds(kind) or is_compared_unseen(kind):
                    read_deeply(operand)


def write(holder: Any) -> None:
    """Record that a part of an object is replaced that is no single item."""
    accesses = looking(holder)
    if accesses is not None:
        touch_whole(accesses, holder, writes=True)


def advance(iterator: Any) -> Footprint | None:
    """Record that the next item of an iterator is taken.

    Returns:
        The footprint of the shared containers behind it; None: none is shared.
    """
    accesses = looking(iterator)
    if accesses is None:
        return None
    if (actor := accesses.actor()) is not None:
        actor.writes += 1  # an iterator remembers where it is
    kind, footprint, looked_into = type(iterator), None, None
    if keeps_its_place(kind):
        return _advance_in_c(accesses, iterator)
    if not (counts(kind) or is_view(kind)):
        return None
    with Together(accesses):
        if counts(kind):
            footprint = accesses.touch(iterator, WHOLE, writes=True)
        if is_view(kind):
            looked_into = touch_looked_into(accesses, iterator, most=1)
    if footprint is not None and kind is types.GeneratorType:
        accesses.enters(iterator, footprint)
    return looked_into


def _advance_in_c(accesses: Accesses, iterator: Any) -> Footprint | None:
    """Touch the place where an iterator is, and what it may go through."""
    with Together(accesses):
        moved = accesses.touch(iterator, WHOLE, writes=True)
        return joined(moved, touch_whole(accesses, iterator, writes=False))


def entered() -> None:
    """Take the switch points due where a function begins, or where a generator goes on."""
    accesses = Current.accesses
    if accesses is not None and accesses.entering.is_due and here.actor is not None:
        accesses.entered(sys._getframe(CALLER))


def returning() -> None:
    """Take the switch point due before a function returns a result that its caller stores."""
    accesses = Current.accesses
    if accesses is not None and (actor := accesses.actor()) is not None:
        accesses.stores.returning(actor, sys._getframe(CALLER))


HOOKS = {
    hook.__name__: hook
    for hook in (
        load_attribute, store_attribute, delete_attribute, load_global, store_global, delete_global,
        load_name, store_name, delete_name, load_cell, store_cell, load_item, delete_item, read,
        read_both, advance, entered, returning, load_super, match_class, read_deeply,
    )
}  # fmt: skip
"""The hooks before accesses, by name; those before calls are in `calls`."""
