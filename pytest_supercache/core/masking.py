"""Masks the user part of URLs: ``redis://user:secret@host`` becomes ``redis://***@host``.

It is applied where texts leave (messages, reports), and where a URL
becomes a name that a token holds and a replay looks up, so that both have the same one. What is
left is a URL still, with the user ``***``. Everything else is evidence and stays as it is.
"""

import re
from hashlib import sha256
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

MASK = "***"
_QUOTED_MAX = 200

_WHOLE = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*://)[^\s/?#]*@")
"""Matches a text that is a URL: only the path ends its user part."""

_USER = re.compile(r"""(?<=://)(?:\\["']|'(?![,\])}]|$)|[^\s"'<>/?#\\])*@""")
"""Matches inside a text, which may be JSON, Python or Markdown: so a quote may end it."""

_DIGITS = 12

_UP_TO_LAST = re.compile(r"://[^\n]*@")
"""Matches in a setting, where a password may be written unescaped, with any character."""

_ADDRESS = re.compile(r"""://[^\s"'<>]*""")
_PARAMETER = re.compile(r"([?&](?:username|password)=)[^&#]*")


def masked(text: str) -> str:
    """Return a text without the user part of the URLs in it."""
    if "://" not in text:
        return text
    text = _WHOLE.sub(rf"\1{MASK}@", text, count=1) if _WHOLE.match(text) else text
    text = _USER.sub(f"{MASK}@", text)
    return _ADDRESS.sub(lambda found: _PARAMETER.sub(rf"\1{MASK}", found[0]), text)


def masked_id(name: str) -> str:
    """Return the id for a name: the masked name, with a digest if masking changed it.

    Two names that differ only in what is masked are two ids: what is hidden is told by a digest of
    the whole name. The id of an id is the same.
    """
    shown = masked(name)
    if shown == name:
        return name
    # No masked part reaches beyond a `#`, so masking the id again changes nothing.
    return f"{shown}#{sha256(name.encode(errors='surrogatepass')).hexdigest()[:_DIGITS]}"


def is_id_of(known: str, name: str) -> bool:
    """Say whether the id in a token refers to ``name``; ids of older tokens have no digest."""
    return known in {masked_id(name), masked(name)}


def masked_address(text: str) -> str:
    """Return the address of a server without credentials, even if it is not a valid URL.

    Anything before the last ``@``, and after a question mark, may be a part of them.
    """
    scheme, separator, rest = text.partition("://")
    if not separator:
        scheme, rest = "", text
    _, at, host = rest.rpartition("@")
    host = host.partition("?")[0]
    return f"{scheme}{separator}{MASK}@{host}" if at else f"{scheme}{separator}{host}"


def masked_data(data: Any, mask: "Callable[[str], str]" = masked) -> Any:
    """Return data for JSON, with every text and every name in it masked."""
    if isinstance(data, str):
        return mask(data)
    for kind in (list, tuple, set):
        if isinstance(data, kind):
            return kind(masked_data(member, mask) for member in data)
    if isinstance(data, dict):
        result: dict[str, Any] = {}
        for name, member in data.items():
            told = mask(name)
            while told in result:  # two that differ in who one is
                told += " (another)"
            result[told] = masked_data(member, mask)
        return result
    return data


def is_masked(text: str) -> bool:
    """Say whether a text has masked credentials, so that different originals look equal."""
    return f"://{MASK}@" in text or f"={MASK}" in text


def quoted(value: Any) -> str:
    """Return a value of a setting as a message shows it: a Python literal, masked and shortened.

    Anything between ``://`` and the last ``@`` of a text may be a part of credentials.
    """
    return repr(masked_data(value, _masked_setting))[:_QUOTED_MAX]


def _masked_setting(text: str) -> str:
    return masked(_UP_TO_LAST.sub(f"://{MASK}@", text))
