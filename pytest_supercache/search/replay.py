"""Replays one recorded schedule exactly, or says where it no longer fits."""

from pytest_supercache.core.errors import ReplayDivergedError
from pytest_supercache.core.schedule import Choices, Schedule


class Replay:
    """Follows a recorded schedule."""

    is_replay = True

    def __init__(self, schedule: Schedule) -> None:
        self._choices = schedule.choices

    def choose(self, choices: Choices) -> str | None:
        """Return the recorded actor.

        Raises:
            ReplayDivergedError: that actor is not enabled here, or the recording is too short.
        """
        if choices.taken >= len(self._choices):
            raise ReplayDivergedError(
                f"the schedule ends after {len(self._choices)} choices, but "
                f"{', '.join(choices.enabled)} can still go on. {_WHY}"
            )
        recorded = self._choices[choices.taken]
        if recorded not in choices.enabled:
            raise ReplayDivergedError(
                f"at choice {choices.taken + 1} the schedule says {recorded!r}, but only "
                f"{', '.join(choices.enabled)} may go on. {_WHY}"
            )
        return recorded


_WHY = (
    "The scenario or the code under test has changed since the token was made, or it depends on "
    "real time or randomness."
)
