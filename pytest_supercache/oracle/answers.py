"""``answers``: every operation is answered, and no answer is an unexpected exception."""

from traceback import walk_tb
from types import CodeType

from pytest_supercache.core.execution import Execution
from pytest_supercache.core.fault import is_injected, with_causes
from pytest_supercache.core.operation import Operation
from pytest_supercache.core.verdict import Violation, described
from pytest_supercache.core.waits import WaitsForEverError
from pytest_supercache.oracle.guarantee import Guarantee
from pytest_supercache.oracle.who import call_in_words, who


def _find_missing_answer(execution: Execution) -> Violation | None:
    for operation in execution.history:
        error = operation.error
        if error is not None and not (operation.error_expected or is_injected(error)):
            return Violation(
                guarantee="answers",
                summary=f"{_called(operation)} raised {described(error)}",
                key=operation.key,
                user=operation.user,
                node=operation.node,
                evidence={"step": operation.step, "error": error},
                at=operation.returned_at,
            )
    own = [(who, error) for who, error in execution.errors.items() if not is_injected(error)]
    for actor, error in own:
        return Violation(
            guarantee="answers",
            summary=f"{actor} raised {described(error)}",
            user=actor,
            evidence={"error": error},
            at=_last_step_of(execution, actor),
        )
    for actor, what in execution.left_over:
        return Violation(
            guarantee="answers", summary=f"{actor}: {what}", user=actor, evidence={"left": what}
        )
    for (node, key), answer in execution.settled.probes.items():
        if isinstance(answer, BaseException) and not _is_expected(execution, key, answer):
            return Violation(
                guarantee="answers",
                summary=f"after everything had settled, reading {key} on node {node} raised "
                f"{described(answer)}",
                key=key,
                node=node,
                evidence={"error": answer},
            )
    if execution.blocked:
        waiting = ", ".join(f"{p.actor} waits at {p.label!r}" for p in execution.blocked)
        return Violation(
            guarantee="answers",
            summary=f"nobody can go on: {waiting}",
            user=execution.blocked[0].actor,
            evidence={"blocked": [(p.actor, p.label) for p in execution.blocked]},
        )
    return None


def _last_step_of(execution: Execution, actor: str) -> int | None:
    taken = [at for at, step in enumerate(execution.steps, start=1) if step.actor == actor]
    return taken[-1] if taken else None


def is_check_of_the_flow(violation: Violation) -> bool:
    """Say whether an actor has ended with a failed ``assert`` of its own.

    It stands in the function of the flow that the actor runs, or in one beside it: no method, and
    no module of others. There, it says what must hold, as one in the test body does.
    """
    error = violation.evidence.get("error")
    if not isinstance(error, AssertionError) or "step" in violation.evidence:
        return False
    frames = [frame for frame, _ in walk_tb(error.__traceback__)]
    own = [f for f in frames if not f.f_globals.get("__name__", "").startswith(_OURS)]
    if not own:
        return False
    first, last = own[0].f_code, own[-1].f_code
    is_function = _written_in(first) == "" or _written_in(first).endswith("<locals>")
    is_beside = (first.co_filename, _written_in(first)) == (last.co_filename, _written_in(last))
    return is_function and is_beside


def is_of_a_victim(violation: Violation) -> bool:
    """Say whether an error tells that a database has rolled back the victim of a deadlock.

    Libraries above a driver raise errors of their own from the error of the driver.
    """
    error = violation.evidence.get("error")
    return isinstance(error, BaseException) and any(map(_is_of_a_victim, with_causes(error)))


def blocked_loop_of(violation: Violation) -> WaitsForEverError | None:
    """Return the error of a call that would have blocked its event loop for ever; None: none."""
    error = violation.evidence.get("error")
    errors = with_causes(error) if isinstance(error, BaseException) else ()
    return next((one for one in errors if isinstance(one, WaitsForEverError)), None)


def _is_of_a_victim(error: BaseException) -> bool:
    attribute = _CODE_OF.get(str(type(error).__module__).partition(".")[0])
    if attribute is None:
        return False
    code = error.args[:1] if attribute == "args" else getattr(error, attribute, None)
    return code in (_POSTGRESQL_DEADLOCK, (_MARIADB_DEADLOCK,))


_CODE_OF = {
    "psycopg": "sqlstate", "asyncpg": "sqlstate", "psycopg2": "pgcode",
    "pymysql": "args", "MySQLdb": "args",
}  # fmt: skip
"""Driver -> where its errors have the code of the server."""
_POSTGRESQL_DEADLOCK, _MARIADB_DEADLOCK = "40P01", 1213
_OURS = "pytest_supercache."


def _written_in(code: CodeType) -> str:
    """Return the class or function in which a function is defined; "" for its module."""
    return code.co_qualname.rpartition(".")[0]


def _called(operation: Operation) -> str:
    if who(operation) != operation.user:
        return call_in_words(operation)
    return f"{operation.user} {_named(operation.kind, operation.key)}"


def _named(kind: str, key: str | None) -> str:
    return kind if key is None else f"{kind} {key}"


def _is_expected(execution: Execution, key: str, error: BaseException) -> bool:
    """Say whether a step of the scenario expects this error for this key."""
    return any(
        operation.error_expected and operation.key == key and type(operation.error) is type(error)
        for operation in execution.history
    )


ANSWERS = Guarantee("answers", _find_missing_answer, asks_nodes=False, ignores_time=True)
