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

    def pending(self) -> tuple[str, Footprint] | None:
        """Announce the delivery of the oldest message."""
        if not self._queue:
            return None
        key, _ = self._queue[0]
        touched = self._resources(key) | {self.name}
        return f"deliver {key}", Footprint(touched, touched)

    def perform(self) -> None:
        """Deliver the oldest message."""
        key, _ = self._queue.popleft()
        if self._deliver is not None:
            self._deliver(key)


class Bus:
    """The channel between the super caches of all nodes."""

    def __init__(self, switch: Switch) -> None:
        self._switch = switch
        self.mailboxes: dict[str, Mailbox] = {}

    def join(self, mailbox: Mailbox) -> None:
        """Let a node hear what is published from now on."""
        assert mailbox.node is not None, "a mailbox belongs to a node"
        self.mailboxes[mailbox.node] = mailbox

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
        for mailbox in self.mailboxes.values():
            for key in keys:
                mailbox.put(key, cause)
