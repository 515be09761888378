"""Names of what counts as memory only once one user changes it and another one uses it.

Most attributes that code uses of a client, a logger or an application are methods, which nobody
sets; most folders are only ways to files. They are told apart by their names until then.
"""


class UsedByTwo:
    """What one user changes and another one uses, by name."""

    def __init__(self) -> None:
        self._names: set[str] = set()
        self._users: dict[str, dict[str, bool]] = {}

    def __contains__(self, name: str) -> bool:
        return name in self._names

    def add(self, name: str) -> None:
        """Let what has a name count as memory from now on."""
        self._names.add(name)

    def note(self, name: str, user: str, *, changes: bool) -> bool:
        """Note that a user uses what has a name; True: another one does, too, and one changes it.

        Args:
            name: the name.
            user: the actor's.
            changes: it is set, made, listed, or otherwise more than used.
        """
        users = self._users.setdefault(name, {})
        users[user] = users.get(user, False) or changes
        return len(users) > 1 and any(users.values())
