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


def links_to_nothing(folder: Path) -> list[Path]:
    """Return the scenario files of a folder that are lost; what editors hide there is none."""
    return [
        path
        for path in sorted(folder.iterdir())
        if is_scenario_file(path.name)
        and not path.name.startswith(".")
        and path.is_symlink()
        and not path.exists()
    ]
