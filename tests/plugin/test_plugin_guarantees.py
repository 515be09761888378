"""Every guarantee on real code: a system that breaks it and its nearest twin that does not."""

from pathlib import Path

import pytest

from tests.plugin.conftest import Project
from tests.plugin.projects import race
from tests.selection import either

SYSTEMS = '''
import threading, time
from contextlib import contextmanager

class Locked(Shop):
    """One load at a time, and a second look before it."""
    def __init__(self, redis, db):
        super().__init__(redis, db)
        self.lock = threading.Lock()
    def get(self, key):
        with self.lock:
            return super().get(key)

class Forgetful(Shop):
    """Commits and tells no cache."""
    def set(self, key, value):
        self.db.set(key, value)

class Behind(Shop):
    """Acknowledges what only the cache has."""
    def set(self, key, value):
        self.redis.set(key, json.dumps(value))

class Dual(Shop):
    """Writes the new value into the cache instead of deleting the old one."""
    def set(self, key, value):
        self.db.set(key, value)
        self.redis.set(key, json.dumps(value))

class Eager(Shop):
    """Shows what is not committed yet."""
    def set(self, key, value):
        with self.db.transaction() as transaction:
            transaction.set(key, value)
            self.redis.set(key, json.dumps(value))

class Patient(Shop):
    """Shows it when it is committed."""
    def set(self, key, value):
        with self.db.transaction() as transaction:
            transaction.set(key, value)
        self.redis.set(key, json.dumps(value))

class Mixed(Shop):
    """Keeps the request where the next one overwrites it."""
    def get(self, key):
        self.asked = key
        self.redis.mget(key, "quota")
        self.redis.ping()
        return self.db.get(self.asked)

class Additive(Shop):
    """A near cache that starts the time to live anew."""
    def __init__(self, redis, db):
        super().__init__(redis, db)
        self.near = {}
    def get(self, key):
        value, until = self.near.get(key, (None, 0))
        if time.time() < until:
            self.redis.ping()
            return value
        found = self.redis.get(key)
        value = self.db.get(key) if found is None else json.loads(found)
        if found is None:
            self.redis.set(key, json.dumps(value), ex=60)
        self.near[key] = (value, time.time() + self.life(key))
        return value
    def life(self, key):
        return 60

class Remaining(Additive):
    """A near cache that takes over what is left of it."""
    def life(self, key):
        return self.redis.ttl(key)

class Sessions(Shop):
    """Looks a session up in Redis and keeps it in the process, where nobody deletes it."""
    def __init__(self, redis, db):
        super().__init__(redis, db)
        self.near = {}
    def get(self, key):
        if key not in self.near:
            self.near[key] = self.redis.get(key)
        self.redis.ping()
        return self.near[key]
    def set(self, key, value):
        self.redis.set(key, value)
    def delete(self, key):
        self.redis.delete(key)

class Asked(Sessions):
    """Looks a session up each time."""
    def get(self, key):
        return self.redis.get(key)

class Seats(Shop):
    """Looks how many seats are taken, and takes one more."""
    def book(self, key):
        if int(self.redis.get(key) or 0) >= 1:
            return False
        self.redis.incr(key)
        return True

class Counted(Shop):
    """Takes a seat, and looks how many are taken then."""
    def book(self, key):
        return self.redis.incr(key) <= 1

class Profiles(Shop):
    """Reads an object, changes a field of it, and writes it back."""
    def change(self, key, field, value):
        profile = dict(self.db.get(key))
        profile[field] = value
        self.db.set(key, profile)

class Fields(Profiles):
    """Changes one field at a time."""
    def __init__(self, redis, db):
        super().__init__(redis, db)
        self.lock = threading.Lock()
    def change(self, key, field, value):
        with self.lock:
            super().change(key, field, value)

for system in (
    Locked, Forgetful, Behind, Dual, Eager, Patient, Mixed, Additive, Remaining, Sessions, Asked,
    Seats, Counted, Profiles, Fields,
):
    def factory(layers, make=system):
        return make(layers.existing_cache.client(), layers.origin)
    sc.system(system.__name__.lower())(factory)

@sc.verb("book", observes=lambda answer, show: {show: answer})
def book(shop, user, show):
    return shop.book(show)

@sc.verb("change", writes=lambda field, value: {"p": {field: value}})
def change(shop, user, field, value):
    shop.change("p", field, value)

@sc.verb("transfer")
def transfer(shop, user):
    with shop.db.transaction() as transaction:
        transaction.set("x", 1)
        transaction.set("y", 1)

@sc.verb("balance", observes=lambda answer: answer)
def balance(shop, user):
    return {key: shop.db.get(key) for key in ("x", "y")}

@sc.verb("balance_checked", observes=lambda answer: answer)
def balance_checked(shop, user):
    while True:
        version = shop.db.version("x")
        found = {key: shop.db.get(key) for key in ("x", "y")}
        if shop.db.version("x") == version:
            return found
'''

READER_AND_WRITER = "alice: [{read: x}], bob: [{write: {key: x, value: 1}}]"
TWO_READERS = f"{READER_AND_WRITER}, carol: [{{read: x}}, {{read: x}}]"

STORIES = [
    ("monotonic_reads", "shop", "uncached", TWO_READERS, ""),
    (
        "{bounded_staleness: 1s}", "forgetful", "uncached",
        "bob: [{write: {key: x, value: 1}}], carol: [{sleep: 2s}, {read: x}]",
        "before: [{read: x}]",
    ),
    (
        "isolated_users", "mixed", "shop",
        "alice: {owns: [x], steps: [{read: x}]}, bob: [{read: z}]",
        "explore: {search: all-schedules, memory: declared}",
    ),
    ("no_resurrection", "shop", "uncached", "alice: [{read: x}], bob: [{delete: x}]", ""),
    (
        "{ttl_respected: 60s}", "additive", "remaining",
        "carol: [{sleep: 40s}, {read: x}, {sleep: 30s}, {read: x}]",
        "before: [{read: x, node: b}]",
    ),
    ("durable_writes", "behind", "shop", READER_AND_WRITER, ""),
    (
        "revocation_holds", "sessions", "asked",
        "ann: [{read: s}, {read: s}], guard: [{delete: s}]",
        "before: [{write: {key: s, value: on}}]",
    ),
    ("{cap_holds: 1}", "seats", "counted", "ann: [{book: show}], bob: [{book: show}]", ""),
    (
        "no_lost_field", "profiles", "fields",
        "ann: [{change: {field: name, value: A}}], bob: [{change: {field: mail, value: B}}]", "",
    ),
    ("sequentially_consistent", "shop", "uncached", TWO_READERS, ""),
    (
        "monotonic_writes", "dual", "shop",
        "alice: [{write: {key: x, value: 1}}], bob: [{write: {key: x, value: 2}}]", "",
    ),
    ("no_lost_invalidation", "forgetful", "shop", READER_AND_WRITER, "before: [{read: x}]"),
    ("{max_loads: 1}", "shop", "locked", "alice: [{read: x}], bob: [{read: x}]", ""),
    ("no_dirty_reads", "eager", "patient", READER_AND_WRITER, "before: [{read: x}]"),
]  # fmt: skip
"""Guarantee, the system that breaks it, the one that does not, users, further lines.

The last five are left to the long form.
"""

STORY = """
scenario: {name}
id: {name}
systems: {{{bad}: violated, {good}: holds}}
given: {{origin: {{x: 0, z: 7, p: {{name: a, mail: b}}}}}}
users: {{{users}}}
guarantees: [{guarantee}]
{more}
"""

VERBS = """
scenario: whoever sees one half of a transfer sees the other
id: {name}
system: uncached
given: {{origin: {{x: 0, y: 0}}}}
users: {{alice: [{{{verb}: {{}}}}], bob: [{{transfer: {{}}}}]}}
guarantees: [read_atomic]
"""


def name_of(guarantee: str) -> str:
    return guarantee.strip("{}").partition(":")[0]


def test_each_guarantee_is_broken_by_one_system_and_kept_by_its_twin(project: Project) -> None:
    project.add_to_conftest(SYSTEMS)
    stories = STORIES[: either(9, 14)]
    for guarantee, bad, good, users, more in stories:
        name = name_of(guarantee)
        story = STORY.format(
            name=name, guarantee=guarantee, bad=bad, good=good, users=users, more=more
        )
        project.scenario(story, name)
    project.run().assert_outcomes(passed=2 * len(stories))
    rows = project.rows()
    for guarantee, bad, good, _, _ in stories:
        name = name_of(guarantee)
        assert rows[f"{name}[{bad}]"]["guarantee"] == name
        assert rows[f"{name}[{good}]"]["verdict"] == "holds"


def test_a_transaction_seen_in_part_is_found_and_a_checked_read_holds(project: Project) -> None:
    project.add_to_conftest(SYSTEMS)
    project.scenario(VERBS.format(name="part", verb="balance"), "part")
    project.scenario(VERBS.format(name="checked", verb="balance_checked"), "checked")
    project.run().assert_outcomes(passed=1, failed=1)
    rows = project.rows()
    assert (rows["part"]["verdict"], rows["part"]["guarantee"]) == ("violated", "read_atomic")
    assert rows["checked"]["verdict"] == "holds"


def test_a_guarantee_that_nothing_can_break_is_an_error_that_says_what_is_missing(
    project: Project,
) -> None:
    project.scenario(
        STORY.format(
            name="U", guarantee="isolated_users", bad="shop", good="uncached",
            users=READER_AND_WRITER, more="",
        ).replace("systems: {shop: violated, uncached: holds}", "system: uncached")
    )  # fmt: skip
    result = project.run()
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(
        ["*nothing here can break 'isolated_users'", "*say whose keys are whose: owns:*"]
    )


@pytest.mark.parametrize(
    ("guarantee", "complaint"),
    [
        ("monotonic_read", "there is no guarantee 'monotonic_read'*did you mean 'monotonic_reads'"),
        ("bounded_staleness", "'bounded_staleness' needs bound*write {bounded_staleness: ...}"),
        ("{bounded_staleness: soon}", "bound must be a duration*2s"),
        ("{bounded_staleness: {bund: 2s}}", "no parameter 'bund'*did you mean 'bound'"),
        ("{max_loads: 0}", "loads must be a whole number, at least 1*"),
        ("{max_loads: {window: 2s}}", "'max_loads' needs loads*"),
        ("{monotonic_reads: 2}", "'monotonic_reads' takes no parameter*"),
    ],
)
def test_a_guarantee_written_wrong_is_an_error_with_its_place(
    project: Project, guarantee: str, complaint: str
) -> None:
    text = STORY.format(
        name="W", guarantee=guarantee, bad="shop", good="uncached", users=READER_AND_WRITER, more=""
    )
    project.scenario(text)
    result = project.run()
    result.assert_outcomes(failed=1)
    shown = complaint.replace("[", "[[]")
    result.stdout.fnmatch_lines([f"*story.supercache.yaml:7:*{shown.partition('*')[0]}*"])
    hint = shown.partition("*")[2]
    if hint:
        result.stdout.fnmatch_lines([f"*{hint}*"])


def test_constants_with_parameters_are_guarantees_of_a_python_test(project: Project) -> None:
    project.test_file("""
import pytest_supercache as sc
from conftest import Shop

def two_readers(world):
    shop = Shop(world.existing_cache.client(), world.origin)
    world.actor("alice", shop.get, "x")
    world.actor("bob", shop.get, "x")
    world.run()

@sc.explore(guarantees=[sc.MAX_LOADS(1)])
def test_one(world):
    two_readers(world)

@sc.explore(guarantees=[sc.MAX_LOADS(2)])
def test_two(world):
    two_readers(world)

@sc.explore(guarantees=[sc.MAX_LOADS])
def test_none(world):
    two_readers(world)
""")
    result = project.run()
    result.assert_outcomes(passed=1, failed=2)
    result.stdout.fnmatch_lines(["*x was loaded from the origin 2 times by *; 1 allowed"])
    result.stdout.fnmatch_lines(["*max_loads needs loads (a whole number, at least 1)*"])


def test_the_guarantees_page_is_linked(request: pytest.FixtureRequest) -> None:
    docs = Path(request.config.rootpath) / "docs"
    assert "(guarantees.md)" in (docs / "scenarios.md").read_text(encoding="utf-8")
    assert "(guarantees.md)" in (docs / "python.md").read_text(encoding="utf-8")


def test_a_write_in_finally_is_the_truth_that_nodes_are_asked_about(project: Project) -> None:
    last = 'finally: [{write: {key: "product:42", value: 4}}, {read: "product:42", expect: 4}]\n'
    project.scenario(race("A", "uncached", last))
    project.run().assert_outcomes(passed=1)
