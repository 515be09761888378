"""Systems drawn from the reference systems: order, keys, lives, locks, transactions are changed.

A reader looks into the layers, loads and fills them; a writer changes the origin and tells the
layers, in an order that is drawn. Most of them are wrong in some interleaving, some are not.
"""

import random
import re
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import permutations
from typing import Any

from pytest_supercache import (
    COHERENT_WHEN_SETTLED,
    READ_YOUR_WRITES,
    CheckResult,
    Counterexample,
    check,
)

KEY = "k"
TELLS = ("del", "set", "look")


@dataclass(frozen=True)
class Mutation:
    """What is drawn of a system."""

    layers: tuple[str, ...]  # that a reader asks before the origin, nearest first
    writer: tuple[str, ...]
    prefix: str = ""
    life: int | None = None
    lock: str = "nobody"  # or the reader's, or everybody's
    stamp: str = "none"  # or before the load, or after it
    in_transaction: bool = False
    deletes: bool = False
    readers: int = 1
    writers: int = 1


def drawn(seed: int) -> Mutation:
    """Return the mutation of a seed."""
    rng = random.Random(seed)
    stamp = rng.choice(["none", "none", "none", "before", "after"])
    layers = rng.choice([("far",), ("far",), ("near",), ("near", "far")])
    known = [f"{tell} {layer}" for tell in TELLS for layer in layers]
    tells = rng.sample(known, rng.choice([1, 1, 2, 2, 3]))
    tells += ["raise generation"] * (stamp != "none" and rng.random() < 0.8)
    rng.shuffle(tells)
    writer = [*tells]
    writer.insert(rng.randint(0, len(writer)), "commit")
    if rng.random() < 0.2 and tells:
        writer.append(rng.choice(tells))
    return Mutation(
        layers=layers,
        writer=tuple(writer),
        prefix=rng.choice(["", "", "shop:"]),
        life=rng.choice([None, None, 60]),
        lock=rng.choice(["nobody", "nobody", "reader", "everybody"]),
        stamp=stamp,
        in_transaction=rng.random() < 0.2,
        deletes=rng.random() < 0.2,
        readers=rng.choice([1, 1, 2]),
        writers=rng.choice([1, 1, 2]),
    )


class Mutated:
    """A shop that does what a mutation says."""

    def __init__(self, world: Any, mutation: Mutation) -> None:
        self.what = mutation
        self.far = world.existing_cache.client(decode_responses=True)
        self.near: dict[str, Any] = {}
        self.origin = world.origin
        self.lock = threading.Lock()
        self.name = f"{mutation.prefix}{KEY}"

    def layers(self) -> dict[str, Any]:
        """Show the near cache."""
        return {"super_cache": self.near}

    def get(self, key: str) -> Any:
        """Ask the layers, else the origin, and fill them."""
        return self._locked(self._get, key) if self.what.lock != "nobody" else self._get(key)

    def set(self, key: str, value: Any) -> None:
        """Take the steps of the writer."""
        if self.what.lock == "everybody":
            self._locked(self._set, key, value)
        else:
            self._set(key, value)

    def delete(self, key: str) -> None:
        """Take the steps of the writer, to no value."""
        self.set(key, None)

    def _locked(self, function: Callable[..., Any], *arguments: Any) -> Any:
        with self.lock:
            return function(*arguments)

    def _get(self, key: str) -> Any:
        for layer in self.what.layers:
            value = self.near.get(self.name) if layer == "near" else self.far.get(self.name)
            if value is not None and self._is_current(value):
                return self._plain(value)
        stamp = self.far.get("generation") if self.what.stamp == "before" else None
        value = self.origin.get(key)
        if self.what.stamp == "after":
            stamp = self.far.get("generation")
        if value is not None:
            for layer in reversed(self.what.layers):
                self._store(layer, value, stamp)
        return value

    def _is_current(self, value: Any) -> bool:
        if self.what.stamp == "none":
            return True
        return str(value).partition("/")[2] in {"", str(self.far.get("generation"))}

    def _plain(self, value: Any) -> Any:
        return int(str(value).partition("/")[0])

    def _store(self, layer: str, value: Any, stamp: Any = None) -> None:
        stored = f"{value}/{stamp}" if stamp is not None else value
        if layer == "near":
            self.near[self.name] = stored
        else:
            self.far.set(self.name, stored, ex=self.what.life)

    def _set(self, key: str, value: Any) -> None:
        for step in self.what.writer:
            if step == "commit":
                self._commit(key, value)
            elif step.startswith("set ") and value is not None:
                self._store(step.removeprefix("set "), value)
            elif step in {"del far", "set far"}:
                self.far.delete(self.name)
            elif step in {"del near", "set near"}:
                self.near.pop(self.name, None)
            elif step == "raise generation":
                self.far.incr("generation")
            elif step == "look far":
                self.far.get(self.name)

    def _commit(self, key: str, value: Any) -> None:
        if self.what.in_transaction:
            with self.origin.transaction() as transaction:
                transaction.set(key, value)
        elif value is None:
            self.origin.delete(key)
        else:
            self.origin.set(key, value)


def explored(mutation: Mutation, executions: int = 150) -> CheckResult:
    """Race the readers and the writers of a mutated system."""

    def body(world: Any) -> None:
        world.origin.set(KEY, 1)
        if mutation.stamp != "none":
            world.existing_cache.client().set("generation", 0)
        shop = Mutated(world, mutation)
        for number in range(mutation.readers):
            name = f"reader-{number}"
            world.actor(name, world.user(name, shop).read, KEY)
        for number in range(mutation.writers):
            user = world.user(f"writer-{number}", shop)
            arguments = (KEY,) if mutation.deletes else (KEY, number + 2)
            act = user.delete if mutation.deletes else user.write
            world.actor(f"writer-{number}", act, *arguments)
        world.run()
        world.settle()
        last = world.origin.peek(KEY)
        found = shop.get(KEY)
        assert found == last, f"answered {found}, and the origin has {last}"

    return check(
        body,
        guarantees=[COHERENT_WHEN_SETTLED] if mutation.stamp == "none" else [READ_YOUR_WRITES],
        executions=executions,
        time=20,
    )


# -- what the steps of a class are, by their labels ------------------------------------------------

LABELS = {
    "load": r"origin read k",
    "commit": r"origin (?:write|delete|commit) k",
    "remove": r"DEL .*k|delete Mutated\.near\[.*|(?:pop|clear) .*near.*",
    "store": r"SET .*k|write Mutated\.near\[.*",
    "look": r"GET .*k|read Mutated\.near\[.*",
    "raise": r"INCRBY generation",
    "ask": r"GET generation",
}
_LATE = [
    ("load 0", "commit 1", "remove ?", "store 0"),
    ("load 0", "remove ?", "commit 1", "store 0"),
]
_CROSSED = [
    order
    for order in permutations(["commit 0", "commit 1", "store 1", "store 0"])
    if order.index("commit 0") < order.index("commit 1")
    if order.index("store 1") < order.index("store 0")
]
ORDERS = {
    "stale-set": _LATE,
    "resurrection": _LATE,
    "invalidate-before-write": [
        ("remove 1", "load 0", "commit 1", "store 0"),
        ("remove 1", "load 0", "store 0", "commit 1"),
    ],
    "double-delete": [("remove 1", "load 0", "commit 1", "remove 1", "store 0")],
    "refresh-overwrite": [("load 0", "commit 1", "store 1", "store 0")],
    "dual-write": _CROSSED,
    "stamped-after-read": [("load 0", "commit 1", "raise 1", "ask 0", "store 0")],
}
"""The steps that each class has, in one of these orders: what is done, and by which of two."""


BY_GUARANTEE = frozenset({"unclassified", "read-your-writes"})
"""Classes that do not follow from the order of steps."""


def verdict_on(found: Counterexample) -> tuple[str, str]:
    """Return a class, and whether the steps of its execution bear it out."""
    slug = found.conflict_class or ""
    if slug in BY_GUARANTEE:
        return slug, "are not asked"
    labels = [(step.actor, step.label) for step in found.execution.race]
    return slug, "bear it out" if is_borne_out(slug, labels) else "contradict it"


def is_borne_out(slug: str, labels: Sequence[tuple[str, str]]) -> bool:
    """Say whether steps, each an actor and a label, have the order that a class consists of."""
    return any(_has_order(order, labels, {}) for order in ORDERS.get(slug, ()))


def _has_order(
    order: Sequence[str], labels: Sequence[tuple[str, str]], users: dict[str, str]
) -> bool:
    if not order:
        return True
    deed, number = order[0].split()
    for at, (actor, label) in enumerate(labels):
        if re.fullmatch(LABELS[deed], label) is None or users.get(number, actor) != actor:
            continue
        if number != "?" and any(actor == who for n, who in users.items() if n != number):
            continue
        known = users if number == "?" else {**users, number: actor}
        if _has_order(order[1:], labels[at + 1 :], known):
            return True
    return False
