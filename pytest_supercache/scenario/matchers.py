"""Matchers for the answers of steps, as frozen values, and the sentence for a mismatch.

A mapping matches an answer that has at least its fields; everything else matches if it is equal.
Text and UTF-8 bytes are equal, and text that is JSON is parsed where a mapping or list is expected:
a cache stores encoded values, and people think in data.
"""

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pytest_supercache.core.value_text import data_text, seen_text
from pytest_supercache.scenario.answers import decoded_json, is_same
from pytest_supercache.scenario.variables import Reference, VariableError, look_up, resolve


@dataclass(frozen=True, slots=True, kw_only=True)
class Equal:
    """Matches this value: `20`."""

    value: str | int | float | bool | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Fields:
    """Matches a mapping with at least these fields: `{price: 120}`."""

    fields: tuple[tuple[str, "Matcher"], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Items:
    """Matches a list of exactly these items: `[1, {price: 120}]`."""

    items: tuple["Matcher", ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Exactly:
    """Matches exactly these data, with variables replaced: `{exactly: {price: 120}}`."""

    data: Any


@dataclass(frozen=True, slots=True, kw_only=True)
class Variable:
    """Matches exactly the value of a variable: `$shown.price`."""

    reference: Reference


@dataclass(frozen=True, slots=True, kw_only=True)
class OneOf:
    """Matches any of these, errors included: `{one_of: [20, {raises: LookupError}]}`."""

    options: tuple["Matcher | Raises", ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Raises:
    """Matches an error of this class or a subclass; only inside `one_of`."""

    name: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Not:
    """Matches all that the inner matcher does not: `{not: {price: 100}}`."""

    matcher: "Matcher"


@dataclass(frozen=True, slots=True, kw_only=True)
class Bounds:
    """Matches a number between these, both included: `{at_least: 0, at_most: 10}`."""

    at_least: int | float | Reference | None
    at_most: int | float | Reference | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Missing:
    """Matches the lack of a value, which for a cache is None: `missing`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Anything:
    """Matches any answer that is no error: `any`."""


Matcher = Equal | Fields | Items | Exactly | Variable | OneOf | Not | Bounds | Missing | Anything


def mismatch(matcher: Matcher, actual: object, variables: Mapping[str, Any]) -> str | None:
    """Return one sentence with the expected and the actual value; None if ``actual`` matches."""
    try:
        return _mismatch(matcher, actual, variables)
    except VariableError as error:
        return f"expected {describe(matcher)}, but {error}"


def error_mismatch(
    step_raises: str | None, matcher: Matcher | None, error: BaseException | None
) -> str | None:
    """Return how a step's error, or its lack, differs from what the step allows.

    Args:
        step_raises: The step's `raises:`, an error it must end with.
        matcher: The step's `expect:`, whose `one_of` may allow errors; None without one.
        error: What the step raised; None if it answered (then `mismatch` judges the answer).
    """
    if error is None:
        return f"expected {step_raises}, but the step succeeded" if step_raises else None
    seen = f"{type(error).__name__}: {error!s:.200}".rstrip(": ")
    if step_raises is not None:
        return None if _is_a(error, step_raises) else f"expected {step_raises}, raised {seen}"
    if matcher is None:
        return f"no error was expected, raised {seen}"
    if any(_is_a(error, name) for name in _allowed_errors(matcher)):
        return None
    return f"expected {describe(matcher)}, raised {seen}"


def describe(matcher: "Matcher | Raises") -> str:
    """Return a matcher in the notation of scenario files."""
    match matcher:
        case Equal(value=value):
            return data_text(value)
        case Fields(fields=fields):
            return "{" + ", ".join(f"{name}: {describe(want)}" for name, want in fields) + "}"
        case Items(items=items):
            return "[" + ", ".join(map(describe, items)) + "]"
        case Exactly(data=data):
            return f"exactly {data_text(data)}"
        case OneOf(options=options):
            return "one of " + ", ".join(map(describe, options))
        case Not(matcher=inner):
            return f"not {describe(inner)}"
        case _:
            return _describe_word(matcher)


def _describe_word(matcher: "Matcher | Raises") -> str:
    match matcher:
        case Variable(reference=reference):
            return str(reference)
        case Raises(name=name):
            return f"the error {name}"
        case Bounds(at_least=at_least, at_most=at_most):
            bounds = (("at least", at_least), ("at most", at_most))
            return " and ".join(f"{word} {limit}" for word, limit in bounds if limit is not None)
        case Missing():
            return "missing"
        case _:
            return "any"


def _mismatch(matcher: Matcher, actual: object, variables: Mapping[str, Any]) -> str | None:
    match matcher:
        case Fields():
            return _fields_mismatch(matcher, actual, variables)
        case Items():
            return _items_mismatch(matcher, actual, variables)
        case OneOf():
            return _one_of_mismatch(matcher, actual, variables)
        case Bounds():
            return _bounds_mismatch(matcher, actual, variables)
        case Not(matcher=inner):
            is_match = _mismatch(inner, actual, variables) is None
        case _:
            return _value_mismatch(matcher, actual, variables)
    return _difference(describe(matcher), actual) if is_match else None


def _value_mismatch(matcher: Matcher, actual: object, variables: Mapping[str, Any]) -> str | None:
    match matcher:
        case Equal(value=value):
            is_match = is_same(value, actual)
        case Exactly(data=data):
            is_match = is_same(resolve(data, variables), actual)
        case Variable(reference=reference):
            value = look_up(reference, variables)
            shown = f"{reference} ({seen_text(value)})"
            return None if is_same(value, actual) else _difference(shown, actual, [value])
        case Missing():
            is_match = actual is None
        case _:
            is_match = True
    if is_match:
        return None
    return _difference(describe(matcher), actual, _plain_values(matcher))


def _fields_mismatch(matcher: Fields, actual: object, variables: Mapping[str, Any]) -> str | None:
    data = decoded_json(actual)
    if not isinstance(data, Mapping):
        return _difference(describe(matcher), actual)
    for name, want in matcher.fields:
        if name not in data and not isinstance(want, Missing):
            lack = f"there is no such field in {seen_text(data)}"
            return f"{name}: expected {describe(want)}, but {lack}"
        if said := _mismatch(want, data.get(name), variables):
            return _inside(name, said)
    return None


def _items_mismatch(matcher: Items, actual: object, variables: Mapping[str, Any]) -> str | None:
    data = decoded_json(actual)
    if not isinstance(data, Sequence) or isinstance(data, str | bytes):
        return _difference(describe(matcher), actual)
    if len(data) != len(matcher.items):
        return f"expected {len(matcher.items)} items, saw {len(data)}: {seen_text(data)}"
    for index, want in enumerate(matcher.items):
        if said := _mismatch(want, data[index], variables):
            return _inside(f"[{index}]", said)
    return None


def _one_of_mismatch(matcher: OneOf, actual: object, variables: Mapping[str, Any]) -> str | None:
    for option in matcher.options:
        # `mismatch`, because a variable without a value only rules out its own option: in one
        # interleaving the read that sets it finds nothing.
        if not isinstance(option, Raises) and mismatch(option, actual, variables) is None:
            return None
    return _difference(describe(matcher), actual, _plain_values(matcher))


def _bounds_mismatch(matcher: Bounds, actual: object, variables: Mapping[str, Any]) -> str | None:
    lower, upper = (_limit(limit, variables) for limit in (matcher.at_least, matcher.at_most))
    is_number = isinstance(actual, int | float) and not isinstance(actual, bool)
    if (
        is_number
        and (lower is None or actual >= lower)  # type: ignore[operator]  # is_number narrows it
        and (upper is None or actual <= upper)  # type: ignore[operator]  # likewise
    ):
        return None
    is_text = isinstance(actual, str | bytes)
    said = _difference(describe(matcher), actual)
    return f"{said} (a number was expected, and this is text)" if is_text else said


def _limit(limit: float | Reference | None, variables: Mapping[str, Any]) -> float | None:
    value = look_up(limit, variables) if isinstance(limit, Reference) else limit
    if value is None and limit is None:
        return None
    if not isinstance(value, int | float) or isinstance(value, bool):
        raise VariableError(f"{limit} is not a number: {seen_text(value)}")
    return value


def _allowed_errors(matcher: Matcher) -> list[str]:
    if not isinstance(matcher, OneOf):
        return []
    names = [option.name for option in matcher.options if isinstance(option, Raises)]
    nested = [option for option in matcher.options if isinstance(option, OneOf)]
    return names + [name for option in nested for name in _allowed_errors(option)]


def _is_a(error: BaseException, name: str) -> bool:
    module, _, short = name.rpartition(".")
    for kind in type(error).__mro__:
        if kind.__name__ != short and kind.__qualname__ != name:
            continue
        # `redis.ConnectionError` is defined in `redis.exceptions`: people name where they import.
        if (
            not module
            or kind.__qualname__ == name
            or f"{kind.__module__}.".startswith(f"{module}.")
        ):
            return True
    return False


def _difference(expected: str, actual: object, wanted: Iterable[object] = ()) -> str:
    """Return the sentence for a mismatch; it says so if only the kind of a value differs."""
    kind, text = _kind(actual)
    looks_alike = [other for other, same in map(_kind, wanted) if same == text and other != kind]
    said = f"expected {expected}, saw {seen_text(actual)}"
    return f"{said} ({looks_alike[0]} was expected, and this is {kind})" if looks_alike else said


def _kind(value: object) -> tuple[str, str]:
    """Return the kind of a plain value in words, and its text."""
    match value:
        case bytes():
            return "text", value.decode("utf-8", "replace")
        case str():
            return "text", value
        case bool() | None:
            return "no text", json.dumps(value)
        case int() | float():
            return "a number", str(value)
        case _:
            return "no text", ""


def _plain_values(matcher: "Matcher | Raises") -> list[object]:
    """Return the values that a matcher names, without those of variables."""
    match matcher:
        case Equal(value=value) | Exactly(data=str() | int() | float() as value):
            return [value]
        case OneOf(options=options):
            return [value for option in options for value in _plain_values(option)]
        case _:
            return []


def _inside(place: str, said: str) -> str:
    is_nested = not said.startswith("expected ")
    return f"{place}.{said}" if is_nested else f"{place}: {said}"
