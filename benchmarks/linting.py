"""How long `supercache lint` takes for many scenario files, as a user starts it.

    python benchmarks/linting.py [--files 500]

The files are copies of the shipped story, each with its own id, beside an empty conftest. What is
printed is the wall clock and the processor's time of the command with all that it starts; about a
second of it is Python, pytest and its plugins.
"""

import argparse
import re
import resource
import subprocess
import sys
import time
from pathlib import Path
from tempfile import TemporaryDirectory

STORY = Path(__file__).parent.parent / "scenarios" / "story" / "price-change.supercache.yaml"


def main() -> None:
    """Make a project, lint it, and print the seconds."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--files", type=int, default=500)
    files = parser.parse_args().files
    text = STORY.read_text(encoding="utf-8")
    with TemporaryDirectory() as folder:
        for number in range(files):
            own = re.sub(r"(?m)^id: .*$", f"id: S-{number}", text)
            (Path(folder) / f"s{number}.supercache.yaml").write_text(own, encoding="utf-8")
        (Path(folder) / "pytest.ini").write_text("[pytest]\n")
        began = time.perf_counter()
        command = [sys.executable, "-m", "pytest_supercache.cli", "lint"]
        subprocess.run(command, cwd=folder, check=True)
        took = time.perf_counter() - began
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    print(f"{took:.2f} s, {used.ru_utime + used.ru_stime:.2f} s of the processor")


if __name__ == "__main__":
    main()
