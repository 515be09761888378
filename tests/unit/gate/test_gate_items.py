"""Items are told by the ids that they have at the end: some versions of pytest let them change."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from pytest_supercache.plugin.items import OF_ANOTHER_SHARD, CollectedItems

HERE = Path(__file__).parent


def items_of(root: Path, output: dict[str, Any] | None = None) -> CollectedItems:
    """Make the items of a run at a root; with an output, those of a worker."""
    config = SimpleNamespace(
        rootpath=root, getoption=lambda *_: "importlib", getini=lambda _name: []
    )
    if output is not None:
        config.workeroutput = output
    return CollectedItems(cast("Any", config), decides=False)


def test_an_item_that_gets_another_id_is_one_item() -> None:
    """`--dist loadgroup` of xdist appends the group after the item was collected."""
    output: dict[str, Any] = {}
    worker = items_of(HERE, output)
    kept, left, other = (
        cast("Any", SimpleNamespace(nodeid=f"a::{name}", name=name, stash=pytest.Stash()))
        for name in "KLO"
    )
    other.stash[OF_ANOTHER_SHARD] = True
    for item in (kept, left, other):
        worker.collect(item)
    worker.deselect([left, other])
    kept.nodeid, left.nodeid, other.nodeid = "a::K@group", "a::L@group", "a::O@group"
    worker.answered.add("a::K@group")
    assert worker.removed() == []
    worker.tell()
    controller = items_of(HERE)
    controller.learn("gw0", output)
    assert controller.removed() == ["a::K@group"]
    controller.answered.add("a::K@group")
    assert controller.removed() == []
    assert controller.left_out() == [{"id": "L", "node_id": "a::L@group"}]
    assert controller.silent == []
    controller.learn("gw1", {})
    assert controller.silent == ["gw1"]


def test_what_a_file_has_and_node_ids_did_not_ask_for_is_left_out() -> None:
    output: dict[str, Any] = {}
    worker = items_of(HERE, output)
    asked, other = (cast("Any", SimpleNamespace(nodeid=f"a::{name}", name=name)) for name in "KL")
    for item in (asked, other):
        worker.note_in_file(item)
    worker.collect(asked)
    asked.nodeid = "a::K@group"  # another id at the end does not make it another item
    worker.tell()
    controller = items_of(HERE)
    controller.learn("gw0", output)
    controller.learn("gw1", output)
    for items in (worker, controller):
        assert items.left_out() == [{"id": "L", "node_id": "a::L"}]
        assert items.removed() == ["a::K@group"]


def test_a_worker_of_another_root_is_named(tmp_path: Path) -> None:
    """The twin: a worker that came to this root through a link."""
    (tmp_path / "link").symlink_to(HERE)
    controller = items_of(HERE)
    for name, root in (("gw0", tmp_path), ("gw1", tmp_path / "link")):
        output: dict[str, Any] = {}
        items_of(root, output).tell()
        controller.learn(name, output)
    assert controller.elsewhere == [f"gw0 ({tmp_path})"]
