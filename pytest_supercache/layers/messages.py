"""Invalidation messages: published in one step, delivered to each node in a step of its own."""

from collections import deque
from collections.abc import Callable, Sequence

from pytest_supercache.core.footprint import Footprint
from pytest_supercache.core.switch import Switch
from pytest_supercache.core.trace import StepId

PREFIX = "messages@"


class Mailbox:
    """One node's queue of invalidations; its deliveries are moves of a pseudo-actor.

    Messages of one node arrive in the order they were published; between nodes every order is
    possible.
    """

    def __init__(self, node: str, resources: Callable[[str], frozenset[str]]) -> None:
        self.node: str | None = node
        self.name = f"{PREFIX}{node}"
        self._queue: deque[tuple[str, StepId | None]] = deque()
        self._resources = resources
        self._deliver: Callable[[str], None] | None = None
        self._held_until = 0.0  # when messages after the first ``_free`` may be delivered
        self._free = 0
        self.is_open = True  # whether it is told what is published
        self.now: Callable[[], float] = float

    def subscribe(self, deliver: Callable[[str], None]) -> None:
        """Call ``deliver`` with the key of each message when its turn comes."""
        self._deliver = deliver

    def put(self, key: str, cause: StepId | None = None) -> None:
        """Queue an invalidation of ``key`` that the step ``cause`` has published."""
        self._queue.append((key, cause))

    @property
    def cause(self) -> StepId | None:
        """The step that published the oldest message."""
        return self._queue[0][1] if self._queue else None

    def clear(self) -> None:
        """Forget what was not delivered."""
        self._queue.clear()
        self.hurry()

    # -- what faults do to the messages that were put last ----------------------------------------

    def drop_last(self, count: int) -> None:
        """Lose them on the way."""
        for _ in range(count):
            self._queue.pop()

    def repeat_last(self, count: int) -> None:
        """Send them twice."""
        self._queue.extend(list(self._queue)[-count:])

    def overtake(self, count: int) -> bool:
        """Let them overtake those that are still on their way; False when there are none."""
        self._queue.rotate(count)
        return len(self._queue) > count

    def hold_last(self, count: int, until: float) -> None:
        """Deliver them, and what comes after them, only from the virtual second ``until`` on."""
        self._free = len(self._queue) - count
        self._held_until = until

    def hurry(self) -> None:
        """Hold nothing back any more."""
        self._held_until, self._free = 0.0, 0

    @property
    def held_until(self) -> float | None:
        """When the clock brings a message that is held back; None: there is none."""
        is_held = len(self._queue) > self._free and self._held_until > self.now()
        return self._held_until if is_held else None

    # -- delivering --------------------------------------------------------------------------------

    def pending(self) -> tuple[str, Footprint] | None:
        """Announce the delivery of the oldest message."""
        if not self._queue or (not self._free and self.held_until is not None):
            return None
        key, _ = self._queue[0]
        touched = self._resources(key) | {self.name}
        return f"deliver {key}", Footprint(touched, touched)

    def perform(self) -> None:
        """Deliver the oldest message."""
        key, _ = self._queue.popleft()
        self._free = max(self._free - 1, 0)
        if self._deliver is not None:
            self._deliver(key)


Published = Callable[[Mailbox, int], None]
"""Is told of each mailbox into which so many messages were put."""


class Bus:
    """The channel between the super caches of all nodes."""

    def __init__(self, switch: Switch, now: Callable[[], float] = float) -> None:
        self._switch = switch
        self._now = now
        self.mailboxes: dict[str, Mailbox] = {}
        self.published: Published = nothing_more

    def join(self, mailbox: Mailbox) -> None:
        """Let a node hear what is published from now on."""
        assert mailbox.node is not None, "a mailbox belongs to a node"
        mailbox.now = self._now
        self.mailboxes[mailbox.node] = mailbox

    def hurry(self) -> None:
        """Hold no message back any more."""
        for mailbox in self.mailboxes.values():
            mailbox.hurry()

    def held_until(self) -> float | None:
        """Return when the clock brings the next message that is held back."""
        held = [mailbox.held_until for mailbox in self.mailboxes.values()]
        return min((until for until in held if until is not None), default=None)

    def publish(self, keys: Sequence[str]) -> None:
        """Publish the invalidation of ``keys`` to every node, the publisher's own included."""
        label, footprint = self._announced(keys)
        self._switch.step(label, footprint, kind="super_cache")
        self._put(keys)
        self._switch.answered(label)

    async def apublish(self, keys: Sequence[str]) -> None:
        """Publish in a coroutine."""
        label, footprint = self._announced(keys)
        await self._switch.astep(label, footprint, kind="super_cache")
        self._put(keys)
        await self._switch.aanswered(label)

    def _announced(self, keys: Sequence[str]) -> tuple[str, Footprint]:
        queues = frozenset(mailbox.name for mailbox in self.mailboxes.values())
        return f"invalidate {', '.join(keys)}", Footprint(queues, queues)

    def _put(self, keys: Sequence[str]) -> None:
        cause = self._switch.last_step()
        for mailbox in filter(_is_open, self.mailboxes.values()):
            for key in keys:
                mailbox.put(key, cause)
            self.published(mailbox, len(keys))


def _is_open(mailbox: Mailbox) -> bool:
    return mailbox.is_open


def nothing_more(_mailbox: Mailbox, _count: int) -> None:
    """Messages take their way without a fault."""
