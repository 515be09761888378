"""Makes docs/found.md, a card for each published conflict, and the strips that the cards show.

python3 dev.py libraries
python -m tools.gallery reports/libraries/*/verdict.json

Tokens, classes, labels and strips come from the verdicts, the stories from the scenario files, the
versions from the pins beside them, and the rest from scenarios/libraries/published.toml. The
shipped example is run here.
"""

import json
import os
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterable, Iterator, Mapping
from itertools import takewhile
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from pytest_supercache.report.markdown import escaped
from tools.strip import outcome_of, steps_of, strip_svg

Json = Mapping[str, Any]

ROOT = Path(__file__).parents[1]
PAGE = ROOT / "docs" / "found.md"
DRAWINGS = ROOT / "docs" / "drawings"
LIBRARIES = ROOT / "scenarios" / "libraries"
STORY = "scenarios/story"
ALT_MAX = 2_000
OURS = {
    "reference.naive": "a read stores the old value after both invalidations were delivered",
    "reference.workaround": "the same, when the reader is slower than the second delete is late",
}

HEAD = """# Conflicts that pytest-supercache has found

Each card is a scenario of this repository, run against the **unmodified** library. Its picture
shows the smallest order of steps that fails: the colour and the place of a box say who took the
step, the number says which step it was, and the red box says what users got. The command replays
exactly that order.

<!-- Made by `python3 dev.py libraries`, then
`python -m tools.gallery reports/libraries/*/verdict.json` -->

"""

TAIL = """
## How to replay one

The libraries without an environment on their card are among the packages of the tests: the command
works in `.venv` after `python3 dev.py test`. Every other card names an environment below
`.venv-libraries/`, which `python3 dev.py libraries` makes; run the command with its Python:

```
.venv-libraries/cachetools.memo_5/bin/python -m pytest -p supercache scenarios/libraries/...
```

The scenarios of redis-py need `redis-server` 7.4 or later: no stand-in tells clients of changes.

## Labels and classes

Each scenario states its label, and its class if it has one; a run that finds another one fails.

- A *conflict* passes in every one-at-a-time order and fails only when users overlap.
- An *order bug* needs no overlap, only an order: LIB-34 fails when alice is served before bob.
- A *plain bug* fails in every order: for LIB-35, one worker that gives up is enough.

[conflicts.md](conflicts.md) explains the classes and what helps; [confusion.md](confusion.md) shows
which class each failing interleaving of the catalogue is given. [found/](found) has texts for
maintainers that have not been told yet.
"""


def published() -> dict[str, Json]:
    """Return what is known of each published conflict, by its system."""
    return tomllib.loads((LIBRARIES / "published.toml").read_text(encoding="utf-8"))


def rows_of(documents: Iterable[Path]) -> dict[str, Json]:
    """Return the rows of documents that have a conflict, by system."""
    rows = (
        row
        for document in documents
        for row in json.loads(document.read_text(encoding="utf-8"))["scenarios"]
    )
    return {row["system"]: row for row in rows if row["counterexample"]}


def story() -> dict[str, Json]:
    """Run the shipped story and return its rows that have a conflict."""
    with TemporaryDirectory() as folder:
        command = [sys.executable, "-m", "pytest", "-q", "-p", "supercache", STORY]
        command += ["-p", "no:cacheprovider", "--supercache-odds=0"]
        command += [f"--supercache-report={folder}"]
        where = {**os.environ, "PYTHONPATH": str(ROOT)}
        subprocess.run(command, cwd=ROOT, env=where, check=True, stdout=sys.stderr)
        return rows_of([Path(folder) / "verdict.json"])


def page(rows: Mapping[str, Json]) -> str:
    """Return the text of the page."""
    known = published()
    groups: dict[str, list[str]] = {}
    for system, about in known.items():
        groups.setdefault(about["seen"], []).append(system)
    index = ["| users see | in |", "|---|---|"]
    for seen, systems in groups.items():
        links = ", ".join(f"[{_name(system)}](#{anchor_of(rows[system])})" for system in systems)
        index.append(f"| {seen} | {links} |")
    parts = ["\n".join(index)]
    for seen, systems in groups.items():
        parts.append(f"## {seen[:1].upper()}{seen[1:]}")
        parts += [card(rows[system], known[system]) for system in systems]
    parts.append("## The example that is shipped")
    parts += [card(rows[system], {"title": title}) for system, title in OURS.items()]
    cards = "\n\n".join(parts)
    return f"{HEAD}{cards}\n{TAIL}"


def card(row: Json, about: Json) -> str:
    """Return one card: what users see, the story, the strip, the facts and the command."""
    system, found = row["system"], row["counterexample"]
    alt = ". ".join([*(step.text for step in steps_of(found)), outcome_of(found)])
    return "\n".join(
        [
            f'<a id="{anchor_of(row)}"></a>',
            "",
            f"### {_name(system)}: {about['title']}",
            "",
            story_of(ROOT / row["path"]),
            "",
            f"![{escaped(alt, ALT_MAX)}](drawings/{drawing_of(row)})",
            "",
            *(f"- {fact}" for fact in _facts(row, about)),
            "",
            "```",
            row["replay"],
            "```",
        ]
    )


def story_of(path: Path) -> str:
    """Return the comment that a scenario file begins with."""
    lines = path.read_text(encoding="utf-8").splitlines()
    return " ".join(line.removeprefix("#").strip() for line in takewhile(_is_comment, lines))


def _is_comment(line: str) -> bool:
    return line.startswith("#")


def drawing_of(row: Json) -> str:
    """Return the name of the file with a conflict's strip."""
    return f"{anchor_of(row)}.svg"


def anchor_of(row: Json) -> str:
    """Return the address of a conflict on the page, from its id and its system."""
    return re.sub(r"[^a-z0-9]+", "-", row["id"].lower()).strip("-")


def _facts(row: Json, about: Json) -> Iterator[str]:
    slug, base = row["counterexample"]["conflict_class"], str(row["id"]).partition("[")[0]
    named = f"`{slug}`" if slug != "unclassified" else f"not classified: {about['why']}"
    path = Path(row["path"])
    yield f"{base}, {row['label']}, {named}; scenario [{path.name}](../{path})"
    if row["system"] in OURS:
        return
    upstream = _upstream(about)
    fixed = about.get("fixed")
    yield f"gone in {fixed}; {upstream}" if fixed else upstream
    if (ROOT / path.parent / f"{row['system']}.lock").exists():
        yield f"environment `.venv-libraries/{row['system']}`"


def _upstream(about: Json) -> str:
    promised = "" if about.get("promised", True) else "; upstream does not promise otherwise"
    if "text" in about:
        return f"not reported yet: [a text for its maintainers](found/{about['text']}){promised}"
    links = (
        f"[{name}](https://github.com/{name.replace('#', '/issues/')})" for name in about["reports"]
    )
    return f"upstream: {', '.join(links)}{promised}"


def _name(system: str) -> str:
    """Return the library of a system with its version, as pinned beside the scenario."""
    if system in OURS:
        return f"`{system}`"
    (pins,) = LIBRARIES.glob(f"*/{system}.in")
    name, _, version = pins.read_text(encoding="utf-8").split()[0].partition("==")
    return f"{'redis-py' if name == 'redis' else name} {version}"


def main(documents: list[Path]) -> None:
    """Write the page and its drawings."""
    rows = {**rows_of(documents), **story()}
    missing = sorted({*published(), *OURS} - set(rows))
    if missing:
        sys.exit(f"no conflict of {', '.join(missing)} in these documents")
    DRAWINGS.mkdir(exist_ok=True)
    for system in (*published(), *OURS):
        found = rows[system]["counterexample"]
        drawn = strip_svg(steps_of(found), outcome_of(found), rows[system]["title"])
        (DRAWINGS / drawing_of(rows[system])).write_text(drawn, encoding="utf-8")
    PAGE.write_text(page(rows), encoding="utf-8")
    sys.stdout.write(f"written: {PAGE.name} and {len(published()) + len(OURS)} strips\n")


if __name__ == "__main__":
    main([Path(name) for name in sys.argv[1:]])
