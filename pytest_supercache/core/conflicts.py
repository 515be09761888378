"""The names of conflicts: one slug each, the same in scenario files, reports and fingerprints.

Several classes may share one cause; their family is a name as good as their own when a scenario
states what must be found.
"""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class ConflictClass:
    """One way in which two cache layers fail; ``means`` is a sentence for people."""

    slug: str
    means: str
    family: str | None = None


def _class(slug: str, means: str, family: str | None = None) -> ConflictClass:
    return ConflictClass(slug=slug, means=means, family=family)


_LATE = "late-fill"

CLASSES = {
    known.slug: known
    for known in (
        _class("stale-set", "A reader stores what it loaded before a write, after its DEL.", _LATE),
        _class("in-flight-fill", "A fill passes the invalidation message on its way to the node."),
        _class("invalidate-before-write", "The key is deleted first and refilled before commit."),
        _class("double-delete", "The delayed second delete comes before the late fill."),
        _class("dual-write", "Two writers update cache and origin in different orders."),
        _class(
            "partial-write", "An error after the commit leaves the invalidation out.", "skipped"
        ),
        _class("dropped-invalidation", "A node never hears that its copy is outdated."),
        _class("reordered-update", "Messages with values arrive in the wrong order."),
        _class("read-your-writes", "A user is not shown what the user has just written."),
        _class("non-monotonic-reads", "A user is shown something older than before."),
        _class("stale-replica-refill", "A fill is loaded from a replica behind the commit."),
        _class("additive-ttl", "The layers' lifetimes add up to more than is allowed."),
        _class("stampede", "Everybody loads the same missing key at once."),
        _class("aligned-expiry", "Both layers expire together and everybody loads at once."),
        _class("resurrection", "A late fill brings a deleted key back.", _LATE),
        _class("negative-poisoning", "A late fill stores `absent` over a new value.", _LATE),
        _class("write-behind-loss", "A value that waits to be written is lost at a restart."),
        _class("write-behind-overwrite", "A late flush overwrites a newer value in the origin."),
        _class("cached-rmw", "Two users change what they read from a cache; one change is lost."),
        _class("late-duplicate", "A message that is delivered again undoes a newer one."),
        _class("eviction-hides-invalidation", "The cache forgot the key, so nobody was told."),
        _class("subscribe-gap", "A message is sent before the node subscribes."),
        _class("key-format-mix", "Writer and reader build different names for one key."),
        _class("serializer-mix", "Old and new code cannot read what the other stored."),
        _class("cross-user-reply", "One user is answered what belongs to another."),
        _class("clock-skew", "A clock that runs behind lets an old version win."),
        _class("fractured-read", "Two keys written together are read from before and after."),
        _class("purge-misses-fill", "A flush or a tag's purge does not reach a late fill.", _LATE),
        _class("lease-expired", "A lock's lease ends and its holder writes all the same."),
        _class("failover-missed-delete", "A promoted replica never saw the delete."),
        _class("refresh-overwrite", "A background refresh stores an older value over a newer one."),
        _class("dirty-fill", "A value that was rolled back stays in a cache.", "uncommitted"),
        _class("layer-divergence", "An error leaves one of two layers unwritten.", "skipped"),
        _class("uncommitted-visible", "A user reads a value that is rolled back.", "uncommitted"),
        _class("deadlock", "Users wait for each other in a circle."),
        _class("lost-wakeup", "Somebody waits for what nobody will do any more."),
        _class("crash", "An operation fails with an error that nobody expects."),
        _class("partial-read", "An operation answers with half of the data."),
        _class("unclassified", "None of the others."),
    )
}

FAMILIES = {
    family: tuple(known.slug for known in CLASSES.values() if known.family == family)
    for family in dict.fromkeys(known.family for known in CLASSES.values())
    if family is not None
}


def is_named(stated: str, found: str | None) -> bool:
    """Tell whether a conflict of the class ``found`` is what ``stated`` names."""
    return found is not None and (stated == found or found in FAMILIES.get(stated, ()))
