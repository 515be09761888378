"""Names the folder of temporary files, also where none can be written."""

import tempfile


def temporary_folder() -> str | None:
    """Return the folder; None: Python has tried to write a file in it, and the disk is full."""
    try:
        return tempfile.gettempdir()
    except FileNotFoundError:
        return None
