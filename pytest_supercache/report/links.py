"""Finds the address of what a scenario links to: its own, or the one that a pattern makes of it.

A ticket such as ``CACHE-412`` is no address: as a link it would lead to a file beside the report.
"""

from collections.abc import Mapping
from urllib.parse import quote

from pytest_supercache.core.errors import SupercacheError
from pytest_supercache.core.masking import quoted
from pytest_supercache.report.values import short

Patterns = Mapping[str, str]
"""Addresses by the kind of link, with ``{}`` where the ticket goes."""

_WEB = ("http://", "https://")


def patterns_of(given: object) -> dict[str, str]:
    """Return the patterns that a project has set.

    Raises:
        SupercacheError: naming the one that makes no address of the web.
    """
    if not isinstance(given, Mapping):
        raise SupercacheError(f"link_patterns = {quoted(given)}: expected a table")
    for kind, pattern in given.items():
        if not (isinstance(pattern, str) and pattern.startswith(_WEB) and pattern.count("{}") == 1):
            raise SupercacheError(
                f"link_patterns.{kind} = {quoted(pattern)}: expected an address with one {{}}, "
                'such as "https://tracker.example/browse/{}"'
            )
    return {str(kind): str(pattern) for kind, pattern in given.items()}


def address_of(kind: str, target: str, patterns: Patterns) -> str | None:
    """Return the address of the web that a link leads to; None: it has none."""
    text = short(target)
    if text.startswith(_WEB):
        return text
    pattern = patterns.get(kind)
    return None if pattern is None else pattern.replace("{}", quote(text, safe=""))
