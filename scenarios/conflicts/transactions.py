"""Storing inside a transaction what may never be committed, removing it again, or waiting."""

import json
from typing import Any

import pytest_supercache as sc
from scenarios.conflicts.lookaside import LookAside


class StoresInside(LookAside):
    """Stores the new value before the transaction ends."""

    def set(self, key: str, value: Any) -> None:
        """Change and store, then commit."""
        with self.origin.transaction() as transaction:
            transaction.set(key, value)
            self.far.set(key, json.dumps(value))


class RemovesAfterErrors(StoresInside):
    """Removes what it has stored when an error comes."""

    def set(self, key: str, value: Any) -> None:
        """Change and store, then commit; after an error delete."""
        try:
            super().set(key, value)
        except Exception:
            self.far.delete(key)
            raise


class StoresAfterwards(LookAside):
    """Stores when the transaction has been committed."""

    def set(self, key: str, value: Any) -> None:
        """Change and commit, then store."""
        with self.origin.transaction() as transaction:
            transaction.set(key, value)
        self.far.set(key, json.dumps(value))


sc.system("transaction.naive")(StoresInside)
sc.system("transaction.removes")(RemovesAfterErrors)
sc.system("transaction.afterwards")(StoresAfterwards)
