"""Rewrites a code object: before every access to memory it calls a hook with the operands.

The hooks get copies of what the instruction is about to use. They perform nothing: the original
instruction follows, with its own position, so tracebacks and coverage show the user's lines.
"""

import inspect
import sys
from collections.abc import Callable, Iterator, Mapping
from types import CodeType
from typing import Any

from bytecode import Bytecode, Instr
from bytecode.instr import CellVar, FreeVar, InstrLocation

from pytest_supercache.runtime.memory.binding import is_constant
from pytest_supercache.runtime.memory.reach import enclosing, name_of_variable

Hooks = Mapping[str, Callable[..., Any]]
"""The hooks by the name of the access: see :mod:`pytest_supercache.runtime.memory.hooks`."""

_HAS_PRECALL = sys.version_info < (3, 12)
_NULL_COMES_FIRST = sys.version_info < (3, 13)  # before the callable, or after it
_HOOK_ROOM = 6
"""The stack slots that the call of a hook needs beyond its operands."""

_BOOLEANS = frozenset({"COMPARE_OP", "CONTAINS_OP", "IS_OP", "UNARY_NOT", "TO_BOOL"})
"""Instructions that leave a boolean behind, so that a jump on it tests no object."""

_SIMPLE: dict[str, tuple[str, tuple[int, ...], bool]] = {
    "STORE_ATTR": ("store_attribute", (1, 2), True),
    "DELETE_ATTR": ("delete_attribute", (1,), True),
    "BINARY_SUBSCR": ("load_item", (2, 1), False),
    "DELETE_SUBSCR": ("delete_item", (2, 1), False),
    "BINARY_SLICE": ("read", (3,), False),
    "LOAD_GLOBAL": ("load_global", (), True),
    "STORE_GLOBAL": ("store_global", (1,), True),
    "DELETE_GLOBAL": ("delete_global", (), True),
    "LOAD_NAME": ("load_name", (), True),
    "STORE_NAME": ("store_name", (1,), True),
    "DELETE_NAME": ("delete_name", (), True),
    "FOR_ITER": ("advance", (1,), False),
    "SEND": ("advance", (2,), False),
    "GET_ANEXT": ("advance", (1,), False),
    "IMPORT_FROM": ("load_attribute", (1,), True),
    "MATCH_CLASS": ("match_class", (3, 2, 1), False),
    "COMPARE_OP": ("read_both", (2, 1), False),
    "DICT_UPDATE": ("read", (1,), False),
    "DICT_MERGE": ("read", (1,), False),
    "MATCH_MAPPING": ("read", (1,), False),
    "MATCH_SEQUENCE": ("read", (1,), False),
    "MATCH_KEYS": ("read", (2,), False),
    "GET_LEN": ("read", (1,), False),
    "CONVERT_VALUE": ("read_deeply", (1,), False),
    "FORMAT_SIMPLE": ("read_deeply", (1,), False),
    "UNARY_NOT": ("read", (1,), False),
    "UNARY_POSITIVE": ("read", (1,), False),
    "UNARY_NEGATIVE": ("read", (1,), False),
    "UNARY_INVERT": ("read", (1,), False),
    "CALL_INTRINSIC_1": ("read", (1,), False),
    "TO_BOOL": ("read", (1,), False),
}
"""Instruction -> its hook, the operands that it gets (1 is the top), whether it gets a name."""

_REPLACED: dict[str, tuple[str, tuple[int, ...], bool]] = {
    "BEFORE_WITH": ("enter", (1,), False),
    "CONTAINS_OP": ("contains", (1, 2), False),
    "GET_ITER": ("iterate", (1,), False),
    "GET_YIELD_FROM_ITER": ("iterate", (1,), False),
    "UNPACK_SEQUENCE": ("take_some", (1,), True),
    "UNPACK_EX": ("take_all", (1,), False),
    "LIST_EXTEND": ("take_all", (1,), False),
    "SET_UPDATE": ("take_hashed", (1,), False),
    "STORE_SUBSCR": ("store_item", (3, 2, 1), False),
    "STORE_SLICE": ("store_slice", (4, 3), False),
}
"""The same for hooks whose result replaces their first operand."""

_ATTRIBUTES: dict[str, tuple[str, tuple[int, ...]]] = {
    "LOAD_ATTR": ("load_attribute", (1,)),
    "LOAD_METHOD": ("load_attribute", (1,)),
    "LOAD_SUPER_ATTR": ("load_super", (1, 2)),
}

_CELL_LOADS = frozenset({"LOAD_DEREF", "LOAD_CLASSDEREF", "LOAD_FROM_DICT_OR_DEREF"})

_FIRST_IN_PLACE = 13
"""From this number on, the operations of ``BINARY_OP`` change their left operand in place."""


OF_TOOLS = frozenset(
    {
        "acquire", "release", "locked", "__enter__", "__exit__", "is_set", "isSet", "set", "clear",
        "wait", "wait_for", "notify", "notify_all", "notifyAll", "put", "put_nowait", "get",
        "get_nowait", "qsize", "empty", "full", "task_done", "join", "shutdown", "parties",
        "n_waiting", "broken", "reset", "abort", "queue", "mutex", "not_empty", "not_full",
        "all_tasks_done", "unfinished_tasks", "_value", "_flag", "_waiters",
    }
)  # fmt: skip
"""Attributes whose holder may be a real lock or queue, which is replaced by a stand-in then."""

Nested = Callable[[CodeType, frozenset[str]], CodeType]
"""Rewrites nested code, given which of its free variables are never bound again."""


def rewritten(
    code: CodeType,
    hooks: Hooks,
    done: Nested,
    constants: frozenset[str] = frozenset(),
    *,
    tells_of_return: bool = False,
) -> CodeType:
    """Return a copy of ``code`` that calls the hooks.

    Args:
        code: a function's, or one nested in it.
        hooks: called before accesses to memory.
        done: rewrites nested code.
        constants: free variables that are bound before any function gets their cell, and never
            again: to read them is no access.
        tells_of_return: also call a hook before the code returns, unless by an error.
    """
    original = Bytecode.from_code(code, conserve_exception_block_stackdepth=True)
    constants |= {name for name in code.co_cellvars if is_constant(name, original)}
    made = Bytecode(list(_instructions(original, hooks, done, constants)))
    if not code.co_flags & (inspect.CO_COROUTINE | inspect.CO_ASYNC_GENERATOR):
        made = Bytecode(list(_told_of_entering(made, hooks)))
    if tells_of_return:
        made = Bytecode(list(_told_of_return(made, hooks)))
    return _assembled(made, original, code)


def telling_of_entering(code: CodeType, hooks: Hooks) -> CodeType:
    """Return a copy of ``code`` that calls one hook, when it begins."""
    original = Bytecode.from_code(code, conserve_exception_block_stackdepth=True)
    return _assembled(Bytecode(list(_told_of_entering(original, hooks))), original, code)


def _assembled(made: Bytecode, original: Bytecode, code: CodeType) -> CodeType:
    """Assemble rewritten instructions, with the names and positions of the original code."""
    made._copy_attr_from(original)
    # A hook is called with copies of what a call takes, and then there is the hook itself.
    room = code.co_stacksize * 2 + _HOOK_ROOM
    result = made.to_code(stacksize=room, compute_exception_stack_depths=False)
    return result.replace(co_qualname=code.co_qualname)


def _instructions(
    original: Bytecode, hooks: Hooks, done: Nested, constants: frozenset[str]
) -> Iterator[Any]:
    held: list[Instr] = []  # what has to stay directly before a call
    before = ""
    for instruction in original:
        if not isinstance(instruction, Instr):
            yield instruction
            continue
        if instruction.name in {"KW_NAMES", "PRECALL"}:
            held.append(instruction)
            continue
        if not _reads_constant(instruction, constants):
            yield from _at(
                instruction.location, _hook(instruction, before, hooks, original.qualname)
            )
        yield from held
        held.clear()
        if isinstance(instruction.arg, CodeType):
            nested = done(instruction.arg, constants.intersection(instruction.arg.co_freevars))
            yield Instr(instruction.name, nested, location=instruction.location)
        else:
            yield from _performed(instruction, hooks)
        before = instruction.name


def _performed(instruction: Instr, hooks: Hooks) -> Iterator[Instr]:
    """Yield an equivalent of an instruction, and the call of a hook if it makes a function."""
    here = instruction.location
    if _loads_method(instruction):
        yield _plain(instruction, here)
        yield Instr("PUSH_NULL", location=here)
        if _NULL_COMES_FIRST:
            yield Instr("SWAP", 2, location=here)
        return
    yield instruction
    if instruction.name == "MAKE_FUNCTION":
        yield from _at(here, [*_call(hooks["made_function"], (1,), []), Instr("POP_TOP")])


_NOWHERE = InstrLocation(None, None, None, None)
"""The location of a call on no line, so that a trace function sees no additional line."""


def _told_of_entering(code: Bytecode, hooks: Hooks) -> Iterator[Any]:
    for instruction in code:
        yield instruction
        if isinstance(instruction, Instr) and instruction.name == "RESUME":
            yield from _at(_NOWHERE, [*_call(hooks["entered"], (), []), Instr("POP_TOP")])


def _told_of_return(code: Bytecode, hooks: Hooks) -> Iterator[Any]:
    for instruction in code:
        if isinstance(instruction, Instr) and instruction.name in _RETURNS:
            told = [*_call(hooks["returning"], (), []), Instr("POP_TOP")]
            yield from _at(instruction.location, told)
        yield instruction


_RETURNS = frozenset({"RETURN_VALUE", "RETURN_CONST"})


def _at(location: Any, instructions: list[Instr]) -> list[Instr]:
    for instruction in instructions:
        instruction.location = location
    return instructions


def _loads_method(instruction: Instr) -> bool:
    """Say whether an instruction leaves two values on the stack, of which one may be NULL."""
    if instruction.name == "LOAD_METHOD":
        return True
    argument = instruction.arg
    loads = instruction.name in {"LOAD_ATTR", "LOAD_SUPER_ATTR"}
    return loads and isinstance(argument, tuple) and bool(argument[0])


def _plain(instruction: Instr, here: Any) -> Instr:
    """Return the instruction that loads an attribute alone, without its object for a call."""
    argument: Any = instruction.arg
    if instruction.name == "LOAD_SUPER_ATTR":
        return Instr("LOAD_SUPER_ATTR", (False, *argument[1:]), location=here)
    name = argument[1] if isinstance(argument, tuple) else argument
    return Instr("LOAD_ATTR", name if _HAS_PRECALL else (False, name), location=here)


def _hook(instruction: Instr, before: str, hooks: Hooks, function: str) -> list[Instr]:
    """Return the call of the hook that belongs before an instruction of a function."""
    name = instruction.name
    argument: Any = instruction.arg
    known = _SIMPLE.get(name)
    if known is not None:
        hook, operands, is_named = known
        constants = [argument[1] if isinstance(argument, tuple) else argument] if is_named else []
        return [*_call(hooks[hook], operands, constants), Instr("POP_TOP")]
    if name in _ATTRIBUTES:
        return _before_attribute(*_ATTRIBUTES[name], argument, hooks)
    if name == "BINARY_OP":
        return _before_operator(int(argument), hooks)
    if name in _CELL_LOADS:
        is_class = argument.name == "__class__"
        return [] if is_class else _cell(hooks["load_cell"], argument, function)
    if name in {"STORE_DEREF", "DELETE_DEREF"}:
        return _cell(hooks["store_cell"], argument, function)
    if name == "FORMAT_VALUE":
        has_specification = bool(argument[0] if isinstance(argument, tuple) else argument & 4)
        operands = (2,) if has_specification else (1,)
        return [*_call(hooks["read_deeply"], operands, []), Instr("POP_TOP")]
    if _tests(name, before):
        return [*_call(hooks["read"], (1,), []), Instr("POP_TOP")]
    return _before_taking(name, argument, hooks)


def _before_attribute(
    hook: str, operands: tuple[int, ...], argument: Any, hooks: Hooks
) -> list[Instr]:
    attribute = argument[-1] if isinstance(argument, tuple) else argument
    if len(operands) == 1 and attribute in OF_TOOLS:
        return _replacing(hooks["load_method"], operands, [attribute])
    return [*_call(hooks[hook], operands, [attribute]), Instr("POP_TOP")]


def _before_operator(operation: int, hooks: Hooks) -> list[Instr]:
    if operation >= _FIRST_IN_PLACE:
        return _replacing(hooks["change_in_place"], (1, 2), [operation])
    return [*_call(hooks["read_both"], (2, 1), []), Instr("POP_TOP")]


def _tests(name: str, before: str) -> bool:
    """Say whether a jump tests the truth of an object."""
    return ("IF_TRUE" in name or "IF_FALSE" in name) and before not in _BOOLEANS


def _before_taking(name: str, argument: Any, hooks: Hooks) -> list[Instr]:
    """Return the call of a hook that may replace an operand of the instruction."""
    if name in _REPLACED:
        taking, operands, is_counted = _REPLACED[name]
        return _replacing(hooks[taking], operands, [argument] if is_counted else [])
    gap = 0 if _NULL_COMES_FIRST else 1  # what stands between the callable and its arguments
    if name == "CALL":
        depth = argument + gap + 1
        operands = (depth, *range(argument, 0, -1))
        hook = hooks["call"]
    elif name == "CALL_KW":  # the names of keywords are on the top
        depth = argument + gap + 2
        operands = (depth, *range(argument + 1, 1, -1))
        hook = hooks["call"]
    elif name == "CALL_FUNCTION_EX":
        keywords = argument & 1
        depth = 2 + keywords + gap
        operands = (depth, *range(1 + keywords, 0, -1))
        hook = hooks["call_unpacked"]
        taken = _replacing(hooks["take_arguments"], (1 + keywords,), [])
        return [*taken, *_replacing(hook, operands, [])]
    else:
        return []
    return _replacing(hook, operands, [])


def _replacing(
    hook: Callable[..., Any], operands: tuple[int, ...], constants: list[Any]
) -> list[Instr]:
    """Call a hook and put what it returns in the place of its first operand."""
    made = _call(hook, operands, constants)
    return [*made, Instr("SWAP", operands[0] + 1), Instr("POP_TOP")]


def _call(hook: Callable[..., Any], operands: tuple[int, ...], constants: list[Any]) -> list[Instr]:
    """Call a hook with copies of operands (1 is the top of the stack), and with constants."""
    made = [Instr("PUSH_NULL"), Instr("LOAD_CONST", hook)]
    if not _NULL_COMES_FIRST:
        made.reverse()
    made += [Instr("COPY", depth + 2 + number) for number, depth in enumerate(operands)]
    made += [Instr("LOAD_CONST", constant) for constant in constants]
    count = len(operands) + len(constants)
    if _HAS_PRECALL:
        made.append(Instr("PRECALL", count))
    return [*made, Instr("CALL", count)]


def _reads_constant(instruction: Instr, constants: frozenset[str]) -> bool:
    argument = instruction.arg
    return (
        instruction.name in _CELL_LOADS
        and isinstance(argument, CellVar | FreeVar)
        and argument.name in constants
    )


def _cell(hook: Callable[..., Any], variable: Any, function: str) -> list[Instr]:
    """Call a hook with a cell and the qualified name of its variable."""
    assert isinstance(variable, CellVar | FreeVar), "a cell is named by its variable"
    owner = function if isinstance(variable, CellVar) else enclosing(function)
    name = name_of_variable(owner, variable.name)
    load = "LOAD_CLOSURE" if _NULL_COMES_FIRST else "LOAD_FAST"
    made = [Instr("PUSH_NULL"), Instr("LOAD_CONST", hook)]
    if not _NULL_COMES_FIRST:
        made.reverse()
    made += [Instr(load, variable), Instr("LOAD_CONST", name)]
    if _HAS_PRECALL:
        made.append(Instr("PRECALL", 2))
    return [*made, Instr("CALL", 2), Instr("POP_TOP")]
