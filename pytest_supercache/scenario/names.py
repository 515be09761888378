"""How files of scenarios are called: `*.supercache.yaml`, also `.yml`, in letters of any size."""

from pathlib import Path

SUFFIX = ".supercache.yaml"
"""What new files get."""

SUFFIXES = (SUFFIX, ".supercache.yml")


def is_scenario_file(name: str) -> bool:
    """Say whether a file of this name holds a scenario."""
    return name.lower().endswith(SUFFIXES)


def stem_of(name: str) -> str:
    """Return the name of a scenario file without what all of them end in."""
    return name[: name.lower().rindex(".supercache.")]


def without_a_file(folder: Path) -> list[Path]:
    """Return what has the name of a scenario file in a folder and is none.

    That is a folder, a pipe, a device, or a link to one of these or to nothing.
    """
    return [
        path
        for path in sorted(folder.iterdir())
        if is_scenario_file(path.name) and not path.is_file() and not is_hidden_link(path)
    ]


def is_hidden_link(path: Path) -> bool:
    """Say whether this is a link to nothing that an editor hides: so it locks a file."""
    return path.name.startswith(".") and path.is_symlink() and not path.exists()
