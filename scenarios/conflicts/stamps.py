"""The last writer wins: by the clock on the wall, by a clock that is checked, by the origin."""

import json
from typing import Any

import pytest_supercache as sc
from pytest_supercache.layers.stack import NodeLayers
from scenarios.conflicts.lookaside import LookAside
from scenarios.conflicts.versioned import newest, store_version

ALARM_SECONDS = 60


class StampedByClock(LookAside):
    """An entry carries the time of its writer; a store that is earlier is refused."""

    def __init__(self, layers: NodeLayers) -> None:
        super().__init__(layers)
        self.clock = layers.clock

    def get(self, key: str) -> Any:
        """Answer from Redis."""
        text = self.far.get(key)
        return self.origin.get(key) if text is None else json.loads(text)["value"]

    def set(self, key: str, value: Any) -> None:
        """Commit, then store what is later."""
        now = self.clock.now()
        self.origin.set(key, value)
        text = self.far.get(key)
        if text is None or json.loads(text)["at"] <= now:
            self.far.set(key, json.dumps({"value": value, "at": now}))


class StampedByCheckedClock(StampedByClock):
    """A node whose clock is a minute off takes no writes."""

    def set(self, key: str, value: Any) -> None:
        """Commit, then store what is later."""
        seconds, _ = self.far.time()
        if abs(self.clock.datetime().timestamp() - seconds) > ALARM_SECONDS:
            raise RuntimeError("the clock is wrong")
        super().set(key, value)


class StampedByOrigin(LookAside):
    """An entry carries the version that the origin has given it."""

    def get(self, key: str) -> Any:
        """Answer with the newest version."""
        value = newest(self.far, key)
        return self.origin.get(key) if value is None else value

    def set(self, key: str, value: Any) -> None:
        """Commit, then store what is there now, as at least this version."""
        self.origin.set(key, value)
        version = self.origin.version(key)
        store_version(self.far, key, self.origin.get(key), version)


sc.system("stamp.naive")(StampedByClock)
sc.system("stamp.alarm")(StampedByCheckedClock)
sc.system("stamp.origin")(StampedByOrigin)
