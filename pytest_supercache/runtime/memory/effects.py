"""Tables of what accesses and calls may do to the objects that they are given.

What is not known may write. Asking an object for its class by ``isinstance`` could run its code, so
only real types are looked at here.
"""

import array
import collections
import ctypes
import functools
import gc
import itertools
import mmap
import operator
import re
import struct
import sys
import types
import weakref
from contextlib import suppress
from typing import Any

from pytest_supercache.core.identity import identity
from pytest_supercache.runtime.kernel.kinds import (
    attributes_of,
    bases_of,
    module_of,
    name_of,
    of_kind,
    qualname_of,
)
from pytest_supercache.runtime.kernel.own_code import RUNTIME
from pytest_supercache.runtime.kernel.under_test import (
    is_standard_name,
    is_tool_name,
    is_under_test_name,
    members_of,
)
from pytest_supercache.runtime.memory.foreign import (
    FRAMEWORKS,
    LOOKED_AT_ONLY,
    WITH_FILES,
    is_foreign,
)

Memo = type(functools.lru_cache(len))

CMethod = type(re.compile("").match)
"""The type of bound methods of C that know their class; others are of ``BuiltinFunctionType``."""

BOUND_IN_C = frozenset({CMethod, types.BuiltinFunctionType, types.MethodWrapperType})
"""Types of functions and bound methods of C; their ``__self__`` is the object, a module or None."""

PLAIN = frozenset(
    {
        str, bytes, int, float, bool, complex, type(None), type(Ellipsis), type(NotImplemented),
        tuple, frozenset, range, slice, types.CodeType, types.BuiltinFunctionType, CMethod,
        types.MethodType, types.MethodDescriptorType, types.WrapperDescriptorType,
        types.MethodWrapperType, types.ClassMethodDescriptorType, types.GetSetDescriptorType,
        types.MemberDescriptorType, types.CoroutineType, types.FrameType,
        types.TracebackType, types.FunctionType, functools.partial, property, classmethod,
        staticmethod, super, object, weakref.ReferenceType, struct.Struct,
    }
)  # fmt: skip
"""Types whose objects hold no memory that could change, or only memory tracked elsewhere."""

FINALIZERS: Any = vars(weakref.finalize)["_registry"]
"""Where all objects of ``weakref.finalize`` keep their state: an entry for each of them."""

FINALIZER_NUMBERS: Any = vars(weakref.finalize)["_index_iter"]
"""Where each of them gets its number, of which only the end of the process takes notice."""

SCALARS = frozenset({str, bytes, int, float, bool, complex, type(None)})
"""Types whose objects hold no other objects."""

BEARERS = frozenset({types.FunctionType, functools.partial, super})
"""Plain types whose objects have attributes that may be memory."""

CONTAINERS = (dict, list, set, collections.deque, bytearray, memoryview)

_GUARDED = frozenset(
    {
        "threading",
        "_thread",
        "queue",
        "_queue",
        "asyncio",
        "_asyncio",
        "logging",
        "concurrent",
        "contextvars",
        "_contextvars",
        "random",
        "_random",
        "re",
        "time",
        "datetime",
        "decimal",
        "_decimal",
        "uuid",
        "pathlib",
        "inspect",
        "typing",
        "abc",
        "enum",
        "socket",
        "_socket",
        "ssl",
        "subprocess",
        "sqlite3",
        "operator",
        "_operator",
        "contextlib",
        "warnings",
        "traceback",
        "secrets",
        "hashlib",
        "_hashlib",
        "selectors",
        "select",
        "signal",
        "importlib",
        "_frozen_importlib",
        "_frozen_importlib_external",
        "ast",
        "dis",
        "unittest",
    }
)
"""Modules of the standard library whose objects are thread-safe, or make steps by themselves."""

IMMUTABLE = frozenset(
    {
        "builtins", "re", "datetime", "_datetime", "uuid", "pathlib", "time", "typing", "types",
        "operator", "_operator", "freezegun", "pytest_supercache",
    }
)  # fmt: skip
"""Modules, of those that are left alone, whose objects never change, or are steps."""

CONTAINER_MODULES = frozenset({"collections", "collections.abc", "weakref", "_weakrefset"})
"""Modules of the standard library with containers in Python, which is rewritten on demand."""

_COLLECTING = frozenset({"collections", "_collections", "builtins"})
_NO_LOOPS = (_GUARDED - {"random"}) | CONTAINER_MODULES | {"functools", "os", "posixpath", "io"}
"""Modules that are never rewritten: their functions are steps, in a table, or written in C."""

_READS_ARGUMENTS = frozenset(
    {
        "json",
        "_json",
        "pickle",
        "_pickle",
        "copy",
        "math",
        "pprint",
        "marshal",
        "os",
        "posix",
        "dataclasses",
        "reprlib",
        "attr",
        "pydantic",
        "pydantic_core",
    }
)
"""Modules whose functions leave their arguments unchanged."""

DEEP_READERS = _READS_ARGUMENTS - {"math", "os", "posix"}
"""Modules whose functions also read the objects inside their arguments."""

_RENDERERS = frozenset(
    {("flask.json", "jsonify"), ("flask.json", "dumps"), ("fastapi.encoders", "jsonable_encoder")}
)
"""Functions of frameworks that read all that they are given, and make text of it."""

READERS = frozenset(
    {
        len, sorted, list, tuple, dict, set, frozenset, str, repr, any, all, sum, min, max, hash,
        enumerate, zip, map, filter, bool, int, float, bytes, print, reversed, iter, format,
        collections.deque, collections.OrderedDict, collections.Counter, types.MappingProxyType,
    }
)  # fmt: skip
"""Builtins that read their arguments."""

TOUCHES_NOTHING = frozenset({isinstance, issubclass, type, id, callable, super, vars, object})
GETTERS = frozenset({operator.attrgetter, operator.itemgetter})
REFLECTION = {getattr: False, hasattr: False, setattr: True, delattr: True}
"""Builtins that touch an attribute -> whether they write it."""

READING_METHODS = frozenset(
    {
        "get", "keys", "values", "items", "copy", "index", "count", "union", "issubset",
        "issuperset", "isdisjoint", "difference", "intersection", "tobytes", "tolist", "find",
        "startswith", "join", "decode", "hex", "total", "most_common", "peek", "read", "fileno",
        "__contains__", "__len__", "__iter__", "__getitem__", "__eq__", "__bool__", "__repr__",
        "cache_info", "cache_parameters", "bisect", "bisect_left", "bisect_right", "irange",
        "islice", "peekitem", "getlist", "multi_items",
    }
)  # fmt: skip
KEYED_METHODS = frozenset(
    {"get", "pop", "setdefault", "__getitem__", "__setitem__", "__contains__", "__delitem__"}
)
"""Methods of a dict that touch only the entry of their first argument."""

_METHODS_KNOWN_IN = frozenset(
    {"builtins", "collections", "_collections", "weakref", "os", "array", "mmap", "functools"}
    | LOOKED_AT_ONLY
)
NO_ACCESS = frozenset({"__init__", "__new__", "__class__", "__init_subclass__", "__hash__"})

METHOD_TYPES = (
    types.FunctionType, classmethod, staticmethod, property, types.MethodDescriptorType,
    types.WrapperDescriptorType, types.BuiltinFunctionType, types.ClassMethodDescriptorType,
)  # fmt: skip


def top(name: Any) -> str:
    """Return the top-level package of a module's name; empty if it is no string."""
    return name.partition(".")[0] if type(name) is str else ""


@functools.cache
def is_rewritten_name(name: str) -> bool:
    """Say whether code of a module of this name is rewritten."""
    return (
        is_under_test_name(name)
        and (top(name) not in FRAMEWORKS or name in WITH_FILES)
        and not name.startswith("pytest_supercache.")
    )


@functools.cache
def loops_in_python(module: str) -> bool:
    """Say whether functions of a standard library module iterate over their arguments."""
    package = top(module)
    return is_standard_name(package) and package not in _NO_LOOPS


def is_rewritten(name: Any) -> bool:
    """Say whether code of a module is rewritten; its name may be of any type."""
    return type(name) is str and is_rewritten_name(name)


def is_of_code(members: dict[str, Any]) -> bool:
    """Say whether functions with these globals are rewritten; what `exec` runs may have no name."""
    name = members.get("__name__")
    return name is None or is_rewritten(name)


@of_kind
def is_class_of_code(kind: type) -> bool:
    """Say whether a class belongs to the code under test.

    A class that is made by a call may give the module of its maker, ``abc`` or ``types``, as its
    own, though that module has no such class.
    """
    module = module_of(kind)
    if module in _MAKERS and module in sys.modules:
        return qualname_of(kind).partition(".")[0] not in members_of(sys.modules[module])
    return is_rewritten(module)


_MAKERS = frozenset({"abc", "types", "enum", "typing", "dataclasses", "collections"})
"""Modules of the standard library with functions that make classes for others."""


@of_kind
def is_left_alone(kind: type) -> bool:
    """Say whether objects of a type hold nothing that is tracked here."""
    if kind in PLAIN:
        return True
    return _has_only_types_left_alone(module_of(kind)) and not is_foreign(kind)


@functools.cache
def _has_only_types_left_alone(module: str) -> bool:
    package = top(module)
    return package in _GUARDED or package in FRAMEWORKS or is_tool_name(package)


def is_read_by(function: Any) -> bool:
    """Say whether a callable that is not rewritten leaves its arguments unchanged."""
    module = top(getattr(function, "__module__", None))
    if module in _READS_ARGUMENTS or _is_renderer(function):
        return True
    if module == "random":
        return getattr(function, "__name__", "") in _DRAWING
    if module == "_operator":
        return getattr(function, "__name__", "") not in _OPERATORS_THAT_WRITE
    try:
        return function in READERS
    except TypeError:  # it cannot be hashed
        return False


_DRAWING = frozenset({"choice", "choices", "sample"})
_OPERATORS_THAT_WRITE = frozenset(
    {
        "setitem", "delitem", "iadd", "iand", "iconcat", "ifloordiv", "ilshift", "imod", "imul",
        "imatmul", "ior", "ipow", "irshift", "isub", "itruediv", "ixor", "call", "__setitem__",
        "__delitem__",
    }
)  # fmt: skip
_DEEP = (repr, str, print, format, sum, sorted, min, max, functools.reduce)


def reads_deeply(function: Any) -> bool:
    """Say whether a callable that is not rewritten also reads the objects inside its arguments."""
    is_deep = top(getattr(function, "__module__", None)) in DEEP_READERS
    return is_deep or function in _DEEP or _is_renderer(function)


def _is_renderer(function: Any) -> bool:
    module = getattr(function, "__module__", None)
    return type(module) is str and (module, getattr(function, "__name__", "")) in _RENDERERS


@of_kind
def is_of_cython(kind: type) -> bool:
    """Say whether objects of a type are functions compiled by Cython, which seem to be Python's."""
    return module_of(kind).startswith("_cython")


def is_of_other_c(function: Any) -> bool:
    """Say whether a function is C code outside of the standard library.

    It may read attributes of the objects inside its arguments: encoders do.
    """
    kind = type(function)
    if kind is not types.BuiltinFunctionType and not is_of_cython(kind):
        return False
    module = getattr(function, "__module__", None)
    return type(module) is str and not is_standard_name(top(module))


@of_kind
def is_object_of_other_c(kind: type) -> bool:
    """Say whether a call of an object is C code outside of the standard library."""
    called, base = find_in_class(kind, "__call__")
    return (
        base is not None
        and type(called) is types.WrapperDescriptorType
        and not issubclass(kind, type)
        and not is_standard_name(top(module_of(base)))
        and (not is_left_alone(kind) or top(module_of(base)) == "numpy")
    )


@of_kind
def is_buffer(kind: type) -> bool:
    """Say whether code of C may write to objects of a type without calling their methods."""
    if issubclass(kind, (bytearray, memoryview, array.array, mmap.mmap, _OF_CTYPES)):
        return True
    return any((module_of(base), name_of(base)) == _OF_NUMPY for base in bases_of(kind))


_OF_CTYPES = bases_of(ctypes.Structure)[1]
"""What all objects of ctypes derive from: it has no public name."""

_OF_NUMPY = ("numpy", "ndarray")


def may_fill_buffers(kind: type, name: str) -> bool:
    """Say whether a method that is not rewritten may write to buffers that it is given.

    Nobody knows what methods outside of the standard library do (``encoder.encode_into``).
    """
    return name_fills_buffers(name) or not is_standard_name(top(module_of(kind)))


def name_fills_buffers(name: str) -> bool:
    """Say whether a name is that of code which fills buffers: ``recv_into``, ``preadv``."""
    return name.endswith(("into", "into1", "readv"))


def behind_view(value: Any) -> list[Any]:
    """Return what an object of C shows: if it is a view, or a read-only proxy, another object.

    That is one of the same library; of an array of numpy it is whatever has the elements.
    """
    package = _package_in_c(type(value))
    if not package:
        return []
    if is_view_of_array(value):
        return [find_in_class(type(value), "base")[0].__get__(value)]
    return [
        one
        for one in gc.get_referents(value)
        if top(module_of(type(one))) == package and holds(type(one))
    ]


_READ_FROM_C = frozenset({types.GetSetDescriptorType, types.MemberDescriptorType})


def is_view_of_array(value: Any) -> bool:
    """Say whether a value is an array of numpy, or its `flat`, that shows another object's data."""
    if _package_in_c(type(value)) != "numpy":
        return False
    base = find_in_class(type(value), "base")[0]
    return type(base) in _READ_FROM_C and base.__get__(value) is not None


@of_kind
def _package_in_c(kind: type) -> str:
    """Return the library, not the standard one, whose C code a type is; empty: there is none."""
    if issubclass(kind, CONTAINERS) or is_left_alone(kind):
        return ""
    for base in bases_of(kind)[:-1]:
        package = top(module_of(base))
        is_in_c = any(type(member) in _OF_C for member in attributes_of(base).values())
        if is_in_c and not is_standard_name(package):
            return package
    return ""


_SHALLOW = frozenset({len, iter, aiter, hash})


def looks_within(function: Any) -> bool:
    """Say whether a function may read elements of the containers that it is given."""
    return type(function) is types.BuiltinFunctionType and function not in _SHALLOW


_METHODS_LOOKING_WITHIN = frozenset(
    {
        "sort", "remove", "index", "count", "join", "writelines", "__contains__", "__eq__",
        "__ne__", "__lt__", "__le__", "__gt__", "__ge__",
    }
)  # fmt: skip


def method_looks_within(kind: type, name: str) -> bool:
    """Say whether a method of C may read elements of the containers that it is given.

    Of the methods of containers, those that compare or join do; others are unknown.
    """
    if name in _METHODS_LOOKING_WITHIN:
        return True
    return not (top(module_of(kind)) in _METHODS_KNOWN_IN or is_left_alone(kind))


def method_reads(kind: type, name: str) -> bool:
    """Say whether a method of a type that is not rewritten leaves its object unchanged."""
    return name in READING_METHODS and top(module_of(kind)) in _METHODS_KNOWN_IN


def fills_missing(kind: type) -> bool:
    """Say whether a kind of dict may insert a value when a missing key is read."""
    return kind not in (dict, collections.OrderedDict, collections.Counter)


@of_kind
def holds(kind: type) -> bool:
    """Say whether objects of a type are touched as wholes: containers, or filled by C code."""
    if kind in PLAIN or issubclass(kind, type | types.ModuleType) or is_left_alone(kind):
        return False
    if issubclass(kind, CONTAINERS) or not is_rewritten(module_of(kind)):
        return True
    return any(map(_fills_elsewhere, bases_of(kind)))


def _fills_elsewhere(base: type) -> bool:
    """Say whether a class fills its objects by code that is not rewritten, such as C code."""
    if base is object or issubclass(base, BaseException) or is_left_alone(base):
        return False
    if module_of(base) in CONTAINER_MODULES or module_of(base) == "_collections_abc":
        return False
    return not is_rewritten(module_of(base)) or any(
        type(member) in _OF_C and member is not vars(object).get(name)
        for name, member in list(attributes_of(base).items())
    )


_OF_C = (types.MethodDescriptorType, types.WrapperDescriptorType, types.ClassMethodDescriptorType)
_LOOKS_INTO = ("iterator", "_items", "_keys", "_values")
_LOOKING = frozenset({enumerate, zip, map, filter, reversed, types.MappingProxyType})


@of_kind
def is_view(kind: type) -> bool:
    """Say whether objects of a type only refer to others: iterators, or views of a dict."""
    if kind in _LOOKING or module_of(kind) == itertools.__name__:
        return True
    return module_of(kind) in _COLLECTING and name_of(kind).endswith(_LOOKS_INTO)


def sources(view: Any, most: int = 20) -> list[Any]:
    """Return what an iterator or a view is based on: containers, and methods of C that it calls."""
    found: list[Any] = []
    waiting = [view]
    while waiting and most:
        most -= 1
        for inner in gc.get_referents(waiting.pop()):
            kind = type(inner)
            if kind is tuple or is_view(kind):
                waiting.append(inner)
            elif kind in (types.BuiltinFunctionType, CMethod) or holds(kind):
                found.append(inner)
    return found


@of_kind
def counts(kind: type) -> bool:
    """Say whether an iterator of a type changes when it is advanced, and may be shared."""
    return module_of(kind) == itertools.__name__ or kind in _GENERATORS


@of_kind
def keeps_its_place(kind: type) -> bool:
    """Say whether a type is another iterator of C, such as a reader of `csv`, or a stream."""
    is_seen_otherwise = is_view(kind) or is_left_alone(kind) or module_of(kind) in _TAKEN_OTHERWISE
    advancing = find_in_class(kind, "__next__")[0]
    return type(advancing) is types.WrapperDescriptorType and not is_seen_otherwise


_TAKEN_OTHERWISE = frozenset({"builtins", "_asyncio", "sqlite3"})
"""Modules whose other objects with a next element are awaited, or are statements of SQL."""

_GENERATORS = frozenset({types.GeneratorType, types.AsyncGeneratorType})


def runs_python(function: Any) -> bool:
    """Say whether a call runs Python code, in which context switches are possible."""
    if type(function) is functools.partial:
        return runs_python(function.func)
    module = str(getattr(function, "__module__", None))
    if module.startswith((RUNTIME, "freezegun.")) or hasattr(function, "__wrapped__"):
        function = _replaced(function, module)
    if issubclass(type(function), type):
        made_by = [getattr(function, name, None) for name in ("__init__", "__new__")]
        return any(type(one) is types.FunctionType for one in made_by)
    return type(function) in (types.FunctionType, types.MethodType)


def _replaced(function: Any, module: str) -> Any:
    """Return a C function if ``function`` is our stand-in for one; else ``function`` itself."""
    if module.startswith("freezegun.") or getattr(function, "__name__", "") in _IN_C:
        return len
    real = getattr(function, "__wrapped__", function)
    return real if type(real) is types.BuiltinFunctionType else function


_IN_C = frozenset({"Lock", "SimpleQueue"})


def peek(members: dict[Any, Any], key: Any) -> Any:
    """Return the value of a key of a dict; None, too, if the look-up may run code of its keys."""
    if len(members) <= _KEYS_ASKED and not SCALARS.issuperset(map(type, dict.keys(members))):
        return None
    return dict.get(members, key)


_KEYS_ASKED = 50


def elements_of(value: Any) -> list[Any]:
    """Return the elements of a container without running its own code.

    A tuple of `zip_longest` has holes where iterators have ended, and so has a list that a builder
    of `xml.etree` keeps; nobody may look there.
    """
    if type(value) in (tuple, list) and len(filled := gc.get_referents(value)) < len(value):
        return filled[::-1]
    for base in (list, tuple, set, frozenset, collections.deque):
        if issubclass(type(value), base):
            return list(base.__iter__(value))
    return []


def find_in_class(kind: type, name: str) -> tuple[Any, type | None]:
    """Return the attribute ``name`` of a class and the base that has it; None, None: none has."""
    for base in bases_of(kind):
        if name in attributes_of(base):
            return attributes_of(base)[name], base
    return None, None


def slots_of(value: Any) -> list[tuple[str, Any]]:
    """Return the filled slots of an object, without running its code."""
    found = []
    for base in bases_of(type(value)):
        for name, slot in list(type.__getattribute__(base, "__dict__").items()):
            if type(slot) is types.MemberDescriptorType and name != "__weakref__":
                with suppress(AttributeError):  # not filled
                    found.append((name, slot.__get__(value)))
    return found


def inner_objects(value: Any, most: int = 200, *, attributes: bool = True) -> list[Any]:
    """Return the containers and instances that are reachable from a value, itself included.

    Args:
        value: the object.
        most: the largest number of objects that is returned.
        attributes: go through attributes, too, not through containers alone.
    """
    found: list[Any] = []
    waiting, seen = [value], {identity(value)}
    while waiting and len(found) < most:
        one = waiting.pop()
        kind = type(one)
        inner = _held_by(one, kind, attributes=attributes)
        if kind is not tuple and kind is not frozenset:
            found.append(one)
        for each in inner:
            can_hold = type(each) not in PLAIN or type(each) in (tuple, frozenset)
            if can_hold and identity(each) not in seen and not is_left_alone_but_tuples(type(each)):
                seen.add(identity(each))
                waiting.append(each)
    return found


def _held_by(one: Any, kind: type, *, attributes: bool) -> list[Any]:
    if issubclass(kind, dict):
        return [*dict.values(one), *dict.keys(one)]
    if issubclass(kind, list | tuple | set | frozenset | collections.deque):
        return elements_of(one)
    if is_view(kind):
        return _passed_on_unchanged(one)
    if not attributes:
        return []
    return [*members_of(one).values(), *(held for _, held in slots_of(one))]


def _passed_on_unchanged(view: Any) -> list[Any]:
    """Return the referents of an iterator or view, unless it passes on results of Python code."""
    held = gc.get_referents(view)
    if type(view) in _RETURNED and any(type(one) in _CODE_OF_PYTHON for one in held):
        return []
    methods = [one for one in held if type(one) in (types.BuiltinFunctionType, CMethod)]
    methods += [one for one in held if type(one) is types.MethodWrapperType]
    return [*held, *(one.__self__ for one in methods)]


_RETURNED = frozenset({map, itertools.starmap, itertools.accumulate})
_CODE_OF_PYTHON = frozenset({types.FunctionType, types.MethodType})


def is_left_alone_but_tuples(kind: type) -> bool:
    """Say whether objects of a type, and all that they hold, contain nothing that is tracked."""
    if kind in (tuple, frozenset):
        return False
    return issubclass(kind, type | types.ModuleType) or is_left_alone(kind)
