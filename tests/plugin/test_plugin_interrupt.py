"""Ctrl-C while schedules are explored: the run ends at once and leaves no process behind."""

import os
import select
import signal
import subprocess
import sys
from time import monotonic

import pytest

from tests.plugin.conftest import Project, children_named, is_running
from tests.plugin.projects import race

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


def _hear_ctrl_c() -> None:
    """A shell starts background jobs with SIGINT ignored, and their children inherit that."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


@pytest.mark.parametrize(
    "backend", ["fakeredis", pytest.param("redis-server", marks=pytest.mark.redis_server)]
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
        preexec_fn=_hear_ctrl_c,
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
