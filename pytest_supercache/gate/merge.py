"""Merges the verdicts of shards into the verdict of one run, or names why they are not one run.

A fact of a run must be equal in all shards, or the facts of all shards are joined. What is missing,
doubled, foreign or inconsistent is listed in ``run.merge.wrong``; as long as anything is, the gate
says NO VERDICT.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from hashlib import sha256
from itertools import chain
from typing import Any

from pytest_supercache.core.errors import SupercacheError
from pytest_supercache.gate.evidence import MALFORMED
from pytest_supercache.gate.limits import listed
from pytest_supercache.gate.same_id import against_go
from pytest_supercache.gate.shards import Part, Shard, dealt, read_shard
from pytest_supercache.gate.shards_apart import differences
from pytest_supercache.report.document_digest import has_its_digest, shard_part

Json = Mapping[str, Any]

SAME = (
    "deselected", "left_out", "selecting", "paths", "testpaths", "overriding", "narrowed_by",
    "replaced", "rules",
)  # fmt: skip
"""The facts of a run that must be equal in all shards."""

JOINED = (
    "failed", "broken", "crashed", "skipped", "removed", "silent", "elsewhere", "changed",
    "written", "preloaded", "shadowed", "uncollected", "uncollected_ignored",
    "uncollected_left_out", "uncollected_named", "uncollected_outside", "empty_paths",
    "testpaths_without_match", "unread", "in_vain",
    "in_vain_as_said", "in_vain_besides", "no_tests", "set_aside",
)  # fmt: skip
"""The lists of facts that are joined; a function that one shard called needs no test in another."""

IN_ANY = ("plain_asserts", "without_asserts", "replay", "unobserved")
"""The facts that hold for all as soon as they hold for one shard."""

_SAID_WHY = ("broken", "crashed", "skipped", "removed")
_AS_USUAL = {0, 1}


def merge_shards(documents: Mapping[str, Json], unread: Iterable[str] = ()) -> dict[str, Any]:
    """Return the document of one run.

    Args:
        documents: the verdicts of the shards, by the names of their files.
        unread: complaints about files that could not be read.
    """
    parts, wrong = list[Part](), list(unread)
    for name, document in documents.items():
        why = _refusal(name, document)
        if why is None:
            parts.append(_part(name, document))
        else:
            wrong.append(why)
    wrong += [*_incomplete(parts), *differences(parts)]
    wrong += chain.from_iterable(_inconsistent(part) for part in parts)
    wrong += _other_runs(parts)
    if not parts:
        run = {**identity(None, documents), "merge": _merge_part(parts, wrong)}
        return {"scenarios": [], "run": run}
    first = parts[0].document
    return {
        **{name: first.get(name) for name in ("build", "commit", "seed", "versions")},
        **_work_tree(parts),
        "when": min(part.document["when"] for part in parts),
        "run": {**_run(parts), "merge": _merge_part(parts, wrong)},
        "scenarios": list(_rows(parts)),
    }


def _refusal(name: str, document: Json) -> str | None:
    """Return why a file is not the verdict of a shard; None: it is one."""
    run = document.get("run") if isinstance(document.get("run"), Mapping) else None
    if run is not None and run.get("written_to"):
        return f"{name} decides nothing: the verdict of its run is in {run['written_to']}"
    if run is None or run.get("finished") is not True:
        return f"{name} is not that of a shard: the run did not finish"
    if shard_part(document) is None:
        return f"{name} is not that of a shard: it was run without --supercache-shard"
    if not has_its_digest(document):
        return f"{name} was changed after its run had written it: its digest is another one"
    try:
        part = _part(name, document)
        if part.run["rules"] is None:
            return f"{name}: the rules of the gate could not be read there"
        read = (document["when"], _run([part]), *_inconsistent(part), *differences([part]))
        return None if read[0] else f"{name} does not say when the run was"
    except (SupercacheError, *MALFORMED) as error:
        return f"{name} is not as a run writes it: {type(error).__name__}: {error}"


def _part(name: str, document: Json) -> Part:
    told = document["run"]["shard"]
    shard = read_shard(f"{told['index']}/{told['count']}")
    return Part(name=name, shard=shard, document=document)


def _incomplete(parts: Sequence[Part]) -> Iterator[str]:
    """Yield the shards that are missing, doubled, or of another division."""
    counts = {part.shard.count for part in parts}
    if len(counts) > 1:
        yield f"the shards are of different divisions: {', '.join(map(str, parts))}"
        return
    have = Counter(part.shard.index for part in parts)
    for index, times in sorted(have.items()):
        if times > 1:
            names = listed([part.name for part in parts if part.shard.index == index])
            yield f"{Shard(index=index, count=min(counts))} was given {times} times: {names}"
    for count in counts:
        lost = [str(index) for index in range(1, 1 + count) if index not in have]
        if lost:
            is_one = len(lost) == 1
            yield (
                f"shard{'' if is_one else 's'} {listed(lost)} of {count} "
                f"{'is' if is_one else 'are'} missing"
            )


def _inconsistent(part: Part) -> Iterator[str]:
    """Yield what a shard has run of others, and what it has not run of its own."""
    status = part.run.get("exit_status")
    if status not in _AS_USUAL:
        yield f"{part}: pytest ended with {status}"
    names = part.collected
    shards = dealt(names, part.shard.count)
    own = {name for name, index in shards.items() if index == part.shard.index}
    had = {str(row["node_id"]) for row in part.document["scenarios"]}
    if had - own:
        yield f"{part} has results of tests that it should not run: {listed(sorted(had - own))}"
    why = {str(one) for name in _SAID_WHY for one in part.run.get(name) or ()}
    lost = sorted(one for one in own - had if not {one, names[one]} & why)
    if lost and not part.run.get("stopped"):
        yield f"{part} has no result of {listed(lost)}"


def _other_runs(parts: Sequence[Part]) -> Iterator[str]:
    """Yield the other runs of the job of a shard that have not ended well; shards are no others."""
    owners = {part.run.get("owner") for part in parts}
    for part in parts:
        others = [one for one in part.run.get("others") or () if one.get("owner") not in owners]
        for said in against_go({**part.run, "others": others}):
            yield f"{part}: {said}"


def _rows(parts: Sequence[Part]) -> Iterator[Json]:
    """Yield the rows of all shards; of several with one node id, the first."""
    seen = set[str]()
    for part in parts:
        for row in part.document["scenarios"]:
            if row["node_id"] not in seen:
                seen.add(row["node_id"])
                yield row


def _work_tree(parts: Sequence[Part]) -> dict[str, Any]:
    """Return what was not committed; a file that one run has written is unknown."""
    known = [part.document.get("changes") for part in parts]
    told = [changes for changes in known if changes is not None]
    dirty = parts[0].document.get("dirty")
    if len(told) < len(known):
        return {"dirty": dirty, "changes": None}
    joined = {name: digest for changes in told for name, digest in changes.items()}
    written = {name for changes in told for name, digest in changes.items() if digest is None}
    return {"dirty": dirty, "changes": {**joined, **dict.fromkeys(written)}}


def _run(parts: Sequence[Part]) -> dict[str, Any]:
    runs = [part.run for part in parts]
    joined = {name: _joined(run.get(name) for run in runs) for name in JOINED}
    called = {one for run in runs for one in run["shard"]["called"]}
    stopped = [f"{part}: {part.run['stopped']}" for part in parts if part.run.get("stopped")]
    ids = {str(run["id"]) for run in runs if run["id"] != run["owner"]}
    return {
        **identity(min(ids) if ids else None, [str(run["owner"]) for run in runs]),
        "exit_status": int(any(run.get("exit_status") == 1 for run in runs)),
        **joined,
        **{name: runs[0].get(name) for name in SAME},
        **{name: any(run.get(name) for run in runs) for name in IN_ANY},
        "git_refused": next((run["git_refused"] for run in runs if run.get("git_refused")), None),
        "no_tests": [one for one in joined["no_tests"] if one not in called],
        "unexplained": sum(run.get("unexplained") or 0 for run in runs),
        "stopped": "; ".join(stopped) or None,
    }


def identity(run_id: str | None, owners: Iterable[str]) -> dict[str, Any]:
    """Return what identifies a merge: the same shards are the same run when they are merged again.

    Args:
        run_id: the id that somebody gave to the run of the shards; None: nobody did.
        owners: the numbers of the shards' runs.
    """
    told = "\n".join(["merge", *([run_id] if run_id else sorted(owners))])
    number = sha256(told.encode(errors="surrogatepass")).hexdigest()[:16]
    return {"id": run_id or number, "owner": number, "is_gate": True, "finished": True}


def _joined(lists: Iterable[Any]) -> list[Any]:
    return sorted({one for told in lists for one in told or ()})


def _merge_part(parts: Sequence[Part], wrong: Iterable[str]) -> dict[str, Any]:
    return {
        "count": max((part.shard.count for part in parts), default=0),
        "folder": parts[0].run["shard"]["folder"] if parts else None,
        "shards": [
            {
                "index": part.shard.index,
                "owner": str(part.run.get("owner")),
                "when": part.document.get("when"),
            }
            for part in sorted(parts, key=lambda one: (one.shard.index, one.name))
        ],
        "wrong": list(dict.fromkeys(wrong)) or ([] if parts else ["there is no shard"]),
    }
