"""Ctrl-C while schedules are explored: the run ends at once and leaves no process behind."""

import os
import select
import signal
import subprocess
import sys
from time import monotonic

import pytest

from tests.plugin.conftest import Project
from tests.plugin.projects import race
from tests.processes import children_named, is_running
from tests.selection import few

pytestmark = pytest.mark.python

LONG = """
import sys

class Long(Uncached):
    told = False
    def get(self, key):
        for _ in range(6):
            self.redis.get(key)
        if not Long.told:
            Long.told = True
            print("EXPLORING", file=sys.__stderr__, flush=True)
    def set(self, key, value):
        for _ in range(6):
            self.redis.set(key, value)

@sc.system("long")
def long_system(layers):
    return Long(layers.existing_cache.client(), layers.origin)
"""


def hear_ctrl_c() -> None:
    """A shell starts background jobs with SIGINT ignored, and their children inherit that."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


@pytest.mark.parametrize(
    "backend",
    few([pytest.param("redis-server", marks=pytest.mark.redis_server), "fakeredis"], 1),
)
def test_ctrl_c_ends_the_run_and_its_server(project: Project, backend: str) -> None:
    project.add_to_conftest(LONG)
    project.scenario(
        race("I-1", "long", "guarantees: []\nexplore: {executions: 1000000, time: 3600s}\n")
    )
    process = subprocess.Popen(
        [sys.executable, "-m", "pytest", "-s", "-p", "no:cacheprovider",
         f"--supercache-backend={backend}"],
        cwd=project.path, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        preexec_fn=hear_ctrl_c,
    )  # fmt: skip
    try:
        assert process.stderr is not None
        assert select.select([process.stderr], [], [], 120)[0], "it never began"
        assert process.stderr.readline() == "EXPLORING\n"
        servers = children_named("redis-server", process.pid)
        assert len(servers) == (backend == "redis-server")
        begin = monotonic()
        os.kill(process.pid, signal.SIGINT)
        out, err = process.communicate(timeout=120)
    finally:
        process.kill()
    assert process.returncode == 2, out + err
    assert monotonic() - begin < 60  # left alone, it would go on for an hour
    assert "KeyboardInterrupt" in out
    assert not any(map(is_running, servers))


STUBBORN = """
import os, pathlib
from redis.exceptions import ConnectionError as Broken

class Stubborn(Uncached):
    def get(self, key):
        try:
            return self.redis.get(key)
        except Broken:
            pathlib.Path(f"worker-{os.getpid()}").touch()
            for _ in range(12):
                self.redis.get(key)
    set = lambda self, key, value: [self.redis.set(key, value) for _ in range(6)]

@sc.system("stubborn")
def stubborn(layers):
    return Stubborn(layers.existing_cache.client(), layers.origin)
"""


@pytest.mark.long  # workers that search whole scenarios: test_plugin_workers.py
def test_ctrl_c_ends_the_workers_too_and_keeps_what_was_found(project: Project) -> None:
    project.add_to_conftest(STUBBORN)
    project.scenario(race("I-1", "shop"), "a")
    more = "guarantees: []\nfaults: {kinds: [error_before]}\nexplore: {executions: 1000000}\n"
    users = "  carol: [{read: other}]\n"
    project.scenario(race("I-2", "stubborn", users + more), "b")
    process = subprocess.Popen(
        [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "-p", "no:django",
         "--supercache-workers=2"],
        cwd=project.path, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        preexec_fn=hear_ctrl_c,
    )  # fmt: skip
    try:
        end = monotonic() + 30
        while len(found := list(project.path.glob("worker-*"))) < 2 and monotonic() < end:
            assert process.poll() is None, process.communicate()
            select.select([], [], [], 0.05)
        workers = [int(path.name.removeprefix("worker-")) for path in found]
        assert len(workers) == 2
        assert process.pid not in workers
        os.kill(process.pid, signal.SIGINT)
        out, err = process.communicate(timeout=30)
    finally:
        process.kill()
    assert process.returncode == 2, out + err
    assert not any(map(is_running, workers))
    assert project.row()["id"] == "I-1"
