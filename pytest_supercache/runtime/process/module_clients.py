"""Lets clients that modules keep lead to the existing cache for the length of a check."""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any

from pytest_supercache.layers.connections import own_size
from pytest_supercache.layers.existing_cache import ExistingCache
from pytest_supercache.runtime.observe.lookup import find_object


@contextmanager
def clients_replaced(names: Iterable[str], cache: ExistingCache) -> Iterator[None]:
    """Put clients of the existing cache where the code under test keeps its own."""
    undo: list[tuple[Any, str, Any]] = []
    try:
        for name in names:
            owner, attribute, client = find_object(name, "redis")
            pool = getattr(client, "connection_pool", None)
            options = getattr(pool, "connection_kwargs", {})
            kept = {key: options[key] for key in ("decode_responses", "encoding") if key in options}
            if (size := own_size(pool)) is not None:
                kept["max_connections"] = size
            undo.append((owner, attribute, client))
            setattr(owner, attribute, cache.client(**kept))
        yield
    finally:
        for owner, attribute, client in reversed(undo):
            setattr(owner, attribute, client)
