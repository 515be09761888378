"""How files of scenarios are called: `*.supercache.yaml`, also `.yml`, in letters of any size."""

SUFFIX = ".supercache.yaml"
"""What new files get."""

SUFFIXES = (SUFFIX, ".supercache.yml")


def is_scenario_file(name: str) -> bool:
    """Say whether a file of this name holds a scenario."""
    return name.lower().endswith(SUFFIXES)


def stem_of(name: str) -> str:
    """Return the name of a scenario file without what all of them end in."""
    return name[: name.lower().rindex(".supercache.")]
