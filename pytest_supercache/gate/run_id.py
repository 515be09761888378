"""The id of a run, in the one form in which it is written, shown and compared.

What is written is masked and has to be text. An id that either would change is known by its digest:
otherwise a run would not recognise its own id in a file, or take that of another run for it.
"""

from hashlib import sha256

from pytest_supercache.core.masking import masked

RUN_ID = "SUPERCACHE_RUN_ID"
"""The variable that a job sets for all its runs."""

_CHARACTERS_MAX = 200


def known_as(given: str) -> str:
    """Return the id under which a run is known, whatever its caller has given."""
    is_shown = given.isprintable() and len(given) <= _CHARACTERS_MAX and masked(given) == given
    if is_shown:
        return given
    return f"sha256:{sha256(given.encode(errors='surrogatepass')).hexdigest()[:32]}"
