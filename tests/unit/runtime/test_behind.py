"""What lies behind objects that are left alone."""

import gc

import jinja2

from pytest_supercache.runtime.memory.behind import Behind


def test_an_object_that_gets_the_identity_of_an_earlier_one_is_passed_too() -> None:
    """The twin: the same one is passed once."""
    behind = Behind()
    for _ in range(50):
        environment = jinja2.Environment()
        assert list(behind.found(environment))
        assert not list(behind.found(environment))
        del environment
        gc.collect()
