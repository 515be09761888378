"""Remembers, outside of a folder that cannot be written, that a gate run began there.

``verdict.json`` of an earlier run with the same id stays in such a folder and still says what it
said. So the temporary folder of the machine gets an empty file, whose name is a digest of the path
and the id; `supercache verdict` looks for it.
"""

import os
import tempfile
from collections.abc import Iterator
from contextlib import suppress
from hashlib import sha256
from pathlib import Path


def note_unmarked(path: Path, run_id: str) -> None:
    """Note that a run could not mark a verdict as begun; where nothing can be written, nothing is.

    Only an exit status tells of the run then.
    """
    with suppress(OSError):
        os.close(os.open(_note(path, run_id), os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))


def unmarked(path: Path, run_id: str | None) -> Iterator[str]:
    """Yield that a verdict is of an earlier run than the last one of its id."""
    with suppress(OSError):
        if run_id and (note := _note(path, run_id)).exists():
            yield (
                f"verdict.json is of an older run: a later one with the id {run_id} could not mark "
                f"it as begun, as {note} says; give each run an id of its own"
            )


def _note(path: Path, run_id: str) -> Path:
    digest = sha256(f"{path.resolve()}\n{run_id}".encode(errors="surrogateescape")).hexdigest()
    return Path(tempfile.gettempdir()) / f"supercache-unmarked-{digest[:32]}"
