"""Finds the limits of a GO: what its runs were not judged by, did not search or only sampled.

Such runs are evidence within these limits. The limits and the names of the runs are shown beside
the verdict, because neither HOLDS nor an exhausted search implies them.
"""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from pytest_supercache.gate.evidence import Row

_NAMED_MAX = 5

_TOLD = {
    ("memory", "declared"): "only declared memory was searched",
    ("first run", "not searched"): "a first run that took other steps was not searched",
    (
        "executed",
        "partly by earlier runs",
    ): "earlier runs executed a part (--supercache-store)",
    ("caches", "none"): "no step reached a cache, as if it were switched off",
    (
        "caches",
        "kept nothing",
    ): "each answer came from the origin, as if caches kept nothing",
    ("writes", "what was there"): "the users wrote what was there before, which cannot be outdated",
    ("orders", "one"): "the users could come in one order only, as if each waited for another",
    ("in common", "nothing"): "the users touched nothing in common, so no order mattered",
}
"""The limits that an entry of a row's scope names, by the entry and its value."""


_TOLD_WITH_NAMES = {
    "left by the body": "the body read what it had left there in an earlier execution",
    "replaced by fixtures": (
        "conftest files or fixtures replaced what belongs to the code under test"
    ),
    "declared atomic": "shared memory was taken as atomic, as declared",
}
"""The limits for which an entry of a row's scope has the names."""


def limits_of(proofs: Iterable[Row]) -> Iterator[str]:
    """Yield the limits of the rows that a GO rests on, each with the names of the rows."""
    proofs = list(proofs)
    yield from _hardly_judged(proofs)
    for (name, value), what in _TOLD.items():
        if found := [row.id for row in proofs if row.scope.get(name) == value]:
            yield f"{what}: {listed(found)}"
    for name, what in _TOLD_WITH_NAMES.items():
        if found := [f"{row.id} ({row.scope[name]})" for row in proofs if row.scope.get(name)]:
            yield f"{what}: {listed(found)}"
    drawn = [f"{row.id} ({_examples(row)})" for row in proofs if "examples" in row.scope]
    if drawn:
        yield f"a sample of the inputs, drawn by @given: {listed(drawn)}"


def _hardly_judged(proofs: list[Row]) -> Iterator[str]:
    judged: dict[str, list[str]] = {}
    for row in proofs:
        if row.scope.get("judged only"):
            judged.setdefault(str(row.scope["judged only"]), []).append(row.id)
    for what, names in sorted(judged.items()):
        yield f"judged only for {what}, by no guarantee: {listed(names)}"
    without = [
        f"{row.id} ({row.scope['no subject']})" for row in proofs if row.scope.get("no subject")
    ]
    if without:
        yield f"nobody did what could break the guarantees: {listed(without)}"


def limits_of_run(run: Mapping[str, Any]) -> Iterator[str]:
    """Yield the limits of a run as a whole: servers that somebody looked for and did not find."""
    if absent := run.get("in_vain_as_said"):
        yield f"servers were missing, as `absent` says: {listed(absent)}"
    if besides := run.get("in_vain_besides"):
        yield f"connections outside of the checks failed: {listed(besides)}"


def leaves_out_memory(row: Row) -> bool:
    """Say whether a run did not check all the memory that its users share."""
    return row.scope.get("memory") == "declared" or bool(row.scope.get("declared atomic"))


def _examples(row: Row) -> str:
    count = row.scope["examples"]
    return f"{count} example{'' if count == 1 else 's'} drawn"


def listed(names: list[str]) -> str:
    """Join the first names, and count the others."""
    names = list(dict.fromkeys(names))
    shown, more = names[:_NAMED_MAX], len(names) - _NAMED_MAX
    return ", ".join([*shown, *([f"{more} more in verdict.json"] if more > 0 else [])])
