"""The error that tells of a deadlock in a database is told from other errors."""

import psycopg
import pymysql
import pytest
from asyncpg import DeadlockDetectedError, SerializationError
from sqlalchemy.exc import OperationalError

from pytest_supercache.core.execution import Execution
from pytest_supercache.core.schedule import Schedule
from pytest_supercache.core.verdict import Violation
from pytest_supercache.oracle.answers import is_of_a_victim
from pytest_supercache.oracle.classify import Classified, former_classes
from tests.histories import history


def wrapped(error: Exception) -> Exception:
    """Return an error as SQLAlchemy raises it from that of a driver."""
    above = OperationalError("UPDATE counters", None, error)
    above.__cause__ = error
    return above


def beside(error: Exception) -> Exception:
    """Return an error that code raises while it handles another one."""
    own = LookupError("no such product")
    own.__context__ = error
    return own


def violation(error: Exception) -> Violation:
    return Violation(guarantee="answers", summary="", evidence={"error": error})


class OfTheSystem(Exception):
    """An error with the names of a driver's, but code of its own."""

    @property
    def sqlstate(self) -> str:
        raise ValueError

    pgcode = sqlstate


def in_a_circle() -> Exception:
    first, second = LookupError(), ValueError()
    first.__cause__, second.__cause__ = second, first
    return first


DEADLOCK = psycopg.errors.DeadlockDetected("deadlock detected")
VICTIMS = [
    DEADLOCK, DeadlockDetectedError("deadlock detected"), wrapped(DEADLOCK),
    pymysql.OperationalError(1213, "Deadlock found when trying to get lock"),
]  # fmt: skip
OTHERS = [
    psycopg.errors.SerializationFailure("could not serialize access"), SerializationError("no"),
    pymysql.OperationalError(1205, "Lock wait timeout exceeded"), KeyError(1213), beside(DEADLOCK),
    OfTheSystem(), in_a_circle(),
]  # fmt: skip


@pytest.mark.parametrize("error", VICTIMS, ids=repr)
def test_a_driver_or_a_library_above_it_tells_of_a_deadlock(error):
    assert is_of_a_victim(violation(error))


@pytest.mark.parametrize("error", OTHERS, ids=repr)
def test_another_error_is_of_no_victim(error):
    assert not is_of_a_victim(violation(error))


def test_a_deadlock_was_a_crash_for_older_versions():
    execution = Execution(schedule=Schedule(()), steps=[], history=history(""))
    found = Classified(slug="deadlock")
    former = [one.slug for one in former_classes(execution, [violation(DEADLOCK)], found)]
    assert former == ["crash"]
