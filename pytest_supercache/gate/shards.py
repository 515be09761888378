"""Divides the tests of a run among the machines of a CI matrix: each test belongs to one shard.

Every shard collects all tests, and computes the same division from their node ids alone. They are
dealt in turn, in the order of their digests: shards differ by one test at most, and variants of one
scenario, which stand side by side, do not all come to the same shard.
"""

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from hashlib import sha256
from typing import Any

from pytest_supercache.core.errors import SupercacheError
from pytest_supercache.core.masking import quoted

SHARDS_MAX = 1_000

_WRITTEN = re.compile(r"([0-9]{1,9})/([0-9]{1,9})", re.ASCII)


@dataclass(frozen=True, slots=True, kw_only=True)
class Shard:
    """One of several parts of a run, counted from 1."""

    index: int
    count: int

    def __str__(self) -> str:
        """Return the name that messages use."""
        return f"shard {self.index} of {self.count}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """The verdict of one shard, with the name of its file."""

    name: str
    shard: Shard
    document: Mapping[str, Any]

    @property
    def run(self) -> Mapping[str, Any]:
        """How the run of the shard ended."""
        found: Mapping[str, Any] = self.document["run"]
        return found

    @property
    def collected(self) -> dict[str, str]:
        """The names of the scenarios and explored tests of all shards, by node id."""
        return {str(one["node_id"]): str(one["id"]) for one in self.run["shard"]["collected"]}

    def __str__(self) -> str:
        """Return the name that messages use."""
        return f"{self.shard} ({self.name})"


def read_shard(text: str) -> Shard:
    """Parse the value of ``--supercache-shard``.

    Raises:
        SupercacheError: it is no shard.
    """
    found = _WRITTEN.fullmatch(text)
    if not found:
        raise SupercacheError(
            f"--supercache-shard={quoted(text)}: expected I/N, as in 1/4 for the first of four"
        )
    index, count = map(int, found.groups())
    if not 1 <= count <= SHARDS_MAX:
        raise SupercacheError(
            f"--supercache-shard={quoted(text)}: there can be 1 to {SHARDS_MAX:,} shards"
        )
    if not 1 <= index <= count:
        raise SupercacheError(
            f"--supercache-shard={quoted(text)}: expected a shard from 1/{count} to {count}/{count}"
        )
    return Shard(index=index, count=count)


def dealt(node_ids: Iterable[str], count: int) -> dict[str, int]:
    """Return the index of the shard of each test."""
    in_turn = sorted(set(node_ids), key=lambda name: (_digest(name), name))
    return {name: 1 + at % count for at, name in enumerate(in_turn)}


def digest_of_names(names: Iterable[str]) -> str:
    """Return a digest of a set of names."""
    return _digest(json.dumps(sorted(set(names))))


def incomplete(run: Mapping[str, Any] | None) -> Iterator[str]:
    """Yield each reason why a run is only a part of what is to be decided."""
    run = run or {}
    part = run.get("shard")
    if part is not None:
        yield (
            f"this is shard {part.get('index')} of {part.get('count')} and decides nothing by "
            "itself: give the files of all shards to `supercache merge`"
        )
    merge = run.get("merge")
    if merge is None:
        return
    yield from map(str, merge.get("wrong") or ())
    indices = sorted(one.get("index", 0) for one in merge.get("shards") or ())
    is_complete = indices == list(range(1, 1 + len(indices))) and len(indices) == merge.get("count")
    if not (merge.get("wrong") or is_complete):
        yield "verdict.json contradicts itself: it was merged from other shards than it counts"


def _digest(text: str) -> str:
    return sha256(text.encode(errors="surrogatepass")).hexdigest()
