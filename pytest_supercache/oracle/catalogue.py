"""Lists the conflict classes: the symptom, the usual workaround and the fix of each.

One table for the failure text, the command line, the reports and the page docs/conflicts.md. It
follows the catalogue of the project's research: operators' papers, reports of published libraries.
"""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class ConflictClass:
    """One class; ``removes``: the usual workaround ends it, rather than only lowering the odds.

    The workaround is empty where none is known.
    """

    slug: str
    number: str
    title: str
    symptom: str
    workaround: str
    removes: bool
    fix: str
    family: str | None = None


def _class(
    number: str, slug: str, title: str, symptom: str, workaround: str, fix: str,
    *, removes: bool = False, family: str | None = None,
) -> ConflictClass:  # fmt: skip
    return ConflictClass(
        slug=slug, number=number, title=title, symptom=symptom, workaround=workaround,
        removes=removes, fix=fix, family=family,
    )  # fmt: skip


_LATE = "late-fill"
_PARTIAL = "partial-write-family"
_DIRTY = "dirty-read-family"

CATALOGUE = {
    each.slug: each
    for each in (
        _class(
            "01", "stale-set", "A fill stores what an invalidation should have removed",
            "the old value keeps showing until the entry expires",
            "a short time to live, or purging by hand",
            "take a lease on a miss, void it on delete, store only while it is in force",
            family=_LATE,
        ),
        _class(
            "02", "in-flight-fill", "An invalidation arrives while its entry is being fetched",
            "one node keeps the old value for ever",
            "a longest time to live in the near cache",
            "put a placeholder before the fetch and fill only if it is still there",
        ),
        _class(
            "03", "invalidate-before-write", "The entry is removed before the new value is there",
            "the first save is ignored, the second one works",
            "a second, delayed delete",
            "write, then delete after the commit, with a lease for fills",
        ),
        _class(
            "03b", "double-delete", "A fill outlasts the second delete",
            "as with a stale set, but rarer", "a longer delay",
            "a lease on fills: a delay only lowers the odds",
        ),
        _class(
            "04", "dual-write", "Two writers fill the cache in another order than the origin",
            "the cache shows the value of the writer who came first",
            "delete instead of storing", "store only a newer version than the one that is there",
        ),
        _class(
            "05", "partial-write", "The commit is done and the invalidation is not",
            "stale until the entry expires, after an error", "retry in the process",
            "a transactional outbox, or invalidation from the commit log", family=_PARTIAL,
        ),
        _class(
            "06", "dropped-invalidation", "An invalidation never arrives", "one node stays stale",
            "flush the near cache on reconnect; a longest time to live",
            "number the messages and flush on a gap, or use a durable stream",
        ),
        _class(
            "07", "reordered-update", "Updates arrive in another order than they were sent",
            "a value goes back in time", "send deletes instead of values",
            "compare versions before applying", removes=True,
        ),
        _class(
            "08", "read-your-writes", "A user reads through a node that has not heard of the write",
            "users do not see their own edit", "sticky sessions",
            "a session token with the smallest acceptable version",
        ),
        _class(
            "09", "non-monotonic-reads", "Two nodes hear of a write at different times",
            "a comment appears and vanishes again", "sticky sessions",
            "a session token with the highest version seen",
        ),
        _class(
            "10", "stale-replica-refill", "A fill loads from a replica that is behind",
            "the old value comes back seconds after a write",
            "read the primary for a while after a write",
            "mark the key until the replica has it, or invalidate from the replica's log",
        ),
        _class(
            "11", "additive-ttl", "The near cache starts the clock again",
            "data is served for longer than its time to live",
            "a much smaller time to live in the near cache", "carry the deadline with the value",
        ),
        _class(
            "12", "stampede", "Everybody loads at once", "a load spike at the source",
            "jitter, or refreshing early by chance", "one flight at a time, across processes",
        ),
        _class(
            "13", "aligned-expiry", "Both layers expire together", "load spikes at intervals",
            "jitter in the times to live", "one flight at a time at the far cache; refresh ahead",
        ),
        _class(
            "14", "resurrection", "A fill brings back what was deleted", "a deleted item returns",
            "a short time to live", "a tombstone with a version", family=_LATE,
        ),
        _class(
            "15", "negative-poisoning", "Absence is stored over a creation",
            "a new item is not found", "a very short time to live for absence",
            "a lease on negative fills, and invalidation on creation", family=_LATE,
        ),
        _class(
            "16", "write-behind-loss", "A restart loses what was acknowledged and not flushed",
            "saved data is gone after a restart", "flush often",
            "write through, or keep a log before acknowledging",
        ),
        _class(
            "17", "write-behind-overwrite", "A flush overwrites a newer direct write",
            "a newer change is undone", "let all writes go through the cache",
            "compare and set when flushing", removes=True,
        ),
        _class(
            "18", "cached-rmw", "Two read the same value and both store what they made of it",
            "a counter is too low", "a lock",
            "an atomic operation, or compare and set", removes=True,
        ),
        _class(
            "19", "late-duplicate", "A request that timed out lands after a newer one",
            "an old value returns after a retry", "no retries of writes",
            "a version or fencing token that the cache checks", removes=True,
        ),
        _class(
            "20", "eviction-hides-invalidation",
            "Deleting what was evicted tells nobody", "a near cache is stale after memory pressure",
            "a longest time to live", "publish whether or not the key was there",
        ),
        _class(
            "21", "subscribe-gap", "A node fills before it listens", "stale right after a deploy",
            "warm up late", "subscribe first, then fill",
        ),
        _class(
            "22", "key-format-mix", "Old and new code name the key differently",
            "stale while a deploy goes on", "flush after the deploy",
            "invalidate both names, or a generation in a tag that both share",
        ),
        _class(
            "23", "serializer-mix", "Old code cannot read what new code stored",
            "errors while a deploy goes on", "flush",
            "the version in the key or the envelope, and a tolerant reader",
        ),
        _class(
            "24", "cross-user-reply", "A reply reaches another user's request",
            "users see the data of others", "disconnect on any error",
            "drop a connection on which a reply is pending", removes=True,
        ),
        _class(
            "25", "clock-skew", "A slow clock wins, or a fast one", "a newer edit is refused",
            "alarms on the clocks", "versions from the source instead of wall time",
        ),
        _class(
            "26", "fractured-read", "A read of two keys falls between two updates",
            "totals do not add up", "store the aggregate",
            "validity intervals, or one entry with one version", removes=True,
        ),
        _class(
            "27", "purge-misses-fill", "A purge by tag or flush misses a fill on its way",
            "a purged page returns", "purge twice",
            "a generation, read before the load, as part of the key", family=_LATE,
        ),
        _class(
            "28", "lease-expired", "A lock's lease ends under a paused holder",
            "rarely stale after a pause", "a longer lease",
            "a fencing token that the write checks",
        ),
        _class(
            "29", "failover-missed-delete", "A promoted replica has missed a delete",
            "stale after a failover", "flush by hand", "flush, or a new epoch, on promotion",
        ),
        _class(
            "30", "refresh-overwrite", "A refresh overwrites a newer value",
            "an edit is undone seconds later", "no refresh of hot keys",
            "compare versions when refreshing",
        ),
        _class(
            "31", "dirty-fill", "A value was stored whose transaction then rolled back",
            "a phantom value", "flush on an error", "store after the commit only", family=_DIRTY,
        ),
        _class(
            "32", "layer-divergence", "One layer was updated and the other failed",
            "the answer depends on the node", "retry",
            "on an error, delete in every layer and queue the repair", family=_PARTIAL,
        ),
        _class(
            "33", "uncommitted-visible", "Somebody reads what was never committed",
            "a value is seen and then gone", "", "store after the commit only",
            family=_DIRTY,
        ),
        _class(
            "34", "stamped-after-read", "An entry is stamped as current after its source was read",
            "after a purge by tag or by time the old value counts as fresh",
            "invalidate once more a little later", "take the stamp before the load",
        ),
        _class(
            "35", "late-unlock", "A lock is deleted by a caller that no longer holds it",
            "two are at work under one lock", "a longer lease",
            "delete the lock only if it still has the token of its holder, in one step",
        ),
        _class(
            "36", "joined-old-flight", "A caller joins a load that began before the change",
            "a read right after a save shows the old value",
            "share a load for a short time only",
            "a change ends the flight: who comes later begins a load of its own",
        ),
        _class(
            "37", "split-look-up", "Whether an entry exists and what it holds are asked separately",
            "now and then an existing item is answered as nothing", "a longer time to live",
            "look up once, with an answer for a miss that no value can be",
        ),
        _class(
            "38", "write-back-resurrection", "A whole object that is old is written back",
            "a change is undone by a later one of another field",
            "read the object afresh before changing it",
            "write the field alone, or on condition of the version that was read",
        ),
        _class(
            "39", "lost-update", "A row is written back over a change made since it was read",
            "a change is undone, a stock is sold twice",
            "SELECT ... FOR UPDATE, or another lock",
            "let the statement compute (SET n = n - 1), or write on condition of what was read",
            removes=True,
        ),
        _class(
            "40", "write-skew", "Two read the same rows, and each changes a different one of them",
            "a rule about several rows is broken", "lock all rows that were read",
            "serializable transactions, with a retry", removes=True,
        ),
        _class(
            "41", "phantom", "A row is added between a search for such rows and what follows",
            "a seat is booked twice, a list misses an entry", "one lock for all who look and add",
            "a unique constraint, or serializable transactions, with a retry", removes=True,
        ),
        _class(
            "42", "non-repeatable-read", "A row changes between two reads of it (fuzzy read)",
            "a report does not add up", "read once, and keep what was read",
            "both reads in one transaction at REPEATABLE READ", removes=True,
        ),
        _class(
            "", "deadlock", "Those who wait, wait for each other",
            "requests hang, or fail where a database ends it",
            "a timeout on every lock, and a retry", "take locks in one order",
            removes=True,
        ),
        _class(
            "", "lost-wakeup", "Somebody waits for what nobody does any more", "requests hang",
            "a timeout on every wait", "check the condition under the lock that announces it",
        ),
        _class(
            "", "crash", "An error that nobody expects", "requests fail", "retry",
            "handle the interleaving that is shown",
        ),
        _class(
            "", "partial-read", "An answer holds parts of two versions", "garbled answers",
            "retry", "replace the entry as a whole",
        ),
    )
}  # fmt: skip

FAMILIES = frozenset(each.family for each in CATALOGUE.values() if each.family is not None)


def fits(slug: str, stated: str) -> bool:
    """Say whether a conflict of class ``slug`` is of the stated class or family."""
    known = CATALOGUE.get(slug)
    return slug == stated or (known is not None and known.family == stated)
