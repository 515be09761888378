"""Preconditions of guarantees: without them, a history has nothing that a guarantee could judge.

Each returns what the history lacks, as a sentence, or an empty text.

A guarantee about answers holds of every history without an answer. Actors that call the system
themselves, or by verbs that declare nothing, record none: then that would be no evidence.

Those that say yes or no are about single users: what they miss is nobody's mistake where other
guarantees are judged.
"""

from collections import Counter
from collections.abc import Iterator

from pytest_supercache.core.misspelt import meant
from pytest_supercache.core.operation import History
from pytest_supercache.oracle.observed import admissions as admissions_of
from pytest_supercache.oracle.observed import shown
from pytest_supercache.oracle.versions import fields_of, written

_REMEDY = (
    "Let actors read and write through world.user(name, system), or declare what a verb shows and "
    "writes with @verb(observes=..., writes=...)"
)


def answers(history: History) -> str:
    """Require that somebody is shown a value."""
    return "" if any(map(shown, history.operations)) else f"no operation shows a value. {_REMEDY}"


def writes(history: History) -> str:
    """Require that somebody writes."""
    return "" if any(map(written, history.operations)) else f"no operation writes. {_REMEDY}"


def writes_and_answers(history: History) -> str:
    """Require that somebody writes, and that somebody is shown a value of a key that there is."""
    if lack := writes(history) or answers(history):
        return lack
    shown_keys = set(_shown_keys(history))
    if not shown_keys.isdisjoint({*_reached(history), *_written_keys(history)}):
        return ""
    return f"nobody has or writes what is shown ({', '.join(sorted(shown_keys))}). {_REMEDY}"


def revokes_and_reads(history: History) -> str:
    """Require that somebody deletes, and that somebody reads, be it that the read is refused."""
    if not is_anything_deleted(history):
        return f"no operation deletes. {_REMEDY}"
    is_read = any(operation.kind == "read" or shown(operation) for operation in history)
    return "" if is_read else f"no operation reads. {_REMEDY}"


def admissions(history: History) -> str:
    """Require that an operation says whether it was admitted."""
    if any(map(admissions_of, history)):
        return ""
    return (
        "no operation says whether it was admitted. Declare it for a verb with "
        "@verb(observes=lambda answer, ...: {key: True or False}), or answer a world.operation "
        "with True or False"
    )


def writes_of_fields(history: History) -> str:
    """Require that two operations write different fields of one object."""
    seen: dict[str, list[frozenset[str]]] = {}
    for operation in history:
        for key, value in written(operation):
            seen.setdefault(key, []).append(frozenset(fields_of(value) or ()))
    if any(mine - theirs for sets in seen.values() for mine in sets for theirs in sets if theirs):
        return ""
    return (
        "no two operations write different fields of one object. Declare what a verb writes with "
        "@verb(writes=lambda ...: {key: {field: value}})"
    )


def owned_keys(history: History) -> str:
    """Require that somebody has, is shown or writes a key that has an owner."""
    told = {*_reached(history), *_shown_keys(history), *_written_keys(history)}
    if not history.owners or not told or not told.isdisjoint(history.owners):
        return ""  # that no key has an owner is told by the guarantee itself
    return (
        f"nobody has or shows a key with an owner ({', '.join(sorted(history.owners))}). {_REMEDY}"
    )


def is_own_write_read(history: History) -> bool:
    """Say whether a user is shown a key after having written it."""
    own = set[tuple[str, str]]()
    for operation in history:
        if any((operation.user, key) in own for key, _ in shown(operation)):
            return True
        own |= {(operation.user, key) for key, _ in written(operation)}
    return False


def is_key_read_twice(history: History) -> bool:
    """Say whether a user is shown one key by two operations."""
    seen = [(one.user, key) for one in history for key in dict(shown(one))]
    return len(set(seen)) < len(seen)


def are_keys_committed_together(history: History) -> bool:
    """Say whether a transaction changes two keys."""
    places = Counter(at for at, _ in {(commit.at, commit.key) for commit in history.commits})
    return any(count > 1 for count in places.values())


def is_anything_written(history: History) -> bool:
    """Say whether an operation writes."""
    return any(map(written, history))


def is_anything_deleted(history: History) -> bool:
    """Say whether an operation deletes."""
    return any(value is None for operation in history for _, value in written(operation))


def misnamed(history: History) -> str:
    """Describe a key, told by a verb or owned by a user, that must be a slip; "" if there is none.

    What is said of a key that nothing else has can break no guarantee.
    """
    reached, shown_keys = _reached(history), set(_shown_keys(history))
    for at, operation in enumerate(history):
        told = {key for key, _ in operation.writes}
        committed = {commit.key for commit in history.commits if commit.operation == at}
        others = (one for number, one in enumerate(history) if number != at)
        elsewhere = {key for other in others for key, _ in written(other)}
        is_alone = told.isdisjoint(reached | shown_keys | elsewhere)
        if told and committed and is_alone and not _are_parts(committed, told):
            return (
                f"{operation.kind} says by `writes` that it writes {', '.join(sorted(told))}, "
                f"which nothing else has, and it has changed {', '.join(sorted(committed))}. Name "
                "what it changes as the origin does"
            )
    known = reached | set(_written_keys(history))
    for key in sorted({*shown_keys, *history.owners} - known):
        alike = history.owners if key in history.owners else shown_keys
        if other := meant(key, sorted(known.difference(alike))):  # used as well, it is another one
            who = "a user owns" if key in history.owners else "an operation shows"
            return (
                f"{who} {key}, which nothing else has: it may be {other}. Correct it, or let the "
                "origin hold this key, too"
            )
    return ""


def _are_parts(committed: set[str], told: set[str]) -> bool:
    """Say whether the origin has parts of an object apart: `user:7/mail` of `user:7`."""
    return any(part.startswith(whole) for part in committed for whole in told)


def _reached(history: History) -> set[str]:
    """Return the keys that the origin has had."""
    return {*history.given, *(commit.key for commit in history.commits)}


def _shown_keys(history: History) -> Iterator[str]:
    return (key for operation in history for key, _ in shown(operation))


def _written_keys(history: History) -> Iterator[str]:
    return (key for operation in history for key, _ in written(operation))
