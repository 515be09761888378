"""Errors of the user: each says what failed, where, what was expected, and what to do now."""

from pytest_supercache.core.masking import masked
from pytest_supercache.core.printable import printable


class SupercacheError(Exception):
    """A mistake that the user can correct; its text stands alone, without a traceback.

    It may quote text from elsewhere: nothing in it moves the cursor of a terminal, and
    no URL in it names its user.
    """

    def __str__(self) -> str:
        """Return the text as it may be displayed."""
        return printable(masked(super().__str__()), but="\n\t")


class ReplayDivergedError(SupercacheError):
    """A recorded schedule no longer fits the code: other steps, or an actor that may not go on."""


class UndeclaredStateError(SupercacheError):
    """The code under test keeps state that the plugin can neither see nor reset."""


class TokenError(SupercacheError):
    """A replay token that cannot be read, or that belongs to another scenario."""


class NotDeterministicError(SupercacheError):
    """The same schedule led to other steps: the code depends on something not controlled."""


class KeptError(NotDeterministicError):
    """The first run ended unlike all others: it has changed what no execution gives back."""
