"""Which step ``--supercache-break`` means."""

from typing import Any

import pytest

from pytest_supercache.core.footprint import Footprint
from pytest_supercache.core.trace import Step
from pytest_supercache.plugin import debugging

STEPS = [
    Step("alice", 0, "GET k", "command", Footprint(), choice=0),
    Step("bob", 0, "GET k", "command", Footprint(), choice=1),
    Step("bob", 1, "DEL k", "command", Footprint(), choice=2),
]


@pytest.mark.parametrize(
    ("wanted", "stops"),
    [("2", 1), ("DEL k", 2), ("bob: GET k", 1), ("GET k", 0), ("4", None), ("alice: DEL k", None)],
)
def test_a_step_is_named_by_number_text_or_user_and_text(
    wanted: str, stops: int | None, monkeypatch: pytest.MonkeyPatch, pytestconfig: pytest.Config
) -> None:
    met = []

    class Noted:
        def __init__(self, *_: Any) -> None: ...

        def stop_at(self, _frame: Any, named: str) -> None:
            met.append(named)

    monkeypatch.setattr(debugging, "_Debugger", Noted)
    stop = debugging.Breakpoint(wanted, pytestconfig)
    for step in [*STEPS, *STEPS]:  # a replay is repeated: it stops in the first one only
        stop(step)
    expected = [] if stops is None else [f"{stops + 1}. {STEPS[stops].actor}: {STEPS[stops].label}"]
    assert met == expected
    assert (stop.complaint is None) is (stops is not None)
    if stop.complaint is not None:
        assert stop.complaint.count("3. bob: DEL k") == 1
