"""Looks at a project by importing it: `python -m pytest_supercache.cli.starting.probe`.

The arguments are the framework, the folder of the project, and the file that is written.
"""

import json
import sys
from pathlib import Path

from pytest_supercache.cli.starting import django_site, web_app
from pytest_supercache.cli.starting.found import Look


def look_at(framework: str, root: Path) -> Look:
    """Import a project and return what was found in it."""
    if framework == "django":
        return django_site.look(root)
    return web_app.look(root, framework)


def main(framework: str, root: str, target: str) -> None:
    """Write what was found as JSON."""
    found = look_at(framework, Path(root).resolve())
    Path(target).write_text(json.dumps(found.as_data()), encoding="utf-8")


if __name__ == "__main__":
    main(*sys.argv[1:])
