"""Tracks names that count as memory only once one user changes them and another uses them.

Most attributes that code uses of a client, a logger or an application are methods, which are
never set; most folders are only ways to files. They are told apart by their names until then.
"""

from dataclasses import dataclass, field


@dataclass(slots=True)
class UsedByTwo:
    """The names that one user changes and another one uses."""

    _names: set[str] = field(default_factory=set)
    _users: dict[str, dict[str, bool]] = field(default_factory=dict)

    def __contains__(self, name: str) -> bool:
        return name in self._names

    def add(self, name: str) -> None:
        """Let a name count as memory from now on."""
        self._names.add(name)

    def note(self, name: str, user: str, *, changes: bool) -> bool:
        """Note that a user uses a name; True: another one does, too, and one of them changes it.

        Args:
            name: the name.
            user: the actor's.
            changes: it is set, made, listed, or otherwise more than used.
        """
        users = self._users.setdefault(name, {})
        users[user] = users.get(user, False) or changes
        return len(users) > 1 and any(users.values())
