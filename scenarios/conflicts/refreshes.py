"""Refreshing an entry ahead of its end: always, unless it is hot, or only to a newer version."""

import json
from typing import Any

import pytest_supercache as sc
from scenarios.conflicts.lookaside import LookAside
from scenarios.conflicts.versioned import newest, store_version


class RefreshesAhead(LookAside):
    """A write stores what it commits; now and then an entry is loaded anew."""

    def get(self, key: str) -> Any:
        """Answer from Redis, else from the origin."""
        text = self.far.get(key)
        return self.origin.get(key) if text is None else json.loads(text)

    def set(self, key: str, value: Any) -> None:
        """Commit, then store."""
        self.origin.set(key, value)
        self.far.set(key, json.dumps(value))

    def refresh(self, key: str) -> None:
        """Load anew, then store."""
        self.far.set(key, json.dumps(self.origin.get(key)))


class SparesHotEntries(RefreshesAhead):
    """What was written just now is hot and not refreshed."""

    def set(self, key: str, value: Any) -> None:
        """Commit, store, and remember for a minute that it is hot."""
        super().set(key, value)
        self.far.set(f"hot/{key}", 1, ex=60)

    def refresh(self, key: str) -> None:
        """Load what is not hot anew, then store."""
        if not self.far.exists(f"hot/{key}"):
            super().refresh(key)


class ComparesVersions(RefreshesAhead):
    """A refresh stores under the version that it found, so it never hides a newer one."""

    def get(self, key: str) -> Any:
        """Answer with the newest version, else from the origin."""
        value = newest(self.far, key)
        return self.origin.get(key) if value is None else value

    def set(self, key: str, value: Any) -> None:
        """Commit, then store what is there now."""
        self.origin.set(key, value)
        self.refresh(key)

    def refresh(self, key: str) -> None:
        """Load anew, and store it as at least this version."""
        version = self.origin.version(key)
        store_version(self.far, key, self.origin.get(key), version)


sc.system("refresh.naive")(RefreshesAhead)
sc.system("refresh.spares_hot")(SparesHotEntries)
sc.system("refresh.version")(ComparesVersions)


@sc.verb("refresh")
def refresh(system, _user, key: str):
    """Load an entry anew before it ends."""
    system.refresh(key)
