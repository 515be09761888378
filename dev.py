#!/usr/bin/env python3
"""Set up and run everything with nothing but python3 (with pip or venv). Standard library only.

python3 dev.py setup      make the environment: hash-checked packages and this package, editable.
                          --tests: those of the tests, on another installed Python too, at once
python3 dev.py demo       set up, then run the shipped scenarios: a conflict step by step, the
                          catalogue of conflict classes (results go to reports/conflicts/), and
                          the story with published libraries (to reports/)
python3 dev.py test       set up, then run pytest on all cores; formatter, linter, mypy and import
                          contracts are tests too. --second: only the interpreter-dependent tests,
                          on another installed Python, in an environment of its own. --all: also
                          the long tests, in random order, on every installed Python. mysqlclient
                          is built first where that is possible; elsewhere its tests are left out
python3 dev.py libraries  run the scenarios of published libraries, each version in its environment

  --python X   the interpreter to use: a command, a path or a version such as 3.13
  --venv DIR   where the environment lives (default: .venv); made anew for another Python version

Whatever else is given goes to pytest: python3 dev.py test -k token -x, or -n0 for one process
"""

from __future__ import annotations  # an older Python shall get as far as the message about it

import argparse
import hashlib
import json
import os
import random
import shutil
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple, NoReturn

ROOT = Path(__file__).resolve().parent
OLDEST = (3, 11)
IS_NEW_ENOUGH = f"sys.exit(sys.version_info[:2] < {OLDEST})"
LOCKS = {
    "setup": "requirements.lock",
    "demo": "requirements.lock",
    "test": "requirements-test.lock",
    "libraries": "requirements-test.lock",
}
MYSQLCLIENT = ROOT / "requirements-mysqlclient.lock"
ITS_BUILDER = ROOT / "requirements-setuptools.lock"
ITS_HEADERS = ("mysqlclient", "mariadb", "libmariadb")  # as pkg-config knows those of the server
HAS_PYTHON_H = (
    "import sys, sysconfig; from pathlib import Path;"
    "sys.exit(not Path(sysconfig.get_path('include'), 'Python.h').exists())"
)
LIBRARIES = ROOT / "scenarios/libraries"
PLAINLY = ["-p", "no:cacheprovider", "-W", "ignore", "--supercache-odds=0"]
FOUND = ROOT / "docs/found.md"
REPLAYS = 10
FAILS_ALIKE = 1  # exit status of `supercache replay`
NOTHING_SELECTED = 5  # pytest's exit status
CONFLICTS = ROOT / "reports/conflicts"
STORY = "scenarios/story"
SHOWN = ["-v", "--no-header", f"{STORY}/price-change.supercache.yaml", "-k", "naive"]
SHOWN += ["--supercache-report=reports/shown"]
CATALOGUE = ["scenarios/conflicts", "--supercache-report=reports/conflicts", "-n2"]
CATALOGUE += ["--supercache-odds=30"]  # simulated runs: fewer than usual, to be quick
RELEASED = [STORY, "scenarios/libraries", "-n2", "-W", "ignore::DeprecationWarning"]
RELEASED += ["--alluredir=reports/allure-results", "--clean-alluredir"]
NEXT = """
What next:
  reports/index.html            the story and the libraries, to be stepped through in a browser
  reports/conflicts/index.html  the catalogue; its files are scenarios/conflicts/*.supercache.yaml
  source {bin}/activate
  pytest -p supercache scenarios/story -v    the same by hand
  supercache new --help         a scenario of your own; docs/scenarios.md says more"""
CORES = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
WORKERS = CORES + 1  # some tests wait, and leave their core to others
PARALLEL = ["-n", str(WORKERS), "--dist", "worksteal"]
ALONE = (
    "-n",
    "--numprocesses",
    "--dist",
    "no:xdist",
    "--pdb",
    "--trace",
    "-s",
    "--capture",
    "--co",
)
"""With an argument that begins like one of these, dev.py adds no options of xdist."""
PYTHONS = ["/usr/bin/python3", "python3.13", "python3.12", "python3.11"]
# Left in place, these would let the surroundings decide what is installed, imported or measured.
UNWANTED = {
    *("MYPYPATH", "PIP_PREFIX", "PIP_ROOT", "PIP_TARGET", "PIP_USER", "PYTHONHOME", "PYTHONPATH"),
    *("PYTHONSTARTUP", "PYTHONUSERBASE", "PYTHONWARNINGS", "__PYVENV_LAUNCHER__"),
    "SUPERCACHE_LONG_TESTS",
    "PYTHONDONTWRITEBYTECODE",  # every process of the tests would compile all that it imports
}


class Python(NamedTuple):
    """An interpreter; ``base`` is the one below it if it lives in a venv, else itself."""

    path: str
    base: str
    version: str


def main() -> int:
    """Do one job; the exit status is that of the job's last part, or 1 if any part failed."""
    parser = argparse.ArgumentParser(
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
        usage="python3 dev.py {setup,demo,test,libraries} [--python X] [--venv DIR] [arguments]",
        add_help=False,
    )
    parser.add_argument("job", choices=LOCKS, help=argparse.SUPPRESS)
    parser.add_argument("--python", default=sys.executable, help=argparse.SUPPRESS)
    parser.add_argument("--venv", type=Path, default=Path(".venv"), help=argparse.SUPPRESS)
    parser.add_argument("-h", "--help", action="help", help=argparse.SUPPRESS)
    options, extra = parser.parse_known_args()
    if options.job == "setup" and extra not in ([], ["--tests"]):
        parser.error(f"setup does not know {' '.join(extra)}")
    venv = ROOT / options.venv
    python = interpreter(options.python)
    if options.job == "test":
        return test(venv, python, extra)
    if options.job == "setup" and extra:
        return set_up_for_tests(venv, python)
    set_up(venv, python, ROOT / LOCKS[options.job])
    if options.job == "setup":
        say(f"ready: {short(venv)}/bin/python")
        return 0
    if options.job == "demo":
        return demo(venv, extra)
    return libraries(venv, python, extra)


def demo(venv: Path, extra: list[str]) -> int:
    """Show one conflict step by step, then the catalogue by class, then what libraries do."""
    shutil.rmtree(CONFLICTS, ignore_errors=True)
    (CONFLICTS.parent / "verdict.json").unlink(missing_ok=True)
    say("1 of 3: two users, two caches, every interleaving; one that fails, step by step")
    ends = {call(venv, "pytest", "-p", "supercache", *SHOWN, *extra)}
    say(
        "2 of 3: the catalogue: each conflict class without help, with the usual workaround, mended"
    )
    ends.add(call(venv, "pytest", "-p", "supercache", "-q", *CATALOGUE, *extra, quietly=True))
    list_by_class(rows_of(CONFLICTS))
    say("3 of 3: the story's other systems, and published libraries, unmodified")
    ends.add(call(venv, "pytest", "-p", "supercache", "-q", *RELEASED, *extra, quietly=True))
    for row in rows_of(CONFLICTS.parent):
        print(f"  {row['id']:32} {verdict_of(row):10} {row['title']}")
    print(NEXT.format(bin=f"{short(venv)}/bin"), flush=True)
    return max(ends - {NOTHING_SELECTED}, default=NOTHING_SELECTED)


def rows_of(report: Path) -> list[dict]:
    """Read what a run has found, item by item."""
    found = report / "verdict.json"
    return json.loads(found.read_text(encoding="utf-8"))["scenarios"] if found.exists() else []


def list_by_class(rows: list[dict]) -> None:
    """Print a line for each scenario file: what its systems did, in the order of the file."""
    lines: dict[str, list[str]] = {}
    for row in sorted(rows, key=place_in_file):
        name = Path(row["path"]).name.removesuffix(".supercache.yaml")
        lines.setdefault(name, []).append(f"{row['system']} {verdict_of(row)}")
    print(f"  {'class':30} {'without help':27} {'usual workaround':33} mended")
    for name, systems in sorted(lines.items()):
        shown = (f"{text:{width}}" for text, width in zip(systems, (27, 33, 0), strict=False))
        print(f"  {name:30} {' '.join(shown)}".rstrip())
    right = sum(row["as_stated"] for row in rows)
    print(f"  {len(lines)} classes, {right} of {len(rows)} verdicts as stated", flush=True)


def place_in_file(row: dict) -> tuple[str, int]:
    """Say where an item's system stands: naive first, then the workaround, then the mended one."""
    text = (ROOT / row["path"]).read_text(encoding="utf-8")
    return row["path"], text.find(f"  {row['system']}:")


def verdict_of(row: dict) -> str:
    """Say what an item did, and whether its file says so."""
    return row["verdict"].upper() + ("" if row["as_stated"] else " (NOT AS STATED)")


def libraries(venv: Path, python: Python, extra: list[str]) -> int:
    """Run the scenarios that fit the environment, then each lock's in an environment of its own.

    What they find is replayed in new processes, and is what docs/found.md says.
    """
    ours = ["here", venv, LIBRARIES]
    others = [
        (lock.stem, ROOT / f".venv-libraries/{lock.stem}", lock)
        for lock in sorted(LIBRARIES.glob("*/*.lock"))
    ]
    failed, missing = [], {path.stem for path in LIBRARIES.glob("*/*.in")}
    passing = {0, NOTHING_SELECTED} if extra else {0}
    for name, folder, lock in [ours, *others]:
        where = lock
        if lock.suffix:
            set_up(folder, python, lock)
            where = lock.parent
        report = ROOT / "reports/libraries" / name
        shutil.rmtree(report, ignore_errors=True)
        arguments = ["-p", "supercache", "-q", *PLAINLY, f"--supercache-report={report}"]
        if call(folder, "pytest", *arguments, str(where), *extra) not in passing:
            failed.append(name)
        for row in rows_of(report):
            missing.discard(row["system"])
            if row["verdict"] == "violated" and not is_as_documented(folder, row):
                failed.append(row["id"])
    if missing and not extra:
        failed.append(f"never run: {', '.join(sorted(missing))}")
    say(f"FAILED: {', '.join(failed)}" if failed else f"{len(others) + 1} environments as stated")
    return int(bool(failed))


def is_as_documented(venv: Path, row: dict) -> bool:
    """Say whether a conflict is in docs/found.md, and fails alike in each of ten new processes."""
    found = row["counterexample"]
    command = [venv / "bin/python", "-m", "pytest_supercache.cli", "replay", "--no-search"]
    command += ["--fingerprint", found["fingerprint"], found["token"], row["path"]]
    command += ["--", *PLAINLY]
    runs = [
        subprocess.run(command, cwd=ROOT, env=environment(venv), stdout=subprocess.DEVNULL)
        for _ in range(REPLAYS)
    ]
    alike = sum(run.returncode == FAILS_ALIKE for run in runs)
    is_known = f"'{found['token']}'" in FOUND.read_text(encoding="utf-8")
    known = "" if is_known else f"; docs/found.md does not have {found['token']}"
    say(f"{row['id']}: replayed {alike}/{REPLAYS} in new processes{known}")
    return is_known and alike == REPLAYS


def test(venv: Path, python: Python, extra: list[str]) -> int:
    """Run pytest, which runs the formatter, the linter, mypy and the import contracts, too."""
    began = time.monotonic()
    kinds = {"--all", "--second"} & set(extra)
    if len(kinds) > 1:
        stop("--all includes what --second runs; give one of them")
    extra = [argument for argument in extra if argument not in kinds]
    if "--second" in kinds:
        return second(python, extra)
    if "--all" in kinds:
        return test_all(venv, python, extra, began)
    set_up(venv, python, ROOT / LOCKS["test"])
    add_mysqlclient(venv, python)
    return call(venv, "pytest", *parallel(extra), *extra)


def test_all(venv: Path, python: Python, extra: list[str], began: float) -> int:
    """Run the long forms in random order on every installed Python, the default one last."""
    seed = random.randrange(1_000_000)
    extra = ["--long", "--random-order", f"--random-order-seed={seed}", *extra]
    failed = []
    for other, folder in [*others(python), (python, venv)]:
        say(f"Python {other.version}")
        try:
            set_up(folder, other, ROOT / LOCKS["test"])
            add_mysqlclient(folder, other)
            status = call(folder, "pytest", *parallel(extra), *extra)
        except SystemExit as error:  # that Python could not be set up; the others are tested
            print(error, flush=True)
            status = 1
        if status:
            failed.append(other.version)
    minutes, seconds = divmod(round(time.monotonic() - began), 60)
    said = f"FAILED on Python {', '.join(failed)}" if failed else "passed on every Python"
    say(f"{said}, {minutes} min {seconds} s")
    return int(bool(failed))


def second(python: Python, extra: list[str]) -> int:
    """Run the interpreter-dependent tests on another installed Python; succeed without one."""
    for other, venv in others(python)[:1]:
        set_up(venv, other, ROOT / LOCKS["test"])
        return call(venv, "pytest", *parallel(extra), "--second-python", *extra)
    say(f"no Python but {python.version} is installed")
    return 0


def others(python: Python) -> list[tuple[Python, Path]]:
    """Find the other installed versions of Python, each with the folder of its environment."""
    found: dict[str, Python] = {}
    for name in PYTHONS:
        if shutil.which(name) is None or not works(name, "-c", f"import sys; {IS_NEW_ENOUGH}"):
            continue
        other = interpreter(name)
        installs = any(works(other.path, "-c", f"import {way}") for way in ("pip", "ensurepip"))
        if installs and other.version != python.version:
            found.setdefault(other.version, other)
    return [(other, ROOT / f".venv-{version}") for version, other in found.items()]


def parallel(extra: list[str]) -> list[str]:
    """Return the options that spread pytest over all cores, unless its arguments forbid it."""
    return [] if any(argument.startswith(ALONE) for argument in extra) else PARALLEL


def interpreter(wanted: str) -> Python:
    """Find the interpreter that was asked for."""
    probe = (
        "import json, sys; base = getattr(sys, '_base_executable', sys.executable); number ="
        " '%d.%d' % sys.version_info[:2]; print(json.dumps([sys.executable, base, number]))"
    )
    command = shutil.which(wanted) or shutil.which(f"python{wanted}")
    if command is None:
        stop(f"no interpreter {wanted!r} here; --python takes a command, a path or a version")
    done = subprocess.run([command, "-c", probe], capture_output=True, text=True, env=environment())
    if done.returncode:
        stop(f"{command} does not run: {done.stderr.strip() or done.returncode}")
    python = Python(*json.loads(done.stdout))
    if tuple(map(int, python.version.split("."))) < OLDEST:
        stop(f"Python {OLDEST[0]}.{OLDEST[1]} or newer is needed; {command} is {python.version}")
    return python


def set_up(venv: Path, python: Python, lock: Path) -> None:
    """Make the environment fit the lock and the version; does nothing when it already does."""
    have = version_of(venv)
    if have != python.version:
        if venv.exists():
            if not (venv / "pyvenv.cfg").exists():
                stop(
                    f"{short(venv)} is in the way and no Python environment: move it or use --venv"
                )
            say(f"removing {short(venv)}: its Python is {have or 'broken'}, not {python.version}")
            shutil.rmtree(venv)
        say(f"making {short(venv)} with Python {python.version}")
        run(python.base, "-m", "venv", "--without-pip", venv)
    names = {*(ROOT / name for name in LOCKS.values()), lock}
    inputs = [*sorted(names), ROOT / "pyproject.toml"]
    parts = [bytes(ROOT), *(path.read_bytes() for path in inputs)]
    digest = hashlib.sha256(b"".join(parts)).hexdigest()
    stamp = venv / "dev.py.stamp"  # the digest, then the locks that were installed under it
    done = stamp.read_text().split() if stamp.exists() else []
    if done[:1] == [digest] and lock.name in done:
        say(f"{short(venv)} is up to date with {lock.name}")
        return
    pip = find_pip(venv, python)
    say(f"installing {lock.name} (every file is checked against its hash)")
    run(*pip, "install", "--quiet", "--require-hashes", "-r", lock)
    say("installing pytest-supercache itself, editable")
    # The build backend is in the lock: no isolated build, so nothing unpinned is ever downloaded.
    run(*pip, "install", "--quiet", "--no-deps", "--no-build-isolation", "--editable", ROOT)
    stamp.write_text(" ".join([*(done if done[:1] == [digest] else [digest]), lock.name]))


def set_up_for_tests(venv: Path, python: Python) -> int:
    """Make the environments of ``test`` and ``test --second`` side by side: pip uses one core."""
    environments = [(venv, python), *((folder, other) for other, folder in others(python)[:1])]
    with ThreadPoolExecutor() as pool:
        made = [pool.submit(set_up, *each, ROOT / LOCKS["test"]) for each in environments]
    for each in made:
        each.result()
    add_mysqlclient(venv, python)
    return 0


def add_mysqlclient(venv: Path, python: Python) -> None:
    """Build mysqlclient into the environment, or say what is missing for that.

    It is in no other lock, because it has no wheels for Linux. What builds it stays outside of the
    environment: setuptools would change how every interpreter there starts.
    """
    digest = hashlib.sha256(ITS_BUILDER.read_bytes() + MYSQLCLIENT.read_bytes()).hexdigest()
    stamp = venv / "mysqlclient.stamp"
    if stamp.exists() and stamp.read_text() == digest:
        return
    if missing := missing_to_build(venv):
        say(f"mysqlclient's tests are left out: to build it, install {', '.join(missing)}")
        return
    say(f"building {MYSQLCLIENT.name}")
    pip = find_pip(venv, python)
    install = [*pip, "install", "--quiet", "--require-hashes"]
    with tempfile.TemporaryDirectory() as folder:
        run(*install, "--target", folder, "-r", ITS_BUILDER)
        done = subprocess.run(
            [*install, "--no-deps", "--no-build-isolation", "-r", MYSQLCLIENT],
            cwd=ROOT,
            env={**environment(), "PYTHONPATH": folder},
        )
    if done.returncode:
        say("mysqlclient's tests are left out: it could not be built, see above")
        return
    stamp.write_text(digest)


def missing_to_build(venv: Path) -> list[str]:
    """Name the packages, as Debian calls them, that building mysqlclient needs."""
    pkg_config = shutil.which("pkg-config")
    is_here = {
        "gcc": shutil.which("gcc") or shutil.which("cc"),
        "pkg-config": pkg_config,
        "libmariadb-dev": pkg_config and any(works(pkg_config, "--exists", x) for x in ITS_HEADERS),
        "python3-dev": works(str(venv / "bin/python"), "-c", HAS_PYTHON_H),
    }
    return [name for name, found in is_here.items() if not found]


def find_pip(venv: Path, python: Python) -> list[str]:
    """Name a pip that can install into the environment; it need not live there.

    The interpreter's own pip with ``--python`` also works where pip is externally managed and
    where Debian has left ensurepip out; otherwise ensurepip puts one into the environment.
    """
    target = str(venv / "bin/python")
    quiet = ["--disable-pip-version-check", "--no-input"]
    for owner in (target, python.path, python.base):
        if works(owner, "-m", "pip", "--version"):
            return [owner, "-m", "pip", "--python", target, *quiet]
    if works(target, "-m", "ensurepip"):
        return [target, "-m", "pip", *quiet]
    return stop(
        f"{python.path} has neither pip nor a complete venv. On Debian and Ubuntu: "
        f"apt-get install python{python.version}-venv (or python3-pip)"
    )


def version_of(venv: Path) -> str | None:
    """Return the Python version of an environment; None if there is none or it does not run."""
    code = "import sys; print('%d.%d' % sys.version_info[:2])"
    try:
        done = subprocess.run(
            [venv / "bin/python", "-c", code], capture_output=True, text=True, env=environment()
        )
    except OSError:
        return None
    return done.stdout.strip() or None


def environment(venv: Path | None = None) -> dict[str, str]:
    """Return this process's environment without what would bend a child, venv first in PATH."""
    clean = {name: value for name, value in os.environ.items() if name not in UNWANTED}
    if venv is not None:
        clean["VIRTUAL_ENV"] = str(venv)
        clean["PATH"] = os.pathsep.join([str(venv / "bin"), clean.get("PATH", os.defpath)])
    return clean


def call(venv: Path, tool: str, *arguments: str, quietly: bool = False) -> int:
    """Run a tool of the environment and return its exit status; ``quietly``: show only failures."""
    say(" ".join(["$", tool, *arguments]))
    # Not by its script, which names the folder where the environment was made.
    command = [venv / "bin/python", "-m", tool, *arguments]
    output = subprocess.PIPE if quietly else None
    done = subprocess.run(command, cwd=ROOT, env=environment(venv), stdout=output)
    if quietly and done.returncode not in {0, NOTHING_SELECTED}:
        print(done.stdout.decode(errors="replace"), flush=True)
    return done.returncode


def run(*command: str | Path) -> None:
    """Run a command that has to succeed."""
    done = subprocess.run(command, cwd=ROOT, env=environment())
    if done.returncode:
        stop(f"set-up failed with exit status {done.returncode}: see above")


def works(*command: str) -> bool:
    """Say whether a command succeeds."""
    return subprocess.run(command, capture_output=True, env=environment()).returncode == 0


def short(path: Path) -> str:
    """Write a path as seen from the repository."""
    return str(path.relative_to(ROOT)) if path.is_relative_to(ROOT) else str(path)


def say(text: str) -> None:
    """Tell what is being done, in order with the output of the tools."""
    print(f"[dev.py] {text}", flush=True)


def stop(text: str) -> NoReturn:
    """End with a message for the user."""
    sys.exit(f"[dev.py] {text}")


if __name__ == "__main__":
    sys.exit(main())
