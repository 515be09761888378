"""Each test stands for a process of its own."""

import pytest

from pytest_supercache.checking import kept


@pytest.fixture(autouse=True)
def _nothing_was_kept(monkeypatch):
    """What the test before has kept says nothing about this one."""
    monkeypatch.setattr(kept, "_kept", kept.EarlierChecks())
    monkeypatch.setattr(kept, "_filled", kept.EarlierChecks())
