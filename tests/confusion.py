"""Which class each failing execution is given: a table of docs/confusion.md, made by a command.

``python -m tests.confusion [verdict.json ...]`` runs the catalogue, every interleaving of it, and
mutated systems; documents of other runs add what was found in published libraries.
"""

import json
import os
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

from tests.borne_out import verdict_on
from tests.mutated import drawn, explored

ROOT = Path(__file__).parents[1]
PAGE = ROOT / "docs" / "confusion.md"
MUTATIONS = 200

HEAD = """# Which class is given

`python3 dev.py libraries`, then `python -m tests.confusion reports/libraries/*/verdict.json`, makes
this page.

"""


def catalogue() -> dict[str, dict[str, int]]:
    """Run the catalogue, and return how often which class was given, by the one that is stated."""
    with TemporaryDirectory() as folder:
        command = [sys.executable, "-m", "pytest", "-q", "-p", "supercache", "-p", "tests.watching"]
        command += ["-p", "no:cacheprovider", "--supercache-odds=0"]
        command += [f"--supercache-report={folder}", str(ROOT / "scenarios" / "conflicts")]
        where = {**os.environ, "PYTHONPATH": str(ROOT)}
        subprocess.run(command, cwd=folder, env=where, check=True, stdout=sys.stderr)
        found = json.loads((Path(folder) / "found.json").read_text(encoding="utf-8"))
    return dict(found)


def libraries(documents: list[Path]) -> Iterator[tuple[str, str]]:
    """Yield the name of each published conflict that documents have, and its class."""
    for document in documents:
        for row in json.loads(document.read_text(encoding="utf-8"))["scenarios"]:
            if row["counterexample"] is not None:
                yield row["id"], row["counterexample"]["conflict_class"]


def mutated(count: int) -> Counter[tuple[str, str]]:
    """Return what was found in mutated systems: whether a class is borne out, and the class."""
    found = (explored(drawn(seed)).counterexample for seed in range(count))
    return Counter(verdict_on(one) for one in found if one is not None)


def _table(head: str, rows: list[str]) -> str:
    columns = head.count("|") - 1
    return "\n".join([head, f"|{'---|' * columns}", *rows])


def page(documents: list[Path]) -> str:
    """Return the text of the page."""
    every = []
    for slug, classes in sorted(catalogue().items()):
        others = ", ".join(f"`{one}` {n}" for one, n in sorted(classes.items()) if one != slug)
        every.append(f"| `{slug}` | {classes.get(slug, 0)} | {others} |")
    published = [f"| {name} | `{slug}` |" for name, slug in sorted(set(libraries(documents)))]
    drawn = [f"| `{slug}` | {how} | {n} |" for (slug, how), n in sorted(mutated(MUTATIONS).items())]
    return HEAD + "\n\n".join(
        [
            "## The catalogue: every failing interleaving of what is stated to be violated",
            _table("| stated | executions of this class | of another one |", every),
            "Families are stated where the workaround has several classes of one.",
            "## Published libraries",
            _table("| conflict | class |", published),
            f"## {MUTATIONS} systems drawn from the reference systems (`tests/mutated.py`)",
            "The first conflict of each that has one. `tests/borne_out.py` has each class's "
            "definition a second time, by who read and stored which value where: of a conflict "
            "without a class it says which definitions the steps meet.",
            _table("| class | steps | systems |", drawn),
        ]
    )


def main(documents: list[Path]) -> None:
    """Write the page."""
    PAGE.write_text(page(documents) + "\n", encoding="utf-8")
    sys.stdout.write(f"written: {PAGE.name}\n")


if __name__ == "__main__":
    main([Path(name) for name in sys.argv[1:]])
