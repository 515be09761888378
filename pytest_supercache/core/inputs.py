"""Holds the bounds of all inputs, and reads files that may be hostile; all files are read here.

A file may have been made to exhaust time or memory. So pipes and devices are refused and never
waited for, no more is read than a bound allows, and depth is checked before anything recurses.
"""

import errno
import json
import os
import re
import stat
import tomllib
from collections import Counter
from pathlib import Path
from typing import Any, BinaryIO, NoReturn

from pytest_supercache.core.errors import SupercacheError

_MIB = 1 << 20

TEXT_BYTES_MAX = _MIB
"""For files that people write: scenario files, tables, settings, known issues, locks."""

DOCUMENT_BYTES_MAX = 128 * _MIB
"""For files that a run writes: verdict.json, results of Allure."""

RECORDING_BYTES_MAX = 256 * _MIB
"""For a history, which is read line by line."""

RECORDING_LINE_BYTES_MAX = _MIB
RECORDING_EVENTS_MAX = 1_000_000

TOKEN_CHARS_MAX = _MIB // 2
CHOICES_MAX = 100_000
"""For a token, counts included; an execution ends after a tenth of them."""

STRIKES_MAX = 100
"""For faults in one token; a check places three at most."""

DEPTH_MAX = 64
"""For nested brackets, and for the parts of a dotted name."""

DIGITS_MAX = 1_000
"""For numbers in TOML: Python neither reads nor writes some that are longer."""

ENTRIES_MAX = 1_000
"""For known issues, and for the mistakes in one message."""

SHOWN_MAX = 200
"""The number of characters of an input that a message about it shows."""


class InputError(SupercacheError):
    """A file that cannot be read, or a text that is not what it should be; names file and place."""


def open_regular(path: Path) -> BinaryIO:
    """Open a regular file for reading; refuse a pipe or a device at once, without waiting.

    Raises:
        OSError: it cannot be opened, or is something else.
    """
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except ValueError as error:  # a NUL
        raise OSError(errno.EINVAL, str(error), str(path)) from None
    if stat.S_ISREG(os.fstat(descriptor).st_mode):
        return os.fdopen(descriptor, "rb")
    os.close(descriptor)
    raise OSError(errno.EINVAL, "it is not a regular file", str(path))


def read_bytes(path: Path, bytes_max: int = TEXT_BYTES_MAX) -> bytes:
    """Read a file.

    Raises:
        FileNotFoundError: there is none.
        InputError: it cannot be read, is a link to nothing or no regular file, or is larger than
            ``bytes_max``.
    """
    try:
        with open_regular(path) as file:
            is_larger = os.fstat(file.fileno()).st_size > bytes_max
            data = b"" if is_larger else file.read(bytes_max + 1)
    except FileNotFoundError:
        if path.is_symlink():  # somebody meant a file to be there
            raise InputError(f"{path} is a link to nothing: mend or remove it") from None
        raise
    except OSError as error:
        raise InputError(f"{path} cannot be read: {error.strerror or error}") from error
    if is_larger or len(data) > bytes_max:
        raise InputError(f"{path} cannot be read: it is larger than {size_text(bytes_max)}")
    return data


def read_text(path: Path, bytes_max: int = TEXT_BYTES_MAX, encoding: str = "utf-8") -> str:
    """Read a file of text, with lines that end as Python's do.

    Raises:
        FileNotFoundError: there is none.
        InputError: it cannot be read, as in `read_bytes`, or is not text.
    """
    data = read_bytes(path, bytes_max)
    try:
        return data.decode(encoding).replace("\r\n", "\n").replace("\r", "\n")
    except UnicodeDecodeError as error:
        raise InputError(
            f"{path} cannot be read: byte 0x{data[error.start]:02x} at {error.start + 1} is not "
            "UTF-8"
        ) from error


def read_json(path: Path, bytes_max: int = DOCUMENT_BYTES_MAX) -> Any:
    """Read a file of JSON.

    Raises:
        FileNotFoundError: there is none.
        InputError: it cannot be read, as in `read_text`, or is not JSON within our bounds.
    """
    text = read_text(path, bytes_max)
    try:
        return parse_json(text)
    except ValueError as error:
        raise InputError(f"{path} cannot be read: {error}") from error


def parse_json(text: str) -> Any:
    """Parse JSON, without the numbers that only Python knows.

    Of a repeated key Python would silently keep the last value.

    Raises:
        ValueError: it is not JSON, goes too deep, or has an object with a key twice.
    """
    if _is_too_deep(_IN_JSON.sub("", text)):
        raise ValueError(f"nested more than {DEPTH_MAX} levels deep")
    return json.loads(text, parse_constant=_refuse_constant, object_pairs_hook=object_of)


def object_of(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Make a dict of the members of a JSON object.

    Raises:
        ValueError: it has a key twice.
    """
    found = dict(pairs)
    if len(found) < len(pairs):
        counted = Counter(name for name, _ in pairs)
        twice = next(name for name, times in counted.items() if times > 1)
        raise ValueError(f"an object has the key {quoted(twice)} twice; only one can be meant")
    return found


def parse_toml(text: str) -> dict[str, Any]:
    """Parse TOML.

    Raises:
        TOMLDecodeError: it is not TOML, or is nested too deeply, or has a number that is too long.
    """
    bare = _IN_TOML.sub("q", text)
    if _is_too_deep(_NO_BRACKET.sub("", bare)) or _DOTTED.search(bare):
        raise tomllib.TOMLDecodeError(f"nested more than {DEPTH_MAX} levels deep")
    if _DIGITS.search(bare):
        raise tomllib.TOMLDecodeError(f"a number of more than {DIGITS_MAX:,} digits")
    try:
        return tomllib.loads(text)
    except tomllib.TOMLDecodeError:
        raise
    except ValueError as error:  # a date that there is not
        raise tomllib.TOMLDecodeError(str(error)) from error


def quoted(text: str, limit: int = SHOWN_MAX) -> str:
    """Quote a part of an input for a message: printable, and shortened if it is long."""
    if len(text) <= limit:
        return repr(text)
    return f"{text[:limit]!r}... ({len(text):,} characters)"


def size_text(number: int) -> str:
    """Return a number of bytes in words."""
    return f"{number // _MIB:,} MiB" if number >= _MIB else f"{number:,} bytes"


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not a number in JSON")


# Possessive, and tried once for each word: no text makes them look at anything again and again.
_IN_JSON = re.compile(r'"[^"\\]*+(?:\\.[^"\\]*+)*+"?+|[^]\[{}"]++', re.DOTALL)
_IN_TOML = re.compile(
    r'"""(?:[^"\\]|\\.|"(?!""))*+(?:""")?+'
    r"|'''(?:[^']|'(?!''))*+(?:''')?+"
    r'|"(?:[^"\\\n]|\\.)*+"?+'
    r"|'[^'\n]*+'?+"
    r"|\#[^\n]*+",
    re.DOTALL,
)
_NO_BRACKET = re.compile(r"[^]\[{}]++")
_DIGITS = re.compile(rf"(?<![0-9A-Fa-f_])[0-9A-Fa-f_]{{{DIGITS_MAX + 1}}}")
_DOTTED = re.compile(rf"(?<![\w-])(?:[\w-]++[ \t]*+\.[ \t]*+){{{DEPTH_MAX}}}")


def _is_too_deep(brackets: str) -> bool:
    """Say whether brackets are nested too deeply; unbalanced ones are left to the parser."""
    brackets = brackets.replace("{", "[").replace("}", "]")
    for _ in range(DEPTH_MAX):
        inner = brackets.replace("[]", "")  # one level less everywhere
        if inner == brackets:
            break
        brackets = inner
    return "[]" in brackets or brackets.count("[") > DEPTH_MAX
