"""Recorded calls for tests: as text, as made by a store that may lie, and the slow, sure answer.

    a 1-4 write x = 1       process a, called at 1, answered at 4
    b 2-3 read x -> nil
    c 5-? cas x 1 2         outcome unknown
    c 5-6 cas x 1 2 ok      or `failed`
    d 7-8 get k -> "ab"     also put and append

Values are JSON; the key may be left out.
"""

import json
import re
from dataclasses import dataclass, replace
from itertools import count

from pytest_supercache.oracle.linear.call import NEVER, READS, Call

_LINE = re.compile(
    r"(?P<process>\w+) (?P<called>\d+)-(?P<returned>\d+|\?) (?P<kind>[a-z]+)(?: (?P<key>[a-z]\w*))?"
    r"(?: (?:=|->))?(?: (?P<values>.+?))?(?: (?P<outcome>ok|failed))?"
)


def calls(text):
    """Read one call a line."""
    return [_call(line.strip()) for line in text.splitlines() if line.strip()]


def _call(line):
    match = _LINE.fullmatch(line)
    assert match is not None, f"cannot read {line!r}"
    kind, values = match["kind"], [_value(text) for text in (match["values"] or "nil").split()]
    read = kind in READS
    return Call(
        process=match["process"],
        kind=kind,
        key=match["key"] or "",
        value=None if read else (tuple(values) if kind == "cas" else values[0]),
        answer=values[0] if read else match["outcome"] != "failed",
        called_at=int(match["called"]),
        returned_at=NEVER if match["returned"] == "?" else int(match["returned"]),
    )


def _value(text):
    return None if text == "nil" else json.loads(text)


def has_order(given, initials):
    """The definition, by trying everything: is there an order that explains every answer?"""
    given = [call for call in given if call.returned or not call.is_pure]
    needed = sum(1 << at for at, call in enumerate(given) if call.returned)
    seen, waiting = set(), [(0, state) for state in initials]
    while waiting:
        taken, state = now = waiting.pop()
        if taken & needed == needed:
            return True
        if now in seen:
            continue
        seen.add(now)
        rest = [at for at in range(len(given)) if not taken >> at & 1]
        first_end = min((given[at].returned_at for at in rest), default=NEVER)
        for at in rest:
            if given[at].called_at <= first_end:
                waiting += [(taken | 1 << at, new) for new in _after(given[at], state)]
    return False


def _after(call, state):
    """Return the states after a call: none when its answer does not fit."""
    if call.kind in READS:
        return [state] if state == call.answer else []
    if call.kind == "append":
        return [state + call.value]
    if call.kind != "cas":
        return [call.value]
    expected, new = call.value
    if not call.returned:
        return [new if state == expected else state]
    if call.answer:
        return [new] if state == expected else []
    return [state] if state != expected else []


@dataclass(frozen=True, kw_only=True)
class Store:
    """What to record: a store that is right, but for the share of answers that are ``stale``."""

    kinds: tuple[str, ...]
    calls: int
    processes: int
    values: tuple = ()  # none: every written value is another one
    keys: int = 1
    initial: object = None
    stale: float = 0.0
    unknown: float = 0.0


def record(store, rng):
    """Return the calls of processes that use the store at once, in the order they ended."""
    held, before, numbers = {}, {}, count(1)
    now, left, position, done = {}, store.calls, 0, []
    while left or now:
        position += 2  # odd positions are free for shorter calls
        process = rng.randrange(store.processes)
        if process not in now:
            if left:
                left -= 1
                now[process] = _begin(store, rng, numbers, process, position)
        elif now[process].answer is None:
            _take_effect(store, rng, now[process], held, before)
        else:
            done.append(_end(store, rng, now.pop(process), position))
    return [call for call in done if call.returned or not call.is_pure]


_NOTHING = ("nothing",)
"""The answer of a read that got None, until it ends: None is a call that has not got one."""


def _begin(store, rng, numbers, process, position):
    kind = rng.choice(store.kinds)

    def value():
        if store.values:
            return rng.choice(store.values)
        return f"x{next(numbers)}" if store.initial == "" else next(numbers)

    written = None if kind in READS else (value(), value()) if kind == "cas" else value()
    key = f"k{rng.randrange(store.keys)}" if store.keys > 1 else ""
    return Call(process=str(process), kind=kind, key=key, value=written, called_at=position)


def _take_effect(store, rng, call, held, before):
    state = held.get(call.key, store.initial)
    if call.kind in READS:
        lies = rng.random() < store.stale
        seen = before.get(call.key, store.initial) if lies else state
        call.answer = _NOTHING if seen is None else seen
        return
    after = _after(replace(call, returned_at=NEVER), state)[0]
    call.answer = call.kind != "cas" or state == call.value[0]
    if call.answer:
        before[call.key], held[call.key] = state, after
    if call.kind == "cas" and rng.random() < store.stale:
        call.answer = not call.answer


def _end(store, rng, call, position):
    answer = None if call.answer is _NOTHING else call.answer
    if rng.random() < store.unknown:
        return replace(call, answer=None)
    return replace(call, answer=answer, returned_at=position)


REGISTER = ("read", "read", "write")
_TEXTS = (
    ("a", "b", "ab", ""),
    ("xa", "xb", "xc", "x"),
    ("ay", "by", "y", "aby"),
    ("xa", "xb", "xaxb", "xbxa"),
)
SMALL = (
    Store(kinds=REGISTER, calls=0, processes=0),
    Store(kinds=REGISTER, calls=0, processes=0, values=(0, 1, 2)),
    Store(kinds=(*REGISTER, "cas", "cas"), calls=0, processes=0, values=(0, 1, 2)),
    Store(kinds=("read", "cas"), calls=0, processes=0, values=(0, 1, 2, None)),
    Store(kinds=("get", "put"), calls=0, processes=0, initial=""),
    Store(kinds=("get", "get", "put", "append", "append"), calls=0, processes=0, initial=""),
    *(
        Store(kinds=("get", "put", "append"), calls=0, processes=0, initial="", values=values)
        for values in _TEXTS
    ),
)
"""Stores with every kind of value the checker tells apart; their size is drawn."""


def random_calls(rng):
    """Return a small recording and what its key may hold at first; about a third is wrong."""
    store = replace(
        rng.choice(SMALL),
        calls=rng.randrange(2, 11),
        processes=rng.randrange(1, 6),
        stale=rng.choice((0, 0.1, 0.3)),
        unknown=rng.choice((0, 0.15)),
    )
    made = record(store, rng)
    reads = [call for call in made if call.kind in READS]
    if reads and rng.random() < 0.3:
        rng.choice(reads).answer = rng.choice(reads).answer
    if made and rng.random() < 0.3:  # one call gets shorter: it was not as concurrent as that
        call = rng.choice(made)
        if call.returned:
            call.returned_at = call.called_at + 1
    initials = (store.initial,)
    if store.initial is None and rng.random() < 0.2:
        initials = (None, 0, 1)
    return made, initials
