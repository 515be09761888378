"""How much memory is looked into has a limit; where more outlives an execution, a pass is none."""

import jinja2
import pytest

from pytest_supercache.runtime.memory import behind, lasting
from tests.soundness.truth import System

TEMPLATE = jinja2.Environment().from_string("{{ add(redis) }}")
NOT_RESTORED = "what lies behind it, or comes after it, is not restored for each execution"


def counted(is_atomic):
    def add(redis):
        if is_atomic:
            redis.incr("count")
        else:
            redis.set("count", int(redis.get("count") or 0) + 1)

    def body(world):
        redis = world.existing_cache.client(decode_responses=True)

        def render():
            TEMPLATE.render(add=add, redis=redis)

        world.actor("alice", render)
        world.actor("bob", render)
        world.run()
        assert redis.get("count") == "2"

    return body


def _must_be_told(*, is_atomic: bool, unknown: str) -> None:
    why = "INCR is atomic" if is_atomic else "both may read the same count"
    System("counted", counted(is_atomic), not is_atomic, why, unknown=unknown).must_be_told()


def test_a_pass_is_none_where_too_much_outlives_an_execution(monkeypatch):
    monkeypatch.setattr(lasting, "OBJECTS_MAX", 10)
    _must_be_told(is_atomic=True, unknown=NOT_RESTORED)


def test_a_pass_is_none_where_too_much_lies_behind_a_framework(monkeypatch):
    monkeypatch.setattr(behind, "PASSED_MAX", 10)
    _must_be_told(is_atomic=True, unknown=NOT_RESTORED)


@pytest.mark.parametrize(("module", "limit"), [(lasting, "OBJECTS_MAX"), (behind, "PASSED_MAX")])
def test_a_violation_counts_all_the_same(monkeypatch, module, limit):
    monkeypatch.setattr(module, limit, 10)
    _must_be_told(is_atomic=False, unknown="")


def test_a_pass_counts_below_the_limits():
    _must_be_told(is_atomic=True, unknown="")
