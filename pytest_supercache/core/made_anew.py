"""Removes from texts what differs in every run: addresses of objects, names of temporary files.

Names come first: the random part of one may hold ``0x4f``, which reads as an address.
"""

import re

from pytest_supercache.core.folders import temporary_folder

_WRITTEN = r"(?:0x(?:[0-9a-fA-F]+|\.\.\.)|(?<=id=')[0-9]+)"
_ADDRESS = re.compile(_WRITTEN)
"""Matches an address as Python writes it, as `without_addresses` does, and as a mock shows its
number.
"""

_OBJECT = re.compile(rf"<(?:Task|Future)\b|(?:<\w[^<]*?)?{_WRITTEN}")
"""Matches where the text of an object begins that every run makes anew."""

_FOLDER = re.escape(temporary_folder() or "\0") + r"[/\\]+"
_IN_TEMPORARY = re.compile(rf"{_FOLDER}[^/\\\s'\"]+")
"""Matches the paths of files in the folder of temporary files."""

_RANDOM_NAME = re.compile(rf"{_FOLDER}tmp[a-z0-9_]{{8}}(?![a-z0-9_])")
"""Matches a path that `tempfile` makes, where code has given neither folder nor prefix."""


def without_addresses(text: str) -> str:
    """Return a text with the same dots for every address, except in random names."""
    kept = _RANDOM_NAME.findall(text)
    parts = [_ADDRESS.sub("0x...", part) for part in _RANDOM_NAME.split(text)]
    return "".join(part + name for part, name in zip(parts, [*kept, ""], strict=True))


def without_random_parts(text: str) -> str:
    """Return a text without addresses and without the random names of temporary files."""
    return _ADDRESS.sub("0x...", _RANDOM_NAME.sub("", text))


def lasting_beginning(text: str) -> str:
    """Return a text without paths of temporary files, up to the first object made anew.

    Sets list such objects by their addresses, so all that follows may have another order.
    """
    return _OBJECT.split(_IN_TEMPORARY.sub("", text), maxsplit=1)[0]
