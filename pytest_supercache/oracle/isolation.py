"""``isolated_users``: no user is shown a value that belongs to others only.

Definition: for each answer, the owner of the value's provenance is allowed for the user that reads
it. A key belongs to the users that say so (``owns:``, ``world.owns``); the provenance of a value is
every key that was ever given or written it. An answer breaks the guarantee when every key that its
value may come from belongs to others only (redis-py 2624 and 2665: a reply that stayed in a shared
connection goes to the next user; RFC 9111, section 3.5, on shared caches). It needs owners, and
values that are the origin's or were written by users. Cost: one look-up per answer.
Trace-invariant: it looks at values only.
"""

from collections.abc import Iterator
from typing import Any

from pytest_supercache.core.operation import RACE, History
from pytest_supercache.core.value_text import value_text
from pytest_supercache.core.verdict import Violation
from pytest_supercache.oracle import preconditions
from pytest_supercache.oracle.guarantee import Guarantee, NeverJudgedError, NotJudgedError
from pytest_supercache.oracle.observed import Observed, Sight, decided_by
from pytest_supercache.oracle.versions import same, written
from pytest_supercache.oracle.who import subject


def _findings(observed: Observed) -> Iterator[Violation | NotJudgedError]:
    owners = observed.history.owners
    if not owners:
        raise NeverJudgedError(
            "no key belongs to anybody. Say `owns: [key]` in a user's long form, or "
            "world.owns(user, key)"
        )
    values = _values_by_key(observed.history)
    for sight in observed.sights:
        if sight.operation.phase != RACE or sight.value is None:
            continue
        sources = [key for key, known in values.items() if _is_among(sight.value, known)]
        if not sources:
            yield _unknown(sight)
        elif not any(_may_be_shown(sight.operation.user, key, owners) for key in sources):
            source = sight.key if sight.key in sources else sources[0]
            yield _violation(sight, source, owners)


def _values_by_key(history: History) -> dict[str, list[Any]]:
    """Return every value that a key was given, committed or written."""
    found: dict[str, list[Any]] = {key: [value] for key, value in history.given.items()}
    for key, values in history.given_in_caches.items():
        found.setdefault(key, []).extend(values)
    pairs = [(commit.key, commit.value) for commit in history.commits]
    pairs += [(write.key, write.value) for write in history.uncommitted]
    pairs += [pair for operation in history for pair in written(operation)]
    for key, value in pairs:
        if value is not None:
            found.setdefault(key, []).append(value)
    return found


def _is_among(value: Any, known: list[Any]) -> bool:
    return any(same(value, other) for other in known)


def _may_be_shown(user: str, key: str, owners: dict[str, tuple[str, ...]]) -> bool:
    return key not in owners or user in owners[key]


def _unknown(sight: Sight) -> NotJudgedError:
    return NotJudgedError(
        f"{subject(sight.operation)} was shown {value_text(sight.value)} for {sight.key}, which "
        "nobody gave or wrote; the oracle cannot tell whose it is. Declare what the verb shows "
        "with @verb(observes=...)"
    )


def _violation(sight: Sight, source: str, owners: dict[str, tuple[str, ...]]) -> Violation:
    operation = sight.operation
    owner = " and ".join(owners[source])
    asked = "" if source == sight.key else f" when asking for {sight.key}"
    return Violation(
        guarantee="isolated_users",
        summary=f"{subject(operation)} was shown {value_text(sight.value)}{asked}, which is "
        f"{source} and belongs to {owner}",
        key=sight.key,
        user=operation.user,
        node=operation.node,
        evidence={
            "read": operation.step,
            "seen": sight.value,
            "source": source,
            "owners": owners[source],
        },
        at=operation.returned_at,
    )


ISOLATED_USERS = Guarantee(
    "isolated_users",
    decided_by(_findings),
    find_lack=preconditions.owned_keys,
    asks_nodes=False,
    ignores_time=True,
)
