"""``no_lost_invalidation``: every layer drops the entries that a commit makes outdated.

Definition: for each commit of a key and each layer that holds an older version at that instant, the
layer drops or replaces it before everything has settled (Redis client-side caching: an invalidation
reaches every client that may hold the key; NSDI 2013, section 4 of "Scaling Memcache at Facebook").
A layer that dropped it and was filled with the old value again did not lose the invalidation: that
is for ``coherent_when_settled``. It needs the origin's commit order, what layers held after each
step, and a settled end. Cost: one pass over what layers held. Trace-invariant: "at that instant" is
read as "the commit does not happen before the fill", which holds in one order iff in all.
"""

from collections.abc import Iterator

from pytest_supercache.core.operation import Commit, Content
from pytest_supercache.core.places import place_in_words
from pytest_supercache.core.value_text import value_text
from pytest_supercache.core.verdict import Violation
from pytest_supercache.oracle.guarantee import Guarantee, NotJudgedError
from pytest_supercache.oracle.observed import Observed, cached_contents, decided_by
from pytest_supercache.oracle.versions import same


def _findings(observed: Observed) -> Iterator[Violation | NotJudgedError]:
    if not observed.has_settled:
        return  # `answers` says so
    observed.require_origin()
    observed.require_end()
    for found in cached_contents(observed):
        if isinstance(found, NotJudgedError):
            yield found
            continue
        _, key, contents = found
        commits = observed.commits(key)
        last = contents[-1]
        if commits and last.value is not None and not same(last.value, commits[-1].value):
            yield from _kept(observed, last, commits)


def _kept(
    observed: Observed, content: Content, commits: list[Commit]
) -> Iterator[Violation | NotJudgedError]:
    versions = observed.content_versions(content)
    if isinstance(versions, NotJudgedError):
        yield versions
        return
    missed = [
        number
        for number, commit in enumerate(commits, start=1)
        if not observed.is_before(commit.at, content.at)
    ]
    if any(number > max(versions) for number in missed):
        yield Violation(
            guarantee="no_lost_invalidation",
            summary=f"{place_in_words(content.place)} held {value_text(content.value)} for "
            f"{content.key} when {value_text(commits[-1].value)} was committed, and never dropped "
            "it",
            key=content.key,
            evidence={
                "place": content.place,
                "held": content.value,
                "origin": commits[-1].value,
                "since": content.at,
            },
            at=max(content.at, commits[-1].at),
        )
    elif any(number > min(versions) for number in missed):
        yield NotJudgedError(
            f"{content.key} had the value {value_text(content.value)} more than once; the oracle "
            "cannot "
            "tell which of them a layer kept. Write values that differ"
        )


NO_LOST_INVALIDATION = Guarantee(
    "no_lost_invalidation",
    decided_by(_findings),
    needs_contents=True,
    asks_nodes=False,
    ignores_time=True,
)
