"""Checks `wait_for`: each names an existing step of another user, and there is no cycle.

A cycle is one of "cannot start before": a step after the one above it, a wait after its event, a
user's end after the last step. The search has an explicit stack, because a file may have more steps
than Python has frames.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

from pytest_supercache.scenario.problems import Findings, Span

Place = tuple[str, int]  # a user and a position in the flow, from 0

_SHOWN_MAX = 8
_END = 1_000_000  # a user's end stands behind every position that a file can hold


@dataclass(frozen=True, slots=True, kw_only=True)
class Mark:
    """A step in the order of waits: its place, and its id or the event that it awaits."""

    user: str
    position: int
    name: str
    span: Span


def check_waits(
    users: Sequence[str], ids: Sequence[Mark], waits: Sequence[Mark], findings: Findings
) -> None:
    """Report waits for missing steps, for the same user, and in a cycle."""
    events = _events(users, ids, findings)
    targets: dict[Place, Place] = {}
    for wait in waits:
        target = events.get(wait.name)
        if target is None:
            _report_unknown(wait, users, events, findings)
        elif target[0] == wait.user:
            findings.report(
                wait.span,
                f"{wait.user} waits for itself",
                "a user's steps keep their order anyway; name another user's step",
            )
        else:
            targets[wait.user, wait.position] = target
    by_place = {(wait.user, wait.position): wait for wait in waits}
    for circle in _circles(targets):
        marks = [by_place[place] for place in circle]
        arrows = [f"{mark.user} waits for {mark.name}" for mark in marks[:_SHOWN_MAX]]
        more = [f"{len(marks) - _SHOWN_MAX} more"] if len(marks) > _SHOWN_MAX else []
        findings.report(
            marks[0].span,
            f"users wait in a circle: {', '.join(arrows + more)}",
            "take one of these waits out; no step after them is ever reached",
        )


def _events(users: Sequence[str], ids: Sequence[Mark], findings: Findings) -> dict[str, Place]:
    events: dict[str, Place] = {user: (user, _END) for user in users}
    for mark in ids:
        event = f"{mark.user}.{mark.name}"
        # Names may contain dots: the step `b` of user `a` reads like the user `a.b`.
        if events.setdefault(event, (mark.user, mark.position))[0] != mark.user:
            findings.report(
                mark.span, f"{event!r:.80} already means something else", "choose another id"
            )
    return events


def _report_unknown(
    wait: Mark, users: Sequence[str], events: Mapping[str, Place], findings: Findings
) -> None:
    others = [event for event, place in events.items() if place[0] != wait.user]
    user, dot, step = wait.name.partition(".")
    if user in users and dot:
        message = f"{user} has no step with the id {step!r:.80}"
    elif dot:
        message = f"there is no user {user!r:.80}"
    else:
        message = f"there is no user {wait.name!r:.80} and no step of that name"
    hint = findings.suggest(wait.name, others)
    findings.report(wait.span, message, hint or "give the awaited step an `id:`")


def _circles(targets: Mapping[Place, Place]) -> Iterator[list[Place]]:
    """Yield each cycle once, as its waits in the order of "waits for"."""
    order = _places_by_user([*targets, *targets.values()])
    done: set[Place] = set()
    for start in targets:
        if start not in done:
            yield from _circles_from(start, targets, order, done)


def _circles_from(
    start: Place,
    targets: Mapping[Place, Place],
    order: Mapping[Place, Place],
    done: set[Place],
) -> Iterator[list[Place]]:
    path: dict[Place, Iterator[Place]] = {start: _earlier(start, targets, order)}
    while path:
        here = next(reversed(path))
        before = next(path[here], None)
        if before is None:
            done.add(here)
            del path[here]
        elif before in path:
            around = list(path)
            circle = around[around.index(before) :]
            # A place belongs to the cycle by its wait if the next place is what it waits for.
            after = [*circle[1:], circle[0]]
            yield [
                place for place, to in zip(circle, after, strict=True) if targets.get(place) == to
            ]
        elif before not in done:
            path[before] = _earlier(before, targets, order)


def _earlier(
    place: Place, targets: Mapping[Place, Place], order: Mapping[Place, Place]
) -> Iterator[Place]:
    return (edges[place] for edges in (targets, order) if place in edges)


def _places_by_user(places: Sequence[Place]) -> dict[Place, Place]:
    """Link each place to the one before it in its user's flow, skipping steps without a place."""
    in_order = sorted(set(places))
    return {later: earlier for earlier, later in pairwise(in_order) if earlier[0] == later[0]}
