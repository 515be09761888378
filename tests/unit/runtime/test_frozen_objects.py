"""What froze objects freezes them again after a look at everything, and nobody else does."""

import gc

import pytest

from pytest_supercache.runtime.kernel.frozen_objects import all_visible


@pytest.mark.parametrize(("by_whom", "count"), [("the interpreter", 375), ("a server", 90_000)])
def test_objects_stay_frozen_where_the_application_has_frozen_them(
    by_whom: str, count: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    done = []
    monkeypatch.setattr(gc, "get_freeze_count", lambda: count)
    monkeypatch.setattr(gc, "freeze", lambda: done.append("frozen"))
    monkeypatch.setattr(gc, "unfreeze", lambda: done.append("not"))
    with all_visible():
        done.append("a look")
    is_server = by_whom == "a server"
    assert done == (["not", "a look", "frozen"] if is_server else ["a look"])
