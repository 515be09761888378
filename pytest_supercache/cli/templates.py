"""What `supercache new` writes: one small flow for each kind of conflict that a flow can show.

A template names no guarantee that the project does not have, and its story says what goes wrong, so
that its reader knows which line to change first.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

_ORIGIN = 'given:\n  origin: {"KEY": {price: 100}}\n'
_READ_WRITE = """\
users:
  alice:                  # on node a
    - read: KEY
  bob:
    node: a
    steps:
      - write: {key: KEY, value: {price: 120}}
finally:
  - read: KEY
    expect: {price: 120}
"""
_TWO_NODES = """\
before:
  - read: KEY
    node: all             # both nodes have it in their super caches
users:
  alice:
    node: b
    steps:
      - read: KEY
  bob:
    - write: {key: KEY, value: {price: 120}}
      id: publish
  carol:
    node: b
    steps:
      - wait_for: bob.publish
      - read: KEY
finally:
  - read: KEY
    node: all
    expect: {price: 120}
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Template:
    """A flow without its head: the story as comment lines, the title, the rest of the file."""

    story: tuple[str, ...]
    title: str
    body: str
    guarantees: tuple[str, ...] = ("coherent_when_settled",)
    needs: str | None = None  # a guarantee without which the flow shows nothing


TEMPLATES: Mapping[str, Template] = {
    "stale-set": Template(
        title="After a price change nobody keeps the old price",
        story=(
            "Alice misses the cache and loads the old price from the origin.",
            "Bob commits the new price and deletes the key.",
            "Alice now stores what she loaded: the old price is back, and stays.",
        ),
        body=_ORIGIN + _READ_WRITE,
    ),
    "in-flight-fill": Template(
        title="A message on its way does not let an old copy stay",
        story=(
            "Alice on node b loads the old price from the shared cache.",
            "Bob on node a writes, and node b is told to drop its copy.",
            "Node b hears that before Alice's copy arrives, and keeps it for ever.",
        ),
        body=_ORIGIN + _TWO_NODES,
    ),
    "dropped-invalidation": Template(
        title="A node that is not told still stops showing the old price",
        story=(
            "Both nodes hold the price. Bob changes it on node a.",
            "The message to node b is lost.",
            "Node b shows the old price until something else drops it.",
        ),
        body=_ORIGIN + _TWO_NODES + "faults: {max: 1, kinds: [drop_invalidation]}\n",
    ),
    "read-your-writes": Template(
        title="Who changed a price sees the new one",
        story=(
            "Bob changes the price and asks for it at once.",
            "Alice's fill brings the old one back in between.",
        ),
        body=_ORIGIN
        + """\
users:
  alice:
    - read: KEY
  bob:
    - write: {key: KEY, value: {price: 120}}
    - read: KEY
      expect: {price: 120}
""",
        guarantees=("read_your_writes",),
    ),
    "non-monotonic-reads": Template(
        title="Nobody who saw the new price sees the old one again",
        story=(
            "Alice asks twice. Bob changes the price in between.",
            "The first answer is new, the second old: for her, time runs backwards.",
        ),
        body=_ORIGIN
        + """\
users:
  alice:
    - read: KEY
    - read: KEY
  bob:
    node: b
    steps:
      - write: {key: KEY, value: {price: 120}}
""",
        guarantees=("monotonic_reads", "coherent_when_settled"),
    ),
    "dual-write": Template(
        title="Of two price changes the last one counts in every layer",
        story=(
            "Two people change one price at the same time.",
            "The origin takes them in one order and the cache in the other.",
        ),
        body=_ORIGIN
        + """\
users:
  bob:
    - write: {key: KEY, value: {price: 120}}
  dave:
    node: b
    steps:
      - write: {key: KEY, value: {price: 130}}
""",
    ),
    "resurrection": Template(
        title="A deleted product does not come back",
        story=(
            "Alice loads the product while it still exists.",
            "Bob deletes it. Alice's fill brings it back, and nobody will delete it again.",
        ),
        body=_ORIGIN
        + """\
users:
  alice:
    - read: KEY
  bob:
    - delete: KEY
finally:
  - read: KEY
    expect: missing
""",
        guarantees=("no_resurrection", "coherent_when_settled"),
    ),
    "negative-poisoning": Template(
        title="A new product is not kept as absent",
        story=(
            "Alice asks for a product that is not there yet, and the cache notes: absent.",
            "Bob creates it at the same time. If the note is stored last, it stays absent.",
        ),
        body="""\
users:
  alice:
    - read: KEY
  bob:
    - write: {key: KEY, value: {price: 120}}
finally:
  - read: KEY
    expect: {price: 120}
""",
    ),
    "stampede": Template(
        title="A key that all want at once is loaded once",
        story=(
            "The cache has lost the key. Three users ask for it at the same time.",
            "Each of them loads it from the origin.",
        ),
        body=_ORIGIN
        + """\
users:
  reader:
    copies: 3
    steps:
      - read: KEY
""",
        guarantees=("max_loads",),
        needs="max_loads",
    ),
    "partial-write": Template(
        title="An error in the middle of a write leaves no old price behind",
        story=(
            "Bob commits the new price. Deleting the key fails.",
            "The origin has the new price, the cache the old one.",
        ),
        body=_ORIGIN
        + "before:\n  - read: KEY\n"
        + """\
users:
  alice:
    - read: KEY
  bob:
    - write: {key: KEY, value: {price: 120}}
      expect: any
faults: {max: 1, kinds: [error_before, error_after]}
""",
    ),
    "cross-user-reply": Template(
        title="Nobody is shown what belongs to somebody else",
        story=(
            "Alice and Bob each ask for their own profile at the same time.",
            "Shared state between two commands gives one the other's answer.",
        ),
        body="""\
given:
  origin: {"profile:alice": {name: Alice}, "profile:bob": {name: Bob}}
users:
  alice:
    owns: ["profile:alice"]
    steps:
      - read: profile:alice
        expect: {name: Alice}
  bob:
    owns: ["profile:bob"]
    steps:
      - read: profile:bob
        expect: {name: Bob}
""",
        guarantees=("isolated_users",),
    ),
    "subscribe-gap": Template(
        title="A node that starts anew does not miss a change",
        story=(
            "Node b restarts while Bob changes the price on node a.",
            "The message comes before node b listens; what it fills meanwhile is old.",
        ),
        body=_ORIGIN
        + """\
users:
  alice:
    node: b
    steps:
      - restart: super_cache
      - read: KEY
  bob:
    - write: {key: KEY, value: {price: 120}}
finally:
  - read: KEY
    node: all
    expect: {price: 120}
""",
    ),
}
DEFAULT = "stale-set"

_WITH_PARAMETER = {"max_loads": "{max_loads: 1}"}


def written(
    name: str,
    *,
    scenario_id: str,
    system: str,
    key: str,
    schema: Path,
    guarantees: Mapping[str, object],
) -> str:
    """Return the text of a new file; ``schema`` is where it lies, seen from the file."""
    template = TEMPLATES[name]
    lines = [f"# yaml-language-server: $schema={schema.as_posix()}"]
    lines += [f"# {line}" for line in template.story]
    lines += [f"scenario: {template.title}", f"id: {scenario_id}", f"system: {system}"]
    body = template.body.replace('"KEY"', f'"{key}"').replace("KEY", key)
    known = [
        _WITH_PARAMETER.get(guarantee, guarantee)
        for guarantee in template.guarantees
        if guarantee in guarantees
    ]
    if known:
        body += f"guarantees: [{', '.join(known)}]\n"
    return "\n".join(lines) + "\n" + body
