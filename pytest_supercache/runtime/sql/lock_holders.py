"""Asks PostgreSQL who has the lock for which a statement waits.

Only a statement that waits in the server shows that. So an observer, on a connection of its own, is
sent to look until it does and to cancel it then; the statement is made only after that.
"""

import re
from typing import Any, Protocol

_LOOKING = """
WITH RECURSIVE looks(blockers, n) AS (
    SELECT pg_blocking_pids({process}), 0
    UNION ALL
    SELECT pg_blocking_pids({process}), n + 1 FROM looks, pg_sleep(0.001 + 0 * n)
    WHERE blockers = '{{}}' AND n < 10000
)
SELECT blockers::text FROM looks WHERE blockers <> '{{}}' AND pg_cancel_backend({process})
"""
"""Looks for ten seconds or more; the sleep depends on n, or PostgreSQL would sleep only once."""


class Observer(Protocol):
    """A connection that looks at what others wait for; calls may return what is to be awaited."""

    def ask(self, process: int) -> Any:
        """Begin to look until a process waits for a lock, which is then cancelled."""

    def answer(self) -> Any:
        """Return the processes that have the lock."""

    def close(self) -> None:
        """Disconnect."""


def observer_query(process: int) -> str:
    """Return the query of an observer."""
    return _LOOKING.format(process=process)


def process_ids(found: Any) -> frozenset[int]:
    """Return the processes in an array of PostgreSQL, as text or bytes."""
    text = found.decode() if isinstance(found, bytes) else str(found)
    return frozenset(map(int, re.findall(r"[0-9]+", text)))
