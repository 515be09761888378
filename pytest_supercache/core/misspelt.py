"""Decides whether a word is so near to a known one that it must be misspelt."""

from collections.abc import Iterable
from difflib import SequenceMatcher

# `exact` against `exactly` is 0.83 and a likely name of data; `oneof` against `one_of` is 0.91.
_NEARNESS = 0.87
_LENGTH_MIN = 5  # below that a slip and another word look alike: `note` is not `not`


def is_misspelt(word: str, known: Iterable[str]) -> bool:
    """Say whether ``word`` is nearly, but not exactly, one of the known words."""
    return _LENGTH_MIN <= len(word) <= 30 and any(
        word != name and SequenceMatcher(a=word, b=name).ratio() >= _NEARNESS for name in known
    )


def meant(key: str, others: Iterable[str]) -> str | None:
    """Return the key that ``key`` must be a misspelling of; None: it differs on purpose.

    Digits tell keys apart: `product:42` and `product:43` differ on purpose.
    """
    for other in others:
        if _letters(other) != _letters(key) and is_misspelt(key, (other,)):
            return other
    return None


def _letters(key: str) -> str:
    return "".join(sign for sign in key if not sign.isdigit())
