"""Finds what shards must have in common and have not: commit, rules, bounds, versions, tests.

Two shards that differ in any of it have not searched parts of one whole: what one of them proves
says nothing about the code, the bounds or the rules of the other.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from pytest_supercache.gate.limits import listed
from pytest_supercache.gate.shards import Part
from pytest_supercache.report.values import short

_RULES = {
    "release": "release",
    "minimum_severity": "minimum_severity",
    "lock_digest": "gate.lock",
    "known_issues_digest": "the known issues",
}
_FACTS = {
    "paths": "the paths that are collected",
    "testpaths": "testpaths",
    "selecting": "what the command line leaves out",
    "overriding": "what the command line overrides in scenario files",
    "replaced": "the settings that the command line replaces",
    "narrowed_by": "settings that narrow the search",
    "deselected": "the number of deselected items",
    "left_out": "the deselected items",
}
_NOTHING = "none"
_HEX = 64


def differences(parts: Sequence[Part]) -> Iterator[str]:
    """Yield one complaint for each thing in which the shards of a run differ."""
    told = [_facts(part) for part in parts]
    for name in dict.fromkeys(name for facts in told for name in facts):
        values = [facts.get(name) for facts in told]
        if any(value != values[0] for value in values):
            yield f"the shards differ in {name}: {_by_value(values, parts)}"
    yield from _changes_apart(parts)
    yield from _tests_apart(parts)
    yield from _servers_apart(parts)


def _facts(part: Part) -> dict[str, Any]:
    run, document = part.run, part.document
    versions, settings = document.get("versions") or {}, run["shard"]["settings"]
    return {
        "the run id": None if run["id"] == run["owner"] else run["id"],
        "the commit": document.get("commit"),
        "the build": document.get("build"),
        "the seed": document.get("seed"),
        "the folder of the project in the repository": run["shard"]["folder"],
        **{label: run["rules"].get(name) for name, label in _RULES.items()},
        **{label: run.get(name) for name, label in _FACTS.items()},
        **{f"the version of {name}": number for name, number in versions.items()},
        **{f"the installed version of {name}": one for name, one in _installed(part).items()},
        **{f"the setting {name}": value for name, value in settings.items()},
    }


def _installed(part: Part) -> dict[str, Any]:
    """Return the versions of the packages that stand nowhere else."""
    found: dict[str, Any] = part.run["shard"].get("installed") or {}
    versions = part.document.get("versions") or {}
    return {name: version for name, version in found.items() if name not in versions}


def _by_value(values: Sequence[Any], parts: Sequence[Part]) -> str:
    """Return each value with the names of the files that have it."""
    names: dict[str, list[str]] = {}
    for value, part in zip(values, parts, strict=True):
        names.setdefault(_shown(value), []).append(part.name)
    return "; ".join(f"{value} in {listed(files)}" for value, files in names.items())


def _shown(value: Any) -> str:
    if value is None or value == []:
        return _NOTHING
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    is_digest = len(text) == _HEX and not set(text) - set("0123456789abcdef")
    return f"{text[:12]}..." if is_digest else short(text)


def _changes_apart(parts: Sequence[Part]) -> Iterator[str]:
    """Yield a complaint if the uncommitted changes differ; what a run has written is no change."""
    told = [part.document.get("changes") for part in parts]
    known = [changes for changes in told if changes is not None]
    if known and len(known) < len(told):
        yield "git does not say of all shards what was changed and not committed"
        return
    apart = [
        name
        for name in sorted({name for changes in known for name in changes})
        if _differs([changes.get(name, "") for changes in known])
    ]
    if apart:
        yield (
            f"the shards differ in what was changed and not committed: {listed(apart)}; let git "
            "ignore what runs and other tools write"
        )


def _differs(digests: Sequence[str | None]) -> bool:
    return None not in digests and len(set(digests)) > 1


def _tests_apart(parts: Sequence[Part]) -> Iterator[str]:
    """Yield a complaint if the shards have not collected the same tests."""
    told = [set(part.collected) for part in parts]
    apart = sorted(set[str]().union(*told) - set(told[0] if told else ()).intersection(*told))
    if apart:
        yield f"the shards have collected different tests: not all have {listed(apart)}"
    ordinary = [part.run["shard"]["ordinary_digest"] for part in parts]
    if len(set(ordinary)) > 1:
        numbers = [part.run["shard"]["ordinary"] for part in parts]
        yield f"the shards have collected different ordinary tests: {_by_value(numbers, parts)}"


def _servers_apart(parts: Sequence[Part]) -> Iterator[str]:
    """Yield a complaint for each server of which the shards had several versions."""
    versions: dict[str, dict[str, list[str]]] = {}
    for part in parts:
        for row in part.document["scenarios"]:
            name, version, address = _backend(row)
            names = versions.setdefault(f"{name}{address}", {}).setdefault(version, [])
            names += [] if part.name in names else [part.name]
    for name, found in versions.items():
        if name and len(found) > 1:
            said = "; ".join(f"{short(one)} in {listed(names)}" for one, names in found.items())
            yield f"the shards differ in the version of {short(name)}: {said}"


def _backend(row: Mapping[str, Any]) -> tuple[str, str, str]:
    """Return the name, the version and the address of the server behind a result."""
    name, _, rest = str((row.get("scope") or {}).get("backend", "")).partition(" ")
    version, space, address = rest.partition(" ")
    return name, version, space + address
