"""Compares a run with the one before it in the same folder of reports: new, gone, as before.

Replays, reproducers and runs that stopped in a debugger do not count: they look at one conflict
again. Nor do shards, which are parts of a run. A scenario is compared only if the last run had it,
too.
"""

from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pytest_supercache.core.inputs import InputError
from pytest_supercache.report.document_digest import shard_part
from pytest_supercache.report.plain import Plain
from pytest_supercache.report.run_folders import VERDICT
from pytest_supercache.report.values import short
from pytest_supercache.report.verdict_schema import read_verdict
from pytest_supercache.report.words import count, minute

Json = Mapping[str, Any]

NEW, GONE, OTHER, BEFORE, ABSENT = (
    "new conflict", "conflict gone", "another conflict", "", "not in the last run",
)  # fmt: skip
_NAMED_MAX = 3


def last_run(own: Path) -> dict[str, Plain] | None:
    """Return what is compared of the newest run before that of the folder ``own``, if any."""
    for folder in sorted(own.parent.glob("*/"), reverse=True):
        if folder.name >= own.name:
            continue
        with suppress(OSError, InputError):
            document = read_verdict(folder / VERDICT)
            if not document.get("looks_again") and shard_part(document) is None:
                return _kept(document)
    return None


def _kept(document: Json) -> dict[str, Plain]:
    return {
        "when": document.get("when"),
        "build": document.get("build"),
        "scenarios": [
            {
                "id": row["id"],
                "verdict": row["verdict"],
                "fingerprint": (row.get("counterexample") or {}).get("fingerprint"),
            }
            for row in document["scenarios"]
            if row.get("id") and row.get("verdict")
        ],
    }


@dataclass(frozen=True, slots=True, kw_only=True)
class Since:
    """What has changed: in one sentence, and of each scenario in a few words."""

    sentence: str
    rows: Mapping[str, str]  # by the id of the item; "" is as before


def since_last_run(document: Json) -> Since | None:
    """Return what has changed since the last run; None: there was none."""
    last = document.get("last_run")
    if not last:
        return None
    known = {str(one.get("id")): one for one in last.get("scenarios") or ()}
    rows = {
        str(row["id"]): _changed(row, known.get(str(row["id"]))) for row in document["scenarios"]
    }
    left_out = [name for name in known if name not in rows]
    said = [
        *_counted(rows, NEW, "new conflict", "new conflicts"),
        *_counted(rows, OTHER, "other conflict than before", "other conflicts than before"),
        *_counted(rows, GONE, "conflict gone", "conflicts gone"),
        *_verdicts_changed(rows),
        *_plainly(rows, BEFORE, "as before"),
        *_plainly(rows, ABSENT, "not run then"),
        *([f"{len(left_out):,} of the last run not run now"] if left_out else []),
    ]
    told = [str(part) for part in (minute(last.get("when")), _build(last)) if part]
    when = f" ({', '.join(told)})" if told else ""
    return Since(sentence=f"Since the last run{when}: {'; '.join(said)}.", rows=rows)


def _build(last: Json) -> str | None:
    return f"build {short(last['build'])}" if last.get("build") else None


def _changed(row: Json, before: Json | None) -> str:
    if before is None:
        return ABSENT
    verdict, fingerprint = before.get("verdict"), before.get("fingerprint")
    found = row.get("counterexample") or {}
    if row["verdict"] == "violated" != verdict:
        return NEW
    if row["verdict"] != verdict:
        is_gone = (verdict, row["verdict"]) == ("violated", "holds")
        return GONE if is_gone else f"was {str(verdict).upper()}"
    known = {found.get("fingerprint"), *(found.get("former_fingerprints") or ())}
    return OTHER if fingerprint is not None and fingerprint not in known else BEFORE


def _named(rows: Mapping[str, str], word: str) -> list[str]:
    return [short(name) for name, said in rows.items() if said == word]


def _counted(rows: Mapping[str, str], word: str, one: str, several: str) -> Iterable[str]:
    names = _named(rows, word)
    if names:
        more = f" and {len(names) - _NAMED_MAX:,} more" if len(names) > _NAMED_MAX else ""
        noun = one if len(names) == 1 else several
        yield f"{len(names):,} {noun} ({', '.join(names[:_NAMED_MAX])}{more})"


def _verdicts_changed(rows: Mapping[str, str]) -> Iterable[str]:
    changed = sum(said.startswith("was ") for said in rows.values())
    if changed:
        yield f"{count(changed, 'other verdict')}"


def _plainly(rows: Mapping[str, str], word: str, said: str) -> Iterable[str]:
    number = len(_named(rows, word))
    if number:
        yield f"{number:,} {said}"
