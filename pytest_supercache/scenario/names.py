"""Recognizes the file names of scenarios: `*.supercache.yaml` or `.yml`, in upper or lower case."""

import re
from codecs import BOM_UTF16_BE, BOM_UTF16_LE
from pathlib import Path

SUFFIX = ".supercache.yaml"
"""The suffix of new files."""

SUFFIXES = (SUFFIX, ".supercache.yml")


def is_scenario_file(name: str) -> bool:
    """Say whether a file of this name is a scenario file."""
    return name.lower().endswith(SUFFIXES)


_LIKE_OURS = (".yaml", ".yml", ".supercache", ".supercache.json")
_MARKS = {BOM_UTF16_LE: "utf-16-le", BOM_UTF16_BE: "utf-16-be"}
"""How YAML tells the encodings that are not UTF-8."""
_START = rb"(?:^|\r)(?:\xef\xbb\xbf)?[\"']?"
_END = rb"[\"']?[ \t]*:"
_HEAD = re.compile(_START + rb"scenario" + _END, re.MULTILINE)
_REST = re.compile(_START + rb"(users|systems?)" + _END, re.MULTILINE)
_BRACE = re.compile(rb"(?:\xef\xbb\xbf)?\s*\{")
_IN_BRACES = [re.compile(rb"[\"']" + word + rb"[\"']\s*:") for word in (b"scenario", b"users")]


def may_be_misnamed(name: str) -> bool:
    """Say whether a file that is not named like a scenario may be meant as one."""
    return name.lower().rstrip().endswith(_LIKE_OURS) and not is_scenario_file(name)


def is_text_of_scenario(text: bytes) -> bool:
    """Say whether a text has the lines that scenario files have, and hardly any other file."""
    for mark, encoding in _MARKS.items():
        if text.startswith(mark):
            text = text[len(mark) :].decode(encoding, "replace").encode(errors="replace")
    if _BRACE.match(text):
        return all(word.search(text) for word in _IN_BRACES)
    return bool(_HEAD.search(text) and _REST.search(text))


def stem_of(name: str) -> str:
    """Return the name of a scenario file without its suffix."""
    return name[: name.lower().rindex(".supercache.")]


def without_a_file(folder: Path) -> list[Path]:
    """Return the paths in a folder that are named like scenario files and are no regular files.

    Such a path is a folder, a pipe, a device, or a link to one of these or to nothing.
    """
    return [
        path
        for path in sorted(folder.iterdir())
        if is_scenario_file(path.name) and not path.is_file() and not is_hidden_link(path)
    ]


def is_hidden_link(path: Path) -> bool:
    """Say whether this is a hidden dangling link, which an editor uses as a lock file."""
    return path.name.startswith(".") and path.is_symlink() and not path.exists()
