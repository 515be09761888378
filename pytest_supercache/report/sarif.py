"""Writes SARIF 2.1.0 for code scanning: one result per complaint, at the line of its scenario.

A result is matched with one of the next run by the fingerprint of its conflict, not by its line. A
complaint that a waiver accepts is suppressed, with the reason.
"""

import hashlib
import json
from collections.abc import Iterable, Mapping
from typing import Any
from urllib.parse import quote

from pytest_supercache.oracle.catalogue import CATALOGUE
from pytest_supercache.report.complaints import NOT_AS_STATED, UNKNOWN, Complaint, complaints

SCHEMA = "https://json.schemastore.org/sarif-2.1.0.json"

_OWN = {
    UNKNOWN: "Nothing was found and nothing was proved",
    "unclassified": "A conflict that fits none of the known classes",
    NOT_AS_STATED: "A scenario states another verdict than it has",
}


def sarif(document: Mapping[str, Any]) -> str:
    """Return the SARIF log of a run."""
    found = complaints(document)
    rules = sorted({one.rule for one in found})
    versions = document.get("versions") or {}
    run = {
        "tool": {
            "driver": {
                "name": "pytest-supercache",
                "version": str(versions.get("pytest-supercache") or "0"),
                "rules": [_rule(name) for name in rules],
            }
        },
        "columnKind": "unicodeCodePoints",
        "results": [_result(one, rules) for one in found],
    }
    log = {"$schema": SCHEMA, "version": "2.1.0", "runs": [run]}
    return json.dumps(log, indent=2, ensure_ascii=False) + "\n"


def identity(one: Complaint) -> str:
    """Return an identity that does not depend on lines: the item and its conflict."""
    said = json.dumps([one.id, one.rule, one.fingerprint])
    return hashlib.sha256(said.encode()).hexdigest()[:40]


def _rule(name: str) -> dict[str, Any]:
    known = CATALOGUE.get(name)
    title = known.title if known else _OWN.get(name, f"The guarantee {name} does not hold")
    return {"id": name, "shortDescription": {"text": title}}


def _result(one: Complaint, rules: list[str]) -> dict[str, Any]:
    replay = [f"replay: {one.replay}"] if one.replay else []
    result: dict[str, Any] = {
        "ruleId": one.rule,
        "ruleIndex": rules.index(one.rule),
        "level": "warning" if one.is_unknown else "error",
        "message": {"text": "\n".join([one.title, one.message, *replay])},
        "locations": list(_locations(one)),
        "partialFingerprints": {"supercache/v1": identity(one)},
    }
    if one.waiver is not None:
        waiver = one.waiver
        said = f"{waiver['id']} until {waiver['expires']}: {waiver['workaround']}"
        result["suppressions"] = [{"kind": "external", "status": "accepted", "justification": said}]
    return result


def _locations(one: Complaint) -> Iterable[dict[str, Any]]:
    if one.path:
        place = {
            "artifactLocation": {"uri": quote(one.path.replace("\\", "/"))},
            "region": {"startLine": one.line},
        }
        yield {"physicalLocation": place}
