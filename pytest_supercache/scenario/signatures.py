"""Derives the options of a verb from its Python function: names, types, defaults and docstring.

The same facts check scenario files, make the JSON Schema and fill the reference page. A type that
YAML cannot represent is treated as any data, and checked by the function itself.
"""

import inspect
import re
import types
import typing
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Literal, Union, get_args, get_origin

from pytest_supercache.core.errors import SupercacheError
from pytest_supercache.scenario.grammar import BUILT_IN_VERBS, STEP_FIELDS, Kind, VerbSignature

RESERVED = frozenset((*BUILT_IN_VERBS, *STEP_FIELDS, "use", "with"))

_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_.-]*")
_ARGUMENT = re.compile(r"^\s+(\w+)(?: \([^)]*\))?:\s+(.+)$")
_KINDS: Mapping[Any, Kind] = {
    str: Kind.STRING,
    int: Kind.INTEGER,
    float: Kind.NUMBER,
    bool: Kind.BOOLEAN,
    list: Kind.LIST,
    tuple: Kind.LIST,
    Sequence: Kind.LIST,
    dict: Kind.MAPPING,
    Mapping: Kind.MAPPING,
}


def check_verb(name: str, function: Callable[..., Any]) -> None:
    """Refuse a verb that scenario files could not name or call.

    Raises:
        SupercacheError: saying what is wrong and what to do.
    """
    if not _NAME.fullmatch(name) or name in RESERVED:
        why = "means something already" if name in RESERVED else "is no word"
        raise SupercacheError(
            f"@verb({name!r}): the name {why}. Choose another one, of letters, digits and `_`."
        )
    if any(map(_is_generator_function, (function, type(function).__dict__.get("__call__")))):
        raise SupercacheError(
            f"@verb({name!r}): the function has a `yield`, so a call of it would run none of its "
            "code. Take `return` instead, or return the values: list(...)"
        )
    parameters = list(inspect.signature(function).parameters.values())
    if len([p for p in parameters if p.kind in _POSITIONAL]) < 2:
        raise SupercacheError(
            f"@verb({name!r}): the function must take the system and the user first, then the "
            "step's options: def checkout(shop, user, item)"
        )
    second = parameters[1]
    hint = _hints(function).get(second.name)
    if any(hint is kind for kind in _KINDS):
        raise SupercacheError(
            f"@verb({name!r}): the second parameter is the user who takes the step, and "
            f"{str(second)!r} looks like an option. Put the user before it: "
            f"def {function.__name__}({parameters[0].name}, user, {second})"
        )
    for parameter in parameters[2:]:
        if parameter.kind not in {parameter.POSITIONAL_OR_KEYWORD, parameter.KEYWORD_ONLY}:
            raise SupercacheError(
                f"@verb({name!r}): the option {parameter.name!r} has no name of its own in a "
                "scenario file. Write each option as a parameter that may be given by keyword."
            )


def _is_generator_function(function: Any) -> bool:
    return inspect.isgeneratorfunction(function) or inspect.isasyncgenfunction(function)


def check_told(
    name: str, option: str, told: Callable[..., Any], function: Callable[..., Any]
) -> None:
    """Refuse an ``observes`` or ``writes`` callable that cannot take a verb's options.

    Args:
        name: that of the verb.
        option: ``observes``, which is called with the answer first, or ``writes``.
        told: the callable.
        function: that of the verb; its options are passed by name.

    Raises:
        SupercacheError: with the signature of the callable and the call.
    """
    options = list(inspect.signature(function).parameters)[2:]
    first = ("answer",) if option == "observes" else ()
    wanted = inspect.signature(told)
    try:
        wanted.bind(*first, **dict.fromkeys(options))
    except TypeError as error:
        called = ", ".join((*first, *(f"{name}=..." for name in options)))
        raise SupercacheError(
            f"@verb({name!r}): {option}= takes {wanted}, but is called with ({called}): {error}"
        ) from error


_POSITIONAL = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)


def signature_of(function: Callable[..., Any]) -> VerbSignature:
    """Return the parameters of a verb: those of its function after the system and the user."""
    options = list(inspect.signature(function).parameters.values())[2:]
    hints = _hints(function)
    kinds: dict[str, Kind] = {}
    choices: dict[str, tuple[str, ...]] = {}
    optional = set()
    for option in options:
        hint, may_be_none = _without_none(hints.get(option.name, Any))
        if may_be_none or option.default is None:
            optional.add(option.name)
        if get_origin(hint) is Literal and all(isinstance(word, str) for word in get_args(hint)):
            kinds[option.name], choices[option.name] = Kind.CHOICE, get_args(hint)
        elif kind := _KINDS.get(get_origin(hint) or hint):
            kinds[option.name] = kind
    doc = inspect.getdoc(function) or ""
    return VerbSignature(
        parameters={option.name: option.default is inspect.Parameter.empty for option in options},
        doc=doc.partition("\n")[0],
        kinds=kinds,
        choices=choices,
        optional=frozenset(optional),
        docs=_argument_docs(doc, {option.name for option in options}),
    )


def _hints(function: Callable[..., Any]) -> dict[str, Any]:
    try:
        return typing.get_type_hints(function)
    except Exception:  # noqa: BLE001 - annotations are the project's; unknown names mean any data
        return {}


def _without_none(hint: Any) -> tuple[Any, bool]:
    if get_origin(hint) not in {Union, types.UnionType}:
        return hint, False
    rest = [part for part in get_args(hint) if part is not type(None)]
    return (rest[0] if len(rest) == 1 else Any), len(rest) < len(get_args(hint))


def _argument_docs(doc: str, names: set[str]) -> dict[str, str]:
    """Return the lines of a docstring of the form `name: description`, by name."""
    found = (_ARGUMENT.match(line) for line in doc.splitlines())
    return {match[1]: match[2] for match in found if match and match[1] in names}
