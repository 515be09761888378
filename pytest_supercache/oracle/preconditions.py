"""Preconditions of guarantees: without them, a history has nothing that a guarantee could judge.

Each returns what the history lacks, as a sentence, or an empty text.

A guarantee about answers holds of every history without an answer. Actors that call the system
themselves, or by verbs that declare nothing, record none: then that would be no evidence.
"""

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
    """Require that somebody writes, and that somebody is shown a value."""
    return writes(history) or answers(history)


def revokes_and_reads(history: History) -> str:
    """Require that somebody deletes, and that somebody reads, be it that the read is refused."""
    if not any(value is None for operation in history for _, value in written(operation)):
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
