"""The current folder is one for all threads: code that changes it is in no schedule."""

import contextlib
import os
from pathlib import Path

import pytest

from pytest_supercache import Verdict, check


def changed_in_threads(folder):
    with contextlib.chdir(folder), Path("name").open(encoding="utf-8") as file:
        return file.read()


def named_by_whole_paths(folder):
    return (folder / "name").read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("reads", "verdict"),
    [(changed_in_threads, Verdict.UNKNOWN), (named_by_whole_paths, Verdict.HOLDS)],
)
def test_code_that_changes_the_current_folder_is_unknown(tmp_path, reads, verdict):
    """One may find the folder of the other. The twin names the files."""
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "name").write_text(name, encoding="utf-8")

    def body(world):
        for name in ("one", "two"):
            world.actor(name, reads, tmp_path / name)
        client = world.existing_cache.client()
        world.actor("three", lambda: client.set("k", "v"))
        world.run()

    here = Path.cwd()
    result = check(body)
    assert result.verdict is verdict, result.reasons
    assert verdict is Verdict.HOLDS or "changes the current folder" in "".join(result.reasons)
    assert Path.cwd() == here


def test_a_factory_may_change_it(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)

    def body(world):
        os.chdir(tmp_path)
        client = world.existing_cache.client()
        world.actor("one", client.get, "k")
        world.actor("two", client.set, "k", "v")
        world.run()

    assert check(body).verdict is Verdict.HOLDS
