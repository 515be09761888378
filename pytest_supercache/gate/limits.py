"""Where a GO says less than it seems: what was judged, searched or drawn in the runs it rests on.

Such runs are evidence of what they looked at. Which they are, and what that was, stands beside the
verdict, because neither HOLDS nor an exhausted search tells it.
"""

from collections.abc import Iterable, Iterator

from pytest_supercache.gate.evidence import Row

_NAMED_MAX = 5


def limits_of(proofs: Iterable[Row]) -> Iterator[str]:
    """Yield what the rows that a GO rests on say less about, each with their names."""
    proofs = list(proofs)
    judged: dict[str, list[str]] = {}
    for row in proofs:
        if row.scope.get("judged only"):
            judged.setdefault(str(row.scope["judged only"]), []).append(row.id)
    for what, names in sorted(judged.items()):
        yield f"judged only for {what}, by no guarantee: {listed(names)}"
    declared = [row.id for row in proofs if row.scope.get("memory") == "declared"]
    if declared:
        yield f"only declared memory was searched: {listed(declared)}"
    atomic = [
        f"{row.id} ({row.scope['declared atomic']})"
        for row in proofs
        if row.scope.get("declared atomic")
    ]
    if atomic:
        yield f"shared memory was taken as atomic, as declared: {listed(atomic)}"
    drawn = [f"{row.id} ({_examples(row)})" for row in proofs if "examples" in row.scope]
    if drawn:
        yield f"a sample of the inputs, drawn by @given: {listed(drawn)}"


def leaves_out_memory(row: Row) -> bool:
    """Say whether a run did not look at all the memory that its users share."""
    return row.scope.get("memory") == "declared" or bool(row.scope.get("declared atomic"))


def _examples(row: Row) -> str:
    count = row.scope["examples"]
    return f"{count} example{'' if count == 1 else 's'} drawn"


def listed(names: list[str]) -> str:
    """Name some, and count the others."""
    names = list(dict.fromkeys(names))
    shown, more = names[:_NAMED_MAX], len(names) - _NAMED_MAX
    return ", ".join([*shown, *([f"{more} more in verdict.json"] if more > 0 else [])])
