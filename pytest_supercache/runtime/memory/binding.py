"""Finds variables of closures that are bound once, before another function can see them.

To read such a variable is no access to shared memory: nobody writes it while others run.
"""

import dis
from collections.abc import Iterator
from types import CodeType
from typing import Any

from bytecode import Bytecode, Instr, Label
from bytecode.instr import CellVar

_BINDING = frozenset({"STORE_DEREF", "DELETE_DEREF"})
_SETTING_UP = frozenset({"MAKE_CELL", "COPY_FREE_VARS"})


def is_constant(name: str, owner: Bytecode) -> bool:
    """Say whether a variable is bound at most once, and before any other use of it.

    Args:
        name: a variable of ``owner`` that functions nested in it share.
        owner: the code of the function that the variable belongs to.
    """
    bindings: list[int] = []
    others: list[int] = []
    for index, instruction in enumerate(owner):
        if isinstance(instruction, Instr) and _is_about(instruction, name):
            (bindings if instruction.name in _BINDING else others).append(index)
    if any(_binds(nested, name) for nested in _nested_in(owner)):
        return False
    if not bindings:
        return True  # an argument
    (first, *again) = bindings
    return not again and first < min(others, default=first + 1) and not _is_in_loop(first, owner)


def _is_about(instruction: Instr, name: str) -> bool:
    """Say whether an instruction uses a variable; 3.13 loads some by their names."""
    if instruction.name in _SETTING_UP:
        return False
    argument: Any = instruction.arg
    variables = argument if isinstance(argument, tuple) else (argument,)
    return any(
        one.name == name if isinstance(one, CellVar) else "_FAST" in instruction.name
        for one in variables
        if one == name or isinstance(one, CellVar)
    )


def _nested_in(code: Bytecode) -> Iterator[CodeType]:
    for instruction in code:
        if isinstance(instruction, Instr) and isinstance(instruction.arg, CodeType):
            yield instruction.arg


def _binds(code: CodeType, name: str) -> bool:
    """Say whether nested code, at any depth, binds a free variable."""
    if name not in code.co_freevars:
        return False
    for instruction in dis.get_instructions(code):
        if instruction.opname in _BINDING and instruction.argval == name:
            return True
    return any(isinstance(one, CodeType) and _binds(one, name) for one in code.co_consts)


def _is_in_loop(index: int, owner: Bytecode) -> bool:
    """Say whether an instruction is in a loop: a jump leads from behind it to before it."""
    labels = {one: at for at, one in enumerate(owner) if isinstance(one, Label)}
    return any(
        at > index >= labels[instruction.arg]
        for at, instruction in enumerate(owner)
        if isinstance(instruction, Instr) and isinstance(instruction.arg, Label)
    )
