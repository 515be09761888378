"""The grammar of scenario files as data: the fields, their kinds and their meanings.

The checker, the JSON Schema, the reference page and completion read these tables, so they cannot
drift apart. `fields.READERS` has the values that a kind accepts, and `schema` has them for editors.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum

from pytest_supercache.core.settings import GRAINS, MEMORIES, SEARCHES
from pytest_supercache.core.verdict import SEVERITIES, Label


class Kind(Enum):
    """The kind of value that a field accepts."""

    TEXT = "text"
    ID = "an id: letters, digits, `_`, `.`, `-`"
    NAME = "a name: letters, digits, `_`, `.`"
    VARIABLE = "a variable's name: letters, digits, `_`, no digit first"
    ERROR = "the name of an error class"
    CHOICE = "one of a few words"
    IDS = "a list of ids"
    TEXTS = "a list of texts"
    LINKS = "names and texts"
    DURATION = "a duration: 300ms, 2s, or a number of seconds"
    COUNT = "a whole number, at least 1"
    WHOLE = "a whole number, at least 0"
    TICKS = "`auto`, 0, 1, 2 or 3"
    EVENT = "`user.step`, or `user` for the user's end"
    DATA = "any data"
    # The kinds above are read on their own, those below in the context of the whole file.
    SYSTEM = "the name of a system"
    SYSTEMS = "systems, each with the verdict it must get"
    GIVEN = "layer, key, value"
    STEPS = "a list of steps"
    USERS = "users, each with a list of steps"
    GUARANTEES = "a list of guarantees"
    EXPLORE = "how to explore"
    ASSUME = "what is assumed"
    CASES = "cases, each with what differs; or a CSV file"
    EXPECT = "the answer expected, as data or with matchers"
    FAULTS = "what may go wrong, and how often"
    FAULT_KINDS = "a list of fault kinds, `{kind: ...}` to say more"
    FLOWS = "flows, each with a list of steps"
    INCLUDE = "a file, or a list of files"
    FLOW = "the name of a flow"
    WITH = "a value for each variable of the flow"
    CLASS = "a conflict's class or family"
    # Further kinds, for the parameters of verbs.
    STRING = "text, which may be empty"
    INTEGER = "a whole number"
    NUMBER = "a number"
    BOOLEAN = "true or false"
    LIST = "a list"
    MAPPING = "a mapping"


@dataclass(frozen=True, slots=True, kw_only=True)
class Field:
    """One field of a table; `description` is a sentence for people who fill it in."""

    kind: Kind
    description: str
    is_required: bool = False
    choices: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class VerbSignature:
    """The parameters of a verb, and whether each is required; one without a kind takes any data."""

    parameters: Mapping[str, bool]
    doc: str = ""
    kinds: Mapping[str, Kind] = field(default_factory=dict)
    choices: Mapping[str, tuple[str, ...]] = field(default_factory=dict)  # of Kind.CHOICE
    optional: frozenset[str] = frozenset()  # may be null
    docs: Mapping[str, str] = field(default_factory=dict)


Parameters = Mapping[str, Field]
"""The parameters of a guarantee, by name; the first one may be written without its name."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Vocabulary:
    """The words that files may use beside the grammar: the project's and other packages'."""

    systems: tuple[str, ...] = ()
    verbs: Mapping[str, VerbSignature] = field(default_factory=dict)
    guarantees: Mapping[str, Parameters] = field(default_factory=dict)
    classes: Mapping[str, str] = field(default_factory=dict)  # class or family: what it means


COPIES_MAX = 100  # far beyond what a search can exhaust
CASES_MAX = 1_000

FIELDS = {
    "scenario": Field(
        kind=Kind.TEXT, is_required=True, description="The title: one sentence that should hold."
    ),
    "id": Field(
        kind=Kind.ID,
        is_required=True,
        description="Unique in the project; known issues, history and tokens point to it.",
    ),
    "system": Field(kind=Kind.SYSTEM, description="The system under test, from conftest.py."),
    "systems": Field(
        kind=Kind.SYSTEMS, description="Several systems, each with the verdict it must get."
    ),
    "owner": Field(kind=Kind.TEXT, description="Who answers for this scenario."),
    "severity": Field(
        kind=Kind.CHOICE, choices=SEVERITIES, description="How bad a violation is, as in Allure."
    ),
    "tags": Field(kind=Kind.IDS, description="Become pytest marks and Allure tags."),
    "links": Field(kind=Kind.LINKS, description="Issues and pages, by a name for each."),
    "given": Field(kind=Kind.GIVEN, description="What the layers hold before anything runs."),
    "before": Field(
        kind=Kind.STEPS, description="Steps that run alone, first: they warm caches as users do."
    ),
    "users": Field(
        kind=Kind.USERS,
        is_required=True,
        description="Who acts: each user's steps keep their order, between users all are tried.",
    ),
    "finally": Field(
        kind=Kind.STEPS, description="Steps that run alone, after everything has settled."
    ),
    "guarantees": Field(
        kind=Kind.GUARANTEES, description="What must hold for the whole history; [] for none."
    ),
    "explore": Field(kind=Kind.EXPLORE, description="How the interleavings are searched."),
    "assume": Field(kind=Kind.ASSUME, description="What production promises; it limits verdicts."),
    "cases": Field(kind=Kind.CASES, description="A table of cases: one item for each."),
    "faults": Field(kind=Kind.FAULTS, description="What may go wrong meanwhile."),
    "flows": Field(
        kind=Kind.FLOWS, description="Lists of steps that several places take with `use:`."
    ),
    "include": Field(
        kind=Kind.INCLUDE,
        description="Files of this project whose flows are used here, relative to this one.",
    ),
}

INCLUDED_FIELDS = {name: FIELDS[name] for name in ("flows", "include")}

USER_FIELDS = {
    "node": Field(kind=Kind.NAME, description="The process this user talks to; `a` if not said."),
    "copies": Field(kind=Kind.COUNT, description="How many users do the same: bob-1, bob-2, ..."),
    "owns": Field(kind=Kind.TEXTS, description="Keys that only this user may be shown."),
    "steps": Field(kind=Kind.STEPS, is_required=True, description="What this user does, in order."),
}

STEP_FIELDS = {
    "id": Field(kind=Kind.ID, description="The step's name, for `wait_for` and reports."),
    "as": Field(kind=Kind.VARIABLE, description="Keeps the answer under this name: `$name`."),
    "expect": Field(kind=Kind.EXPECT, description="The answer of this step in every order."),
    "raises": Field(kind=Kind.ERROR, description="The error of this step in every order."),
    "why": Field(kind=Kind.TEXT, description="A note for the reader of the report."),
    "node": Field(
        kind=Kind.NAME, description="Where the step runs, or `all`; in `before` and `finally`."
    ),
}

USE_FIELDS = {
    "use": Field(
        kind=Kind.FLOW, is_required=True, description="Takes the steps of this flow, in place."
    ),
    "with": Field(kind=Kind.WITH, description="The values for the flow's variables."),
    "id": Field(kind=Kind.ID, description="Stands before the ids of the flow: `id.step`."),
    "why": STEP_FIELDS["why"],
    "node": STEP_FIELDS["node"],
}

EXPLORE_FIELDS = {
    "search": Field(
        kind=Kind.CHOICE, choices=SEARCHES, description="How interleavings are chosen."
    ),
    "grain": Field(kind=Kind.CHOICE, choices=GRAINS, description="Where switch points are."),
    "ticks": Field(kind=Kind.TICKS, description="How often the clock may move early."),
    "executions": Field(kind=Kind.COUNT, description="The most executions of one check."),
    "time": Field(kind=Kind.DURATION, description="The longest time of one check."),
    "seed": Field(kind=Kind.WHOLE, description="The seed of a random search."),
    "preemptions": Field(kind=Kind.WHOLE, description="The most switches that nothing forces."),
    "polls": Field(
        kind=Kind.WHOLE,
        description="How often a question that was told nothing may be asked again at once.",
    ),
    "memory": Field(
        kind=Kind.CHOICE, choices=MEMORIES, description="Whether in-process state is trusted."
    ),
    "atomic": Field(
        kind=Kind.TEXTS, description="Memory shared on purpose, no switch points: `Stats.hits`."
    ),
}

ASSUME_FIELDS = {
    "pause": Field(
        kind=Kind.DURATION,
        is_required=True,
        description="No operation in flight is carried further by the clock than this.",
    ),
}

STATED_FIELDS = {
    "holds": Field(kind=Kind.ASSUME, description="No interleaving may break a guarantee."),
    "violated": Field(kind=Kind.ASSUME, description="The documented conflict must be found."),
}

LABELS = tuple(label.value for label in Label)

_OWN_ASSUMPTION = Field(kind=Kind.ASSUME, description="What this system relies on.")
HOLDS_FIELDS = {"assume": _OWN_ASSUMPTION}
VIOLATED_FIELDS = {
    "class": Field(kind=Kind.CLASS, description="The conflict's class, or its family."),
    "label": Field(
        kind=Kind.CHOICE, choices=LABELS, description="What fails when users take turns."
    ),
    "assume": _OWN_ASSUMPTION,
}

FAULTS_FIELDS = {
    "max": Field(
        kind=Kind.WHOLE, description="The most faults in one interleaving, up to 3; 1 if unsaid."
    ),
    "kinds": Field(kind=Kind.FAULT_KINDS, description="Which faults; the usual ones if unsaid."),
}

_SECONDS = Field(kind=Kind.DURATION, description="How long.")
_ERROR = Field(kind=Kind.ERROR, description="The error class, as `gevent.Timeout`.")


@dataclass(frozen=True, slots=True, kw_only=True)
class FaultKind:
    """A kind of fault; ``parameter`` describes the value in `{kind: ...}`."""

    description: str
    parameter: Field | None = None


FAULTS_MAX = 3  # their number grows with this power

FAULTS = {
    "drop_invalidation": FaultKind(description="A message to a node is lost."),
    "delay_invalidation": FaultKind(description="A message is late.", parameter=_SECONDS),
    "duplicate_invalidation": FaultKind(description="A message arrives twice."),
    "reorder_invalidations": FaultKind(description="Messages arrive in another order."),
    "error_before": FaultKind(
        description="A command fails and has had no effect.", parameter=_ERROR
    ),
    "error_after": FaultKind(
        description="A command fails though it took effect.", parameter=_ERROR
    ),
    "evict": FaultKind(description="A layer drops a key."),
    "expire": FaultKind(description="A key's time to live runs out."),
    "restart": FaultKind(description="A layer starts anew; content and subscriptions are gone."),
    "pause": FaultKind(description="An operation stands still.", parameter=_SECONDS),
    "clock_skew": FaultKind(description="A node's clock is ahead.", parameter=_SECONDS),
    "failover": FaultKind(
        description="A replica that lags becomes the server.",
        parameter=Field(kind=Kind.COUNT, description="How many writes it has missed."),
    ),
    "mixed_version": FaultKind(
        description="One node runs another version of the code.",
        parameter=Field(
            kind=Kind.CHOICE, choices=("key", "serializer"), description="What differs."
        ),
    ),
    "cancel": FaultKind(
        description="An operation is cancelled; in threads say what is raised.", parameter=_ERROR
    ),
    "exception": FaultKind(description="The code under test raises.", parameter=_ERROR),
}

MATCHERS = {
    "exactly": "These data and no field more.",
    "one_of": "Any of a list; `{raises: Name}` in it allows an error.",
    "not": "Anything that does not match.",
    "at_least": "A number not below this.",
    "at_most": "A number not above this.",
    "literal": "Data as they are, though they look like a matcher or a variable.",
}
WORD_MATCHERS = {
    "missing": "No value (None).",
    "any": "Whatever it is, as long as it is no error.",
}

_KEY = {"key": Kind.TEXT}
_PLACE = {**_KEY, "layer": Kind.NAME, "node": Kind.NAME}

GUARANTEES = {
    "answers": "no unexpected error, and nobody waits for ever; always on",
    "coherent_when_settled": "when nothing moves any more, nobody holds or answers an old value",
    "read_your_writes": "a user who wrote is not answered something older",
    "monotonic_reads": "a user is not answered something older than before",
    "monotonic_writes": "a user's writes take effect in their order",
    "linearizable": "every operation takes effect at one moment while it runs",
    "sequentially_consistent": "some order of all operations, each user's kept, explains them",
    "bounded_staleness": "no answer is older than the given time",
    "no_lost_invalidation": "every node that holds an old value is told",
    "max_loads": "a key is loaded from the origin no more often than this in a window",
    "isolated_users": "no user is shown what another user owns",
    "no_resurrection": "what was deleted does not come back",
    "ttl_respected": "nothing is answered after its time to live",
    "read_atomic": "keys that were written together are read together",
    "durable_writes": "an acknowledged write is not lost",
    "no_dirty_reads": "no answer is a value that is rolled back",
    "revocation_holds": "what was deleted admits nobody any more, unless it is granted again",
    "cap_holds": "a key admits no more than this in a window",
    "no_lost_field": "writes of different fields of one object do not undo each other",
}

WITHOUT_ANSWER = ("wait_for", "sleep", "expire", "evict", "flush", "restart")

BUILT_IN_VERBS = {
    "read": VerbSignature(parameters={"key": True}, kinds=_KEY, doc="Asks the system for a key."),
    "write": VerbSignature(
        parameters={"key": True, "value": True}, kinds=_KEY, doc="Has the system set a key."
    ),
    "delete": VerbSignature(
        parameters={"key": True}, kinds=_KEY, doc="Has the system delete a key."
    ),
    "sleep": VerbSignature(
        parameters={"seconds": True},
        kinds={"seconds": Kind.DURATION},
        doc="Waits on the virtual clock; costs no time.",
    ),
    "wait_for": VerbSignature(
        parameters={"event": True},
        kinds={"event": Kind.EVENT},
        doc="Waits for another user's step, in every copy of that user.",
    ),
    "expire": VerbSignature(
        parameters={"key": True, "layer": False, "node": False},
        kinds=_PLACE,
        doc="Lets a key's time to live run out now.",
    ),
    "evict": VerbSignature(
        parameters={"key": True, "layer": False, "node": False},
        kinds=_PLACE,
        doc="Drops a key from a layer, as a full cache does.",
    ),
    "flush": VerbSignature(
        parameters={"layer": True, "node": False}, kinds=_PLACE, doc="Empties a layer."
    ),
    "restart": VerbSignature(
        parameters={"layer": True, "node": False},
        kinds=_PLACE,
        doc="Restarts a layer: its content and its subscriptions are lost.",
    ),
}
