"""Holds the diagnostics of an execution: hazards, simplifications, and unproven results."""


class Notes:
    """The diagnostics of one execution, without duplicates.

    Args:
        shared_memory: every step may touch the memory of its node anyway.
        grain: where the switch points are.
    """

    def __init__(self, *, shared_memory: bool, grain: str) -> None:
        self.shared_memory = shared_memory
        self.grain = grain
        self.hazards: list[str] = []
        self.simplified: list[str] = []
        self.undeclared: list[str] = []
        self.unseen: list[str] = []
        self.unproven: list[str] = []
        self.real_servers: set[str] = set()  # libraries connected to a real server
        self.databases: set[str] = set()  # databases outside of the process
        self.isolation: set[tuple[str, str]] = set()  # database, and a level of its transactions
        self.left_by_body: dict[str, None] = {}  # what the body read, and an earlier one had left
        self.lost: list[tuple[str, BaseException]] = []  # raised in a task, never retrieved
        self.begun: tuple[str, ...] = ()  # actors started by code, begun before the race
        self.left_over: list[tuple[str, str]] = []  # actor, and its unfinished work
        self.ways_out: list[str] = []  # hazards that later executions may not show again

    def hazard(self, reason: str) -> None:
        """Note a reason why this execution proves nothing."""
        if reason not in self.hazards:
            self.hazards.append(reason)

    def leave_control(self, reason: str) -> None:
        """Note a hazard for the whole check: later executions may remember what came of it."""
        self.hazard(reason)
        self.ways_out.append(reason)

    def leave_unproven(self, reason: str) -> None:
        """Note why a pass proves nothing; failures still count."""
        if reason not in self.unproven:
            self.unproven.append(reason)

    def simplify(self, what: str) -> None:
        """Note a simplification, for the coverage sentence."""
        if what not in self.simplified:
            self.simplified.append(what)

    def note_undeclared(self, what: str) -> None:
        """Note an interaction of actors outside of any step, which no footprint declares."""
        if what not in self.undeclared:
            self.undeclared.append(what)

    def note_memory(self, what: str) -> None:
        """Note that an actor used process memory that no step declares."""
        self.note_undeclared(what)
        if not self.shared_memory and what not in self.unseen:
            self.unseen.append(what)
