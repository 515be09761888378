"""Diagnostics of an execution: hazards, simplifications, and what stays unproven."""


class Notes:
    """Reasons and remarks, each kept once.

    Args:
        shared_memory: every step may touch the memory of its node anyway.
        grain: where the points are at which choices are made.
    """

    def __init__(self, *, shared_memory: bool, grain: str) -> None:
        self.shared_memory = shared_memory
        self.grain = grain
        self.hazards: list[str] = []
        self.simplified: list[str] = []
        self.undeclared: list[str] = []
        self.unseen: list[str] = []
        self.unproven: list[str] = []
        self.real_servers: set[str] = set()  # libraries that have connected to one
        self.databases: set[str] = set()  # outside of the process
        self.lost: list[tuple[str, BaseException]] = []  # raised in a task, seen by nobody
        self.begun: tuple[str, ...] = ()  # who had, of those that code started, before the race
        self.left_over: list[tuple[str, str]] = []  # actor, and what it never finished

    def hazard(self, reason: str) -> None:
        """Note a reason why this execution proves nothing."""
        if reason not in self.hazards:
            self.hazards.append(reason)

    def leave_unproven(self, reason: str) -> None:
        """Note why nothing is proved although nothing fails; what does fail counts."""
        if reason not in self.unproven:
            self.unproven.append(reason)

    def simplify(self, what: str) -> None:
        """Note what was taken for simpler than it is: the coverage sentence says so."""
        if what not in self.simplified:
            self.simplified.append(what)

    def note_undeclared(self, what: str) -> None:
        """Note that actors touched each other without a step: footprints do not tell everything."""
        if what not in self.undeclared:
            self.undeclared.append(what)

    def note_memory(self, what: str) -> None:
        """Note that an actor used memory of its process that no step declares."""
        self.note_undeclared(what)
        if not self.shared_memory and what not in self.unseen:
            self.unseen.append(what)
