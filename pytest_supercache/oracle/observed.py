"""Answers what guarantees ask of an execution: what was shown, and which versions that may be.

Values stand for every version that has them (:mod:`pytest_supercache.oracle.versions`). A version
can only have been shown where its commit may have been known: the commit happens before a step of
the reading operation. That does not depend on how independent steps were ordered, so a verdict
built on it is a function of the trace. Without recorded steps their numbers must do.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property, partial
from itertools import zip_longest
from typing import Any

from pytest_supercache.core.execution import Execution
from pytest_supercache.core.operation import Commit, Content, Operation
from pytest_supercache.core.verdict import Violation
from pytest_supercache.oracle.guarantee import (
    FindViolation,
    NeverJudgedError,
    NotJudgedError,
    decided,
)
from pytest_supercache.oracle.real_time import HappensBefore, Pairs
from pytest_supercache.oracle.ticks import windows
from pytest_supercache.oracle.versions import candidates, same, written

Findings = Callable[..., Iterable[Violation | NotJudgedError]]
"""Called with an :class:`Observed`, and with the parameters of a guarantee by their names."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Sight:
    """An answer: the operation at ``at`` in the history showed ``value`` for ``key``."""

    at: int
    operation: Operation
    key: str
    value: Any


@dataclass(frozen=True, slots=True, kw_only=True)
class Write:
    """A write: the operation at ``at`` in the history meant to give ``key`` this ``value``."""

    at: int
    operation: Operation
    key: str
    value: Any

    @property
    def acknowledged(self) -> bool:
        """Whether the user was told that the write is done."""
        return self.operation.returned and self.operation.error is None


class Observed:
    """An execution, with the queries that several guarantees need."""

    def __init__(self, execution: Execution) -> None:
        self.execution = execution
        self.history = execution.history
        self.happens_before = HappensBefore(execution.steps)

    def require_origin(self) -> None:
        """Refuse to judge without an order of commits.

        Raises:
            NotJudgedError: the origin is not watched.
        """
        if not self.history.origin_watched:
            raise NeverJudgedError(
                "the origin is not watched, so that nobody knows the order of commits. Have the "
                "system use layers.origin (or world.origin) as its source of truth"
            )

    @property
    def has_settled(self) -> bool:
        """Whether every actor has ended, so that the system came to rest."""
        return not self.execution.blocked and self.execution.complete

    def require_end(self) -> None:
        """Refuse to judge what is left if nobody looked.

        Raises:
            NotJudgedError: the layers were not read, and no node was asked, after the race.
        """
        settled = self.execution.settled
        if not settled.layers and not settled.probes:
            raise NeverJudgedError(
                "nobody looked at the layers after the race; call world.settle()"
            )

    @cached_property
    def sights(self) -> list[Sight]:
        """Every answer, in the order of calls; errors show nothing."""
        return [
            Sight(at=at, operation=operation, key=key, value=value)
            for at, operation in enumerate(self.history.operations)
            for key, value in shown(operation)
        ]

    @cached_property
    def writes(self) -> list[Write]:
        """Every change that an operation meant to make, in the order of calls."""
        return [
            Write(at=at, operation=operation, key=key, value=value)
            for at, operation in enumerate(self.history.operations)
            for key, value in written(operation)
        ]

    def commits(self, key: str) -> list[Commit]:
        """Return the commits of ``key``; the n-th of them, from 1, made version n."""
        return self._commits_by_key.get(key, [])

    @cached_property
    def _commits_by_key(self) -> dict[str, list[Commit]]:
        found: dict[str, list[Commit]] = {}
        for commit in self.history.commits:
            found.setdefault(commit.key, []).append(commit)
        return found

    # -- versions ------------------------------------------------------------------------------

    def versions(self, sight: Sight) -> list[int] | NotJudgedError:
        """Return the versions that an answer may be; empty if it shows none.

        "Nothing" is an answer like others where the system loads the key from the origin;
        elsewhere a cache may always forget.
        """
        if sight.value is None and not self.loads(sight.key):
            return []
        known = self._candidates(sight, lambda commit: self.may_be_known(commit.at, sight.at))
        if known:
            return known
        return NotJudgedError(
            f"{sight.operation.user} was shown {sight.value!r} for {sight.key}, which is no "
            "version that the origin ever had; the oracle cannot tell how old it is. Declare "
            "what the verb shows with @verb(observes=...)"
        )

    def content_versions(self, content: Content) -> list[int] | NotJudgedError:
        """Return the versions that the content of a layer may be."""
        known = self._candidates(content, lambda commit: self.is_before(commit.at, content.at))
        if known:
            return known
        return NotJudgedError(
            f"{content.place} held {content.value!r} for {content.key}, which is no version that "
            "the origin ever had; the oracle cannot compare it. Show the values by layers()"
        )

    def _candidates(self, of: Sight | Content, sees: Callable[[Commit], bool]) -> list[int]:
        """Return candidates known by then; if there are none, those that were committed later."""
        known = candidates(self.history, of.key, of.value, sees=sees)
        return known or candidates(self.history, of.key, of.value)

    def loads(self, key: str) -> bool:
        """Say whether the system ever loaded ``key`` from the origin."""
        return any(load.key == key for load in self.history.loads)

    # -- order ---------------------------------------------------------------------------------

    def own_steps(self, at: int) -> tuple[int, int] | None:
        """Return the first and the last step of an operation; None: it has none recorded."""
        return self._own_steps.get(at)

    @cached_property
    def _own_steps(self) -> dict[int, tuple[int, int]]:
        found: dict[int, tuple[int, int]] = {}
        for position, step in enumerate(self.execution.steps):
            if step.operation is not None:
                first, _ = found.get(step.operation, (position, position))
                found[step.operation] = (first, position)
        return found

    def is_before(self, taken: int, later: int) -> bool:
        """Say whether the ``taken``-th step is, or always comes before, the ``later``-th one."""
        if taken == later or taken == 0:
            return True
        if not self.execution.steps:
            return taken < later
        return later > 0 and self.happens_before(taken - 1, later - 1)

    def may_be_known(self, taken: int, at: int) -> bool:
        """Say whether the operation at ``at`` may know the effect of the ``taken``-th step."""
        own = self.own_steps(at)
        if own is not None:
            return self.is_before(taken, own[1] + 1)
        returned = self.history.operations[at].returned_at
        return returned is None or taken <= returned

    def certainly_ordered(self, earlier: int, later: int) -> bool:
        """Say whether one operation ended before the other began, in every order of the trace."""
        operations = self.history.operations
        one, other = operations[earlier], operations[later]
        first, last = self.own_steps(later), self.own_steps(earlier)
        if one.user == other.user or one.phase != other.phase or first is None or last is None:
            return self.history.ordered(one, other)
        return one.returned and self.happens_before(last[1], first[0])

    def is_current(self, sight: Sight) -> bool:
        """Say whether an answer equals the value of the origin when the operation was called."""
        called = sight.operation.called_at
        values = [commit.value for commit in self.commits(sight.key) if commit.at <= called]
        current = values[-1] if values else self.history.given.get(sight.key)
        return same(sight.value, current)

    def may_precede(self, commit: Commit, at: int) -> bool:
        """Say whether a commit may have been made before the operation at ``at`` was called."""
        own = self.own_steps(at)
        if own is None:
            return commit.at <= self.history.operations[at].called_at
        return commit.at - 1 != own[0] and not self.happens_before(own[0], commit.at - 1)

    def outdated_moments(self, sight: Sight) -> Iterator[Pairs]:
        """Yield patterns that put a read where the origin has another value than the read shows.

        For each commit of another value: after this commit, and before the next one if any.
        """
        own, commits = self.own_steps(sight.at), self.commits(sight.key)
        for commit, following in zip_longest(commits, commits[1:]):
            if own is not None and commit.at > 0 and not same(commit.value, sight.value):
                after = ((commit.at - 1, own[0]),)
                yield after if following is None else (*after, (own[0], following.at - 1))

    def crowds(self, positions: Sequence[int], most: int, seconds: float) -> Iterator[Pairs]:
        """Yield patterns that put more than ``most`` of these steps into less than ``seconds``."""
        before = self.happens_before
        for first, last in windows(self.execution, seconds):
            inside = [
                at
                for at in positions
                if not (first is not None and before(at, first))
                and not (last is not None and before(last, at))
            ]
            if len(inside) > most:
                after = ((first, at) for at in inside if first is not None)
                yield (*after, *((at, last) for at in inside if last is not None))

    def called_time(self, operation: Operation) -> float:
        """Return the virtual time, in seconds, of the first step of an operation."""
        return self.history.time_at(operation.called_at + (operation.steps > 0))

    # -- writes and commits --------------------------------------------------------------------

    def commits_of(self, write: Write) -> list[int]:
        """Return the positions in ``history.commits`` that a write may have led to.

        Those it made itself if there are any, else others with its value that may have come later
        (written behind).
        """
        commits = list(enumerate(self.history.commits))
        own = [n for n, c in commits if c.operation == write.at and c.key == write.key]
        return own or [
            number
            for number, commit in commits
            if commit.key == write.key
            and same(commit.value, write.value)
            and self.may_follow(commit, write)
        ]

    def may_follow(self, commit: Commit, write: Write) -> bool:
        """Say whether a commit may have been made after a write was called."""
        own = self.own_steps(write.at)
        if own is None:
            return commit.at > write.operation.called_at
        return commit.at > 0 and not self.happens_before(commit.at - 1, own[0])

    def is_explained(self, commit: Commit) -> bool:
        """Say whether a write of the history may have led to ``commit``."""
        return any(
            write.key == commit.key
            and (write.at == commit.operation or same(write.value, commit.value))
            for write in self.writes
        )


def shown(operation: Operation) -> tuple[tuple[str, Any], ...]:
    """Return what an operation showed as (key, value)."""
    if not operation.returned or operation.error is not None:
        return ()
    if operation.kind == "read" and operation.key is not None:
        return ((operation.key, operation.answer),)
    return operation.sightings


def admissions(operation: Operation) -> dict[str, bool]:
    """Return whether an operation was admitted, by key; those that do not say so have no entry."""
    if operation.kind in {"read", "write", "delete"} or not operation.returned or operation.error:
        return {}
    said = [(operation.key, operation.answer), *operation.sightings]
    return {key: value for key, value in said if key is not None and isinstance(value, bool)}


def cached_contents(
    observed: Observed,
) -> Iterator[tuple[str, str, list[Content]] | NotJudgedError]:
    """Yield the contents of each cache for each key of the origin, oldest first.

    Raises:
        NotJudgedError: the contents of the layers were not recorded.
    """
    contents = observed.history.contents
    if contents is None:
        raise NotJudgedError("what the layers held was not recorded step by step")
    found: dict[tuple[str, str], list[Content]] = {}
    for content in contents:
        if content.at == 0 or not _is_probe(observed.execution, content.at):
            found.setdefault((content.place, content.key), []).append(content)
    keys = {key for _, key in found}
    known = {*observed.history.given, *(commit.key for commit in observed.history.commits)}
    for key in sorted(known - keys):
        other = next((name for name in sorted(keys - known) if key in name), None)
        if other is not None:
            yield NotJudgedError(
                f"no layer ever held {key} under its own name, but there is {other!r}; the oracle "
                "cannot tell what is a copy of what. Show the layers by layers()"
            )
    for (place, key), contents_of_key in found.items():
        if key in known:
            yield place, key, contents_of_key


def _is_probe(execution: Execution, taken: int) -> bool:
    return bool(execution.steps) and execution.steps[taken - 1].phase == "probe"


def decided_by(findings: Findings) -> FindViolation:
    """Return the function that judges an execution by what ``findings`` finds in it."""
    return partial(_decide, findings)


def _decide(findings: Findings, execution: Execution, **given: Any) -> Violation | None:
    return decided(findings(Observed(execution), **given))
