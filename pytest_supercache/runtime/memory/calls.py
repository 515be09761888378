"""The hooks before calls: they record the accesses of callees that are not rewritten."""

import asyncio
import enum
import functools
import itertools
import json.encoder
import operator
import os
import random
import sys
import types
import weakref
from collections import deque
from collections.abc import Callable
from pathlib import PurePath
from typing import Any

from pytest_supercache.core.footprint import Footprint
from pytest_supercache.core.memory_use import WHOLE
from pytest_supercache.runtime.kernel.calling import here
from pytest_supercache.runtime.kernel.kinds import module_of, of_kind
from pytest_supercache.runtime.kernel.under_test import is_standard_name
from pytest_supercache.runtime.memory.accesses import Accesses
from pytest_supercache.runtime.memory.cached_properties import cached_of
from pytest_supercache.runtime.memory.callbacks import calls_back, going_on, takes_more
from pytest_supercache.runtime.memory.current import Current
from pytest_supercache.runtime.memory.dropping import drop, drop_all
from pytest_supercache.runtime.memory.effects import (
    BOUND_IN_C,
    CONTAINERS,
    DEEP_READERS,
    FINALIZER_NUMBERS,
    GETTERS,
    KEYED_METHODS,
    NO_ACCESS,
    PLAIN,
    READING_METHODS,
    REFLECTION,
    SCALARS,
    TOUCHES_NOTHING,
    CMethod,
    Memo,
    counts,
    fills_missing,
    find_in_class,
    holds,
    is_buffer,
    is_left_alone,
    is_object_of_other_c,
    is_of_cython,
    is_of_other_c,
    is_read_by,
    is_rewritten,
    is_view,
    looks_within,
    loops_in_python,
    may_fill_buffers,
    method_looks_within,
    method_reads,
    name_fills_buffers,
    reads_deeply,
    runs_python,
    top,
)
from pytest_supercache.runtime.memory.entries import count_taken_by, touch_entry
from pytest_supercache.runtime.memory.executing import EXECUTORS, executing
from pytest_supercache.runtime.memory.foreign import derives_from_foreign
from pytest_supercache.runtime.memory.generated import rewrite_generated
from pytest_supercache.runtime.memory.getters import (
    attributes_got,
    items_got,
    touch_for_each,
    touch_got,
    touch_reduced,
)
from pytest_supercache.runtime.memory.hook_calls import CALLER
from pytest_supercache.runtime.memory.hooks import (
    advance,
    load_attribute,
    read,
    reflect,
)
from pytest_supercache.runtime.memory.items import touch_item
from pytest_supercache.runtime.memory.library import (
    DECORATING,
    code_of_wrapper,
    is_container_in_python,
    is_of_functools,
    is_wrapper,
    rewrite_nameless,
    touches_itself,
)
from pytest_supercache.runtime.memory.memos import memo_of_c, remembered, touch_memo
from pytest_supercache.runtime.memory.names import REAL_PRIMITIVES, is_real
from pytest_supercache.runtime.memory.one_dict import note_dict_set
from pytest_supercache.runtime.memory.paths import (
    BY_DESCRIPTOR,
    LOADING_FUNCTION,
    LOADING_METHODS,
    LOOKING_AT_FILES,
    MAKING_FILES,
    touch_descriptor,
    touch_file,
    touch_loaded,
)
from pytest_supercache.runtime.memory.proxies import is_transparent
from pytest_supercache.runtime.memory.reach import shown
from pytest_supercache.runtime.memory.real_primitives import method_of, stand_in_of_method
from pytest_supercache.runtime.memory.reflecting import (
    looks_at_attributes,
    touch_by_names,
    touch_fields,
)
from pytest_supercache.runtime.memory.single_dispatch import implementations_of, registers
from pytest_supercache.runtime.memory.steps import Together, joined
from pytest_supercache.runtime.memory.streams import (
    touch_entry_of_folder,
    touch_method_of_stream,
    touch_stream,
    touch_streams_held,
    writing,
)
from pytest_supercache.runtime.memory.touching import (
    compares_within,
    note_owner,
    put,
    read_deeply,
    read_pairs,
    read_taken,
    read_within,
    touch_attribute,
    touch_by,
    touch_foreign,
    touch_whole,
)
from pytest_supercache.runtime.memory.tracked_calls import is_fully_tracked

Reader = Callable[[Any], Footprint | None]
"""Reads an argument as deeply as the C code that gets it does."""


def call(function: Any, *arguments: Any) -> Any:
    """Record the accesses of ``function(*arguments)`` before it runs; return what to call."""
    if function is next or type(function) is types.MethodWrapperType:
        taken = _number_taken(function, arguments)
        if taken is not None:
            return taken
    accesses = Current.accesses
    if accesses is None or here.actor is None:
        return _before(function, arguments)
    if accesses.entering.is_watched:
        accesses.entering.note_calling(sys._getframe(CALLER))
    _note_unseen(accesses, function)
    kind = type(function)
    touch = _TOUCH.get(kind) or _touch_of(function, arguments)
    if touch is None or (kind in _IN_PYTHON and _touches_nothing(function, arguments)):
        return function
    with Together(accesses):
        stand_in = touch(accesses, function, arguments)
    return function if stand_in is None else stand_in


def _number_taken(function: Any, arguments: tuple[Any, ...]) -> Any:
    """Record that a number is taken of an `itertools.count`; return what to call, if any."""
    if function is not next:
        count = count_taken_by(function)
    else:
        count = arguments[0] if arguments and type(arguments[0]) is itertools.count else None
    return (
        None if count is None or Current.execution is None else Current.execution.take_number(count)
    )


def _before(function: Any, arguments: tuple[Any, ...]) -> Any:
    """Note what a call does while no race runs, where the race must know; return what to call."""
    if type(function) in _BOUND and is_real(function.__self__):
        return method_of(function)
    _note_before(function, arguments)
    return function


def _note_before(function: Any, arguments: tuple[Any, ...]) -> None:
    if function is vars and arguments:
        load_attribute(arguments[0], "__dict__")
    elif (function is setattr or function is object.__setattr__) and len(arguments) > 2:
        _set_before(*arguments)
    elif issubclass(type(function), type):
        rewrite_generated(function)


def _set_before(holder: Any, name: Any, value: Any, *_: Any) -> None:
    """Note that an object is given a ``__dict__`` while no race runs."""
    if name == "__dict__" and Current.execution is not None:
        note_dict_set(Current.execution, holder, value)


def _note_unseen(accesses: Accesses, function: Any) -> None:
    if here.actor is not None and here.actor.section is not None and not is_fully_tracked(function):
        accesses.sections.note_unseen()


def _touch_of(function: Any, arguments: tuple[Any, ...]) -> Any:
    """Return what records a call of a class, or of a decorator's wrapper; None: nothing does."""
    kind = type(function)
    if issubclass(kind, type):
        rewrite_generated(function)
        if issubclass(kind, enum.EnumType) and len(arguments) == 1:
            return _member
        return None if SCALARS.issuperset(map(type, arguments)) else _made
    if is_of_cython(kind):
        return _builtin
    if is_object_of_other_c(kind) and not is_transparent(kind):
        return _object_of_c
    return _wrapper if top(module_of(kind)) in DECORATING else None


def _touches_nothing(function: Any, arguments: tuple[Any, ...]) -> bool:
    """Say quickly whether a call needs no record: it touches nothing, or its callee has hooks."""
    if type(function) is types.FunctionType:
        rewrite_nameless(function)
        return _tells(function)
    kind = type(function.__self__)
    if _touches_what_it_is_given(kind) and SCALARS.issuperset(map(type, arguments)):
        return True
    return type(function.__func__) is types.FunctionType and _tells(function.__func__)


def _tells(function: types.FunctionType) -> bool:
    return touches_itself(function) and not is_wrapper(function)


@of_kind
def _touches_what_it_is_given(kind: type) -> bool:
    """Say whether methods of a type touch nothing but their arguments."""
    return is_left_alone(kind) and kind not in _LOOKED_AT and not issubclass(kind, PurePath)


def touching(function: Any, /, *arguments: Any, **keywords: Any) -> Any:
    """Call a function that code under test has handed over, and record its accesses."""
    return call(function, *arguments)(*arguments, **keywords)


def call_unpacked(function: Any, arguments: Any, keywords: Any = None) -> Any:
    """Record the accesses of ``function(*arguments, **keywords)``; return what to call."""
    accesses = Current.accesses
    if accesses is None or here.actor is None:
        return function
    if accesses.entering.is_watched:
        accesses.entering.note_calling(sys._getframe(CALLER))
    read(arguments)
    named = keywords.values() if type(keywords) is dict else ()
    return call(function, *(arguments if type(arguments) in (tuple, list) else ()), *named)


def _function(accesses: Accesses, function: Any, arguments: tuple[Any, ...]) -> Any:
    if is_wrapper(function):
        _wrapper(accesses, function, arguments)
    elif function is os.getenv:
        touch_whole(accesses, os.environ, writes=False)
    elif looks_at_attributes(function, arguments):
        touch_by_names(accesses, function, arguments)
    else:
        given = _arguments(accesses, function, arguments)
        _look_into(accesses, function, joined(given, touch_streams_held(accesses, function)))
    return None


def _wrapper(accesses: Accesses, wrapper: Any, _arguments: tuple[Any, ...]) -> None:
    """Rewrite a wrapper made by a decorator of a library, so that its accesses are seen."""
    if is_of_functools(wrapper):
        touch_whole(accesses, implementations_of(wrapper), writes=registers(wrapper))
    elif (code := code_of_wrapper(wrapper)) is not None:
        accesses.look_into(code)


def _look_into(accesses: Accesses, function: Any, shared: Footprint | None) -> None:
    """Rewrite a function of the standard library if it is given shared memory."""
    if shared is None:
        return
    real = getattr(function, "__wrapped__", function)  # we put functions before those of `random`
    real = getattr(real, "__func__", real)
    module = getattr(real, "__module__", None)
    is_of_python = type(real) is types.FunctionType and type(module) is str
    if is_of_python and loops_in_python(module):
        accesses.look_into(real)


def _of_c(accesses: Accesses, function: Any, arguments: tuple[Any, ...]) -> Any:
    """Touch the memory that a function of C, or a method bound to its object, uses."""
    holder = function.__self__
    if is_real(holder):
        return method_of(function)
    is_of_module = type(holder) is types.ModuleType and type(function) in _BOUND
    if holder is None or is_of_module:
        return _builtin(accesses, function, arguments)
    if type(holder) is os.DirEntry:
        touch_entry_of_folder(accesses, holder, function.__name__)
        return None
    touch_streams_held(accesses, holder)
    return _method(accesses, holder, function, arguments)


def _unbound(accesses: Accesses, function: Any, arguments: tuple[Any, ...]) -> Any:
    return _method(accesses, arguments[0], function, arguments[1:]) if arguments else None


def _partial(accesses: Accesses, function: Any, arguments: tuple[Any, ...]) -> Any:
    if function.keywords:
        touch_whole(accesses, function.keywords, writes=False)
    inner = call(function.func, *function.args, *arguments)
    if inner is function.func:
        return None
    return functools.partial(inner, *function.args, **function.keywords)


def _bound(accesses: Accesses, function: Any, arguments: tuple[Any, ...]) -> Any:
    inner, holder = function.__func__, function.__self__
    if (stand_in := stand_in_of_method(function, arguments)) is not None:
        return stand_in
    if type(inner) is Memo:
        return _memo(accesses, inner, function, (holder, *arguments))
    if type(inner) is types.FunctionType and is_wrapper(inner):
        return _wrapper(accesses, inner, arguments)
    if touches_itself(inner):
        return None
    if issubclass(type(holder), type):
        is_deep = top(getattr(inner, "__module__", None)) in DEEP_READERS
        _given(accesses, arguments, read_deeply if is_deep else read)
        return None
    if issubclass(type(holder), PurePath):
        return writing(function)
    if type(inner) is types.FunctionType and loops_in_python(str(inner.__module__)):
        is_deep = top(inner.__module__) in DEEP_READERS
        given = _given(accesses, arguments, read_deeply if is_deep else read)
        held = joined(given, touch_streams_held(accesses, holder))
        _look_into(accesses, inner, joined(held, accesses.touch(holder, WHOLE, writes=False)))
    return _method(accesses, holder, function, arguments)


def _memo(accesses: Accesses, memo: Any, function: Any, arguments: tuple[Any, ...]) -> Any:
    """Touch what a memo function remembers, and what its function uses if not rewritten."""
    stand_in = touch_memo(accesses, memo, function)
    call(remembered(memo), *arguments)
    return stand_in


def _builtin(accesses: Accesses, function: Any, arguments: tuple[Any, ...]) -> Any:
    if function in REFLECTION:
        if len(arguments) > 1 and type(arguments[1]) is str:
            reflect(function, arguments)
    elif looks_at_attributes(function, arguments):
        touch_by_names(accesses, function, arguments)
    elif function in (next, anext) and arguments:
        return _advanced(accesses, function, arguments[0])
    elif function in EXECUTORS:
        return executing(function)
    elif function not in TOUCHES_NOTHING:
        footprint = _arguments(accesses, function, arguments)
        if footprint is not None and any(map(calls_back, arguments)):
            return going_on(accesses, footprint, function)
    return None


def _advanced(accesses: Accesses, function: Any, iterator: Any) -> Any:
    """Touch what gives the next element; return a stand-in if that calls code, too."""
    footprint = _take(accesses, iterator)
    is_more = footprint is not None and takes_more(iterator)
    return going_on(accesses, footprint, function) if is_more else None


def _object_of_c(accesses: Accesses, called: Any, arguments: tuple[Any, ...]) -> Any:
    """Touch an object of a library whose call is C code, and what that is given."""
    if top(module_of(type(called))) == "numpy":
        _arrays(accesses, called, arguments)
        return None
    given = _given(accesses, arguments, read_deeply)
    if hasattr(called, "__wrapped__"):
        return memo_of_c(accesses, called, given)
    return going_on(accesses, joined(given, touch_whole(accesses, called, writes=True)), called)


def _arrays(accesses: Accesses, function: Any, arguments: tuple[Any, ...]) -> None:
    """Touch the arrays that a function of numpy is given, which itself keeps nothing.

    It reads as many as a ``ufunc`` says, else the first one, and may write to the others (``out``).
    """
    reads = 0 if function.__name__ in _FILLING_ARRAYS else getattr(function, "nin", 1)
    for number, argument in enumerate(arguments):
        if type(argument) not in PLAIN:
            touch_whole(accesses, argument, writes=number >= reads)


_FILLING_ARRAYS = frozenset(
    {"copyto", "fill_diagonal", "place", "put", "put_along_axis", "putmask"}
)
"""Functions of numpy that write to the first array that they are given."""


def _take(accesses: Accesses, iterator: Any) -> Footprint | None:
    """Touch an iterator whose next element is taken: unlike one of a loop, it may be shared.

    Returns:
        The footprint of the shared containers behind it; None: none is shared.
    """
    if iterator is FINALIZER_NUMBERS:
        return None
    if is_view(type(iterator)):
        accesses.touch(iterator, WHOLE, writes=True)
    advancing = getattr(type(iterator), "__next__", None)
    if type(advancing) is types.FunctionType and loops_in_python(str(advancing.__module__)):
        _look_into(accesses, advancing, accesses.touch(iterator, WHOLE, writes=True))
    return advance(iterator)


def _member(accesses: Accesses, kind: Any, arguments: tuple[Any, ...]) -> None:
    """Touch the entry where an enumeration looks for a member; its ``_missing_`` may add one."""
    touch_item(accesses, kind._value2member_map_, arguments[0], "__getitem__", writes=False)  # noqa: SLF001 - the map that Enum looks into


def _made(accesses: Accesses, kind: type, arguments: tuple[Any, ...]) -> Any:
    """Touch the memory that is read when an object is made, unless that code is rewritten."""
    maker = find_in_class(kind, "__init__")[0]
    if kind in TOUCHES_NOTHING or (type(maker) is types.FunctionType and touches_itself(maker)):
        return None
    footprint = _given(accesses, arguments, _reader_of_class(kind))
    _look_into(accesses, maker, footprint)
    if footprint is None or runs_python(kind) or not any(map(calls_back, arguments)):
        return None
    return going_on(accesses, footprint, kind)


def _reader_of_class(kind: type) -> Reader:
    """Return the reader for arguments of the constructor of a class of C."""
    if kind in (str, bytes):
        return read_deeply
    if issubclass(kind, dict):
        return read_pairs
    if issubclass(kind, _TAKING_ALL):
        return read_taken
    is_known = is_rewritten(module_of(kind)) or is_standard_name(top(module_of(kind)))
    return read if is_known or is_left_alone(kind) else read_within


_TAKING_ALL = (list, tuple, set, frozenset, deque)


def _reader_of_method(kind: type, name: str) -> Reader:
    """Return the reader for arguments of a method of C."""
    if kind is str or top(module_of(kind)) in DEEP_READERS:
        return read_deeply
    if issubclass(kind, dict) and name in _TAKING_PAIRS:
        return read_pairs
    if not method_looks_within(kind, name):
        return read
    return read_within if is_standard_name(top(module_of(kind))) else read_deeply


_TAKING_PAIRS = frozenset({"update", "__ior__", "__init__"})


def _method(accesses: Accesses, holder: Any, function: Any, arguments: tuple[Any, ...]) -> Any:
    """Touch the object and the arguments of a method that is not rewritten."""
    name = function.__name__
    if name in LOADING_METHODS:
        touch_loaded(accesses, arguments)
    reader = _reader_of_method(type(holder), name)
    given = _given(accesses, arguments, reader, fills=name in _FILLING)
    if may_fill_buffers(type(holder), name):
        given = joined(given, _filled(accesses, arguments))
    if type(holder) is tuple and name in _COMPARING:
        given = joined(given, _compared(accesses, holder, name, arguments))
    elif type(holder) is str and name in _FORMATTING:
        touch_fields(holder, name, arguments)
    stand_in = _method_alone(accesses, holder, function, arguments)
    if given is None or not any(map(calls_back, arguments)):
        return stand_in
    return going_on(accesses, given, stand_in or function)


def _method_alone(
    accesses: Accesses, holder: Any, function: Any, arguments: tuple[Any, ...]
) -> Any:
    """Touch the memory that a method uses apart from its arguments."""
    kind, name = type(holder), function.__name__
    if _is_nothing(holder, name):
        return None
    if name in _LIKE_ATTRIBUTES and arguments and type(arguments[0]) is str:
        return _like_attribute(accesses, holder, name, arguments)
    if module_of(kind) == "_io":
        footprint = touch_method_of_stream(accesses, holder, name)
        return going_on(accesses, footprint, function) if any(map(calls_back, arguments)) else None
    if type(function) is types.MethodType and derives_from_foreign(kind):
        footprint = touch_foreign(accesses, holder, writes=not method_reads(kind, name))
        return going_on(accesses, footprint, function)
    if issubclass(kind, dict) and name in KEYED_METHODS and arguments:
        writes = not method_reads(dict, name) or (name == "__getitem__" and fills_missing(kind))
        touch_entry(accesses, holder, arguments[0], writes=writes, drops=name in _DROPPING)
        if writes:
            drop(accesses, holder, arguments[0])
        if writes and len(arguments) > 1:
            put(accesses, arguments[1], holder, f"[{shown(arguments[0])}]")
        return None
    return _method_of_all(accesses, holder, function, arguments)


def _like_attribute(
    accesses: Accesses, holder: Any, method: str, arguments: tuple[Any, ...]
) -> None:
    """Touch the attribute that a method reads, sets or deletes by its name."""
    name, writes = arguments[0], _LIKE_ATTRIBUTES[method]
    if name == "__dict__" and not writes:
        note_owner(accesses, holder)
        return
    if name == "__dict__" and len(arguments) > 1:
        note_dict_set(accesses, holder, arguments[1])
    touch_attribute(accesses, holder, name, writes=writes)


def _method_of_all(
    accesses: Accesses, holder: Any, function: Any, arguments: tuple[Any, ...]
) -> Any:
    """Touch all that an object holds, when a method of it is called."""
    kind, name = type(holder), function.__name__
    if is_view(kind) or kind in (asyncio.Future, random.Random):
        accesses.touch(holder, WHOLE, writes=name not in _ASKING)
        touch_whole(accesses, holder, writes=False)
    elif holds(kind):
        if name in _DROPPING and issubclass(kind, CONTAINERS):
            drop_all(accesses, holder)
        drops = name in _DROPPING - {"update"}
        writes = not method_reads(kind, name)
        footprint = touch_whole(accesses, holder, writes=writes, drops=drops)
        if issubclass(kind, CONTAINERS) and arguments:
            put(accesses, arguments[-1], holder, "[...]")
        compared = (holder, arguments) if name in _COMPARING else ()
        if compared:
            footprint = joined(footprint, _compared(accesses, holder, name, arguments))
        if footprint is not None and any(map(calls_back, (*compared, *arguments))):
            return going_on(accesses, footprint, function)
    else:
        accesses.touch(holder, WHOLE, writes=name not in READING_METHODS)
    return None


def _compared(
    accesses: Accesses, holder: Any, name: str, arguments: tuple[Any, ...]
) -> Footprint | None:
    """Read a container that is sorted, or searched for an equal element."""
    if name == "sort":
        touch_for_each((holder, *arguments))
        for key in arguments:
            if type(key) is functools.partial:
                _held_partial(accesses, key)
        return read_deeply(holder) if arguments else read_within(holder)
    return read_within(holder) if any(map(compares_within, arguments)) else None


def _filled(accesses: Accesses, arguments: tuple[Any, ...]) -> Footprint | None:
    """Touch the buffers among the arguments of code of C, which may write to them."""
    filled: Footprint | None = None
    for argument in arguments:
        is_several = type(argument) in (list, tuple)
        for value in argument[:_BUFFERS_MAX] if is_several else (argument,):
            if is_buffer(type(value)):
                filled = joined(filled, touch_whole(accesses, value, writes=True))
    return filled


_BUFFERS_MAX = 1_024
"""How many buffers are looked at in one list: Linux fills no more in one call."""
_FILLING = frozenset({"readinto", "shuffle", "recv_into", "pack_into", "dump", "dumps", "at"})


def _given(
    accesses: Accesses, arguments: tuple[Any, ...], reader: Reader, *, fills: bool = False
) -> Footprint | None:
    """Touch the arguments that are read, filled, or called.

    Returns:
        The footprint of the containers that are shared; None: none is.
    """
    shared: Footprint | None = None
    for argument in arguments:
        if type(argument) in BOUND_IN_C:
            touch_by(accesses, argument)
        elif type(argument) is Memo:
            accesses.touch(argument, WHOLE, writes=True)
        elif module_of(type(argument)) == "_io":
            shared = joined(shared, touch_stream(accesses, argument, writes=True))
        elif fills and type(argument) not in PLAIN:
            shared = joined(shared, touch_whole(accesses, argument, writes=True))
        elif type(argument) not in PLAIN or (type(argument) is tuple and reader is not read):
            shared = joined(shared, reader(argument))
    return shared


def _is_nothing(holder: Any, name: str) -> bool:
    """Say whether a method of an object touches no memory that is tracked."""
    kind = type(holder)
    is_own_generator = kind is random.Random and holder is not _MODULE_RANDOM
    if name in _LIKE_ATTRIBUTES or kind is asyncio.Future or is_own_generator:
        return False
    is_known = kind in PLAIN or name in NO_ACCESS or is_left_alone(kind)
    return is_known or issubclass(kind, type)


_MODULE_RANDOM = vars(random)["_inst"]
"""The generator behind ``random.random`` and the like; each actor has its own seed for it."""
_DROPPING = frozenset({"pop", "popleft", "popitem", "clear", "remove", "discard", "update"})
_COMPARING = frozenset({"sort", "remove", "index", "count"})
_ASKING = frozenset({"done", "result", "exception", "cancelled"})
_LIKE_ATTRIBUTES = {
    "__getattribute__": False, "__getattr__": False, "__setattr__": True, "__delattr__": True,
}  # fmt: skip


def _arguments(accesses: Accesses, function: Any, arguments: tuple[Any, ...]) -> Footprint | None:
    """Touch the arguments of a function that is not rewritten.

    Returns:
        The footprint of the containers that are shared; None: none is.
    """
    shared: Footprint | None = None
    _file_given(accesses, function, arguments)
    touch_for_each(arguments)
    if function is functools.reduce:
        touch_reduced(*arguments)
    reads_only, is_deep = is_read_by(function), reads_deeply(function)
    is_of_c = looks_within(function) or is_of_cython(type(function))
    within = read_deeply if is_of_other_c(function) else read_within
    for argument in arguments:
        kind = type(argument)
        if kind in BOUND_IN_C:
            touch_by(accesses, argument)
        elif kind is functools.partial and is_of_c:
            _held_partial(accesses, argument)
        elif module_of(kind) == "_io":
            shared = joined(shared, touch_stream(accesses, argument, writes=True))
        elif is_deep:
            shared = joined(shared, read_deeply(argument))
        else:
            shared = joined(shared, _argument(accesses, argument, writes=not reads_only))
            shared = joined(shared, within(argument)) if is_of_c else shared
    if name_fills_buffers(getattr(function, "__name__", "")):
        shared = joined(shared, _filled(accesses, arguments))
    return shared


def _file_given(accesses: Accesses, function: Any, arguments: tuple[Any, ...]) -> None:
    if function in LOOKING_AT_FILES and arguments:
        touch_file(accesses, arguments[0], writes=False)
    elif function is LOADING_FUNCTION:
        touch_loaded(accesses, arguments)
    elif function in MAKING_FILES and arguments:
        touch_file(accesses, arguments[0], writes=True, makes=True)
    elif function in BY_DESCRIPTOR:
        for number, writes in zip(arguments, BY_DESCRIPTOR[function], strict=False):
            if type(number) is int:
                touch_descriptor(accesses, number, writes=writes)


def _argument(accesses: Accesses, value: Any, *, writes: bool) -> Footprint | None:
    """Touch all of an argument, unless the code that uses it is rewritten."""
    if _touches_itself_later(value):
        return None
    return touch_whole(accesses, value, writes=writes)


def _held_partial(accesses: Accesses, value: functools.partial[Any]) -> None:
    """Touch the arguments that a ``partial`` around code of C holds, for calls by code of C."""
    function = value.func
    if runs_python(function):
        return
    if type(function) in BOUND_IN_C:
        touch_by(accesses, function)
    reads_only = is_read_by(function) or function in (getattr, hasattr)
    for argument in value.args:
        if not (reads_only or method_reads(type(argument), getattr(function, "__name__", ""))):
            touch_whole(accesses, argument, writes=True)
        read_deeply(argument)


def touch_call(accesses: Accesses, function: Any, arguments: tuple[Any, ...]) -> None:
    """Touch the memory of a call that C code is about to make; no code of the call runs here."""
    _note_unseen(accesses, function)
    kind = type(function)
    if kind is functools.partial:
        touch_call(accesses, function.func, (*function.args, *arguments))
    elif kind in GETTERS:
        touch_got(function, arguments)
    elif kind is types.BuiltinFunctionType and function in REFLECTION and len(arguments) > 1:
        _reflect_later(accesses, function, arguments)
    elif kind in _IN_PYTHON and _touches_nothing(function, arguments):
        return
    elif kind is not Memo:
        touch = _TOUCH.get(kind) or _touch_of(function, arguments)
        if touch is not None:
            touch(accesses, function, arguments)


def _reflect_later(accesses: Accesses, function: Any, arguments: tuple[Any, ...]) -> None:
    """Touch an attribute that is about to be read, or set, by its name."""
    holder, name = arguments[:2]
    found = find_in_class(type(holder), name)[0] if type(name) is str else None
    if cached_of(found) is not None:
        accesses.touch(holder, f".{name}", writes=True)
    elif type(name) is str:
        reflect(function, arguments)


def _touches_itself_later(value: Any) -> bool:
    """Say whether the code that uses a value is rewritten, and so reports its accesses."""
    kind = type(value)
    if kind in PLAIN or is_container_in_python(kind):
        return True
    return counts(kind) and not is_view(kind) and kind is not types.GeneratorType


def _dereferenced(accesses: Accesses, reference: Any, _arguments: tuple[Any, ...]) -> None:
    """Touch the target of a weak reference: code asks whether it is alive."""
    accesses.let_dead_go()
    accesses.touch_life(reference, writes=False)


def _encoder(accesses: Accesses, encoder: Any, arguments: tuple[Any, ...]) -> Any:
    """Touch what the C encoder of `json` goes through; it may call Python functions."""
    return going_on(accesses, read_deeply(arguments[0]), encoder) if arguments else None


def _caller(_accesses: Accesses, caller: Any, arguments: tuple[Any, ...]) -> None:
    """Touch the memory of the call that a ``methodcaller`` of `operator` makes."""
    name, *given = caller.__reduce__()[1]
    if arguments and type(arguments[0]) not in PLAIN:
        call(getattr(arguments[0], name, None), *given)


_FORMATTING = frozenset({"format", "format_map"})
_IN_PYTHON = frozenset({types.FunctionType, types.MethodType})
_BOUND = frozenset({types.BuiltinFunctionType, types.MethodType})
_LOOKED_AT = frozenset({asyncio.Future, random.Random}) | REAL_PRIMITIVES
"""Types that are otherwise left alone, but have methods that are accesses."""

_TOUCH: dict[type, Callable[[Accesses, Any, tuple[Any, ...]], Any]] = {
    types.MethodType: _bound,
    Memo: lambda accesses, memo, arguments: _memo(accesses, memo, memo, arguments),
    types.FunctionType: _function,
    types.BuiltinFunctionType: _of_c,
    CMethod: _of_c,
    types.MethodWrapperType: _of_c,
    types.MethodDescriptorType: _unbound,
    types.WrapperDescriptorType: _unbound,
    functools.partial: _partial,
    weakref.ReferenceType: _dereferenced,
    weakref.KeyedRef: _dereferenced,
    operator.attrgetter: attributes_got,
    operator.itemgetter: items_got,
    operator.methodcaller: _caller,
    vars(json.encoder)["c_make_encoder"]: _encoder,
}
"""Type of a callable -> what touches the memory of a call; it may return a stand-in."""

CALL_HOOKS = {"call": call, "call_unpacked": call_unpacked}
"""Every hook before calls, by name."""
