"""No run that is killed is taken for a GO, and nothing that it has started is left of it."""

import os
import signal
import subprocess

import pytest

from tests.hostile import kills
from tests.hostile.kills import Kill, Killed, kill_many, summary

FEW = (0, 13, 8)
"""One process and SIGKILL, workers of ours and SIGTERM, workers of xdist and SIGINT."""

SIZE = 25


@pytest.mark.parametrize(
    "numbers",
    [
        FEW,
        *(
            pytest.param(range(first, first + SIZE), marks=pytest.mark.long)
            for first in range(0, 300, SIZE)
        ),
    ],
    ids=lambda numbers: f"{numbers[0]} to {numbers[-1]}",
)
def test_a_run_that_is_killed_is_no_go_and_leaves_no_process(numbers):
    killed = list(kill_many(0, numbers))
    assert len(killed) == len(numbers)
    wrong = [str(one) for one in killed if one.is_wrong]
    assert not wrong, summary(killed)


def test_a_process_that_is_left_is_noticed_and_ended():
    name = f"test-{os.getpid()}"
    with subprocess.Popen(
        ["cat"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, bufsize=0,
        env={**os.environ, kills._MARK: name},
    ) as left:  # fmt: skip
        try:
            left.stdin.write(b"\n")
            assert left.stdout.read(1) == b"\n", "it runs: the kernel tells its environment"
            (found,) = kills._left(name, 0.05)
            assert found.startswith("cat (S "), "it sleeps in the kernel"
        finally:
            kills._end_all(left, name)
    assert kills._left(name, 0) == ()


@pytest.mark.parametrize(
    ("status", "verdict", "folders", "left", "is_wrong"),
    [
        (-9, 6, (6, 6), (), False),
        (1, 1, (6, 1), (), False),
        (0, 6, (), (), True),
        (-9, 0, (), (), True),
        (-9, 6, (6, 0), (), True),
        (None, 6, (), (), True),
        (-9, 6, (), ("redis-server",), True),
    ],
)
def test_what_is_wrong_about_a_kill(status, verdict, folders, left, is_wrong):
    kill = Kill(1, "never ends", "workers", "fakeredis", signal.SIGKILL, is_early=True, moment=0.5)
    one = Killed(kill, status, verdict, verdict_of_any=6, verdicts_of_folders=folders, left=left)
    assert one.is_wrong is is_wrong
