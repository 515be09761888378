"""Redirects clients that modules keep to the existing cache for the duration of a check."""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager

from pytest_supercache.layers.connections import own_size
from pytest_supercache.layers.existing_cache import ExistingCache
from pytest_supercache.runtime.kernel.patches import Patches
from pytest_supercache.runtime.observe.lookup import find_object


@contextmanager
def clients_replaced(names: Iterable[str], cache: ExistingCache) -> Iterator[None]:
    """Replace the clients of the code under test by clients of the existing cache."""
    with Patches() as replaced:
        for name in names:
            owner, attribute, client = find_object(name, "redis")
            pool = getattr(client, "connection_pool", None)
            options = getattr(pool, "connection_kwargs", {})
            kept = {key: options[key] for key in ("decode_responses", "encoding") if key in options}
            if (size := own_size(pool)) is not None:
                kept["max_connections"] = size
            replaced.put(owner, attribute, cache.client(**kept))
        yield
