"""Adds a digest to the ``verdict.json`` of a shard, so that an edited one is detected.

The digest is no signature: a forger can compute it, too.
"""

import json
from collections.abc import Mapping
from hashlib import sha256
from typing import Any

DIGEST = "digest"


def with_digest(document: Mapping[str, Any]) -> dict[str, Any]:
    """Return a document, with a digest of all its other fields if it is that of a shard."""
    rest = {name: value for name, value in document.items() if name != DIGEST}
    if shard_part(rest) is None:
        return rest
    text = json.dumps(rest, sort_keys=True)
    return {**rest, DIGEST: sha256(text.encode()).hexdigest()}


def has_its_digest(document: Mapping[str, Any]) -> bool:
    """Say whether the document of a shard has the digest of its contents."""
    return document.get(DIGEST) == with_digest(document).get(DIGEST)


def shard_part(document: Mapping[str, Any]) -> Mapping[str, Any] | None:
    """Return what a document says of its shard; None: it is that of a whole run."""
    run = document.get("run")
    part = run.get("shard") if isinstance(run, Mapping) else None
    return part if isinstance(part, Mapping) else None
