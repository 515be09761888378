"""What goes wrong on the user's side: what failed, where, what was expected, what to do now."""


class SupercacheError(Exception):
    """A mistake that the user can correct; its text stands alone, without a traceback."""


class ReplayDivergedError(SupercacheError):
    """A recorded schedule no longer fits the code: other steps, or an actor that may not go on."""


class UndeclaredStateError(SupercacheError):
    """The code under test keeps state that the plugin can neither see nor reset."""


class TokenError(SupercacheError):
    """A replay token that cannot be read, or that belongs to another scenario."""


class NotDeterministicError(SupercacheError):
    """The same schedule led to other steps: the code depends on something not controlled."""
