"""Attributes that a module's own ``__getattr__`` makes (PEP 562)."""

import pytest

from tests.soundness import lazy_module
from tests.soundness.truth import broken, right, systems_of

BOTH = "both find no attribute, and each makes one"
LOCKED = "the second finds under the lock what the first has put there"


def _got_by_both(world, name, get):
    vars(lazy_module).pop(name, None)
    world.actor("one", get)
    world.actor("two", get)
    got = world.run()
    assert got["one"] is got["two"]


@broken(BOTH)
def an_attribute_made_when_asked_for(world):
    _got_by_both(world, "settings", lambda: lazy_module.settings)


@right(LOCKED)
def an_attribute_made_under_a_lock(world):
    _got_by_both(world, "locked", lambda: lazy_module.locked)


@broken(BOTH)
def an_attribute_made_for_an_import(world):
    def get():
        from tests.soundness.lazy_module import settings

        return settings

    _got_by_both(world, "settings", get)


@right(LOCKED)
def an_attribute_made_under_a_lock_for_an_import(world):
    def get():
        from tests.soundness.lazy_module import locked

        return locked

    _got_by_both(world, "locked", get)


@pytest.mark.parametrize("system", systems_of(__name__))
def test_verdicts_are_the_truth(system):
    system.must_be_told()
