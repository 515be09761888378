"""Finds objects that registered callables share, and that changed between the registrations.

A loop, or a helper, that registers callables which share an object, and changes the object in
between, registers one thing under several names: each call finds the last value. What changes is
not a variable, as in :mod:`late_binding <pytest_supercache.declare.late_binding>`, but a part of an
object: of an argument of a partial function, of the object that has a method, of a class, of a
module with settings. Only callables that one piece of source has made are compared.
"""

import os
import sys
import threading
from collections import ChainMap, UserDict, UserList, deque
from collections.abc import Callable, Iterable, Iterator
from configparser import RawConfigParser, SectionProxy
from contextlib import suppress
from dataclasses import dataclass
from enum import Enum
from functools import lru_cache, partial
from inspect import getattr_static
from itertools import chain, islice
from pathlib import Path
from types import (
    CodeType,
    FunctionType,
    MappingProxyType,
    MethodType,
    SimpleNamespace,
)
from typing import Any, NamedTuple

from pytest_supercache.core.folders import is_installed
from pytest_supercache.core.identity import identity, is_a
from pytest_supercache.declare.late_binding import Turn, are_same, held, read_by
from pytest_supercache.declare.same import (
    are_equal,
    are_one,
    attributes_of,
    content,
    place_of,
    slots_of,
)

PARTS_MAX = 2_000
"""The most parts of objects that are looked at for one registration."""

_NAME_MIN = 3
"""The shortest text that is taken for a part of the name of a variable of the environment."""

_OURS = __name__.partition(".")[0]


class HeldPart(NamedTuple):
    """An attribute, an element or a variable."""

    place: tuple[int, str]  # the identity of what has it, and its name there
    value: Any
    owner: Any
    is_data: bool = False
    """Whether an object has it, rather than a class or a function."""

    @property
    def shown(self) -> str:
        """The part as people write it: `Shop.url`, `os.environ['URL']`; `['key']` of any dict."""
        name = self.place[1]
        if self.owner is os.environ:
            return f"os.environ{name}"
        kind = self.owner if is_a(self.owner, type) else type(self.owner)
        return f"{kind.__qualname__}{name}" if name.startswith(".") else name


@dataclass(frozen=True, slots=True)
class _Known:
    """A part, as it was when something was registered."""

    value: Callable[[], Any]
    owner: Callable[[], Any]  # while there is one; without it the place may be another
    registered: str
    turn: Turn

    def is_another(self, value: Any, named: str, turn: Turn) -> bool:
        """Say whether an earlier callable, which is still registered, found another value."""
        is_anew = self.registered == named and self.turn != turn  # another run in this process
        return not is_anew and self.owner() is not None and not are_same(self.value(), value)


_known: dict[tuple[Any, tuple[int, str]], _Known] = {}
"""By the source of what leads to a part, and the place of the part."""


def replaced(registered: Any, named: str) -> tuple[str, str] | None:
    """Note what a callable holds; return a part that has changed since its like was noted.

    Args:
        registered: what is registered: a function, a class or any other callable.
        named: by which words it is known.

    Returns:
        The part, and by which words the earlier callable is known; None if nothing has changed.
    """
    turn, source, found = Turn.now(), _source(registered), None
    if turn.code is None:
        return None  # tests that are running may change what they like
    parts = list(islice(parts_of(registered), PARTS_MAX))
    texts = _texts_in(source, (part for part in parts if part.owner is not os.environ))
    for part in parts:
        if part.owner is os.environ and not _is_asked_for(part.place[1], texts):
            continue  # somebody else's variable
        known = _known.get((source, part.place))
        is_another = known is not None and known.is_another(part.value, named, turn)
        if known is None or not is_another or known.turn.is_before_import_of(turn):
            _known[source, part.place] = _Known(held(part.value), held(part.owner), named, turn)
        elif found is None:
            found = part.shown, known.registered
    return found


def _texts_in(source: Any, parts: Iterable[HeldPart]) -> set[str]:
    """Return the texts that the functions, and the variables, have which a callable leads to."""
    reached = (one for part in parts for one in (part.owner, part.value))
    waiting = [source, *(one.__code__ if is_a(one, FunctionType) else one for one in reached)]
    found = set[str]()
    while waiting:
        one = waiting.pop()
        if is_a(one, CodeType):
            waiting += one.co_consts
        elif is_a(one, tuple):
            waiting += islice(tuple.__iter__(one), PARTS_MAX)
        elif type(one) is str:
            found.add(one)
    return found


def _is_asked_for(name: str, texts: Iterable[str]) -> bool:
    """Say whether a variable of the environment, as it is written, has one of these names.

    A name may be put together: `f"SHOP_{name}"`.
    """
    name = name.strip("[']")
    return any(
        len(text) >= _NAME_MIN and (name.startswith(text) or name.endswith(text)) for text in texts
    )


def shared(registered: Any, others: Iterable[Any]) -> str | None:
    """Return a part of an object that two callables of one source share, if they hold the same.

    One function, or one method of one object, has two names on purpose.
    """
    for other in filter(lambda other: is_twin(registered, other), others):
        places = _data_of(other)
        for place, shown in _data_of(registered).items():
            if place in places:
                return shown
    return None


def is_twin(registered: Any, other: Any) -> bool:
    """Say whether two callables come from one source, and hold the same, to do the same."""
    is_like = place_of(registered) == place_of(other) and _code(registered) == _code(other)
    return is_like and not are_equal(registered, other) and are_one(registered, other)


def surroundings_changed(registered: Any, others: Iterable[Any], named: str) -> str | None:
    """Note what surrounds a callable; return what has changed since a twin was registered.

    Nothing else tells the two apart, and it is the same for both when they are called.
    """
    here = note_surroundings(registered, named)
    for other in others:
        known, there = _surroundings.get(identity(other), (None, here))
        if known is other and is_twin(registered, other) and (found := there.unlike(here)):
            return found
    return None


def note_surroundings(registered: Any, named: str = "") -> "_Surroundings":
    """Note what surrounds a callable when it is declared, under which words; and return it."""
    here = _Surroundings.here()
    _surroundings[identity(registered)] = registered, here
    if named:  # one callable may be several systems
        _surroundings[named] = registered, here
    return here


class OfOthers(NamedTuple):
    """What surrounds a callable now as it did another one, and not this one, when it was noted."""

    variables: dict[str, str | None]
    folder: str | None = None

    @classmethod
    def found(cls, registered: Any, named: str = "") -> "OfOthers":
        """Compare with what was noted of a callable, and of all others.

        What a fixture or a hook of pytest has set since, to a value of its own, is meant.
        """
        known, then = _surroundings.get(named or identity(registered), (None, None))
        if known is not registered or then is None:
            return cls({})
        now = _Surroundings.here()
        names = then.environment.keys() | now.environment.keys()
        others = [one for _, one in _surroundings.values()]
        is_others = any(one.folder == now.folder for one in others)
        return cls(
            {
                name: now.environment.get(name)
                for name in names
                if (value := now.environment.get(name)) != then.environment.get(name)
                and any(one.environment.get(name) == value for one in others)
            },
            now.folder if now.folder != then.folder and is_others else None,
        )


def _is_of_pytest(name: str) -> bool:
    """Say whether pytest itself sets a variable, such as that of the current test."""
    return name.startswith("PYTEST_")


class _Surroundings(NamedTuple):
    """What any code can read: the environment, the current folder, the arguments."""

    environment: dict[str, str]
    folder: str
    arguments: list[str]

    @classmethod
    def here(cls) -> "_Surroundings":
        environment = {name: one for name, one in os.environ.items() if not _is_of_pytest(name)}
        folder = ""
        with suppress(FileNotFoundError):  # somebody has removed it
            folder = str(Path.cwd())
        return cls(environment, folder, sys.argv[1:])  # runpy sets the first one

    def unlike(self, other: "_Surroundings") -> str | None:
        """Return the first difference, as people write it; None: there is none."""
        names = sorted(self.environment.keys() | other.environment.keys())
        for name in names:
            if self.environment.get(name) != other.environment.get(name):
                return f"os.environ[{name!r}]"
        if self.folder != other.folder:
            return "the current folder"
        return None if self.arguments == other.arguments else "sys.argv"


_surroundings: dict[int | str, tuple[Any, _Surroundings]] = {}
"""By the identity of what is registered, which is kept, and by the words for it."""


def _code(registered: Any) -> CodeType | None:
    """Return the code of a callable: a line may have several functions."""
    source = _source(registered)
    return source if is_a(source, CodeType) else None


def can_change(value: Any) -> bool:
    """Say whether a value is no code, and has parts that may be replaced."""
    is_code = is_a(value, type | FunctionType)
    return not is_code and next(_parts_in(value), None) is not None


def _data_of(registered: Any) -> dict[tuple[int, str], str]:
    """Return the places in objects that a callable leads to, each with the words for it."""
    parts = islice(parts_of(registered), PARTS_MAX)
    return {one.place: one.shown for one in parts if one.is_data and one.owner is not os.environ}


def _source(registered: Any) -> Any:
    """Return what tells where a callable was made: the code of its function, if there is one."""
    one = registered
    while is_a(one, partial | MethodType):
        one = one.func if is_a(one, partial) else one.__func__
    while is_a(one, FunctionType) and "__wrapped__" in vars(one):
        one = vars(one)["__wrapped__"]
    if is_a(one, FunctionType):
        return one.__code__
    kind, name = (one, "__init__") if is_a(one, type) else (type(one), "__call__")
    called = getattr_static(kind, name, None)
    return called.__code__ if is_a(called, FunctionType) else kind


def parts_of(registered: Any, *, made: bool = False) -> Iterator[HeldPart]:
    """Yield the parts of all objects of the project that a callable leads to, each once.

    ``made``: also those that methods like ``__init__`` lead to.
    """
    for _, parts in objects_of(registered, made=made):
        yield from parts


def objects_of(registered: Any, *, made: bool = False) -> Iterator[tuple[Any, list[HeldPart]]]:
    """Yield the objects that a callable leads to, each once, with their parts."""
    waiting, seen = [registered], set[int]()
    while waiting:
        one = waiting.pop(0)
        if identity(one) not in seen:
            seen.add(identity(one))
            parts = list(_parts_in(one))
            yield one, parts
            waiting += (part.value for part in parts)
            waiting += _leads_to(one)
            waiting += _special_of(one) if made and is_a(one, type) else []


def thread_locals_of(registered: Any) -> list[threading.local]:
    """Return the thread-locals of the project that a callable leads to."""
    found: dict[int, threading.local] = {}
    parts = chain.from_iterable(its for _, its in objects_of(registered, made=True))
    for part in islice(parts, PARTS_MAX):
        value = part.value
        if is_a(value, threading.local) and _is_made_here(type(value)):
            found[identity(value)] = value
    return list(found.values())


def _is_made_here(kind: type) -> bool:
    return kind is threading.local or is_of_project(kind.__module__)


def _parts_in(value: Any) -> Iterator[HeldPart]:
    """Yield the parts of one object that may be replaced."""
    if is_a(value, FunctionType):
        read = read_by(value) if is_of_project(value.__globals__.get("__name__")) else ()
        yield from (HeldPart((at, "".join(path)), found, value) for (at, path), found in read)
        return
    for name, found in _members_of(value):
        if not name.startswith((".__", "__")):
            is_data = not is_a(value, type)
            yield HeldPart((identity(value), name), found, value, is_data)


_ITEMS = {kind: kind.items for kind in (dict, MappingProxyType, type(os.environ))}
_ELEMENTS = {kind: kind.__iter__ for kind in (list, deque)}
"""How to list what mappings and sequences hold, whatever their own classes make of it."""

_OPEN = (SimpleNamespace, ChainMap, UserDict, UserList, RawConfigParser, SectionProxy)
"""Classes of Python whose objects are looked into, like those of the project."""


def _members_of(value: Any) -> Iterator[tuple[str, Any]]:
    """Yield the elements or the attributes of an object, as they are stored."""
    for mapping, items in _ITEMS.items():
        if is_a(value, mapping):
            yield from ((f"[{key!r}]", one) for key, one in items(value) if _is_plain(key))
    for sequence, elements in _ELEMENTS.items():
        if is_a(value, sequence):
            yield from ((f"[{number}]", one) for number, one in enumerate(elements(value)))
    kind = value if is_a(value, type) else type(value)
    if issubclass(kind, _OPEN) or is_of_project(kind.__module__):
        yield from ((f".{name}", one) for name, one in dict(attributes_of(value)).items())
        yield from ((f".{name}", one) for name, one in slots_of(value))


def _is_plain(key: Any) -> bool:
    """Say whether the text of a key is its own, and running no code of the project."""
    return is_a(key, str | int | Enum) or (is_a(key, tuple) and all(map(_is_plain, key)))


def _leads_to(value: Any) -> list[Any]:
    """Return what an object leads to for good: it cannot be replaced there."""
    if is_a(value, FunctionType):
        wrapped = [vars(value)["__wrapped__"]] if "__wrapped__" in vars(value) else []
        cells = map(content, value.__closure__ or ())
        by_name = (value.__kwdefaults__ or {}).values()
        environment = [os.environ] if value is os.getenv else []
        return [*wrapped, *cells, *(value.__defaults__ or ()), *by_name, *environment]
    if is_a(value, partial):
        return [value.func, *value.args, *value.keywords.values()]
    if is_a(value, MethodType):
        return [value.__func__, value.__self__]
    if is_a(value, staticmethod | classmethod):
        return [value.__func__]
    if is_a(value, property):
        return [value.fget, value.fset]
    if is_a(value, type):
        return list(value.__mro__[1:])
    return [*tuple.__iter__(value)] if is_a(value, tuple) else [type(value)]


def _special_of(kind: type) -> list[Any]:
    special = ((name, one) for name, one in attributes_of(kind).items() if name.startswith("__"))
    return [one for _, one in special if is_a(one, FunctionType)]


@lru_cache(maxsize=1 << 12)
def is_of_project(module: str) -> bool:
    """Say whether a module is neither installed, nor of Python, nor of this package."""
    file = attributes_of(sys.modules.get(module)).get("__file__")  # it may be a lazy module
    if file is None:
        return module not in sys.builtin_module_names
    path = os.path.realpath(file)
    is_ours = module.partition(".")[0] == _OURS
    return not (is_ours or is_installed(path))
