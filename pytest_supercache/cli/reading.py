"""Reading ``verdict.json``: what every command that works on a finished run begins with."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pytest_supercache.core.errors import SupercacheError
from pytest_supercache.gate.evidence import MALFORMED, rows_of


def read_document(path: Path) -> Mapping[str, Any]:
    """Read a verdict.

    Raises:
        SupercacheError: there is none, or it is not one.
    """
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
        if _is_ours(document):
            rows_of(document)
            return dict(document)
        said = "is not a verdict.json of version 1"
    except FileNotFoundError:
        said = "is not there; run `pytest -p supercache` first, or name a verdict.json"
    except (OSError, RecursionError, *MALFORMED) as error:
        said = f"cannot be read: {error}"
    raise SupercacheError(f"{path} {said}")


def _is_ours(document: object) -> bool:
    return (
        isinstance(document, dict)
        and document.get("version") == 1
        and isinstance(document.get("scenarios"), list)
        and isinstance(document.get("run") or {}, dict)
    )
