"""Systems drawn from the reference systems: order, key, life, lock, version, transaction change.

A reader looks into the layers, loads and fills them; a writer changes the source and tells the
layers, in an order that is drawn. Most of them are wrong in some interleaving, some are not.
:mod:`tests.borne_out` says whether the steps bear out the class that is given.
"""

import random
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from pytest_supercache import (
    COHERENT_WHEN_SETTLED,
    MONOTONIC_READS,
    NO_DIRTY_READS,
    READ_YOUR_WRITES,
    CheckResult,
    check,
)

KEY = "k"
TELLS = ("del", "set", "look", "clear")
LEASES = frozenset({"blind", "token"})
LEASE_SECONDS = 10


class RolledBackError(Exception):
    """Ends a transaction of a mutated system without a commit."""


@dataclass(frozen=True)
class Mutation:
    """What is drawn of a system."""

    layers: tuple[str, ...]  # that a reader asks before the source, nearest first
    writer: tuple[str, ...]
    name: str = KEY  # of the entry in the layers, as readers call it
    written_name: str = KEY  # as writers call it
    life: int | None = None
    lock: str = "nobody"  # or the reader's, everybody's, a lease in Redis: blind, or with a token
    stamp: str = "none"  # or before the load, or after it
    compares: bool = False  # a store looks first whether the entry is newer
    transaction: str = "none"  # or around the change, around all, rolled back
    change: str = "set"  # or delete, create, add
    source: str = "origin"  # or far: no origin is shown, and the near cache is before Redis
    keeps_nothing: bool = False  # that there is no value is stored as well
    looks_again: str = "nobody"  # or the writer, the reader
    readers: int = 1
    writers: int = 1


def drawn(seed: int) -> Mutation:
    """Return the mutation of a seed."""
    rng = random.Random(seed)
    stamp = rng.choice(["none", "none", "none", "before", "after"])
    layers = rng.choice([("far",), ("far",), ("near",), ("near", "far")])
    source = "far" if layers == ("near",) and rng.random() < 0.5 else "origin"
    known = [f"{tell} {layer}" for tell in TELLS for layer in layers if tell != "clear"]
    known += [f"clear {layer}" for layer in layers if rng.random() < 0.3]
    tells = rng.sample(known, rng.choice([1, 1, 2, 2, 3]))
    tells += ["raise generation"] * (stamp != "none" and rng.random() < 0.8)
    rng.shuffle(tells)
    writer = [*tells]
    writer.insert(rng.randint(0, len(writer)), "commit")
    if rng.random() < 0.2 and tells:
        writer.append(rng.choice(tells))
    name = rng.choice([KEY, KEY, "shop:k", "page"])
    change = rng.choice(["set"] * 6 + ["delete", "create", "add"])
    lock = rng.choice(["nobody"] * 4 + ["reader", "everybody", "blind", "token"])
    return Mutation(
        layers=layers,
        writer=tuple(writer),
        name=name,
        written_name=name if rng.random() < 0.9 else "v2:k",
        life=rng.choice([None, None, 60]),
        lock=lock,
        stamp=stamp,
        compares=stamp == "none" and rng.random() < 0.15,
        transaction=rng.choice(["none"] * 6 + ["change", "all", "rolled back"]),
        change=change,
        source=source,
        keeps_nothing=change == "create" or rng.random() < 0.2,
        looks_again=rng.choice(["nobody"] * 3 + ["writer", "reader"]),
        readers=1 if lock in LEASES else rng.choice([1, 1, 2]),
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

    def layers(self) -> dict[str, Any]:
        """Show the near cache."""
        return {"super_cache": self.near}

    def get(self, key: str) -> Any:
        """Ask the layers, else the source, and fill them."""
        if self.what.lock == "nobody":
            return self._get(key)
        return self._locked(self._get, key)

    def set(self, key: str, value: Any) -> None:
        """Take the steps of the writer."""
        if self.what.lock in {"everybody", *LEASES}:
            self._locked(self._set, key, value)
        else:
            self._set(key, value)

    def delete(self, key: str) -> None:
        """Take the steps of the writer, to no value."""
        self.set(key, None)

    def _locked(self, function: Callable[..., Any], *arguments: Any) -> Any:
        if self.what.lock in LEASES:
            return self._leased(function, *arguments)
        with self.lock:
            return function(*arguments)

    def _leased(self, function: Callable[..., Any], *arguments: Any) -> Any:
        token = threading.current_thread().name
        while not self.far.set("lock", token, nx=True, ex=LEASE_SECONDS):
            time.sleep(LEASE_SECONDS)  # noqa: TID251 - what code under test does
        try:
            return function(*arguments)
        finally:
            if self.what.lock == "blind" or self.far.get("lock") == token:
                self.far.delete("lock")

    # -- what readers do ---------------------------------------------------------------------------

    def _get(self, key: str) -> Any:
        for layer in self.what.layers:
            held = self._look(layer, self.what.name)
            if held is not None and self._is_current(held):
                return self._plain(held)
        stamp = self.far.get("generation") if self.what.stamp == "before" else None
        value = self._load(key)
        if self.what.stamp == "after":
            stamp = self.far.get("generation")
        if value is not None or self.what.keeps_nothing:
            for layer in reversed(self.what.layers):
                self._store(layer, self.what.name, value, stamp)
        return value

    def _look(self, layer: str, name: str) -> Any:
        return self.near.get(name) if layer == "near" else self.far.get(name)

    def _load(self, key: str) -> Any:
        if self.what.source == "origin":
            return self.origin.get(key)
        held = self.far.get(f"source:{key}")
        return None if held is None else int(held)

    def _is_current(self, held: Any) -> bool:
        if self.what.stamp == "none":
            return True
        return str(held).partition("/")[2] in {"", str(self.far.get("generation"))}

    def _plain(self, held: Any) -> Any:
        text = str(held).partition("/")[0]
        return None if text == "none" else int(text)

    def _store(self, layer: str, name: str, value: Any, stamp: Any = None) -> None:
        stored = "none" if value is None else str(value)
        if stamp is not None:
            stored += f"/{stamp}"
        if self.what.compares and value is not None:
            held = self._look(layer, name)
            if held is not None and (self._plain(held) or 0) > value:
                return
        if layer == "near":
            self.near[name] = stored
        else:
            self.far.set(name, stored, ex=self.what.life)

    # -- what writers do ---------------------------------------------------------------------------

    def _set(self, key: str, value: Any) -> None:
        if self.what.change == "add":
            value = (self._load(key) or 0) + 1
        if self.what.transaction in {"all", "rolled back"} and self.what.source == "origin":
            try:
                with self.origin.transaction() as transaction:
                    self._take_steps(key, value, transaction)
                    if self.what.transaction == "rolled back":
                        raise RolledBackError
            except RolledBackError:
                pass
        else:
            self._take_steps(key, value, None)

    def _take_steps(self, key: str, value: Any, transaction: Any) -> None:
        name = self.what.written_name
        for step in self.what.writer:
            verb, _, layer = step.partition(" ")
            if step == "commit":
                self._commit(key, value, transaction)
            elif step == "raise generation":
                self.far.incr("generation")
            elif verb == "look":
                self._look(layer, name)
            elif verb == "set" and value is not None:
                self._store(layer, name, value)
            elif verb == "clear":
                self._clear(layer)
            elif layer == "far":
                self.far.delete(name)
            else:
                self.near.pop(name, None)

    def _clear(self, layer: str) -> None:
        if layer == "near":
            self.near.clear()
        else:
            self.far.flushdb()

    def _commit(self, key: str, value: Any, transaction: Any) -> None:
        if self.what.source == "far":
            if value is None:
                self.far.delete(f"source:{key}")
            else:
                self.far.set(f"source:{key}", str(value))
        elif transaction is not None:
            transaction.set(key, value)
        elif self.what.transaction == "change":
            with self.origin.transaction() as alone:
                alone.set(key, value)
        elif value is None:
            self.origin.delete(key)
        else:
            self.origin.set(key, value)


def explored(mutation: Mutation, executions: int = 60) -> CheckResult:
    """Race the readers and the writers of a mutated system."""

    def body(world: Any) -> None:
        shop = _prepared(world, mutation)
        for number in range(mutation.readers):
            name = f"reader-{number}"
            again = mutation.looks_again == "reader"
            world.actor(name, _reads, world.user(name, shop), 1 + again)
        for number in range(mutation.writers):
            name = f"writer-{number}"
            if mutation.change == "add":
                world.actor(name, shop.set, KEY, None)
            else:
                world.actor(name, _writes, world.user(name, shop), mutation, number + 2)
        world.run()
        world.settle()
        last = shop._load(KEY) if mutation.source == "far" else world.origin.peek(KEY)
        found = shop.get(KEY)
        assert found == last, f"answered {found}, and the source has {last}"

    return check(
        body,
        guarantees=_guarantees(mutation),
        executions=executions,
        time=60,
        preemptions=None if mutation.lock in LEASES else 2,
    )


def _prepared(world: Any, mutation: Mutation) -> Mutated:
    shop = Mutated(world, mutation)
    if mutation.change != "create":
        if mutation.source == "far":
            shop.far.set(f"source:{KEY}", "1")
        else:
            world.origin.set(KEY, 1)
    if mutation.stamp != "none":
        shop.far.set("generation", "0")
    return shop


def _guarantees(mutation: Mutation) -> list[Any]:
    if mutation.source == "far":
        return []
    is_plain = mutation.stamp == "none" and mutation.name == mutation.written_name == KEY
    found: list[Any] = [COHERENT_WHEN_SETTLED] if is_plain else []
    is_again = mutation.looks_again == "writer" and mutation.change != "add"
    found += [READ_YOUR_WRITES] if is_again else []
    found += [MONOTONIC_READS] if mutation.looks_again == "reader" else []
    found += [NO_DIRTY_READS] if mutation.transaction == "rolled back" else []
    return found


def _reads(user: Any, times: int) -> None:
    for _ in range(times):
        user.read(KEY)


def _writes(user: Any, mutation: Mutation, value: int) -> None:
    if mutation.change == "delete":
        user.delete(KEY)
    else:
        user.write(KEY, value)
    if mutation.looks_again == "writer":
        user.read(KEY)
