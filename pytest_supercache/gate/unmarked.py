"""Remembers, outside of a folder that cannot be written, that a gate run began there.

``verdict.json`` of an earlier run with the same id stays in such a folder and still says what it
said. So the temporary folder of the machine gets an empty file, whose name has digests of the path
and the id; `supercache verdict` looks for it. It goes when a run of another id has written the
verdict, as nothing of the noted id is left there.
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


def forget_other_notes(path: Path, run_id: str) -> None:
    """Remove the notes about a verdict that a run of this id has replaced; its own stay."""
    kept = _note(path, run_id)
    with suppress(OSError):
        for note in kept.parent.glob(f"{_beginning(path)}*"):
            if note != kept:
                note.unlink(missing_ok=True)


def _note(path: Path, run_id: str) -> Path:
    return Path(tempfile.gettempdir()) / f"{_beginning(path)}{_digest(run_id)}"


def _beginning(path: Path) -> str:
    return f"supercache-unmarked-{_digest(str(path.resolve()))}-"


def _digest(text: str) -> str:
    return sha256(text.encode(errors="surrogateescape")).hexdigest()[:24]
