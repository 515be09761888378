"""An order of events as a schedule: followed as far as it goes, and no further."""

from collections.abc import Sequence

from pytest_supercache.core.schedule import Choices


class Follow:
    """Takes the given actors in turn; whoever only has to run into its first wait comes between."""

    def __init__(self, actors: Sequence[str]) -> None:
        self._actors = actors
        self._at = 0
        self._begun: set[str] = set()
        self._asked: str | None = None
        self.is_lost = False
        """Whether somebody could not go on when its turn had come."""

    def choose(self, choices: Choices) -> str | None:
        """Name the next one; None when it may not go on."""
        step = choices.steps[-1] if choices.steps else None
        if choices.taken and step is not None and step.choice == choices.taken - 1:
            self._at += self._asked is not None
        wanted = self._actors[self._at] if self._at < len(self._actors) else None
        self._asked = wanted if wanted in choices.enabled else None
        if self._asked is not None:
            self._begun.add(self._asked)
            return self._asked
        for name in choices.enabled:
            if name not in self._begun and "@" not in name:
                self._begun.add(name)
                return name
        self.is_lost = True
        return None
