"""The systems of the conflict classes: each module registers its own."""

from scenarios.conflicts import (  # noqa: F401
    accounts,
    counters,
    deploys,
    evictions,
    failovers,
    leased_locks,
    purges,
    refreshes,
    replies,
    retries,
    stamps,
    transactions,
    two_layers,
)
