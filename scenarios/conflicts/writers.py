"""Writers that store what they commit: one over the other, not at all, or each its own version."""

import json
from typing import Any

import pytest_supercache as sc
from scenarios.conflicts.lookaside import LookAside
from scenarios.conflicts.versioned import newest, store_version


class StoresWhatItWrites(LookAside):
    """A write commits and then stores the new value."""

    def set(self, key: str, value: Any) -> None:
        """Commit, then store."""
        self.origin.set(key, value)
        self.far.set(key, json.dumps(value))


class StoresVersions(LookAside):
    """A write stores the version that it has committed; readers take the newest one."""

    def get(self, key: str) -> Any:
        """Answer with the newest version, else from the origin."""
        value = newest(self.far, key)
        return self.origin.get(key) if value is None else value

    def set(self, key: str, value: Any) -> None:
        """Commit, then store as that version."""
        store_version(self.far, key, value, self.origin.set(key, value))


sc.system("store.naive")(StoresWhatItWrites)
sc.system("store.delete")(LookAside)
sc.system("store.version")(StoresVersions)
