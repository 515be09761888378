"""Normalizes the id of a run to the one form that is written, shown and compared.

A written id is masked and must be valid text. An id that this would change is replaced by its
digest: else a run could miss its own id in a file, or match that of another run.
"""

from hashlib import sha256

from pytest_supercache.core.masking import masked

RUN_ID = "SUPERCACHE_RUN_ID"
"""The environment variable that a CI job sets for all its runs."""

_CHARACTERS_MAX = 200


def known_as(given: str) -> str:
    """Return the normalized id of a run for the given one."""
    is_shown = given.isprintable() and len(given) <= _CHARACTERS_MAX and masked(given) == given
    if is_shown:
        return given
    return f"sha256:{sha256(given.encode(errors='surrogatepass')).hexdigest()[:32]}"
