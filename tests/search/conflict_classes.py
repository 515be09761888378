"""The 34 conflict classes as small programs: with the fault, without it, and mended.

``l1`` and ``l2`` are the layers, ``db`` is the source of truth. Every step declares what it may
read and what it may write. Deliveries and other work are begun by the step that causes them.
"""

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

from pytest_supercache.core.footprint import Footprint
from pytest_supercache.core.waits import Wait
from tests.random_programs import Local, Move, Programs, State

Effect = Callable[[State, Local], object]


@dataclass(frozen=True)
class LeaseState:
    """A lock that anybody may give back, and that may run out while it is held."""

    held: bool = False

    def allows(self, actor: str, verb: str) -> bool:
        return {"acquire": not self.held, "expire": self.held}.get(verb, True)

    def after(self, actor: str, verb: str) -> "LeaseState":
        return LeaseState(verb == "acquire")


@dataclass
class Case:
    """Programs, what is there at the start, and when the end is wrong."""

    programs: Programs
    fails: Callable[[State, dict[str, Local]], bool]
    given: State = field(default_factory=dict)


def step(reads: str, writes: str, effect: Effect = lambda _s, _l: None, **more: Any) -> Move:
    """One step; keys in words. What waits or begins others declares that as well."""
    written = set(writes.split()) | {f"started:{name}" for name in more.get("spawns", ())}
    read = set(reads.split())
    wait = more.get("wait")
    if wait is not None:
        read.add(wait.object)
        written |= set() if wait.verb == "await" else {wait.object}
    footprint = Footprint(frozenset(read | written), frozenset(written))
    return Move("", footprint, lambda state, local, _step: effect(state, local), **more)


def case(fails: Any, given: State | None = None, **programs: list[Move] | None) -> Case:
    """Name the steps R1, R2, ...; a program that is None takes no part."""
    named = {
        name: [replace(move, label=f"{name}{at}") for at, move in enumerate(moves, 1)]
        for name, moves in programs.items()
        if moves is not None
    }
    return Case(named, fails, {"db": 0} if given is None else given)


def stale(layer: str) -> Callable[..., bool]:
    return lambda s, _: layer in s and s[layer] != s["db"]


def saw(value: Any) -> Callable[..., bool]:
    return lambda _, locals_: any(value in local.get("saw", ()) for local in locals_.values())


def note(local: Local, value: Any) -> None:
    local.setdefault("saw", []).append(value)


def put(**values: Any) -> Effect:
    return lambda s, _: s.update(values)


def drop(*keys: str) -> Effect:
    return lambda s, _: [s.pop(key, None) for key in keys]


def reader(*, lease: bool = False) -> list[Move]:
    """Look aside: a hit, or a load and a fill; with a lease the fill may be refused."""

    def look(s: State, own: Local) -> None:
        if s.get("l2") is not None:
            own["ended"] = True
        elif lease:
            s["lease"] = own["lease"] = s["token"] = s.get("token", 0) + 1

    def fill(s: State, own: Local) -> None:
        if not lease or s.get("lease") == own["lease"]:
            s["l2"] = own["v"]

    return [
        step("l2", "lease token" if lease else "", look),
        step("db", "", lambda s, own: own.update(v=s["db"])),
        step("lease" if lease else "", "l2", fill),
    ]


def write(value: Any = 1, **more: Any) -> Move:
    return step("", "db", put(db=value), **more)


def invalidate(*, lease: bool = False) -> Move:
    return step("", "l2 lease" if lease else "l2", drop("l2", "lease") if lease else drop("l2"))


def delivery(name: str, layer: str, **more: Any) -> list[Move]:
    return [step(f"started:{name}", layer, drop(layer), **more)]


def stale_set(fix: bool, fault: bool) -> Case:
    return case(stale("l2"), R=reader(lease=fix), W=[write(), invalidate(lease=fix)])


def in_flight_fill(fix: bool, fault: bool) -> Case:
    def look(s: State, own: Local) -> None:
        if s.get("l1") is not None:
            own["ended"] = True
        elif fix:
            s["l1"] = "expected"

    def fill(s: State, own: Local) -> None:
        if not fix or s.get("l1") == "expected":
            s["l1"] = own["v"]

    return case(
        stale("l1"),
        {"db": 0, "l2": 0},
        R=[
            step("l1", "l1" if fix else "", look),
            step("l2", "", lambda s, own: own.update(v=s["l2"])),
            step("", "l1", fill),
        ],
        W=[step("", "l2 db", put(l2=1, db=1), spawns=["I"])],
        I=delivery("I", "l1"),
    )


def invalidate_first(fix: bool, fault: bool) -> Case:
    moves = [write(), invalidate(lease=True)] if fix else [invalidate(), write()]
    return case(stale("l2"), {"db": 0, "l2": 0}, R=reader(lease=fix), W=moves)


def double_delete(fix: bool, fault: bool) -> Case:
    moves = [invalidate(lease=fix), write(), invalidate(lease=fix)]
    return case(stale("l2"), {"db": 0, "l2": 0}, R=reader(lease=fix), W=moves)


def dual_write(fix: bool, fault: bool) -> Case:
    def writer(value: int) -> list[Move]:
        def first(s: State, own: Local) -> None:
            own["n"] = s["version"] = s.get("version", 0) + 1
            s["db"] = value

        def second(s: State, own: Local) -> None:
            if not fix or s.get("l2 version", 0) <= own["n"]:
                s.update({"l2": value, "l2 version": own["n"]})

        return [step("version", "version db", first), step("", "l2", second)]

    return case(stale("l2"), {"db": 0, "l2": 0}, A=writer(1), B=writer(2))


def partial_write(fix: bool, fault: bool) -> Case:
    def second(s: State, own: Local) -> None:
        if not fault:
            s.pop("l2", None)

    return case(
        stale("l2"),
        {"db": 0, "l2": 0},
        W=[write(spawns=["O"] if fix else []), step("", "l2", second)],
        O=delivery("O", "l2") if fix else None,
    )


def dropped_invalidation(fix: bool, fault: bool) -> Case:
    def heartbeat(s: State, own: Local) -> None:
        if s["generation"] != s.get("seen", 0):
            s.pop("l1", None)
            s["seen"] = s["generation"]

    begun = [name for name, is_there in (("I", not fault), ("H", fix)) if is_there]
    return case(
        stale("l1"),
        {"db": 0, "l1": 0},
        W=[step("", "db generation", put(db=1, generation=1), spawns=begun)],
        I=None if fault else delivery("I", "l1"),
        H=[step("started:H generation", "l1 seen", heartbeat)] if fix else None,
    )


def reordered_update(fix: bool, fault: bool) -> Case:
    def deliver(name: str, value: int, wait: Wait | None) -> list[Move]:
        def effect(s: State, own: Local) -> None:
            if not fix or s.get("l1", 0) <= value:
                s["l1"] = value

        return [step(f"started:{name}", "l1", effect, wait=wait)]

    return case(
        stale("l1"),
        {"db": 0, "l1": 0},
        W=[write(1, spawns=["X"]), write(2, spawns=["Y"])],
        X=deliver("X", 1, None if fault else Wait("flag x", "set")),
        Y=deliver("Y", 2, None if fault else Wait("flag x", "await", guarded=True)),
    )


def read_your_writes(fix: bool, fault: bool) -> Case:
    def read(s: State, own: Local) -> None:
        value = s.get("l1")
        note(own, s["db"] if value is None or (fix and value < 1) else value)

    return case(
        saw(0),
        {"db": 0, "l1": 0},
        C=[
            write(spawns=["I"]),
            step("l1 db", "", read, wait=None if fault else Wait("flag x", "await", guarded=True)),
        ],
        I=delivery("I", "l1", wait=None if fault else Wait("flag x", "set")),
    )


def non_monotonic_reads(fix: bool, fault: bool) -> Case:
    def reads(layer: str) -> Move:
        def effect(s: State, own: Local) -> None:
            value = s.get(layer)
            if value is None or (fix and value < max(own.get("saw", [0]))):
                value = s["db"]
            note(own, value)

        until = None if fault else lambda s: not s.get("sent")
        return step(f"{layer} db sent", "", effect, until=until)

    return case(
        lambda _, locals_: locals_["C"].get("saw") == [1, 0],
        {"db": 0, "l1a": 0, "l1b": 0},
        C=[reads("l1a"), reads("l1b")],
        W=[write(spawns=["I", "J"])]
        if fault
        else [step("", "db sent", put(db=1, sent=1), spawns=["I"])],
        I=delivery("I", "l1a")
        if fault
        else [step("started:I", "l1a l1b sent", drop("l1a", "l1b", "sent"))],
        J=delivery("J", "l1b") if fault else None,
    )


def lagging_replica(fix: bool, fault: bool) -> Case:
    def commit(s: State, own: Local) -> None:
        s["db"] = 1
        s.update({} if fault else {"replica": 1})
        s.update({"marker": 1} if fix else {})

    def load(s: State, own: Local) -> None:
        own["v"] = s["db"] if fix and s.get("marker") else s["replica"]

    look, _, fill = reader(lease=True)

    def replicate(s: State, own: Local) -> None:
        s["replica"] = s["db"]
        s.pop("marker", None)

    return case(
        stale("l2"),
        {"db": 0, "replica": 0, "l2": 0},
        R=[look, step("replica db marker" if fix else "replica", "", load), fill],
        W=[step("", "db" + " replica" * (not fault) + " marker" * fix, commit, spawns=["P"]),
           invalidate(lease=True)],
        P=[step("started:P db", "replica marker", replicate)],
    )  # fmt: skip


def additive_ttl(fix: bool, fault: bool) -> Case:
    ttl = 10

    def read(s: State, own: Local) -> None:
        now = s["now"]
        near = s.get("l1")
        if near is None or now >= near[1]:
            far = s.get("l2")
            if far is None or now >= far[1]:
                far = s["l2"] = (s["db"], now + ttl)
            near = s["l1"] = (far[0], far[1] if fix else now + ttl)
        changed = s.get("changed")
        note(own, near[0] == 0 and changed is not None and now - changed >= ttl)

    def change(s: State, own: Local) -> None:
        if fault:
            s.update(db=1, changed=s["now"])

    tick = step("now", "now", lambda s, own: s.update(now=s["now"] + 6))
    reads = step("now db", "l1 l2", read)
    return case(
        saw(True), {"db": 0, "now": 0, "l2": (0, 10)},
        R=[reads, reads], T=[tick, tick], X=[step("now", "db", change)],
    )  # fmt: skip


def _flow_in_a_stampede(*, locked: bool) -> list[Move]:
    def look(s: State, own: Local) -> None:
        own["ended"] = s.get("l2") is not None
        if locked and not own["ended"]:
            own["waits"], s["busy"] = s.get("busy"), True

    def load(s: State, own: Local) -> None:
        if not own.get("waits"):
            s["loads"] = s.get("loads", 0) + 1
            own["v"] = s["db"]

    def fill(s: State, own: Local) -> None:
        if not own.get("waits"):
            s.update(l2=own["v"], busy=False)

    busy = "busy" if locked else ""
    return [step("l2", busy, look), step("db", "loads", load), step("", f"l2 {busy}", fill)]


def stampede(fix: bool, fault: bool) -> Case:
    flows = {name: _flow_in_a_stampede(locked=fix) for name in "AB"}
    return case(lambda s, _: s.get("loads", 0) > 1, **flows)


def aligned_expiry(fix: bool, fault: bool) -> Case:
    def flow(near: str) -> list[Move]:
        def look_near(s: State, own: Local) -> None:
            own["ended"] = s["now"] < s[near]

        def look_far(s: State, own: Local) -> None:
            own["ended"] = s["now"] < s["l2"] or (fix and bool(s.get("busy")))
            if fix and not own["ended"]:
                s["busy"] = True

        def load(s: State, own: Local) -> None:
            s["loads"] = s.get("loads", 0) + 1

        def fill(s: State, own: Local) -> None:
            s.update(l2=s["now"] + 10, busy=False)

        return [
            step(f"now {near}", "", look_near),
            step("now l2", "busy" if fix else "", look_far),
            step("", "loads", load),
            step("now", "l2 busy", fill),
        ]

    return case(
        lambda s, _: s.get("loads", 0) > 1,
        {"now": 0, "l1a": 10, "l1b": 10, "l2": 10},
        T=[step("", "now", put(now=10 if fault else 5))],
        A=flow("l1a"),
        B=flow("l1b"),
    )


def resurrection(fix: bool, fault: bool) -> Case:
    def look(s: State, own: Local) -> None:
        own["ended"] = s.get("l2") is not None

    def load(s: State, own: Local) -> None:
        own.update(v=s["db"], n=s.get("version", 1), ended=s["db"] is None)

    def fill(s: State, own: Local) -> None:
        there = s.get("l2")
        if not (fix and there and there[1] > own["n"]):
            s["l2"] = (own["v"], own["n"])

    gone = put(l2=("tomb", 2)) if fix else drop("l2")
    return case(
        lambda s, _: s["db"] is None and s.get("l2", ("tomb",))[0] == 7,
        {"db": 7},
        R=[step("l2", "", look), step("db version", "", load), step("", "l2", fill)],
        D=[step("", "db version", put(db=None, version=2)), step("", "l2", gone)],
    )


def negative_poisoning(fix: bool, fault: bool) -> Case:
    return replace(stale_set(fix, fault), given={"db": "absent"})


def write_behind_loss(fix: bool, fault: bool) -> Case:
    def crash(s: State, own: Local) -> None:
        if fault:
            s.pop("l1", None)
            s.update({"db": 1} if s.get("log") else {})

    def lost(s: State, locals_: dict[str, Local]) -> bool:
        return s["db"] != 1

    return case(
        lost,
        W=[step("", "l1 log", put(l1=1, **({"log": 1} if fix else {})),
                wait=Wait("queue", "release"))],
        F=[step("l1", "db", put(db=1), wait=Wait("queue", "acquire", guarded=True))],
        K=[step("log", "l1 db" if fix else "l1", crash,
                wait=Wait("queue", "try") if fault else None)],
    )  # fmt: skip


def write_behind_overwrite(fix: bool, fault: bool) -> Case:
    def buffer(s: State, own: Local) -> None:
        s.update(l1=1, base=s.get("version", 0), order=s.get("order", "") + "w")

    def flush(s: State, own: Local) -> None:
        if fix and s.get("version", 0) != s["base"]:
            s.pop("l1", None)
        else:
            s["db"] = 1

    def direct(s: State, own: Local) -> None:
        s.update(db=2, version=s.get("version", 0) + 1, order=s.get("order", "") + "d")

    return case(
        lambda s, _: s["db"] == 1 and s["order"] == "wd",
        W=[step("version", "l1 base order", buffer, spawns=["F"])],
        F=[step("started:F base version", "db l1", flush)],
        D=[step("", "db version order", direct)],
    )


def cached_rmw(fix: bool, fault: bool) -> Case:
    def flow() -> list[Move]:
        def add(s: State, own: Local) -> None:
            s["l2"] = (s["l2"] if fix else own["v"]) + 1

        return [step("l2", "", lambda s, own: own.update(v=s["l2"])), step("", "l2", add)]

    return case(lambda s, _: s["l2"] != 2, {"l2": 0}, A=flow(), B=flow())


def late_duplicate(fix: bool, fault: bool) -> Case:
    def late(s: State, own: Local) -> None:
        if not fix or s.get("l2 version", 0) <= 1:
            s.update({"l2": 1, "l2 version": 1})

    set_2 = put(**{"db": 2, "l2": 2, "l2 version": 2})
    first = {"db": 1} if fault else {"db": 1, "l2": 1, "l2 version": 1}
    return case(
        stale("l2"),
        {"db": 0, "l2": 0},
        W=[
            step("", "db l2", put(**first), spawns=["N"] if fault else []),
            step("", "db l2", set_2),
        ],
        N=[step("started:N", "l2", late)] if fault else None,
    )


def eviction_hides_invalidation(fix: bool, fault: bool) -> Case:
    def delete(s: State, own: Local) -> None:
        was_there = s.pop("l2", None) is not None
        own["begins nobody"] = not (was_there or fix)

    return case(
        stale("l1"),
        {"db": 0, "l2": 0, "l1": 0},
        E=[step("", "l2", drop("l2") if fault else put())],
        W=[write(), step("", "l2", delete, spawns=["I"])],
        I=delivery("I", "l1"),
    )


def subscribe_gap(fix: bool, fault: bool) -> Case:
    def fill(s: State, own: Local) -> None:
        if not s.get("heard"):
            s["l1"] = own["v"]

    def publish(s: State, own: Local) -> None:
        if s.get("subscribed") or not fault:
            s.pop("l1", None)
            s["heard"] = 1

    subscribe = step("", "subscribed", put(subscribed=1))
    fetch = step("db", "", lambda s, own: own.update(v=s["db"]))
    filling = [fetch, step("heard", "l1", fill)]
    return case(
        stale("l1"),
        P=[subscribe, *filling] if fix else [*filling, subscribe],
        W=[write(), step("subscribed", "l1 heard", publish)],
    )


def key_format_mix(fix: bool, fault: bool) -> Case:
    new = "l2:v2:k" if fault else "l2:k"

    def fill(s: State, own: Local) -> None:
        s.setdefault(new, s["db"])

    dropped = ("l2:k", "l2:v2:k") if fix else ("l2:k",)
    return case(
        stale(new),
        N=[step("db", new, fill)],
        O=[write(), step("", " ".join(dropped), drop(*dropped))],
    )


def serializer_mix(fix: bool, fault: bool) -> Case:
    def read(s: State, own: Local) -> None:
        note(own, s.get("l2") == "new form")

    key = "l2:v2" if fix else "l2"
    form = "new form" if fault else "old form"
    return case(saw(True), N=[step("", key, put(**{key: form}))], O=[step("l2 db", "", read)])


def cross_user_reply(fix: bool, fault: bool) -> Case:
    def send(user: str) -> Move:
        return step("pipe", "pipe", lambda s, own: s.update(pipe=(*s["pipe"], user)))

    def receive(user: str) -> Move:
        def effect(s: State, own: Local) -> None:
            note(own, s["pipe"][0] != user)
            s["pipe"] = s["pipe"][1:]

        return step("pipe", "pipe", effect)

    take = step("", "", wait=Wait("lock", "acquire", guarded=True))
    give = step("", "", wait=Wait("lock", "release"))
    cancel = step("", "pipe", put(pipe=()), wait=Wait("lock", "release")) if fix else give
    return case(
        saw(True),
        {"pipe": ()},
        A=[take, send("a"), *([cancel] if fault else [receive("a"), give])],
        B=[take, send("b"), receive("b"), give],
    )


def clock_skew(fix: bool, fault: bool) -> Case:
    def writer(value: int, skew: int) -> list[Move]:
        def effect(s: State, own: Local) -> None:
            s["now"] = s.get("now", 0) + 1
            s["db"] = value
            stamp = s["now"] + (skew if fault and not fix else 0)
            if stamp > s.get("stamp", 0):
                s.update(l2=value, stamp=stamp)

        return [step("", "now db l2", effect)]

    return case(stale("l2"), A=writer(1, 5), B=writer(2, 0))


def fractured_read(fix: bool, fault: bool) -> Case:
    def read(*keys: str) -> Move:
        def effect(s: State, own: Local) -> None:
            own.update({key: s[key] for key in keys})

        return step(" ".join(keys), "", effect)

    def differs(_: State, locals_: dict[str, Local]) -> bool:
        return bool(locals_["R"]["c1"] != locals_["R"]["c2"])

    first = step("", "d1 d2", put(d1=1, d2=1))
    keys = [("c1", "c2")] if fix else [("c1",), ("c2",)]
    return case(
        differs,
        {"d1": 0, "d2": 0, "c1": 0, "c2": 0},
        R=[read(*each) for each in keys],
        W=[first, *(step("", " ".join(each), put(**dict.fromkeys(each, 1))) for each in keys)],
    )


def purge_misses_fill(fix: bool, fault: bool) -> Case:
    def entry(generation: int) -> str:
        return f"l2 of {generation}"

    def purge(s: State, own: Local) -> None:
        if fix:
            s["generation"] = 1
        else:
            s.pop(entry(0), None)

    def is_stale(s: State, _: dict[str, Local]) -> bool:
        return bool(s.get(entry(s.get("generation", 0)), s["db"]) != s["db"])

    return case(
        is_stale,
        R=[
            step("generation", "", lambda s, own: own.update(g=s.get("generation", 0))),
            step("db", "", lambda s, own: own.update(v=s["db"])),
            step("", "l2", lambda s, own: s.update({entry(own["g"]): own["v"]})),
        ],
        W=[write(), step("", "generation" if fix else "l2", purge)],
    )


def lease_expired(fix: bool, fault: bool) -> Case:
    def acquire(s: State, own: Local) -> None:
        own["n"] = s["token"] = s.get("token", 0) + 1

    def fill(s: State, own: Local) -> None:
        if not fix or s.get("l2 token", 0) <= own["n"]:
            s.update({"l2": own["v"], "l2 token": own["n"]})

    def write_and_acquire(s: State, own: Local) -> None:
        s["db"] = 1
        acquire(s, own)

    take = Wait("lease", "acquire", guarded=True)
    load = step("db", "", lambda s, own: own.update(v=s["db"]))
    store = step("", "l2", fill, wait=Wait("lease", "release"))
    return case(
        lambda s, _: s["db"] == 1 and s.get("l2") == 0,
        A=[step("", "token", acquire, wait=take), load, store],
        B=[step("", "db token", write_and_acquire, wait=take), load, store],
        X=[step("", "", wait=Wait("lease", "expire", guarded=True))] if fault else None,
    )


def failover_missed_delete(fix: bool, fault: bool) -> Case:
    def replicate(s: State, own: Local) -> None:
        if not s.get("promoted"):
            s.pop("replica", None)

    def promote(s: State, own: Local) -> None:
        if fault:
            s["promoted"] = 1
            s.pop("replica" if fix else "", None)

    return case(
        lambda s, _: bool(s.get("promoted")) and s.get("replica") == 0,
        {"db": 0, "primary": 0, "replica": 0},
        W=[write(), step("", "primary", drop("primary"), spawns=["P", "F"])],
        P=[step("started:P promoted", "replica", replicate)],
        F=[step("started:F", "promoted replica" if fix else "promoted", promote)],
    )


def refresh_overwrite(fix: bool, fault: bool) -> Case:
    def load(s: State, own: Local) -> None:
        own.update(v=s["db"], n=s.get("version", 0))

    def fill(s: State, own: Local) -> None:
        if not fix or s.get("l2 version", 0) <= own["n"]:
            s.update({"l2": own["v"], "l2 version": own["n"]})

    return case(
        stale("l2"),
        {"db": 0, "l2": 0},
        B=[step("db version", "", load), step("", "l2", fill)],
        W=[step("", "db version", put(db=1, version=1)),
           step("", "l2", put(**{"l2": 1, "l2 version": 1}))],
    )  # fmt: skip


def dirty_fill(fix: bool, fault: bool) -> Case:
    ends = drop("transaction") if fault else put(db=1, l2=1)
    return case(
        lambda s, _: s["l2"] == 1 and s["db"] == 0,
        {"db": 0, "l2": 0},
        W=[
            step("", "transaction", put(transaction=1)),
            step("", "l2", put() if fix else put(l2=1)),
            step("", "transaction db l2", ends),
        ],
    )


def layer_divergence(fix: bool, fault: bool) -> Case:
    retries = fault and fix
    return case(
        lambda s, _: s.get("l2", s["db"]) != s["db"],
        {"db": 0, "l1": 0, "l2": 0},
        W=[write(), step("", "l1", put(l1=1)),
           step("", "l2", put() if fault else put(l2=1), spawns=["Q"] if retries else [])],
        Q=[step("started:Q", "l1 l2", drop("l1", "l2"))] if retries else None,
    )  # fmt: skip


def uncommitted_visible(fix: bool, fault: bool) -> Case:
    def ends(s: State, own: Local) -> None:
        if not fault:
            s.update(db=1, l2=1)
        elif not fix:
            s["l2"] = 0

    def fails(s: State, locals_: dict[str, Local]) -> bool:
        return s["db"] == 0 and saw(1)(s, locals_)

    return case(
        fails,
        {"db": 0, "l2": 0},
        W=[step("", "l2", put() if fix else put(l2=1)), step("", "l2 db", ends)],
        R=[step("l2", "", lambda s, own: note(own, s["l2"]))],
    )
