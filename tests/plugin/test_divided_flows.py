"""Searched by one process or by several, in shards, or after kills: a flow has the same row."""

from pathlib import Path

import pytest

from tests.plugin.divided_flows import WAYS, Projects, differences, drawn, searched
from tests.plugin.forks import Parents
from tests.selection import either, few

SHORT = (13, 9)
"""A flow that holds, with 36 interleavings, and one that does not, with 60."""


@pytest.fixture
def projects(parents: Parents, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Projects:
    monkeypatch.delenv("PYTEST_XDIST_WORKER", raising=False)  # each run is one of its own
    return Projects(parents, tmp_path / "output")


@pytest.mark.parametrize("way", few(["workers-2", "shards", "dask", "kills", "workers-4"], 0))
def test_the_rows_are_those_of_one_process(way: str, projects: Projects, tmp_path: Path) -> None:
    """Short forms: `test_plugin_workers`, `_cluster` and `_store`, and `test_gate_shards`."""
    numbers = (*SHORT, *range(20, either(20, 30)))
    flows = {number: drawn(0, number, are_longer=True) for number in numbers}
    alone, found = searched(projects, tmp_path / "project", way, flows)
    verdicts = [alone[f"test_{number}"]["verdict"] for number in SHORT]
    assert verdicts == ["holds", "violated"]
    assert list(differences(alone, found.rows)) == []
    assert (found.parts > 1) == (way != "shards")
    assert (found.kills > 0) == (way == "kills")


def test_every_way_is_among_them() -> None:
    assert set(WAYS) == {"workers-2", "workers-4", "dask", "shards", "kills"}


def test_a_row_that_differs_is_told() -> None:
    alone = {"test_1": {"verdict": "holds"}, "test_2": {"verdict": "holds"}}
    found = {"test_1": {"verdict": "holds"}, "test_2": {"verdict": "violated"}}
    assert list(differences(alone, found)) == ["test_2: verdict: holds violated"]
