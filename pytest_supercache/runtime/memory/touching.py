"""Records accesses to the parts of objects: attributes, entries, wholes, files, views."""

import builtins
import functools
import gc
import logging
import threading
import types
import weakref
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from typing import Any, TypeVar

from pytest_supercache.core.footprint import Footprint
from pytest_supercache.core.identity import identity
from pytest_supercache.core.memory_use import WHOLE
from pytest_supercache.runtime.kernel.calling import here
from pytest_supercache.runtime.kernel.kinds import attributes_of, bases_of, module_of, name_of
from pytest_supercache.runtime.kernel.own_code import SYNC
from pytest_supercache.runtime.kernel.under_test import dict_of, is_globals, members_of
from pytest_supercache.runtime.memory.accesses import Accesses
from pytest_supercache.runtime.memory.cached_properties import Cached, cached_of
from pytest_supercache.runtime.memory.current import Current
from pytest_supercache.runtime.memory.effects import (
    BEARERS,
    GETTERS,
    METHOD_TYPES,
    PLAIN,
    SCALARS,
    CMethod,
    behind_view,
    find_in_class,
    holds,
    inner_objects,
    is_class_of_code,
    is_left_alone,
    is_left_alone_but_tuples,
    is_of_code,
    is_read_by,
    is_rewritten,
    is_view,
    is_view_of_array,
    keeps_its_place,
    method_reads,
    slots_of,
    sources,
)
from pytest_supercache.runtime.memory.entries import touch_entry
from pytest_supercache.runtime.memory.foreign import derives_from_foreign, keeps_attributes
from pytest_supercache.runtime.memory.generated import (
    is_compared_unseen,
    is_taken_unseen,
    rewrite_generated,
    tells,
)
from pytest_supercache.runtime.memory.hook_calls import perform
from pytest_supercache.runtime.memory.iterators import (
    CALLING_NOTHING,
    YIELDED_MAX,
    calls_of,
    yielded_by,
)
from pytest_supercache.runtime.memory.library import (
    is_container_in_python,
    prepare_counter,
    touches_itself,
)
from pytest_supercache.runtime.memory.one_dict import (
    dict_in_use,
    may_use_entries,
    note_dict_read,
    touch_own,
)
from pytest_supercache.runtime.memory.proxies import (
    BEHIND,
    behind,
    has_itself,
    is_looked_up,
    is_proxy,
    is_transparent,
)
from pytest_supercache.runtime.memory.reach import attribute_of
from pytest_supercache.runtime.memory.replacing import (
    CODE,
    may_be_replaced,
    note_any_global_replaced,
    note_any_replaced,
    note_attribute_replaced,
    note_global_replaced,
)
from pytest_supercache.runtime.memory.sharing import STARTED, written
from pytest_supercache.runtime.memory.steps import Together, joined
from pytest_supercache.runtime.memory.steps import footprint as footprint_of_all
from pytest_supercache.runtime.memory.storing import tell_of_return
from pytest_supercache.runtime.memory.uses import acts_atomically

_Touched = TypeVar("_Touched")

LOOKED_AT = (
    types.FunctionType, functools.partial, super, type, threading.local, threading.Thread,
)  # fmt: skip
"""Of the types that are left alone, and those derived from them: those with attributes that count.
"""


def touch_inherited(accesses: Accesses, kind: type, start: type, name: str) -> None:
    """Touch the attribute that ``super()`` finds from ``start`` on."""
    if start not in bases_of(kind):
        return
    following = bases_of(kind)[bases_of(kind).index(start) + 1 :]
    base = next((base for base in following if name in attributes_of(base)), None)
    if base is not None:
        _class_attribute(accesses, base, name, writes=False)


def touch_attribute(accesses: Accesses, holder: Any, name: str, *, writes: bool) -> None:
    """Touch an attribute of a module, a class or an instance."""
    kind = type(holder)
    if kind is super:
        touch_inherited(accesses, holder.__self_class__, holder.__thisclass__, name)
    elif kind in BEARERS:
        _attribute_of_bearer(accesses, holder, name, writes=writes)
    elif kind is types.ModuleType:
        _module_attribute(accesses, vars(holder), name, writes=writes)
    elif issubclass(kind, type):
        _class_attribute(accesses, holder, name, writes=writes)
    elif is_proxy(kind) and not has_itself(kind, name) and behind(holder) is not holder:
        touch_behind(accesses, holder, lambda o: touch_attribute(accesses, o, name, writes=writes))
    else:
        _instance_attribute(accesses, holder, name, writes=writes)


def _attribute_of_bearer(accesses: Accesses, holder: Any, name: str, *, writes: bool) -> None:
    """Touch an attribute that code has set on a function or a partial."""
    if writes or name in holder.__dict__ or not hasattr(type(holder), name):
        accesses.touch(holder, f".{name}", writes=writes)


def touch_behind(accesses: Accesses, proxy: Any, touch: Callable[[Any], _Touched]) -> _Touched:
    """Touch the object that a proxy stands for, and which one that is.

    It is touched again if another one has been put behind the proxy by then.
    """
    kind = type(proxy)
    while True:
        meant = behind(proxy)
        with Together(accesses):
            if is_transparent(kind):
                accesses.touch(proxy, BEHIND, writes=False)
            if kind in weakref.ProxyTypes:
                accesses.touch_life(weakref.ref(meant), writes=False)
            touched = touch(meant)
        if accesses.collected is not None or is_looked_up(kind) or behind(proxy) is meant:
            return touched


def _module_attribute(
    accesses: Accesses, members: dict[str, Any], name: str, *, writes: bool
) -> None:
    """Touch a global of a module, even a missing one: another actor may create it."""
    if writes or name in members:
        touch_global(accesses, members, name, writes=writes)
    elif is_rewritten(members.get("__name__")) and not hasattr(types.ModuleType, name):
        accesses.touch(members, f".{name}", writes=False)


def note_owner(accesses: Accesses, holder: Any) -> None:
    """Note the owner of a ``__dict__`` that is about to be read."""
    kind = type(holder)
    if issubclass(kind, type):
        for members in gc.get_referents(attributes_of(holder)):
            accesses.own(members, holder)
    elif kind in BEARERS:
        accesses.own(dict_of(holder), holder)
    elif not is_left_alone(kind) and kind is not types.ModuleType:
        note_dict_read(accesses, holder)


def _class_attribute(accesses: Accesses, holder: type, name: str, *, writes: bool) -> None:
    if holder is weakref.finalize:  # what it keeps for itself is for the end of the process
        return
    if writes:
        note_attribute_replaced(accesses, holder, name)
        accesses.touch(holder, f".{name}", writes=True)
        return
    found, base = find_in_class(holder, name)
    if type(found) in METHOD_TYPES and not accesses.sharing.is_replaced(name):
        return
    owner = bases_of(holder)[-1] if base is None else base
    with Together(accesses):
        for one in bases_of(holder)[: bases_of(holder).index(owner) + 1]:
            if is_class_of_code(one):
                accesses.touch(one, f".{name}", writes=False)
        if base is None and is_class_of_code(type(holder)):
            _class_attribute(accesses, type(holder), name, writes=False)
    accesses.reached(attributes_of(owner).get(name), owner, f".{name}")


def _instance_attribute(accesses: Accesses, holder: Any, name: str, *, writes: bool) -> None:
    kind = type(holder)
    is_local = issubclass(kind, threading.local)  # its values are those of a thread
    if is_left_alone(kind) and not (is_local and accesses.is_of_task()):
        _left_alone(accesses, holder, name, writes=writes)
        return
    rewrite_generated(kind)
    found, base = find_in_class(kind, name)
    if type(found) is property:
        if not writes:
            _class_attribute(accesses, kind, name, writes=False)
        _property(accesses, holder, found, writes=writes)
    elif type(found) is types.MemberDescriptorType:
        _slot(accesses, holder, found, writes=writes)
    elif is_local and not accesses.is_of_task():
        if base is not None and not writes:
            _class_attribute(accesses, kind, name, writes=False)
    elif not writes and (cached := cached_of(found)) is not None:
        _cached(accesses, holder, name, cached)
    else:
        _own_or_default(accesses, holder, name, found, base, writes=writes)


def _own_or_default(
    accesses: Accesses, holder: Any, name: str, found: Any, base: type | None, *, writes: bool
) -> None:
    """Touch an attribute of an instance or, as a default, of its class: the look-up is one read.

    It is touched again if the object has got another ``__dict__`` meanwhile.
    """
    members = dict_in_use(accesses, holder) if accesses.sharing.in_dict else None
    with Together(accesses):
        if base is not None and not writes:
            _class_attribute(accesses, type(holder), name, writes=False)
        _own_attribute(accesses, holder, name, found, writes=writes)
    if members is None or accesses.collected is not None:
        return
    if dict_of(holder) is not members:
        _own_or_default(accesses, holder, name, found, base, writes=writes)


def touch_set(accesses: Accesses, holder: Any, name: str, *, writes: bool) -> None:
    """Touch an attribute of a left-alone object, if users set and use one of its name."""
    kind, actor = type(holder), accesses.actor()
    if actor is None or not keeps_attributes(kind):
        return
    if name in _INSIDE and module_of(kind).startswith(SYNC):
        accesses.note_inside(kind, name)
    if issubclass(kind, logging.Filterer):
        if name in _ASKED_BY:
            _touch_asked(accesses, holder, _ASKED_BY[name], actor.name)
            return
        if name in _SET_BY:
            name, writes = _SET_BY[name], True
    if accesses.sharing.is_attribute_shared(name, actor.name, writes=writes):
        if accesses.shared.names is not None:
            accesses.shared.names.name_alike(holder, name_of(kind))
        accesses.touch(holder, f".{name}", writes=writes)


_SET_BY = {
    "addHandler": "handlers", "removeHandler": "handlers", "setLevel": "level",
    "addFilter": "filters", "removeFilter": "filters",
}  # fmt: skip
"""Methods of loggers and their handlers -> the attribute they change, which code may read."""

_ASKED_BY = {"hasHandlers": "handlers", "isEnabledFor": "level", "getEffectiveLevel": "level"}
"""Methods of loggers -> the attribute that they read, of the loggers above this one, too."""


def _touch_asked(accesses: Accesses, logger: Any, name: str, who: str) -> None:
    """Touch an attribute of a logger and of those above it, if users set and use it."""
    if accesses.sharing.is_attribute_shared(name, who, writes=False):
        with Together(accesses):
            while isinstance(logger, logging.Logger):
                accesses.touch(logger, f".{name}", writes=False)
                logger = logger.parent


_INSIDE = frozenset(
    {
        "queue", "mutex", "not_empty", "not_full", "all_tasks_done", "unfinished_tasks", "_value",
        "_flag", "_cond", "_waiters", "_lock", "_is_owned", "_count", "_state", "_condition",
        "_result", "_exception", "_done_callbacks", "_threads", "_work_queue", "_idle_semaphore",
    }
)  # fmt: skip
"""Internal attributes of locks, queues, futures and pools that code may read."""


def _left_alone(accesses: Accesses, holder: Any, name: str, *, writes: bool) -> None:
    """Touch a thread's start, or an attribute that code has set on a left-alone object."""
    accesses.sections.note_left_alone(type(holder))
    if name in {"ident", "native_id"} and isinstance(holder, threading.Thread):
        accesses.touch(holder, STARTED, writes=False)
    elif not isinstance(holder, threading.local):
        touch_set(accesses, holder, name, writes=writes)


def writes_itself(kind: type, method: str) -> bool:
    """Say whether rewritten code of a class sets, or deletes, its attributes and reports that."""
    rewrite_generated(kind)
    return tells(find_in_class(kind, method)[0])


def _own_attribute(
    accesses: Accesses, holder: Any, name: str, default: Any, *, writes: bool
) -> None:
    """Touch an attribute of an instance, for which its class may have a default."""
    members = dict_of(holder)
    is_set = members is not None and dict.__contains__(members, name)
    is_method = type(default) in METHOD_TYPES
    is_read = not writes and (is_set or not is_method or may_be_replaced(accesses, name))
    if writes and is_method:
        accesses.note_replaced(name)
    if accesses.sharing.in_dict or may_use_entries(type(holder)):
        if writes or is_read:
            is_asked_for = writes or default is None
            touch_own(accesses, holder, name, writes=writes, by_item=is_asked_for)
    elif writes or is_read:
        accesses.touch(holder, f".{name}", writes=writes)
    if not writes:
        value: Any = dict.get(members, name) if is_set else None
        if accesses.is_naming:
            accesses.reached(value, holder, f".{name}")
        if type(value) in _BOUND_METHODS and derives_from_foreign(type(holder)):
            accesses.own(value.__self__, holder)


_BOUND_METHODS = (types.MethodType, types.BuiltinFunctionType, CMethod)
"""Types of methods of an inner object that a library's container exposes as its own."""


def _cached(accesses: Accesses, holder: Any, name: str, cached: Cached) -> None:
    """Do what a cached property does, with switch points while its function runs."""
    if cached.keeps_in:
        name = cached.key
        touch_attribute(accesses, holder, cached.keeps_in, writes=False)
        if type(kept := attribute_of(holder, cached.keeps_in)) is not dict:
            return
        touch = functools.partial(touch_entry, accesses, kept, name)
    else:
        kept = dict_of(holder)
        touch = functools.partial(touch_own, accesses, holder, name)
    touch(writes=False)
    accesses.touch_now()
    if kept is None or dict.__contains__(kept, name):
        return
    footprint = touch(writes=True)
    # What it raises is raised from here, as by the code; not an AttributeError: a class may have
    # `__getattr__` for that, and code a default.
    with accesses.calling_back(footprint), suppress(AttributeError):
        if cached.has_lock:
            tell_of_return(cached.function)
            with accesses.storing(holder, f".{name}", footprint):
                perform(getattr, holder, name)  # it is kept now
            return
        value = perform(cached.function, holder)
        touch(writes=True)
        accesses.touch_now()
        dict.__setitem__(kept, name, value)


def _slot(accesses: Accesses, holder: Any, slot: Any, *, writes: bool) -> None:
    accesses.touch(holder, f".{slot.__name__}", writes=writes)
    if not writes:
        with suppress(AttributeError):  # not filled
            accesses.reached(slot.__get__(holder), holder, f".{slot.__name__}")


def _property(accesses: Accesses, holder: Any, found: property, *, writes: bool) -> None:
    """Touch what the code behind a property accesses, unless that is rewritten."""
    if type(found.fget) in GETTERS and not writes:
        read_deeply(holder)
    elif not touches_itself(found.fget):
        accesses.touch(holder, WHOLE, writes=writes)


def touch_global(accesses: Accesses, members: dict[str, Any], name: str, *, writes: bool) -> None:
    """Touch a global of a module, even a missing one; builtins are left alone."""
    if not writes and type(members.get(name)) in CODE and not accesses.sharing.is_replaced(name):
        return
    if writes:
        note_global_replaced(accesses, members, name)
    is_builtin = name not in members and name in vars(builtins)
    if (writes or not is_builtin) and is_of_code(members):
        owner = accesses.owner_of(
            members
        )  # of code that is executed with attributes as its globals
        holder = members if owner is None else owner
        accesses.touch(holder, f".{name}", writes=writes)
        if not writes and accesses.is_naming:
            accesses.reached(members.get(name), holder, f".{name}")


def touch_whole(
    accesses: Accesses, holder: Any, *, writes: bool, drops: bool = False
) -> Footprint | None:
    """Touch all that an object holds; of an iterator or a view, the objects behind it."""
    if type(holder) is memoryview:
        holder = holder.obj
    kind = type(holder)
    if is_view(kind):
        if hasattr(kind, "__next__"):  # what is taken of an iterator nobody else gets
            accesses.touch(holder, WHOLE, writes=True)
        return touch_looked_into(accesses, holder)
    if kind is types.GeneratorType:
        return run_through(accesses, holder)
    if is_proxy(kind) and behind(holder) is not holder:
        return touch_behind(
            accesses, holder, lambda o: touch_whole(accesses, o, writes=writes, drops=drops)
        )
    if is_container_in_python(kind) or not holds(kind):
        return None
    return _touch_container(accesses, holder, writes=writes, drops=drops)


def _touch_container(
    accesses: Accesses, holder: Any, *, writes: bool, drops: bool
) -> Footprint | None:
    if issubclass(type(holder), Counter):
        prepare_counter(type(holder))
    owner = accesses.owner_of(holder)
    whose = holder if owner is None else owner
    if writes and owner is not None:
        note_any_replaced(accesses, type(owner))
    elif writes and is_globals(holder):
        note_any_global_replaced(accesses, holder)
    if not (others := behind_view(holder)):
        return accesses.touch(whose, WHOLE, writes=writes, drops=drops)
    with Together(accesses):
        touched = accesses.touch(whose, WHOLE, writes=writes, drops=drops)
        return joined(touched, _touch_shown(accesses, holder, others, writes=writes))


def _touch_shown(
    accesses: Accesses, view: Any, others: list[Any], *, writes: bool
) -> Footprint | None:
    """Touch what a view of a library shows; elements of an array may be those of a builtin."""
    if is_view_of_array(view):
        return touch_whole(accesses, others[0], writes=writes)
    touched = None
    for one in others:
        touched = joined(touched, accesses.touch(one, WHOLE, writes=writes))
    return touched


def touch_foreign(accesses: Accesses, holder: Any, *, writes: bool) -> Footprint | None:
    """Touch a container by a method of its library, inside which a context switch may come."""
    footprint = touch_whole(accesses, holder, writes=writes)
    actor = accesses.actor()
    if footprint is not None and actor and not (actor.is_task or acts_atomically(actor)):
        owner = accesses.owner_of(holder)
        location = accesses.shared.location(holder if owner is None else owner, WHOLE, actor)
        if location is not None and location not in accesses.sharing.atomic:
            accesses.sharing.foreign[written(location)] = None
    return footprint


def run_through(accesses: Accesses, generator: Any) -> Footprint | None:
    """Touch a generator that is advanced: no other actor may advance it meanwhile."""
    footprint = accesses.touch(generator, WHOLE, writes=True)
    if footprint is not None:
        accesses.enters(generator, footprint)
    return footprint


def touch_looked_into(accesses: Accesses, view: Any, most: int = YIELDED_MAX) -> Footprint | None:
    """Touch the objects behind an iterator or a view, and the memory of the C code it calls.

    Args:
        accesses: the recorder.
        view: the iterator or the view.
        most: the largest number of elements that is read.

    Returns:
        The footprint of the containers that are shared; None: none is.
    """
    shared: Footprint | None = None
    if identity(view) in accesses.lasting.snapshots:
        accesses.note_lasting_use(view)
    gets = not GETTERS.isdisjoint(map(type, gc.get_referents(view)))
    with Together(accesses):
        for source in sources(view):
            if type(source) in (types.BuiltinFunctionType, CMethod):
                touch_by(accesses, source)
            elif gets:
                shared = joined(shared, read_deeply(source))
            else:
                moves = keeps_its_place(type(source))
                shared = joined(shared, touch_whole(accesses, source, writes=moves))
        return joined(shared, _touch_calls(accesses, view, most))


def _touch_calls(accesses: Accesses, view: Any, most: int) -> Footprint | None:
    """Touch the memory of the C code that an iterator calls for each element.

    Where the elements cannot be known, they may be all that it takes from leads to.
    """
    if type(view) in CALLING_NOTHING or accesses.collected is None or Current.touch_call is None:
        return None
    before = len(accesses.collected)
    for function, calls, origins in calls_of(view, most):
        if type(function) in _CODE_OF_PYTHON and touches_itself(function):
            continue
        if calls is None:
            behind = [inner for origin in origins for inner in inner_objects(origin)]
            found = [inner for inner in behind if not is_view(type(inner))]
            read_all(found)
            calls = [] if is_read_by(function) else [(inner,) for inner in found]
        for arguments in calls:
            Current.touch_call(accesses, function, arguments)
    touched = accesses.collected[before:]
    return footprint_of_all(touched) if touched else None


_CODE_OF_PYTHON = (types.FunctionType, types.MethodType)


def touch_by(accesses: Accesses, method: Any) -> None:
    """Touch the object of a C method that is passed to code which calls it."""
    holder = method.__self__
    if holder is not None and type(holder) is not types.ModuleType:
        touch_whole(accesses, holder, writes=not method_reads(type(holder), method.__name__))


def put(accesses: Accesses, value: Any, holder: Any, part: str) -> None:
    """Note that a value is stored in a part of an object."""
    if type(value) not in PLAIN and not is_left_alone(type(holder)):
        accesses.place(value, holder, part)


def read_deeply(holder: Any) -> Footprint | None:
    """Record a read of an object and of all that it holds: as text, to compare or to copy it.

    Returns:
        The footprint of its shared part; None: nothing of it is shared.
    """
    if looking() is None or is_left_alone_but_tuples(type(holder)):
        return None
    return read_all(inner_objects(holder))


def read_within(holder: Any) -> Footprint | None:
    """Record that code of C reads a container and the containers in it, but no attributes.

    Returns:
        The footprint of its shared part; None: nothing of it is shared.
    """
    if looking() is None or is_left_alone_but_tuples(type(holder)):
        return None
    return read_all(inner_objects(holder, attributes=False), attributes=False)


def compares_within(key: Any) -> bool:
    """Say whether comparing ``key`` with containers reads what they hold.

    A number or a string equals none; bytes may equal a bytearray.
    """
    return type(key) is bytes or type(key) not in SCALARS


def read_taken(holder: Any) -> Footprint | None:
    """Record that all of an object is taken, from a container or by code of a library.

    Returns:
        The footprint of its shared part; None: nothing of it is shared.
    """
    accesses, kind = looking(holder), type(holder)
    if accesses is None:
        return None
    if is_taken_unseen(kind):
        return read_all([holder])
    return touch_whole(accesses, holder, writes=False) if holds(kind) or is_view(kind) else None


def read_pairs(holder: Any) -> Footprint | None:
    """Record that a dict is filled with pairs, which are read, or with another dict's entries.

    Returns:
        The footprint of its shared part; None: nothing of it is shared.
    """
    accesses, kind = looking(), type(holder)
    if accesses is None or issubclass(kind, dict):
        return read_all([holder], attributes=False)
    if is_taken_unseen(kind):
        return read_all([holder])
    pairs = yielded_by(holder)
    return read_within(holder) if pairs is None else read_all([holder, *pairs], attributes=False)


def read_all(found: list[Any], *, attributes: bool = True) -> Footprint | None:
    """Read all of several objects at once, without what they hold."""
    accesses = looking()
    shared: Footprint | None = None
    if accesses is not None:
        with Together(accesses):
            for inner in found:
                shared = joined(shared, touch_whole(accesses, inner, writes=False))
                is_read = attributes or is_compared_unseen(type(inner))
                if is_read and _has_attributes(inner):
                    shared = joined(shared, accesses.touch(inner, WHOLE, writes=False))
    return shared


def _has_attributes(value: Any) -> bool:
    return bool(members_of(value) or slots_of(value) or type(value).__dictoffset__)


def looking(*operands: Any) -> Accesses | None:
    """Return the recorder of accesses; None outside a race, or if the operand is immutable."""
    accesses = Current.accesses
    if accesses is None or here.actor is None:
        return None
    return None if operands and type(operands[0]) in PLAIN else accesses
