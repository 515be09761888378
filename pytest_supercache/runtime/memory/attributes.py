"""Attributes that code under test sets on objects which are otherwise left alone.

Most attributes that code uses of a client, a logger or an application are methods, and nobody sets
them. So attributes are told apart by their names, until one user sets what another one uses.
"""


class AttributesSet:
    """The attributes that users set and use of objects that are left alone, by name."""

    def __init__(self) -> None:
        self._shared: set[str] = set()
        self._users: dict[str, dict[str, bool]] = {}

    def __contains__(self, name: str) -> bool:
        return name in self._shared

    def add(self, name: str) -> None:
        """Take an attribute as one that a user sets and another one uses."""
        self._shared.add(name)

    def note(self, name: str, user: str, *, writes: bool) -> bool:
        """Note that a user uses an attribute; True: another one does, too, and one of them sets it.

        Args:
            name: the attribute's.
            user: the actor's name.
            writes: it is set.
        """
        users = self._users.setdefault(name, {})
        users[user] = users.get(user, False) or writes
        if len(users) > 1 and any(users.values()):
            self._shared.add(name)
        return name in self._shared
