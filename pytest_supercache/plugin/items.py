"""Which items of ours there were, and which of them were left out of a run, with or without a word.

A worker of xdist collects everything and runs a part; so it tells the controller what there is.
"""

import sys
from typing import Any

import pytest

_OUTPUT = "supercache_items"


class Items:
    """Scenarios and explored tests of a run, by their node ids."""

    def __init__(self, config: pytest.Config) -> None:
        self._config = config
        self._left_out: set[str] = set()
        self.collected: dict[str, str] = {}  # node id -> name
        self.answered: set[str] = set()  # they have a finding, or were seen to be broken or skipped
        self.deselected = 0  # how many items, of anybody's, were left out and told
        self.without_asserts = bool(sys.flags.optimize)  # here, or in any worker

    def deselect(self, items: list[pytest.Item]) -> None:
        """Note items that are left out, and told by whoever leaves them out."""
        self.deselected += len(items)
        self._left_out |= {item.nodeid for item in items}

    def tell(self) -> None:
        """Send what a worker knows to the controller."""
        if hasattr(self._config, "workeroutput"):
            self._config.workeroutput[_OUTPUT] = {
                "collected": self.collected,
                "left_out": sorted(self._left_out),
                "deselected": self.deselected,
                "without_asserts": self.without_asserts,
            }

    def learn(self, output: dict[str, Any]) -> None:
        """Take over what a worker knows."""
        told = output.get(_OUTPUT)
        if told is not None:
            self.collected |= told["collected"]
            self._left_out |= set(told["left_out"])
            self.deselected = max(self.deselected, told["deselected"])
            self.without_asserts |= told["without_asserts"]

    def left_out(self) -> list[dict[str, str]]:
        """Return the items of ours that were left out, by name and node id."""
        ours = sorted(self._left_out & set(self.collected))
        return [{"id": self.collected[node_id], "node_id": node_id} for node_id in ours]

    def removed(self) -> list[str]:
        """Return what was collected, not left out with a word, and has no answer."""
        return sorted(set(self.collected) - self._left_out - self.answered)


def selecting(config: pytest.Config) -> list[str]:
    """Return what the command line says so that files or items are not even collected."""
    found = [] if not config.getoption("lf", default=False) else ["--lf"]
    for name in ("ignore", "ignore_glob"):
        flag = f"--{name.replace('_', '-')}"
        found += [f"{flag}={value}" for value in config.getoption(name, default=None) or ()]
    return [*found, *(argument for argument in config.args if "::" in argument)]
