"""Guarantees against their definitions, word for word, on small random histories.

Values of different versions may be equal here. A definition speaks of versions, so it is asked once
for every way to understand the values: broken when all ways break it, kept when none does, and
anything but broken in between. Fixed seeds: the same histories in every run.
"""

import random
import re
from collections import Counter
from itertools import combinations, pairwise, permutations, product
from pathlib import Path

import pytest

from pytest_supercache.core.execution import Settled
from pytest_supercache.core.operation import (
    Commit,
    Content,
    History,
    Load,
    Operation,
    UncommittedWrite,
)
from pytest_supercache.oracle.guarantee import NotJudgedError, check_history
from pytest_supercache.oracle.judge import KNOWN

COUNT = 400
USERS, KEYS = ("alice", "bob"), ("x", "y")


class Story:
    """A history in the making: at each step somebody does something; values may repeat."""

    def __init__(self, seed, values):
        self.rng = random.Random(seed)
        self.values = values  # None: every write is new
        self.operations, self.commits, self.loads, self.contents = [], [], [], []
        self.uncommitted, self.times = [], [0.0]
        self.given = {"x": 0, "y": 0}
        self.fresh = 0

    def value(self):
        self.fresh += 1
        return self.fresh if self.values is None else self.rng.randint(0, self.values)

    def version_values(self, key):
        return [self.given[key], *(c.value for c in self.commits if c.key == key)]

    def commit(self, at, key, value, operation=None):
        version = len(self.version_values(key))
        self.commits.append(Commit(key, value, version, at, operation=operation))

    def history(self, **more):
        return History(
            operations=tuple(self.operations), commits=tuple(self.commits),
            loads=tuple(self.loads), contents=tuple(self.contents),
            uncommitted=tuple(self.uncommitted),
            origin_watched=True, given=self.given, times=tuple(self.times), **more,
        )  # fmt: skip

    def tick(self):
        self.times.append(self.times[-1] + self.rng.choice([0.0, 0.0, 1.0, 2.0]))

    def play(self, moves, deletes=False):
        """Let users read what there was and write; each operation is one step."""
        for at in range(moves):
            self.tick()
            user, key = self.rng.choice(USERS), self.rng.choice("xxy")
            common = {"user": user, "node": "a", "key": key, "steps": 1}
            common |= {"called_at": at, "returned_at": at + 1, "step": f"{at}"}
            kind = self.rng.choice(["write", "read", "read", "delete" if deletes else "load"])
            if kind in {"write", "delete"}:
                value = self.value() if kind == "write" else None
                self.commit(at + 1, key, value, operation=len(self.operations))
                self.operations.append(Operation(kind=kind, value=value, **common))
            else:
                answer = self.rng.choice(self.version_values(key))
                if kind == "load":
                    answer = self.version_values(key)[-1]
                    self.loads.append(Load(key, answer, at + 1))
                self.operations.append(Operation(kind="read", answer=answer, **common))
        return self


def verdict(history, guarantee, settled=None):
    try:
        found = check_history(history, guarantee, settled)
    except NotJudgedError:
        return "not judged"
    return "holds" if found is None else "breaks"


def shown(history):
    """Yield (position, operation, key, value) of every answer, verbs' included."""
    for at, operation in enumerate(history.operations):
        if operation.kind == "read":
            yield at, operation, operation.key, operation.answer
        for key, value in operation.sightings:
            yield at, operation, key, value


def ways(history):
    """Yield every way to understand the answers: {(position, key): version}."""
    places, choices = [], []
    for at, operation, key, value in shown(history):
        values = [history.given[key]] + [
            c.value for c in history.commits if c.key == key and c.at <= operation.returned_at
        ]
        if value is None and not any(load.key == key for load in history.loads):
            continue  # may be forgotten
        places.append((at, key))
        choices.append([version for version, known in enumerate(values) if known == value])
    for versions in product(*choices):
        yield dict(zip(places, versions, strict=True))


def agree(histories, guarantee, is_broken, *, settled=None):
    """Compare with a definition over versions; return how often each verdict was given."""
    counts = {"breaks": 0, "holds": 0, "not judged": 0}
    for history in histories:
        said = verdict(history, guarantee, settled(history) if settled else None)
        broken = [is_broken(history, way) for way in ways(history)]
        counts[said] += 1
        if all(broken):
            assert said == "breaks", history
        elif not any(broken):
            assert said == "holds", history
        else:
            assert said != "breaks", history
    return counts


def stories(values, moves=6, count=COUNT, **options):
    return [Story(seed, values).play(moves, **options).history() for seed in range(count)]


BOTH = pytest.mark.parametrize("values", [None, 2], ids=["distinct values", "equal values"])


@BOTH
def test_monotonic_reads_says_what_its_definition_says(values):
    def is_broken(history, way):
        reads = [(history.operations[at].user, key, version) for (at, key), version in way.items()]
        return any(
            one[:2] == other[:2] and other[2] < one[2] for one, other in combinations(reads, 2)
        )

    # Equal neighbouring answers are one version for the oracle, so "none breaks" is asked of the
    # ways in which they are.
    counts = {"breaks": 0, "holds": 0, "not judged": 0}
    for history in stories(values):
        said = verdict(history, KNOWN["monotonic_reads"])
        counts[said] += 1
        broken = [is_broken(history, way) for way in ways(history)]
        assert (said == "breaks") == all(broken), history
        if not any(broken):
            assert said == "holds", history
    assert min(counts["breaks"], counts["holds"]) > 10
    assert (counts["not judged"] > 0) == (values is not None)


@BOTH
def test_bounded_staleness_says_what_its_definition_says(values):
    bound = 1.5

    def is_broken(history, way):
        for (at, key), version in way.items():
            commits = [commit for commit in history.commits if commit.key == key]
            called = history.times[history.operations[at].called_at + 1]
            current = [c.value for c in commits if c.at <= history.operations[at].called_at]
            if history.operations[at].answer == (current or [history.given[key]])[-1]:
                continue
            if version < len(commits) and called - history.times[commits[version].at] > bound:
                return True
        return False

    counts = agree(stories(values), KNOWN["bounded_staleness"](bound), is_broken)
    assert min(counts["breaks"], counts["holds"]) > 20


@BOTH
def test_no_resurrection_says_what_its_definition_says(values):
    def is_broken(history, way):
        for at, delete in enumerate(history.operations):
            if delete.kind != "delete":
                continue
            made = next(c.version for c in history.commits if c.operation == at)
            for (read, key), version in way.items():
                later = history.operations[read]
                if key == delete.key and read > at and later.answer is not None and version < made:
                    current = [c for c in history.commits if c.key == key and c.at <= read]
                    if len(current) not in possible(history, read, key):
                        return True
        return False

    def possible(history, at, key):
        return {way[at, key] for way in ways(history) if (at, key) in way}

    counts = agree(stories(values, deletes=True), KNOWN["no_resurrection"], is_broken)
    assert min(counts["breaks"], counts["holds"]) > 20


@BOTH
def test_sequentially_consistent_says_what_its_definition_says(values):
    def is_broken(history, way):
        return not any(
            explains(history, way, order) for order in permutations(range(len(history.operations)))
        )

    def explains(history, way, order):
        last, versions = {}, {"x": 0, "y": 0}
        for at in order:
            operation = history.operations[at]
            if last.get(operation.user, -1) > at:
                return False
            last[operation.user] = at
            if operation.kind in {"write", "delete"}:
                made = next(c.version for c in history.commits if c.operation == at)
                if made != versions[operation.key] + 1:
                    return False
                versions[operation.key] = made
            elif way.get((at, operation.key), versions[operation.key]) != versions[operation.key]:
                return False
        return True

    counts = agree(stories(values, moves=5, count=150), KNOWN["sequentially_consistent"], is_broken)
    assert min(counts["breaks"], counts["holds"]) > 10


@BOTH
def test_read_atomic_says_what_its_definition_says(values):
    def story(seed):
        made = Story(seed, values)
        for at in range(5):
            made.tick()
            common = {"user": "alice", "node": "a", "called_at": at, "returned_at": at + 1}
            if made.rng.random() < 0.6:
                for key in made.rng.choice([("x", "y"), ("x", "y"), ("x",), ("y",)]):
                    made.commit(at + 1, key, made.value())
                made.operations.append(Operation(kind="change", step=f"{at}", **common))
            else:
                seen = tuple((key, made.rng.choice(made.version_values(key))) for key in KEYS)
                made.operations.append(
                    Operation(kind="look", sightings=seen, step=f"{at}", **common)
                )
        return made.history()

    def is_broken(history, way):
        transactions = [
            {c.key: c.version for c in history.commits if c.at == at} for at in range(1, 6)
        ]
        return any(
            way[at, one] == transaction.get(one) and way[at, other] < transaction.get(other, 0)
            for at in {at for at, _ in way}
            for one, other in [("x", "y"), ("y", "x")]
            for transaction in transactions
        )

    histories = [story(seed) for seed in range(COUNT)]
    judged = [h for h in histories if any(op.kind == "look" for op in h)]
    counts = agree(judged, KNOWN["read_atomic"], is_broken)
    assert min(counts["breaks"], counts["holds"]) > 20


def test_ttl_respected_says_what_its_definition_says():
    ttl = 2.0

    def is_broken(history):
        """Ask of each answer when its value, all versions of it, last left the origin."""
        for _, read, key, value in shown(history):
            left = [0.0] if history.given[key] == value else []
            left += [
                history.times[moment.at]
                for moment in (*history.loads, *history.commits)
                if moment.key == key and moment.value == value and moment.at <= read.returned_at
            ]
            if history.times[read.called_at + 1] - max(left) > ttl:
                return True
        return False

    counts = {True: 0, False: 0}
    for history in stories(None):
        said = verdict(history, KNOWN["ttl_respected"](ttl))
        assert (said == "breaks") == is_broken(history), history
        counts[is_broken(history)] += 1
    assert min(counts.values()) > 20


@pytest.mark.parametrize("window", [None, 1.0, 2.5])
def test_max_loads_says_what_its_definition_says(window):
    def is_broken(history):
        for key in KEYS:
            times = [history.times[load.at] for load in history.loads if load.key == key]
            starts = [0.0] if window is None else times
            if any(sum(s <= t < s + (window or 1e9) for t in times) > 1 for s in starts):
                return True
        return False

    counts = {True: 0, False: 0}
    for history in stories(None, moves=8):
        guarantee = KNOWN["max_loads"](1) if window is None else KNOWN["max_loads"](1, window)
        assert (verdict(history, guarantee) == "breaks") == is_broken(history), history
        counts[is_broken(history)] += 1
    assert min(counts.values()) > 20


@BOTH
def test_isolated_users_says_what_its_definition_says(values):
    owners = {"x": ("alice",), "y": ("bob",)}

    def is_broken(history):
        for _, read, _, value in shown(history):
            sources = {k for k in KEYS if value in all_values(history, k)}
            if sources and all(read.user not in owners[source] for source in sources):
                return True
        return False

    def all_values(history, key):
        return [history.given[key], *(c.value for c in history.commits if c.key == key)]

    counts = {True: 0, False: 0}
    for seed in range(COUNT):
        story = Story(seed, values)
        story.given = {"x": 100, "y": 200}
        history = story.play(5).history(owners=owners)
        said = verdict(history, KNOWN["isolated_users"])
        assert said == ("breaks" if is_broken(history) else "holds"), history
        counts[is_broken(history)] += 1
    assert min(counts.values()) > 20


def test_durable_writes_says_what_its_definition_says():
    """Buffers are flushed late, in any order, or never; a flush may stand for older writes."""

    def is_broken(history):
        for at, write in enumerate(history.operations):
            later = {
                other.value
                for n, other in enumerate(history.operations)
                if other.key == write.key and (n >= at or other.returned_at > write.called_at)
            }
            reached = {
                c.value for c in history.commits if c.key == write.key and c.at > write.called_at
            }
            if not later & reached:
                return True
        return False

    counts = {True: 0, False: 0}
    for seed in range(COUNT):
        story = Story(seed, None)
        buffered, ended = [], dict.fromkeys(USERS, 0)
        for at in range(story.rng.randint(1, 4)):
            user, key = story.rng.choice(USERS), story.rng.choice("xxy")
            called = max(at, ended[user])
            ended[user] = called + story.rng.randint(1, 2)
            value = story.value()
            story.operations.append(
                Operation(
                    user=user, node="a", kind="write", key=key, value=value,
                    called_at=called, returned_at=ended[user], step=f"{at}",
                )
            )  # fmt: skip
            buffered.append((key, value))
        story.rng.shuffle(buffered)
        for at, (key, value) in enumerate(buffered, start=10):
            if story.rng.random() < 0.6:
                story.commit(at, key, value)
        history = story.history()
        said = verdict(history, KNOWN["durable_writes"], Settled(layers={"origin": {}}))
        assert said == ("breaks" if is_broken(history) else "holds"), history
        counts[is_broken(history)] += 1
    assert min(counts.values()) > 20


PLACES = ("existing_cache", "super_cache@a")


def held_at_random(seed):
    """Make a history of one key: writes committed late, layers that hold any version there is."""
    story = Story(seed, None)
    known, held, due = [0], {}, []
    for at in range(1, 9):
        move = story.rng.random()
        if move < 0.3:
            due.append((story.value(), len(story.operations)))
            story.operations.append(
                Operation(
                    user=story.rng.choice(USERS), node="a", kind="write", key="x",
                    value=due[-1][0], called_at=at - 1, returned_at=at, step=f"{at}",
                )
            )  # fmt: skip
        if due and move < 0.5:
            value, operation = due.pop(story.rng.randrange(len(due)))
            known.append(value)
            story.commit(at, "x", value, operation=operation)
        elif move > 0.5:
            place, value = story.rng.choice(PLACES), story.rng.choice([None, *known])
            if value != held.get(place):
                held[place] = value
                story.contents.append(Content(place, "x", value, at))
    return story.history(), known  # values in the order of versions


def is_out_of_order(history):
    for one, other in combinations(range(len(history.operations)), 2):
        first = [c.at for c in history.commits if c.operation == one]
        then = [c.at for c in history.commits if c.operation == other]
        same_user = history.operations[one].user == history.operations[other].user
        if same_user and first and then and then[0] < first[0]:
            return True
    return False


def is_replaced_by_older(history, known):
    for place in PLACES:
        values = [c.value for c in history.contents if c.place == place]
        for old, new in pairwise(values):
            if None not in {old, new} and known.index(new) < known.index(old):
                return True
    return False


def is_kept(history, known):
    for commit, place in product(history.commits, PLACES):
        before = [c.value for c in history.contents if c.place == place and c.at < commit.at]
        after = [c for c in history.contents if c.place == place and c.at > commit.at]
        held = before[-1] if before else None
        if held is not None and known.index(held) < known.index(commit.value) and not after:
            return True
    return False


def test_what_layers_must_not_hold_is_what_the_definitions_say():
    counts = Counter()
    for seed in range(COUNT):
        history, known = held_at_random(seed)
        disorder = is_out_of_order(history) or is_replaced_by_older(history, known)
        said = verdict(history, KNOWN["monotonic_writes"])
        assert said == ("breaks" if disorder else "holds"), history
        kept = verdict(history, KNOWN["no_lost_invalidation"], Settled(layers={"origin": {}}))
        assert kept == ("breaks" if is_kept(history, known) else "holds"), history
        counts[said, kept] += 1
    assert min(counts[a, b] for a in ("breaks", "holds") for b in ("breaks", "holds")) > 5


def test_no_dirty_reads_says_what_its_definition_says():
    def is_broken(history):
        for _, read, key, value in shown(history):
            committed = {
                c.value for c in history.commits if c.key == key and c.at <= read.returned_at
            }
            uncommitted = {
                w.value for w in history.uncommitted if w.key == key and w.at <= read.returned_at
            }
            if value not in committed | {history.given[key]} and value in uncommitted:
                return True
        return False

    counts = {True: 0, False: 0}
    for seed in range(COUNT):
        story = Story(seed, None)
        for at in range(1, 6):
            common = {"user": story.rng.choice(USERS), "node": "a"}
            common |= {"called_at": at - 1, "returned_at": at, "step": f"{at}"}
            if story.rng.random() < 0.4:
                key, value = story.rng.choice(KEYS), story.value()
                ended = at + story.rng.randint(0, 3)
                is_committed = story.rng.random() < 0.6
                story.uncommitted.append(UncommittedWrite(key, value, at, ended, is_committed))
                if is_committed:
                    story.commit(ended, key, value)
            else:
                key = story.rng.choice(KEYS)
                uncommitted = [write.value for write in story.uncommitted if write.key == key]
                answer = story.rng.choice([0, *uncommitted])
                story.operations.append(
                    Operation(kind="read", key=key, answer=answer, steps=1, **common)
                )
        story.commits.sort(key=lambda commit: commit.at)
        history = story.history()
        said = verdict(history, KNOWN["no_dirty_reads"])
        assert said == ("breaks" if is_broken(history) else "holds"), history
        counts[is_broken(history)] += 1
    assert min(counts.values()) > 20


@BOTH
def test_coherent_when_settled_says_what_its_definition_says(values):
    """Layers and nodes show versions, nothing, or what nobody can read (9)."""

    def is_outdated(history, settled, key, value):
        known = [history.given[key], *(c.value for c in history.commits if c.key == key)]
        return value is not None and value != settled.layers["origin"][key] and value in known

    def is_unknown(history, settled, key, value):
        known = [history.given[key], *(c.value for c in history.commits if c.key == key)]
        return value is not None and value not in known

    counts = Counter()
    for seed in range(COUNT):
        story = Story(seed, values).play(4)
        rng, history = story.rng, story.history()
        shows = {key: [None, 9, *story.version_values(key)[-3:]] for key in KEYS}
        settled = Settled(layers={"origin": {k: story.version_values(k)[-1] for k in KEYS}})
        for place in ("existing_cache", "super_cache@a"):
            held = {key: rng.choice(shows[key]) for key in rng.choice([KEYS, ("x",), ()])}
            settled.layers[place] = {k: v for k, v in held.items() if v is not None}
        asked = [("a", "x"), ("b", "x"), ("a", "y")] if rng.random() < 0.8 else []
        for place in asked:
            truth = settled.layers["origin"][place[1]]
            settled.probes[place] = rng.choice([truth, truth, *shows[place[1]]])
        contents = [
            (key, value)
            for place, content in settled.layers.items()
            for key, value in content.items()
            if place != "origin"
        ]
        answers = [(key, value) for (_, key), value in settled.probes.items()]
        strange = answers if asked else contents  # content is read by asking, where one can
        expected = "holds"
        if any(is_unknown(history, settled, *each) for each in strange):
            expected = "not judged"
        if any(is_outdated(history, settled, *each) for each in contents + answers):
            expected = "breaks"
        said = verdict(history, KNOWN["coherent_when_settled"], settled)
        assert said == expected, (history, settled)
        counts[said] += 1
    assert min(counts[each] for each in ("breaks", "holds", "not judged")) > 20


def in_real_time(seed, values):
    """Make a history whose operations overlap; reads answer any version."""
    story = Story(seed, values)
    free = dict.fromkeys(USERS, 0)
    for number in range(story.rng.randint(3, 5)):
        user, key = story.rng.choice(USERS), story.rng.choice("xxy")
        called = free[user] + story.rng.randint(0, 1)
        free[user] = called + story.rng.randint(1, 4)
        common = {"user": user, "node": "a", "key": key, "steps": 1, "step": f"{number}"}
        common |= {"called_at": called, "returned_at": free[user]}
        if story.rng.random() < 0.45:
            written = Operation(kind="write", value=story.value(), **common)
            story.commit(free[user], key, written.value, operation=len(story.operations))
            story.operations.append(written)
        else:
            answer = story.rng.choice(story.version_values(key))
            story.operations.append(Operation(kind="read", answer=answer, **common))
    return story.history()


def is_register(initial, order):
    """Say whether a register answers so, called in this order, within real time."""
    held = initial
    for at, operation in enumerate(order):
        if any(later.returned_at <= operation.called_at for later in order[at + 1 :]):
            return False
        if operation.kind == "write":
            held = operation.value
        elif operation.answer != held:
            return False
    return True


@BOTH
def test_linearizable_says_what_its_definition_says(values):
    def is_broken(history):
        return any(
            not any(
                is_register(history.given[key], order)
                for order in permutations([one for one in history if one.key == key])
            )
            for key in KEYS
        )

    counts = Counter()
    for seed in range(COUNT):
        history = in_real_time(seed, values)
        said = verdict(history, KNOWN["linearizable"])
        assert said == ("breaks" if is_broken(history) else "holds"), history
        counts[said] += 1
    assert min(counts["breaks"], counts["holds"]) > 20


def sessions(seed, values):
    """Return a history of operations that may overlap: grants, revokes and reads of one key."""
    rng = random.Random(seed)
    operations = []
    for number in range(6):
        called = rng.randint(0, 6)
        common = {"user": f"user {number}", "node": "a", "key": "x", "step": f"{number}"}
        common |= {"called_at": called, "returned_at": called + rng.randint(1, 3)}
        value = number if values is None else rng.randint(1, values)
        kind = rng.choice(["write", "delete", "read"])
        told = {"write": {"value": value}, "read": {"answer": rng.choice([None, 0, 1, 2])}}
        operations.append(Operation(kind=kind, steps=1, **common, **told.get(kind, {})))
    operations.sort(key=lambda operation: operation.called_at)
    return History(operations=tuple(operations), given={"x": 0})


def allowed(history, revoke, read):
    """Return what is known of a value that was shown after a revoke: broken, kept, or open."""
    known = {0, *(one.value for one in history if one.kind == "write")}
    sources = [one for one in history if one.kind == "write"]
    if read.answer in known:
        sources = [one for one in sources if one.value == read.answer]
    early = [one for one in sources if one.returned_at <= revoke.called_at]
    late = [one for one in sources if read.returned_at <= one.called_at]
    if any(
        revoke.returned_at <= one.called_at and one.returned_at <= read.called_at for one in sources
    ):
        return "holds"
    if len(early) + len(late) == len(sources):
        return "breaks"
    from_the_start = read.answer == 0 or read.answer not in known
    return "not judged" if from_the_start or early else "holds"


@BOTH
def test_revocation_holds_says_what_its_definition_says(values):
    counts = Counter()
    for seed in range(4 * COUNT):
        history = sessions(seed, values)
        wanted = {
            allowed(history, revoke, read)
            for revoke, read in product(history, repeat=2)
            if revoke.kind == "delete" and read.kind == "read" and read.answer is not None
            if revoke.returned_at <= read.called_at
        }
        said = verdict(history, KNOWN["revocation_holds"])
        assert said == next((v for v in ("breaks", "not judged") if v in wanted), "holds"), history
        counts[said] += 1
    assert min(counts.values()) > 20
    assert len(counts) == 3


def test_cap_holds_says_what_its_definition_says():
    counts = Counter()
    for seed in range(COUNT):
        rng = random.Random(seed)
        times, operations = [0.0], []
        for at in range(6):
            times.append(times[-1] + rng.choice([0.0, 0.0, 1.0, 2.0]))
            said = rng.choice([True, True, False, None, 1])
            common = {"user": rng.choice(USERS), "node": "a", "called_at": at, "steps": 1}
            common |= {"returned_at": at + 1, "step": f"{at}", "kind": "book"}
            operations.append(Operation(sightings=((rng.choice(KEYS), said),), **common))
        history = History(operations=tuple(operations), times=tuple(times))
        for window in (None, 1.5):
            admitted = [
                (key, times[operation.returned_at])
                for operation in operations
                for key, said in operation.sightings
                if said is True
            ]
            broken = any(
                len({key for key, _ in three}) == 1
                and (window is None or three[-1][1] - three[0][1] < window)
                for three in combinations(admitted, 3)
            )
            guarantee = KNOWN["cap_holds"](2) if window is None else KNOWN["cap_holds"](2, window)
            said = verdict(history, guarantee)
            if said != "not judged":
                assert said == ("breaks" if broken else "holds"), history
            counts[window, said] += 1
    assert min(counts[w, v] for w in (None, 1.5) for v in ("breaks", "holds")) > 20


def test_no_lost_field_says_what_its_definition_says():
    """Each write reads an object that may be old, changes a field, and writes all of it back."""
    counts = Counter()
    for seed in range(COUNT):
        rng = random.Random(seed)
        objects, operations, commits = [{"a": 0, "b": 0}], [], []
        last = {}
        for at in range(1, 5):
            field, value = rng.choice("ab"), at if rng.random() < 0.9 else 0
            objects.append({**rng.choice(objects[-2:]), field: value})
            common = {"user": rng.choice(USERS), "node": "a", "called_at": at - 1, "steps": 1}
            common |= {"returned_at": at, "step": f"{at}", "kind": "change"}
            operations.append(Operation(writes=(("x", {field: value}),), **common))
            commits.append(Commit("x", objects[-1], at, at))
            last[field] = value
        history = History(
            operations=tuple(operations), commits=tuple(commits), given={"x": objects[0]},
            origin_watched=True,
        )  # fmt: skip
        settled = Settled(layers={"origin": {"x": objects[-1]}})
        broken = any(objects[-1][field] != value for field, value in last.items())
        said = verdict(history, KNOWN["no_lost_field"], settled)
        assert said == ("breaks" if broken else "holds"), history
        counts[said] += 1
    assert min(counts.values()) > 20


def test_every_guarantee_is_compared_with_its_definition():
    """``read_your_writes`` in test_session.py, all others here."""
    text = Path(__file__).read_text(encoding="utf-8")
    compared = set(re.findall(r'KNOWN\["(\w+)"\]', text))
    assert compared == KNOWN.keys() - {"read_your_writes"}
