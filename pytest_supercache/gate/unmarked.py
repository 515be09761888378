"""Notes in the temporary folder that a gate run has begun, if its report folder is read-only.

``verdict.json`` of an earlier run with the same id stays in such a folder and remains readable. So
the temporary folder of the machine gets an empty file, named by digests of the path and the id;
`supercache verdict` looks for it. It is removed when a run of another id has written the verdict,
because that replaces the outdated one.
"""

import os
import tempfile
from collections.abc import Iterator
from contextlib import suppress
from hashlib import sha256
from pathlib import Path


def note_unmarked(path: Path, run_id: str) -> None:
    """Note that a run could not mark a verdict as begun; do nothing if that cannot be written.

    Then only the exit status reports the run.
    """
    with suppress(OSError):
        os.close(os.open(_note(path, run_id), os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))


def unmarked(path: Path, run_id: str | None) -> Iterator[str]:
    """Yield a complaint if a verdict is older than the last run of its id."""
    with suppress(OSError):
        if run_id and (note := _note(path, run_id)).exists():
            yield (
                f"verdict.json is of an older run: a later one with the id {run_id} could not mark "
                f"it as begun, as {note} says; give each run an id of its own"
            )


def forget_other_notes(path: Path, run_id: str) -> None:
    """Remove the notes on a verdict that a run of this id has replaced, except its own."""
    with suppress(OSError):
        kept = _note(path, run_id)
        for note in kept.parent.glob(f"{_beginning(path)}*"):
            if note != kept:
                note.unlink(missing_ok=True)


def _note(path: Path, run_id: str) -> Path:
    return Path(tempfile.gettempdir()) / f"{_beginning(path)}{_digest(run_id)}"


def _beginning(path: Path) -> str:
    return f"supercache-unmarked-{_digest(str(path.resolve()))}-"


def _digest(text: str) -> str:
    return sha256(text.encode(errors="surrogateescape")).hexdigest()[:24]
