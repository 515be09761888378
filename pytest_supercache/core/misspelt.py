"""Finds the known word that a misspelt one was meant to be, and decides whether it is misspelt."""

import re
from collections.abc import Iterable
from difflib import SequenceMatcher, get_close_matches

# `exact` against `exactly` is 0.83 and a likely name of data; `oneof` against `one_of` is 0.91.
_NEARNESS = 0.87
_LENGTH_MIN = 5  # below that a slip and another word look alike: `note` is not `not`


_LENGTH_MAX = 60
"""Longer words are not compared with others: it would take too long."""


def nearest_word(word: str, known: Iterable[str]) -> str | None:
    """Return the known word that ``word`` probably stands for; None if none is near."""
    if len(word) > _LENGTH_MAX:
        return None
    lowered = {name.lower(): name for name in reversed(list(known))}
    close = get_close_matches(word.lower(), lowered, n=1, cutoff=0.6)
    return lowered[close[0]] if close else None


def is_misspelt(word: str, known: Iterable[str]) -> bool:
    """Say whether ``word`` is nearly, but not exactly, one of the known words."""
    return _LENGTH_MIN <= len(word) <= 30 and any(
        word != name and SequenceMatcher(a=word, b=name).ratio() >= _NEARNESS for name in known
    )


def meant(key: str, others: Iterable[str]) -> str | None:
    """Return the key that ``key`` must be a misspelling of; None: it differs on purpose.

    Digits tell keys apart, and so do short words: `product:42` and `product:43`, or `page:home:en`
    and `page:home:es`, differ on purpose.
    """
    for other in others:
        if is_misspelt(key, (other,)) and not _differ_on_purpose(key, other):
            return other
    return None


def _differ_on_purpose(key: str, other: str) -> bool:
    """Say whether two keys have the same words, apart from digits and from short words."""
    letters = [re.sub(r"\d", "", one) for one in (key, other)]
    if letters[0] == letters[1]:
        return True
    words, others = (re.split(r"\W+", one) for one in letters)
    different = [pair for pair in zip(words, others, strict=False) if pair[0] != pair[1]]
    is_short = all(len(word) < _LENGTH_MIN for pair in different for word in pair)
    return len(words) == len(others) and bool(different) and is_short
