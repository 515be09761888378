"""A real Dask cluster on loopback: a scheduler and workers, each in a process of its own."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from pytest_supercache.core.real_clock import real_seconds, real_sleep

START_SECONDS = 60.0


@dataclass
class Dask:
    """The scheduler with its address, and the workers."""

    folder: Path
    scheduler: subprocess.Popen[bytes]
    address: str = ""
    workers: list[subprocess.Popen[bytes]] = field(default_factory=list)

    def add_worker(self, *, python: str = sys.executable) -> subprocess.Popen[bytes]:
        """Start a worker; it need not have been registered yet."""
        name = f"worker{len(self.workers)}"
        arguments = ["worker", self.address.replace("dask://", "tcp://"), "--nthreads=1"]
        more = ["--no-nanny", "--no-dashboard", f"--local-directory={self.folder / name}"]
        worker = started(self.folder / name, *arguments, *more, python=python)
        self.workers.append(worker)
        return worker


def started(output: Path, *arguments: str, python: str = sys.executable) -> subprocess.Popen[bytes]:
    """Start a command of Dask, whose output goes to a file."""
    with output.with_suffix(".txt").open("wb") as file:
        return subprocess.Popen(
            [python, "-m", "dask", *arguments],
            cwd=output.parent,
            env={**os.environ, "PYTHONPATH": str(Path(__file__).parent.parent)},
            stdin=subprocess.DEVNULL,
            stdout=file,
            stderr=file,
        )


@contextmanager
def dask_cluster(folder: Path, workers: int = 2) -> Iterator[Dask]:
    """Start a scheduler and workers, and end them."""
    known = folder / "scheduler.json"
    options = ["--host=127.0.0.1", "--port=0", "--no-dashboard", f"--scheduler-file={known}"]
    scheduler = started(folder / "scheduler", "scheduler", *options)
    dask = Dask(folder, scheduler)
    try:
        until(lambda: known.exists() and known.read_text().endswith("}"))
        address = str(json.loads(known.read_text())["address"])
        dask.address = address.replace("tcp://", "dask://")
        for _ in range(workers):
            dask.add_worker()
        until(lambda: all("Starting established" in said(dask, n) for n in range(workers)))
        yield dask
    finally:
        for process in (*dask.workers, scheduler):
            process.kill()
            process.wait()


def said(dask: Dask, number: int) -> str:
    """Return what a worker has written."""
    return (dask.folder / f"worker{number}.txt").read_text()


def until(condition) -> None:
    """Wait for something that another process does."""
    end = real_seconds() + START_SECONDS
    while not condition():
        assert real_seconds() < end, "it takes too long"
        real_sleep(0.05)


@contextmanager
def standing_still(process: subprocess.Popen[bytes]) -> Iterator[None]:
    """Pause a process."""
    process.send_signal(signal.SIGSTOP)
    try:
        yield
    finally:
        process.send_signal(signal.SIGCONT)
