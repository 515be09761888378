"""Changing one field of an object: by writing back a copy, or a fresh one, or the field alone."""

from typing import Any

import pytest_supercache as sc
from scenarios.conflicts.lookaside import LookAside

FIELDS = ("role", "mail")


class WritesCopiesBack(LookAside):
    """Takes the object from the cache, changes a field, and writes all of it."""

    def amend(self, key: str, field: str, value: Any) -> None:
        """Change one field."""
        self.set(key, {**self.copy(key), field: value})

    def copy(self, key: str) -> dict[str, Any]:
        """Return the object."""
        return dict(self.get(key))


class WritesFreshCopiesBack(WritesCopiesBack):
    """Takes the object from the origin."""

    def copy(self, key: str) -> dict[str, Any]:
        """Return the object."""
        return dict(self.origin.get(key))


class WritesFields(WritesCopiesBack):
    """Each field is stored by itself."""

    def get(self, key: str) -> dict[str, Any]:
        """Put the object together."""
        return {field: self.origin.get(f"{key}/{field}") for field in FIELDS}

    def set(self, key: str, value: dict[str, Any]) -> None:
        """Store each field."""
        for field, each in value.items():
            self.origin.set(f"{key}/{field}", each)

    def amend(self, key: str, field: str, value: Any) -> None:
        """Change one field."""
        self.set(key, {field: value})


sc.system("object.naive")(WritesCopiesBack)
sc.system("object.fresh")(WritesFreshCopiesBack)
sc.system("object.fields")(WritesFields)


@sc.verb("amend", writes=lambda item, field, value: {item: {field: value}})
def amend(system, _user, item: str, field: str, value: str):
    """Change one field of an object."""
    system.amend(item, field, value)
