"""Gate runs that are killed at a random moment, with the GO of an earlier run in their folder.

``python -m tests.hostile.kills --count 300 --seed 0`` kills any number of them by SIGKILL, SIGTERM
and SIGINT: in one process, with workers of ours, with workers of xdist; on fakeredis and, where it
is installed, on a redis-server that the run has started. Half of the kills come in the first
second. Some runs would never end; others would end as NO-GO, and are killed up to their last
moment.

A kill is wrong if pytest or ``supercache verdict`` ends in exit status 0, reading the top of the
reports or the folder of a run, if pytest goes on, or if a process that the run has started is
still there eight seconds later (on a machine where a whole run takes longer than that: so much
later, because a worker that starts up hears of nothing before).
"""

import argparse
import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator
from contextlib import chdir, suppress
from dataclasses import dataclass
from pathlib import Path
from random import Random

from click.testing import CliRunner

from pytest_supercache.cli import main as supercache
from pytest_supercache.core.real_clock import real_seconds, real_sleep
from tests.plugin.projects import SHOP, race

SIGNALS = (signal.SIGKILL, signal.SIGTERM, signal.SIGINT)
MODES = {
    "one process": ("-p", "no:xdist"),
    "workers": ("-p", "no:xdist", "-p", "no:django", "--supercache-workers=2"),
    "xdist": ("-n2",),
}
LEFT_SECONDS = 8.0
"""How long what a run has started may outlive it.

It is gone within two seconds on a machine that is not busy. Where three workers of xdist share two
cores, a worker of ours was there after two seconds in two runs of the suite, on the way out.
"""

PAUSE_SECONDS = 0.1
"""How long a look at all processes, and the pause before it, take at most if there is time."""

END_SECONDS = 60.0
"""How long a run may take to end after a signal, on a busy machine."""

LONG = """
class Long(Uncached):
    def get(self, key):
        for _ in range(40):
            self.redis.get(key)
    def set(self, key, value):
        for _ in range(40):
            self.redis.set(key, value)

@sc.system("long")
def long_system(layers):
    return Long(layers.existing_cache.client(), layers.origin)
"""

LATE = 1.5
"""How often a whole run in one process could have been done when the last kill comes."""

_FOR_HOURS = "guarantees: []\nexplore: {executions: 100000000, time: 36000s}\n"
FLOWS = {
    "never ends": [("long", _FOR_HOURS), ("long", _FOR_HOURS), ("long", _FOR_HOURS)],
    "is NO-GO": [("shop", ""), ("uncached", ""), ("uncached", "")],
}
_MARK = "SUPERCACHE_TESTS_KILL"


@dataclass(frozen=True)
class Kill:
    """How a run is killed; ``moment`` is a share of the first second, or of what comes after."""

    number: int
    flows: str
    mode: str
    backend: str
    signal: signal.Signals
    is_early: bool
    moment: float

    def __str__(self) -> str:
        when = "in the first second" if self.is_early else "later"
        return (
            f"kill {self.number}: a run that {self.flows} ({self.mode}, {self.backend}), "
            f"{self.signal.name} {when}"
        )


@dataclass(frozen=True)
class Killed:
    """What became of a run: exit statuses, and the processes that were left behind."""

    kill: Kill
    status: int | None  # of pytest; None: it went on
    verdict: int  # of `supercache verdict` about this run
    verdict_of_any: int  # the same, when nobody says which run is meant
    verdicts_of_folders: tuple[int, ...]  # of the files in the folders of runs, about this run
    left: tuple[str, ...]

    @property
    def is_wrong(self) -> bool:
        """Say whether something came of it that must not."""
        is_go = 0 in {self.status, self.verdict, *self.verdicts_of_folders}
        return is_go or self.status is None or bool(self.left)

    def __str__(self) -> str:
        left = f"; left behind: {', '.join(self.left)}" if self.left else ""
        verdicts = ", ".join(map(str, (self.verdict, *self.verdicts_of_folders)))
        return f"{self.kill}: pytest {self.status}, supercache verdict {verdicts}{left}"


def drawn(seed: int, number: int, backends: tuple[str, ...]) -> Kill:
    """Draw a kill; signals, modes and halves take turns, so that each occurs with each."""
    draw = Random(f"kills {seed} {number}")
    return Kill(
        number=number,
        flows=draw.choice(tuple(FLOWS)),
        mode=tuple(MODES)[number // 3 % 3],
        backend=draw.choice(backends),
        signal=SIGNALS[number % 3],
        is_early=number // 9 % 2 == 0,
        moment=draw.random(),
    )


class Folder:
    """Makes folders with an old GO each, and knows how long a whole run takes in one."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._old = path / "old"
        self._write(self._old, [("uncached", "")])
        begun = real_seconds()
        ended = _started(self._old, MODES["one process"], "the old run")
        assert ended.wait() == 0, "the run before the kills is GO"
        self._seconds = real_seconds() - begun

    @staticmethod
    def _write(path: Path, flows: list[tuple[str, str]]) -> None:
        path.mkdir(exist_ok=True)
        (path / "pytest.ini").write_text("[pytest]\nsupercache_odds = 0\n")
        (path / "conftest.py").write_text(f"{SHOP}\n{LONG}")
        for at, (system, more) in enumerate(flows):
            (path / f"{at}.supercache.yaml").write_text(race(f"K-{at}", system, more))

    def killed(self, kill: Kill) -> Killed:
        """Kill a run; one that ends before is begun anew and killed earlier."""
        seconds = self._moment(kill)
        while (found := self._try(kill, seconds)) is None:
            seconds *= 0.8
        return found

    def _moment(self, kill: Kill) -> float:
        if kill.is_early:
            return kill.moment
        return 1.0 + kill.moment * max(self._seconds * LATE - 1.0, 0.5)

    def _try(self, kill: Kill, seconds: float) -> Killed | None:
        with self._copy(kill.flows) as path:
            name = f"{os.getpid()}-{kill.number}"
            options = (*MODES[kill.mode], f"--supercache-backend={kill.backend}")
            run = _started(path, options, name)
            status: int | None = None
            try:
                with suppress(subprocess.TimeoutExpired):
                    run.wait(seconds)
                    return None
                _send(run, kill.signal)
                with suppress(subprocess.TimeoutExpired):
                    status = run.wait(END_SECONDS)
                left = _left(name, max(LEFT_SECONDS, self._seconds))
            finally:
                _end_all(run, name)
            return Killed(
                kill,
                status,
                verdict=_verdict(path, "--run-id", name),
                verdict_of_any=_verdict(path),
                verdicts_of_folders=_of_folders(path, name),
                left=left,
            )

    def _copy(self, flows: str) -> "_Copied":
        return _Copied(self._old, self._path, FLOWS[flows])


class _Copied:
    """A folder with the old GO and new scenarios; it is removed afterwards."""

    def __init__(self, old: Path, beside: Path, flows: list[tuple[str, str]]) -> None:
        self._old, self._flows = old, flows
        self._path = Path(tempfile.mkdtemp(dir=beside))

    def __enter__(self) -> Path:
        shutil.copytree(self._old, self._path, dirs_exist_ok=True)
        Folder._write(self._path, self._flows)
        return self._path

    def __exit__(self, *_: object) -> None:
        shutil.rmtree(self._path, ignore_errors=True)


def _started(path: Path, options: tuple[str, ...], name: str) -> "subprocess.Popen[bytes]":
    """Start pytest with the gate; what it starts inherits the mark, whoever its parent is then."""
    usual = {key: value for key, value in os.environ.items() if not key.startswith("PYTEST_")}
    return subprocess.Popen(
        [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "--supercache-gate", *options],
        cwd=path,
        env={**usual, "SUPERCACHE_RUN_ID": name, _MARK: name},
        stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        start_new_session=True, preexec_fn=_hear_ctrl_c,
    )  # fmt: skip


def _hear_ctrl_c() -> None:
    """A shell starts background jobs with SIGINT ignored, and their children inherit that."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def _send(run: "subprocess.Popen[bytes]", sent: signal.Signals) -> None:
    """Send a signal to a run; Ctrl-C in a terminal reaches the whole process group."""
    with suppress(ProcessLookupError):
        if sent is signal.SIGINT:
            os.killpg(run.pid, sent)
        else:
            run.send_signal(sent)


def _verdict(path: Path, *options: str) -> int:
    with chdir(path):
        return CliRunner().invoke(supercache, ["verdict", *options]).exit_code


def _of_folders(path: Path, name: str) -> tuple[int, ...]:
    files = sorted(path.glob("reports/runs/*/verdict.json"))
    assert files, "the old run has a folder"
    return tuple(_verdict(path, str(file), "--run-id", name) for file in files)


def _left(name: str, seconds: float) -> tuple[str, ...]:
    """Return what a run has started and is there when its time is over.

    Where this process has got no time on a busy machine, those that it waits for had none either.
    """
    waited, last = 0.0, real_seconds()
    while (found := dict(_marked(name))) and waited < seconds:
        real_sleep(0.02)
        now = real_seconds()
        waited, last = waited + min(now - last, PAUSE_SECONDS), now
    return tuple(found.values())


def _marked(name: str) -> Iterator[tuple[int, str]]:
    """Yield the processes that have the mark of a run in their environment; say what they do."""
    mark = f"{_MARK}={name}".encode()
    for folder in Path("/proc").iterdir():
        with suppress(OSError):
            if folder.name.isdecimal() and mark in (folder / "environ").read_bytes().split(b"\0"):
                command = (folder / "cmdline").read_bytes().replace(b"\0", b" ")
                told = command.decode(errors="replace").strip()[:80]
                yield int(folder.name), f"{told} ({_threads(folder)})"


def _threads(process: Path) -> str:
    """Say in which state each thread is (D: it waits for a disk) and where the kernel has it."""
    told = []
    for thread in sorted((process / "task").iterdir()):
        with suppress(OSError):
            state = (thread / "stat").read_text().rpartition(")")[2].split()[0]
            told.append(f"{state} {(thread / 'wchan').read_text()}")
    return ", ".join(told)


def _end_all(run: "subprocess.Popen[bytes]", name: str) -> None:
    """Leave nothing behind, whatever was found."""
    for process, _ in _marked(name):
        with suppress(ProcessLookupError):
            os.kill(process, signal.SIGKILL)
    run.kill()
    run.wait()


def kill_many(seed: int, numbers: range) -> Iterator[Killed]:
    """Kill one run after the other."""
    backends = ("fakeredis", "redis-server") if shutil.which("redis-server") else ("fakeredis",)
    with tempfile.TemporaryDirectory(prefix="kills-") as path:
        folder = Folder(Path(path))
        for number in numbers:
            yield folder.killed(drawn(seed, number, backends))


def summary(killed: list[Killed]) -> str:
    """Say how many were killed, how, and what was wrong."""
    kills = [one.kill for one in killed]
    counts = Counter(kill.signal.name for kill in kills) + Counter(kill.mode for kill in kills)
    counts += Counter(kill.backend for kill in kills)
    told = ", ".join(f"{number} {what}" for what, number in sorted(counts.items()))
    return (
        f"{len(killed)} kills ({told}; "
        f"{sum(kill.is_early for kill in kills)} in the first second)\n"
        f"exit status 0 of pytest: {sum(one.status == 0 for one in killed)}; "
        f"of supercache verdict: {sum(one.verdict == 0 for one in killed)}; "
        f"went on: {sum(one.status is None for one in killed)}; "
        f"left a process behind: {sum(bool(one.left) for one in killed)}\n"
        "came before the run had marked its verdict, so that only the run's id tells: "
        f"{sum(one.verdict_of_any == 0 for one in killed)}\n"
    )


def main() -> int:
    """Kill as many runs as the command line says."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--count", type=int, default=300)
    parser.add_argument("--first", type=int, default=0, help="the number of the first kill")
    given = parser.parse_args()
    killed = []
    for one in kill_many(given.seed, range(given.first, given.first + given.count)):
        killed.append(one)
        if one.is_wrong:
            sys.stdout.write(f"{one}\n")
            sys.stdout.flush()
    sys.stdout.write(summary(killed))
    return int(any(one.is_wrong for one in killed))


if __name__ == "__main__":
    sys.exit(main())
