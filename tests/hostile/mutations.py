"""Mutated inputs: each is read to a result or to one of our own errors, and nothing else happens.

    python -m tests.hostile.mutations --seed 1 --count 100000

prints how many inputs of which kind there were, how many were accepted, and every one that was not
dealt with as it should.
"""

import argparse
import json
import signal
import sys
import tempfile
import tracemalloc
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from copy import deepcopy
from pathlib import Path
from random import Random
from typing import Any

from tests.hostile.readers import FILES, READERS, Reader, outcome
from tests.hostile.watching import watched

SECONDS_MAX = 30
"""For one input; the slowest takes a tenth of a second."""

BYTES_MAX = 200_000_000
"""Of memory for one input, where it is measured, which takes long."""

_MEASURED = 20
"""One in so many is, where any is."""

ODD = (
    "# coding: utf-7\n", "+AAo-import os", "!!python/object/apply:os.system ['x']", "\udcff",
    "__import__('os')", "../../../../../../etc/passwd", "/dev/zero", "\0", "\x1b[2J", "\u202e",
    "\ud800", "\u2028", "\x85", "\r", "\ufeff", "9" * 5_000, "-" + "9" * 5_000, "1e999", "nan",
    ".nan", "inf", "NaN", "Infinity", "0x" + "f" * 5_000, "[" * 300, "{" * 300, "]" * 9,
    "a." * 300, "'''", '"""', "*999999,", ",a*999999" * 20, ";tick@1" * 20, "!" * 3_000, "%ff",
    "%00", "%ED%A0%80", "&a [*a]", "*a", "<<: ", "~", "null", "true", "[]", "{}", '["invoke"]',
    "\n", "\n\n", "\t", " ", ":", ",", "@", "#", "=", "$x", "${x}", "redis://:secret@host",
    "https://u:p@h/", "a" * 300, "é", "\U0001f600", "1979-05-27T07:32:00Z", "9999-12-31",
    "0000-00-00", "[[known]]\n", "[a.b.c]\n", "<script>", "::error::", "=cmd()",
    "pause(a,1,0,nan)@1", "cancel(a,1,0,antigravity.X)@1",
)  # fmt: skip
VALUES: tuple[Any, ...] = (
    None, True, 0, -1, 10**400, 1e308, "", "x", "\ud800", "\u202e\x1b", [], {}, ["invoke"], [[]],
    [None], {"": None}, "coding: utf-7", "../../x.py", "a;import os", "redis://:secret@host",
    "9" * 5_000, [0] * 1_000, {"scenario": 5}, {"file": "/etc/passwd", "test": "x\nimport os"},
    {"file": "t.py", "test": "x", "conftests": ["../evil.py"]},
)  # fmt: skip


class Wrong(Exception):  # noqa: N818 - the name of a result
    """An input that is not dealt with as it should."""


def mutated(text: str, source: Random) -> bytes:
    """Return a text with a few edits; what looks like JSON is edited by its parts now and then."""
    if text.startswith("{") and source.random() < 0.8:
        text = _edited_document(text, source)
        if source.random() < 0.7:
            return text.encode("utf-8", "surrogatepass")
    for _ in range(source.choice((1, 1, 2, 3, 6))):
        text = source.choice(_EDITS)(text, source)
    data = text.encode("utf-8", "surrogatepass")
    if source.random() < 0.1 and data:
        at = source.randrange(len(data))
        data = data[:at] + bytes([source.randrange(256)]) + data[at + 1 :]
    return data


def _span(text: str, source: Random, most: int = 30) -> tuple[int, int]:
    start = source.randint(0, len(text))
    return start, min(len(text), start + source.randint(0, most))


def _cut(text: str, source: Random) -> str:
    start, end = _span(text, source)
    return text[:start] + text[end:]


def _end(text: str, source: Random) -> str:
    return text[: source.randint(0, len(text))]


def _repeat(text: str, source: Random) -> str:
    start, end = _span(text, source, 80)
    return text[:end] + text[start:end] * source.choice((1, 2, 50)) + text[end:]


def _insert(text: str, source: Random) -> str:
    at = source.randint(0, len(text))
    return text[:at] + source.choice(ODD) + text[at:]


def _replace(text: str, source: Random) -> str:
    start, end = _span(text, source, 12)
    return text[:start] + source.choice(ODD) + text[end:]


def _value(text: str, source: Random) -> str:
    """Replace what stands behind a `:`, `=` or `,`: the rest stays valid more often."""
    places = [at for at, char in enumerate(text) if char in ":=,("]
    if not places:
        return text
    start = source.choice(places) + 1
    ends = [end for end in (text.find(stop, start) for stop in ",\n})]") if end >= 0]
    return text[:start] + source.choice(ODD) + text[min(ends, default=len(text)) :]


def _lines(text: str, source: Random) -> str:
    rows = text.splitlines(keepends=True)
    source.shuffle(rows)
    return "".join(rows)


_EDITS: tuple[Callable[[str, Random], str], ...] = (
    _cut, _end, _repeat, _insert, _replace, _value, _value, _lines
)  # fmt: skip


def _edited_document(text: str, source: Random) -> str:
    """Replace, remove or add parts of JSON, or of one of its lines."""
    rows = text.splitlines()
    at = source.randrange(len(rows))
    data = json.loads(rows[at])
    for _ in range(source.choice((1, 1, 2, 4))):
        holder, name = source.choice(list(_parts(data)))
        if source.random() < 0.2:
            del holder[name]
        else:
            holder[name] = deepcopy(source.choice(VALUES))
        if not data:
            break
    rows[at] = json.dumps(data, ensure_ascii=source.random() < 0.5)
    return "\n".join(rows) + "\n"


def _parts(data: Any) -> Iterator[tuple[Any, Any]]:
    names = list(data) if isinstance(data, dict) else range(len(data))
    for name in names:
        yield data, name
        if isinstance(data[name], dict | list):
            yield from _parts(data[name])


@contextmanager
def limited(seconds: float) -> Iterator[None]:
    """Raise in what takes longer."""

    def end(*_: object) -> None:
        raise Wrong(f"took longer than {seconds} s")

    before = signal.signal(signal.SIGALRM, end)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def judged(reader: Reader, path: Path, *, seconds: float = SECONDS_MAX) -> str:
    """Return what a reader makes of a file.

    Raises:
        Wrong: neither a result nor an error of ours; or something else was done, too.
    """
    try:
        with watched(path.parent) as seen, limited(seconds):
            said = outcome(reader, path)
    except Wrong:
        raise
    except Exception as error:
        raise Wrong(f"{type(error).__name__}: {error!s:.300}") from error
    if seen:
        raise Wrong(f"besides reading: {'; '.join(dict.fromkeys(seen))}")
    return said


def prepared(folder: Path, reader: Reader) -> Path:
    """Write what a reader needs into a folder, let it import all that it uses; return its path.

    What stands there is accepted.
    """
    for name, text in FILES.items():
        (folder / name).write_text(text, encoding="utf-8")
    path = folder / reader.name
    for text in reader.texts:
        path.write_text(text, encoding="utf-8")
        reader.read(path)
        path.write_text(f"{text}\n\0[[", encoding="utf-8")
        outcome(reader, path)
    path.write_text(reader.texts[0], encoding="utf-8")
    return path


def run(kind: str, folder: Path, count: int, seed: int, *, measures: bool = False) -> Counter[str]:
    """Give a reader ``count`` mutated inputs and count what comes out.

    Raises:
        Wrong: one is not dealt with as it should; says how to make it again.
    """
    reader = READERS[kind]
    path = prepared(folder, reader)
    found: Counter[str] = Counter()
    for number in range(count):
        source = Random(f"{seed}:{kind}:{number}")
        data = mutated(source.choice(reader.texts), source)
        _write(path, data)
        judge = measured if measures and number % _MEASURED == 0 else judged
        try:
            found[judge(reader, path)] += 1
        except Wrong as wrong:
            raise Wrong(f"{kind} {seed}:{number}: {wrong}\n{data[:2_000]!r}") from wrong
    return found


def _write(path: Path, data: bytes) -> None:
    """Write a file anew; to empty one that is there takes longer than all that is done with it."""
    path.unlink()
    path.write_bytes(data)


def measured(reader: Reader, path: Path) -> str:
    """Do what `judged` does, and raise Wrong if it takes too much memory."""
    tracemalloc.start()
    try:
        said = judged(reader, path)
        most = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    if most > BYTES_MAX:
        raise Wrong(f"took {most:,} bytes")
    return said


def told(kind: str, found: Counter[str]) -> str:
    """Return one line about a kind of input."""
    return (
        f"{kind}: {found.total():,} inputs, {found['accepted']:,} accepted, "
        f"{found['refused']:,} refused, {found['wrong']:,} wrong"
    )


def main() -> int:
    """Run as a program; return how many were wrong, at most 1 of a kind."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--count", type=int, default=100_000)
    parser.add_argument("--kind", choices=READERS, action="append")
    given = parser.parse_args()
    whole: Counter[str] = Counter()
    share = sum(reader.long for reader in READERS.values())
    for kind in given.kind or READERS:
        with tempfile.TemporaryDirectory() as name:
            count = -(-given.count * READERS[kind].long // share)
            try:
                found = run(kind, Path(name), count, given.seed)
            except Wrong as wrong:
                sys.stdout.write(f"{wrong}\n")
                found = Counter({"wrong": 1})
        sys.stdout.write(f"{told(kind, found)}\n")
        whole += found
    sys.stdout.write(f"{told('all', whole)}\n")
    return whole["wrong"]


if __name__ == "__main__":
    sys.exit(main())
