"""Reads what a pickle says without running any of it: what it would call is written down instead.

`pickletools` takes a pickle apart; here its instructions build lists, mappings and `Made`, which
stands for an object. Nothing is imported, nothing is called, and a value is never hashed, so what
a pickle says about itself cannot do anything.
"""

import warnings
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

INSTRUCTIONS_MAX = 50_000
DEPTH_MAX = 24
"""How deep a value is shown, whichever reader has found it."""


class Unreadable(ValueError):
    """What is read is no such value, or is not worth to be read: it is shown as it is."""


@dataclass(frozen=True, slots=True)
class Name:
    """A class or a function, by its module and its name there."""

    module: str
    name: str


@dataclass(slots=True, eq=False)
class Pairs:
    """A mapping, in the order in which a pickle says it."""

    pairs: list[tuple[Any, Any]] = field(default_factory=list)


@dataclass(slots=True, eq=False)
class Members:
    """A set."""

    members: list[Any] = field(default_factory=list)


@dataclass(slots=True, eq=False)
class Made:
    """An object: what would be called with which arguments, and what the object is told then."""

    of: Any  # a Name, unless what is called is an object itself
    arguments: Any
    named: Any = None
    states: list[Any] = field(default_factory=list)
    items: list[Any] = field(default_factory=list)
    pairs: list[tuple[Any, Any]] = field(default_factory=list)


def read_pickle(data: bytes) -> Any:
    """Return what a pickle holds: plain values, lists, tuples, Pairs, Members, Made and Name.

    They may be part of themselves, and one may be part of several.

    Raises:
        Unreadable: it is no pickle, it is too long, or it needs something from outside.
    """
    machine = _Machine()
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # about escapes in text that is no text of ours
            end = _run(machine, data)
    except Unreadable:
        raise
    except (ValueError, LookupError, TypeError, OverflowError) as error:
        raise Unreadable(str(error)) from error
    if end != len(data) - 1 or len(machine.stack) != 1 or machine.marks:
        raise Unreadable("something is left over")
    return machine.stack[0]


def _run(machine: "_Machine", data: bytes) -> int:
    """Run the instructions of a pickle; return the position of the last one."""
    import pickletools  # only where there are pickles

    end = -1
    for number, (instruction, argument, at) in enumerate(pickletools.genops(data)):
        if number >= INSTRUCTIONS_MAX:
            raise Unreadable("too many instructions")
        run = _INSTRUCTIONS.get(instruction.name)
        if run is None:
            raise Unreadable(f"{instruction.name} needs something from outside")
        run(machine, argument)
        end = at or 0
    return end


class _Machine:
    """The stack and the memo of a pickle."""

    def __init__(self) -> None:
        self.stack: list[Any] = []
        self.marks: list[int] = []
        self.memo: dict[int, Any] = {}

    def push(self, value: Any) -> None:
        self.stack.append(value)

    def pop(self) -> Any:
        if self.marks and self.marks[-1] >= len(self.stack):
            raise Unreadable("a mark is no value")
        return self.stack.pop()

    def since_mark(self) -> list[Any]:
        """Take everything above the last mark."""
        at = self.marks.pop()
        taken = self.stack[at:]
        del self.stack[at:]
        return taken

    def top(self) -> Any:
        return self.stack[-1]

    def tuple_of(self, size: int) -> None:
        members = [self.pop() for _ in range(size)]
        self.push(tuple(reversed(members)))


_Instruction = Callable[[_Machine, Any], None]


def _value(machine: _Machine, argument: Any) -> None:
    machine.push(bytes(argument) if isinstance(argument, bytearray) else argument)


def _constant(value: Any) -> _Instruction:
    return lambda machine, _argument: machine.push(value)


def _empty(kind: Callable[[], Any]) -> _Instruction:
    return lambda machine, _argument: machine.push(kind())


def _tuple_of(size: int) -> _Instruction:
    return lambda machine, _argument: machine.tuple_of(size)


def _since_mark(kind: Callable[[list[Any]], Any]) -> _Instruction:
    return lambda machine, _argument: machine.push(kind(machine.since_mark()))


def _nothing(_machine: _Machine, _argument: Any) -> None:
    """Take note of a frame, a protocol or the end."""


def _mark(machine: _Machine, _argument: Any) -> None:
    machine.marks.append(len(machine.stack))


def _pop(machine: _Machine, _argument: Any) -> None:
    if machine.marks and machine.marks[-1] == len(machine.stack):
        machine.marks.pop()
    else:
        machine.pop()


def _pop_mark(machine: _Machine, _argument: Any) -> None:
    machine.since_mark()


def _duplicate(machine: _Machine, _argument: Any) -> None:
    machine.push(machine.top())


def _remember(machine: _Machine, argument: Any) -> None:
    machine.memo[len(machine.memo) if argument is None else int(argument)] = machine.top()


def _recall(machine: _Machine, argument: Any) -> None:
    machine.push(machine.memo[int(argument)])


def _append(machine: _Machine, _argument: Any) -> None:
    member = machine.pop()
    _items_of(machine.top()).append(member)


def _appends(machine: _Machine, _argument: Any) -> None:
    members = machine.since_mark()
    _items_of(machine.top()).extend(members)


def _items_of(value: Any) -> list[Any]:
    if isinstance(value, Made):
        return value.items
    if not isinstance(value, list):
        raise Unreadable("nothing can be appended to it")
    return value


def _add_items(machine: _Machine, _argument: Any) -> None:
    members = machine.since_mark()
    top = machine.top()
    if not isinstance(top, Members):
        raise Unreadable("it is no set")
    top.members.extend(members)


def _set_item(machine: _Machine, _argument: Any) -> None:
    value, key = machine.pop(), machine.pop()
    _pairs_of(machine.top()).append((key, value))


def _set_items(machine: _Machine, _argument: Any) -> None:
    found = _paired(machine.since_mark())
    _pairs_of(machine.top()).extend(found)


def _pairs_of(value: Any) -> list[tuple[Any, Any]]:
    if not isinstance(value, Pairs | Made):
        raise Unreadable("it has no items")
    return value.pairs


def _paired(values: list[Any]) -> list[tuple[Any, Any]]:
    return list(zip(values[::2], values[1::2], strict=True))


def _global(machine: _Machine, argument: Any) -> None:
    module, _, name = str(argument).partition(" ")
    machine.push(Name(module, name))


def _stack_global(machine: _Machine, _argument: Any) -> None:
    name, module = machine.pop(), machine.pop()
    if not (isinstance(name, str) and isinstance(module, str)):
        raise Unreadable("a name is no text")
    machine.push(Name(module, name))


def _call(machine: _Machine, _argument: Any) -> None:
    arguments, of = machine.pop(), machine.pop()
    machine.push(Made(of, arguments))


def _call_named(machine: _Machine, _argument: Any) -> None:
    named, arguments, of = machine.pop(), machine.pop(), machine.pop()
    machine.push(Made(of, arguments, named))


def _call_since_mark(machine: _Machine, _argument: Any) -> None:
    of, *arguments = machine.since_mark()
    machine.push(Made(of, tuple(arguments)))


def _build(machine: _Machine, _argument: Any) -> None:
    state = machine.pop()
    top = machine.top()
    if not isinstance(top, Made):
        raise Unreadable("it has no state")
    top.states.append(state)


_INSTRUCTIONS: dict[str, _Instruction] = {
    **dict.fromkeys(("PROTO", "FRAME", "STOP"), _nothing),
    **dict.fromkeys(
        (
            "INT", "BININT", "BININT1", "BININT2", "LONG", "LONG1", "LONG4", "FLOAT", "BINFLOAT",
            "STRING", "BINSTRING", "SHORT_BINSTRING", "UNICODE", "BINUNICODE", "SHORT_BINUNICODE",
            "BINUNICODE8", "BINBYTES", "SHORT_BINBYTES", "BINBYTES8", "BYTEARRAY8",
        ),
        _value,
    ),
    "NONE": _constant(None),
    "NEWTRUE": _constant(True),
    "NEWFALSE": _constant(False),
    "EMPTY_TUPLE": _constant(()),
    "EMPTY_LIST": _empty(list),
    "EMPTY_DICT": _empty(Pairs),
    "EMPTY_SET": _empty(Members),
    "TUPLE1": _tuple_of(1),
    "TUPLE2": _tuple_of(2),
    "TUPLE3": _tuple_of(3),
    "TUPLE": _since_mark(tuple),
    "LIST": _since_mark(list),
    "FROZENSET": _since_mark(Members),
    "DICT": _since_mark(lambda values: Pairs(_paired(values))),
    "MARK": _mark,
    "POP": _pop,
    "POP_MARK": _pop_mark,
    "DUP": _duplicate,
    **dict.fromkeys(("PUT", "BINPUT", "LONG_BINPUT", "MEMOIZE"), _remember),
    **dict.fromkeys(("GET", "BINGET", "LONG_BINGET"), _recall),
    "APPEND": _append,
    "APPENDS": _appends,
    "ADDITEMS": _add_items,
    "SETITEM": _set_item,
    "SETITEMS": _set_items,
    "GLOBAL": _global,
    "STACK_GLOBAL": _stack_global,
    "REDUCE": _call,
    "NEWOBJ": _call,
    "NEWOBJ_EX": _call_named,
    "OBJ": _call_since_mark,
    "BUILD": _build,
}  # fmt: skip
"""What is missing needs something from outside: persistent ids, extensions, buffers."""
