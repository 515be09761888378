"""Messages between nodes: published in one step, delivered to each node in a step of its own.

Usually a message names a key to invalidate; it may also carry a new value.
"""

from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from pytest_supercache.core.footprint import Footprint
from pytest_supercache.core.switch import Blocking, Switch
from pytest_supercache.core.trace import StepId

PREFIX = "messages@"


@dataclass(frozen=True, slots=True)
class Update:
    """The new value that a message carries, with its version if the publisher gave one."""

    value: Any
    version: int | None = None


class Mailbox:
    """One node's queue of messages; its deliveries are moves of a pseudo-actor.

    Messages of one node arrive in the order they were published; between nodes every order is
    possible.
    """

    def __init__(self, node: str, resources: Callable[[str], frozenset[str]]) -> None:
        self.node: str | None = node
        self.name = f"{PREFIX}{node}"
        self._queue: deque[tuple[str, StepId | None, Update | None]] = deque()
        self._resources = resources
        self._deliver: Callable[[str], None] | None = None
        self.update: Callable[[str, Update], None] = _ignored
        self._held_until = 0.0  # when messages after the first ``_free`` may be delivered
        self._free = 0
        self.is_open = True  # whether it is told what is published
        self.now: Callable[[], float] = float

    def subscribe(self, deliver: Callable[[str], None]) -> None:
        """Call ``deliver`` with the key of each message when the message is delivered."""
        self._deliver = deliver

    def put(self, key: str, cause: StepId | None = None, update: Update | None = None) -> None:
        """Queue an invalidation or an update of ``key``, published by the step ``cause``."""
        self._queue.append((key, cause, update))

    @property
    def cause(self) -> StepId | None:
        """The step that published the oldest message."""
        return self._queue[0][1] if self._queue else None

    def clear(self) -> None:
        """Drop all undelivered messages."""
        self._queue.clear()
        self.hurry()

    # -- faults of the messages that were put last ------------------------------------------------

    def drop_last(self, count: int) -> None:
        """Lose the last ``count`` messages."""
        for _ in range(count):
            self._queue.pop()

    def repeat_last(self, count: int) -> None:
        """Duplicate the last ``count`` messages."""
        self._queue.extend(list(self._queue)[-count:])

    def overtake(self, count: int) -> bool:
        """Let the last ``count`` messages overtake all earlier ones; False if there are none."""
        self._queue.rotate(count)
        return len(self._queue) > count

    def hold_last(self, count: int, until: float) -> None:
        """Delay the last ``count`` messages and all later ones to the virtual second ``until``."""
        self._free = len(self._queue) - count
        self._held_until = until

    def hurry(self) -> None:
        """Delay no message any longer."""
        self._held_until, self._free = 0.0, 0

    @property
    def held_until(self) -> float | None:
        """The virtual second at which a delayed message becomes deliverable, else None."""
        is_held = len(self._queue) > self._free and self._held_until > self.now()
        return self._held_until if is_held else None

    # -- delivering --------------------------------------------------------------------------------

    def pending(self) -> tuple[str, Footprint] | None:
        """Announce the delivery of the oldest message; None if there is none, or it is delayed."""
        if not self._queue or (not self._free and self.held_until is not None):
            return None
        key, _, update = self._queue[0]
        touched = self._resources(key) | {self.name}
        return f"{'deliver' if update is None else 'update'} {key}", Footprint(touched, touched)

    def perform(self) -> None:
        """Deliver the oldest message."""
        key, _, update = self._queue.popleft()
        self._free = max(self._free - 1, 0)
        if update is not None:
            self.update(key, update)
        elif self._deliver is not None:
            self._deliver(key)


Published = Callable[[Mailbox, int], None]
"""Called with each mailbox, and the number of messages that were put into it."""


class Bus:
    """The channel between the super caches of all nodes."""

    def __init__(self, switch: Switch, now: Callable[[], float] = float) -> None:
        self._switch = switch
        self.now = now
        self.mailboxes: dict[str, Mailbox] = {}
        self.published: Published = nothing_more

    def join(self, mailbox: Mailbox) -> None:
        """Let a node receive all later messages."""
        assert mailbox.node is not None, "a mailbox belongs to a node"
        mailbox.now = self.now
        self.mailboxes[mailbox.node] = mailbox

    def hurry(self) -> None:
        """Delay no message any longer."""
        for mailbox in self.mailboxes.values():
            mailbox.hurry()

    def held_until(self) -> float | None:
        """Return the virtual second at which the next delayed message is delivered."""
        held = [mailbox.held_until for mailbox in self.mailboxes.values()]
        return min((until for until in held if until is not None), default=None)

    async def publish(
        self, switch: Switch | Blocking, keys: Sequence[str], update: Update | None = None
    ) -> None:
        """Publish a new value, or an invalidation, to every node, the publisher's own included."""
        queues = frozenset(mailbox.name for mailbox in self.mailboxes.values())
        label = f"{'invalidate' if update is None else 'send'} {', '.join(keys)}"
        await switch.astep(label, Footprint(queues, queues), kind="super_cache")
        self._put(keys, update)
        await switch.aanswered(label)

    def _put(self, keys: Sequence[str], update: Update | None = None) -> None:
        cause = self._switch.last_step()
        for mailbox in filter(_is_open, self.mailboxes.values()):
            for key in keys:
                mailbox.put(key, cause, update)
            self.published(mailbox, len(keys))


def _is_open(mailbox: Mailbox) -> bool:
    return mailbox.is_open


def nothing_more(_mailbox: Mailbox, _count: int) -> None:
    """Let messages pass without a fault."""


def _ignored(_key: str, _update: Update) -> None:
    """Ignore an update, on a node that takes no values from messages."""
