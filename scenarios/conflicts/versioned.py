"""Entries by version: a store never replaces a newer one, and readers take the newest.

An entry is a hash whose fields are versions, so that it takes one command and no script. What is
older may be removed at leisure, by a time to live for instance.
"""

import json
from typing import Any

from redis import Redis


def store_version(client: Redis, key: str, value: Any, version: int) -> None:
    """Store a value as this version."""
    client.hset(_entry_of(key), str(version), json.dumps(value))


def newest(client: Redis, key: str) -> Any:
    """Return the value of the newest version; None when there is none."""
    found = client.hgetall(_entry_of(key))
    return json.loads(found[max(found, key=int)]) if found else None


def _entry_of(key: str) -> str:
    return f"{key}/versions"
