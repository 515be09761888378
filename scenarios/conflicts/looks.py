"""Looking an entry up: whether it is there and then what it holds, or both at once."""

import json
from typing import Any

import pytest_supercache as sc
from scenarios.conflicts.lookaside import LookAside


class LooksTwice(LookAside):
    """Asks whether there is an entry before it asks for it."""

    life_seconds = 60

    def get(self, key: str) -> Any:
        """Answer from Redis if it has the key, else from the origin."""
        if not self.far.exists(key):
            value = self.origin.get(key)
            self.fill(key, value)
            return value
        text = self.far.get(key)
        return None if text is None else json.loads(text)

    def fill(self, key: str, value: Any) -> None:
        """Keep what was loaded."""
        self.far.set(key, json.dumps(value), ex=self.life_seconds)


class LooksTwiceAndKeepsLonger(LooksTwice):
    """Entries live for an hour, so that few of them end just then."""

    life_seconds = 3600


class LooksOnce(LookAside):
    """Asks for the entry: that there is none is an answer of its own."""


sc.system("ask.naive")(LooksTwice)
sc.system("ask.longer")(LooksTwiceAndKeepsLonger)
sc.system("ask.once")(LooksOnce)
