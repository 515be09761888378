"""The systems of the conflict classes: each module registers its own."""

from scenarios.conflicts import (  # noqa: F401
    buffers,
    expiries,
    fills,
    loads,
    near_over_far,
    replicas,
    sessions,
    updates,
    writers,
)
