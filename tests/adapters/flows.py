"""Flows that every library is put through: two users count, or one reads while another writes."""

from pytest_supercache import Verdict, check
from tests.searched import few_random_schedules
from tests.selection import either

SEARCHES = ("exhaustive", "all-schedules")[: either(1, 2)]
"""What finds the outcomes of flows; the long form compares both."""


def counting(make, bump, total, **options):
    """Check that two users who each count one have counted two."""

    def body(world):
        counter = make(world)
        world.actor("a", bump, counter)
        world.actor("b", bump, counter)
        world.run()
        assert int(total(counter)) == 2

    return judged(body, **options)


def refreshing(make, **options):
    """Check that what is answered after a change is what the origin has.

    ``make(world)`` returns ``read()`` and ``forget()``; the origin's ``k`` goes from old to new.
    """

    def body(world):
        world.origin.set("k", "old")
        read, forget = make(world)

        def change():
            world.origin.set("k", "new")
            forget()

        world.actor("reader", read)
        world.actor("writer", change)
        world.run()
        assert read() == "new"

    return judged(body, **options)


def outcomes_of(tried):
    """Return what ``tried(search)`` finds, which is the same with every search."""
    found, *others = map(tried, SEARCHES)
    assert all(other == found for other in others)
    return found


def judged(body, **options):
    """Search and return the result; UNKNOWN is nobody's expectation."""
    with few_random_schedules():
        result = check(body, guarantees=(), **options)
    assert result.verdict is not Verdict.UNKNOWN, result.reasons
    return result


def is_conflict(result):
    """Say whether interleaving users, and only that, breaks it, and 10 of 10 replays show it."""
    if result.verdict is Verdict.HOLDS:
        return False
    assert result.counterexample.replays == "10/10"
    return result.label.value == "conflict"


def is_lost_update(result):
    """Say whether it is a conflict in which a row is written back over another one's change."""
    return is_conflict(result) and result.counterexample.conflict_class == "lost-update"
